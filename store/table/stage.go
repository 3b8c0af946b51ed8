package table

import (
	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Write is one change of one row.
type Write struct {
	User ident.UserID
	PK   []byte
	Op   row.Op
	Seq  clock.Seq // above the present record's
	Last bool      // the last change of its commit

	// Present is the record that Table.Present gave, nil when there is none:
	// none or a tombstone for an Insert, a live row for all others. A cold one was
	// made whole: what is overwritten stays among the versions beside its key.
	Present *row.Record

	// The new row. A Delete has none: its tombstone keeps the present row. That
	// of an Append is of the present one's schema version and codec.
	Schema  ident.SchemaVersion
	Codec   serde.ID
	Payload []byte
	Piece   row.Piece // of an Append

	// Entries are all that indexes hold of the new row, in a table whose rows are
	// evicted: Evict removes them with it. They are not staged themselves.
	Entries []row.Entry
}

// Stage puts w into b: the new record in the place of the present one, the
// present one among the versions, and the entry of the change index. An Append
// that goes on with the present record's run leaves no version: the images of a
// run are read from its last record. Stage
// returns by how much the number of live rows changes, for AddCount. Nothing
// but w decides what is staged, so every replica stages the same. A Write that
// does not fit its Present is an INTERNAL fault and stages nothing. b keeps
// w.Payload.
func (t Table) Stage(b *store.Batch, w Write) (delta int, err error) {
	if err := w.check(); err != nil {
		return 0, err
	}
	next := row.Record{Seq: w.Seq, Schema: w.Schema, Codec: w.Codec, Payload: w.Payload}
	change := row.Change{Op: w.Op, Last: w.Last, PK: w.PK, Piece: w.Piece, Entries: w.Entries}
	switch w.Op {
	case row.Delete:
		next = *w.Present
		next.Seq, next.Deleted, next.Run = w.Seq, true, 0
	case row.Append:
		next.Run = w.Piece.Column
	}
	if old := w.Present; old != nil {
		change.Prev = old.Seq
		if w.Op != row.Append || old.Run != w.Piece.Column {
			key := row.VersionKey(w.User, w.PK, old.Seq)
			b.Put(t.Part, key, row.AppendRecord(sized(old.Payload), *old))
		}
	}
	b.Put(t.Part, row.Key(w.User, w.PK), row.AppendRecord(sized(next.Payload), next))
	b.Put(t.Part, row.ChangeKey(w.User, w.Seq), row.AppendChange(sized(w.PK), change))
	switch w.Op {
	case row.Insert:
		delta = 1
	case row.Delete:
		delta = -1
	}
	return delta, nil
}

// sized returns room for a record or a change with content.
func sized(content []byte) []byte {
	const header = 24
	return make([]byte, 0, header+len(content))
}

func (w Write) check() error {
	live := w.Present != nil && !w.Present.Deleted
	switch {
	case w.Op != row.Append && (w.Op < row.Insert || w.Op > row.Delete):
		return fault.New(fault.Internal, "a change has the unknown operation %d", w.Op)
	case w.Op == row.Insert && live:
		return fault.New(fault.Internal, "an insert was staged over a row that is there")
	case w.Op != row.Insert && !live:
		return fault.New(fault.Internal, "a change was staged of a row that is not there")
	case w.Op == row.Append && (w.Piece.Column == 0 ||
		w.Schema != w.Present.Schema || w.Codec != w.Present.Codec):
		return fault.New(fault.Internal, "an append was staged that does not keep its row's format")
	case w.Present != nil && w.Present.Cold:
		return fault.New(fault.Internal, "a change was staged of a cold row that was not fetched")
	case w.Seq <= 0 || w.Present != nil && w.Seq <= w.Present.Seq:
		return fault.New(fault.Internal, "a change was staged at %d, which is not after its row", w.Seq)
	}
	return nil
}
