package apply_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

const segment = ident.SegmentID(77)

// nextState commits the next step in the life of the segment.
func (x *indexed) nextState(s manifest.State) int {
	x.t.Helper()
	return x.commit(&command.Command{Shard: shard, Segments: []command.Segment{
		{Table: tableID, User: "u", Entry: manifest.Entry{ID: segment, State: s}},
	}})[0].Edited
}

// write commits a write of row k of user u.
func (x *indexed) writeRow(op row.Op, expect clock.Seq, old *row.Record) (out outcomeOf) {
	x.t.Helper()
	w := command.Write{Table: tableID, Schema: 1, Codec: serde.Row, Op: op, User: "u",
		Expect: expect, PK: []byte("k"), Payload: []byte("new"), Old: old}
	if op == row.Delete {
		w.Payload = nil
	}
	if op == row.Append {
		w.Tail = &row.Tail{}
	}
	o := x.commit(&command.Command{Shard: shard, Writes: []command.Write{w}})[0]
	return outcomeOf{o.Seq, o.Err, o.Reread, len(o.Changes) > 0 && o.Changes[0].Old != nil}
}

type outcomeOf struct {
	seq    clock.Seq
	err    error
	reread bool
	hasOld bool
}

// frozenRow makes row k cold and returns its seq.
func frozenRow(x *indexed) clock.Seq {
	x.t.Helper()
	first := x.writeRow(row.Insert, 0, nil)
	if first.err != nil {
		x.t.Fatal(first.err)
	}
	if x.nextState(manifest.Pending) != 1 || x.nextState(manifest.Pending) != 0 || x.nextState(manifest.There) != 1 {
		x.t.Fatal("the segment is not there")
	}
	swap := &command.Command{Shard: shard, Swaps: []command.Swap{{Table: tableID, Swap: table.Swap{
		User: "u", Segment: segment, Rows: []table.Moved{{PK: []byte("k"), Seq: first.seq, Ordinal: 5}},
	}}}}
	out := x.commit(swap)[0]
	if out.Err != nil || out.Swapped != 1 || len(out.Changes) != 0 {
		x.t.Fatalf("%+v", out)
	}
	if out := x.commit(swap)[0]; out.Swapped != 0 {
		x.t.Fatalf("swapped again: %+v", out)
	}
	rec := x.present()
	want := row.Place{Segment: segment, Ordinal: 5}
	if rec.Seq != first.seq || rec.Place() != want {
		x.t.Fatalf("%+v", rec)
	}
	return first.seq
}

func (x *indexed) present() row.Record {
	x.t.Helper()
	v := x.db.View()
	defer v.Release()
	rec, _, err := x.table.Peek(v, "u", []byte("k"))
	x.must(err)
	return rec
}

func (x *indexed) manifest() manifest.Entry {
	x.t.Helper()
	v := x.db.View()
	defer v.Release()
	e, _, err := manifest.Get(v, nil, x.table.Part, "u", segment)
	x.must(err)
	return e
}

func TestApply_WritesOverColdRows(t *testing.T) {
	old := &row.Record{Schema: 3, Codec: serde.JSON, Payload: []byte("old")}
	for _, op := range []row.Op{row.Update, row.Delete} {
		x := newIndexed(t)
		seq := frozenRow(x)
		for _, refused := range []outcomeOf{
			x.writeRow(op, seq, nil), x.writeRow(row.Append, 0, nil), x.writeRow(row.Append, 0, old),
		} {
			if !refused.reread || !fault.Is(refused.err, fault.TransactionConflict) {
				t.Errorf("a write that has not read the row: %+v", refused)
			}
		}
		if out := x.writeRow(op, seq+1, old); out.reread || !fault.Is(out.err, fault.TransactionConflict) {
			t.Errorf("a write of another seq: %+v", out)
		}
		if out := x.writeRow(row.Insert, 0, nil); !fault.Is(out.err, fault.DuplicateKey) {
			t.Errorf("an insert: %+v", out)
		}
		if e := x.manifest(); e.State != manifest.There || e.Live != 1 || x.nextState(manifest.Dying) != 0 {
			t.Errorf("the segment before is %+v", e)
		}
		for _, w := range []command.Write{{Op: command.Check}, {Op: command.Fill}} {
			w.Table, w.Schema, w.User, w.PK, w.Expect = tableID, 1, "u", []byte("k"), seq
			if out := x.commit(&command.Command{Shard: shard, Writes: []command.Write{w}})[0]; out.Err != nil {
				t.Errorf("operation %d: %v", w.Op, out.Err)
			}
		}
		out := x.writeRow(op, seq, old)
		if out.err != nil || !out.hasOld {
			t.Fatalf("operation %d: %+v", op, out)
		}
		if e := x.manifest(); e.State != manifest.Dying || e.Live != 0 || e.DeadSince != out.seq {
			t.Errorf("the segment after is %+v", e)
		}
		x.checkHistory(op, out.seq, old)
		if x.nextState(0) != 1 || x.manifest().State != 0 {
			t.Error("a dying segment is not removed")
		}
	}
}

// checkHistory checks the images of the last change, and that nothing is cold.
func (x *indexed) checkHistory(op row.Op, seq clock.Seq, old *row.Record) {
	x.t.Helper()
	v := x.db.View()
	defer v.Release()
	changes := x.table.Changes(x.t.Context(), v, "u", seq-1)
	if !changes.Next() {
		x.t.Fatal(changes.Err())
	}
	before, after, err := changes.Images()
	x.must(err)
	x.must(changes.Close())
	if string(before.Payload) != "old" || before.Schema != old.Schema || before.Codec != old.Codec {
		x.t.Errorf("before: %+v", before)
	}
	want := "new"
	if op == row.Delete {
		want = "old"
	}
	if string(after.Payload) != want || after.Deleted != (op == row.Delete) || after.Cold {
		x.t.Errorf("after: %+v", after)
	}
}

// TestApply_OldOfAHotRow takes no notice of what a writer read out of a segment
// when the row is beside its key after all.
func TestApply_OldOfAHotRow(t *testing.T) {
	x := newIndexed(t)
	first := x.writeRow(row.Insert, 0, nil)
	out := x.writeRow(row.Update, first.seq, &row.Record{Schema: 1, Payload: []byte("wrong")})
	if out.err != nil {
		t.Fatal(out.err)
	}
	v := x.db.View()
	defer v.Release()
	changes := x.table.Changes(t.Context(), v, "u", first.seq)
	defer changes.Close()
	if !changes.Next() {
		t.Fatal(changes.Err())
	}
	if before, _, err := changes.Images(); err != nil || string(before.Payload) != "new" {
		t.Errorf("before: %+v %v", before, err)
	}
}

// TestApply_ColdOfATableThatIsGone does nothing.
func TestApply_ColdOfATableThatIsGone(t *testing.T) {
	x := newIndexed(t)
	out := x.commit(&command.Command{Shard: shard,
		Segments: []command.Segment{{Table: 5, Entry: manifest.Entry{ID: 1, State: manifest.Pending}}},
		Swaps:    []command.Swap{{Table: 5, Swap: table.Swap{Segment: 1}}},
	})[0]
	if out.Err != nil || out.Edited != 0 || out.Swapped != 0 {
		t.Errorf("%+v", out)
	}
}
