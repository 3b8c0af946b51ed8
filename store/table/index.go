package table

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// A partition holds the entries of the table's secondary indexes: one for each
// live row and index, staged in the batch of the row. The package does not know
// the columns of an index; who writes a row says which entries come and go.

// PutEntry stages the entry of the row pk. Who puts a unique one has made sure
// with Owner that no other row has it.
func (t Table) PutEntry(b *store.Batch, u ident.UserID, pk []byte, e row.Entry) {
	b.Put(t.Part, e.Key(u, pk), e.Value(pk))
}

// RemoveEntry stages the removal of the entry of the row pk; nothing is staged
// when another row has it, or none.
func (t Table) RemoveEntry(
	v *store.View, b *store.Batch, u ident.UserID, pk []byte, e row.Entry,
) error {
	if e.Unique {
		owner, found, err := t.Owner(v, b, u, e)
		if err != nil || !found || !bytes.Equal(owner, pk) {
			return err
		}
	}
	b.Delete(t.Part, e.Key(u, pk))
	return nil
}

// Owner returns the primary key of the row that has a unique entry, over what b
// will change; a nil b changes nothing.
func (t Table) Owner(v *store.View, b *store.Batch, u ident.UserID, e row.Entry) (
	pk []byte, found bool, err error,
) {
	key := e.Key(u, nil)
	var val []byte
	if b == nil {
		val, found, err = v.Get(t.Part, key)
	} else {
		val, found, err = b.Get(v, t.Part, key)
	}
	if err != nil || !found {
		return nil, false, err
	}
	_, pk, err = row.SplitEntry(nil, val)
	return pk, err == nil, err
}

// Carried returns the entries of a live row that stand beside its last change,
// over what b will change. There are some in tables whose rows are evicted.
func (t Table) Carried(v *store.View, b *store.Batch, u ident.UserID, seq clock.Seq) (
	[]row.Entry, error,
) {
	raw, found, err := b.Get(v, t.Part, row.ChangeKey(u, seq))
	if err != nil || !found {
		return nil, err
	}
	c, err := row.ParseChange(raw)
	return c.Entries, err
}

// Carry stages other entries beside the change at seq, which must be there.
func (t Table) Carry(v *store.View, b *store.Batch, u ident.UserID, seq clock.Seq,
	entries []row.Entry,
) error {
	key := row.ChangeKey(u, seq)
	raw, found, err := b.Get(v, t.Part, key)
	if err != nil {
		return err
	}
	if !found {
		return fault.New(fault.Corruption, "partition %s lacks the change of a row", t.Part.Name)
	}
	c, err := row.ParseChange(raw)
	if err != nil {
		return err
	}
	c.Entries = entries
	b.Put(t.Part, key, row.AppendChange(sized(c.PK), c))
	return nil
}

// completeIndex begins the names of the counters that say which indexes are
// complete; the number of the index follows.
const completeIndex = "index"

func completeKey(x ident.IndexID) []byte {
	return row.MetaKey(string(binary.BigEndian.AppendUint32([]byte(completeIndex), uint32(x))))
}

// CompleteIndex stages the note that an index has an entry for every live row
// from now on.
func (t Table) CompleteIndex(b *store.Batch, x ident.IndexID) {
	b.Put(t.Part, completeKey(x), binary.BigEndian.AppendUint64(nil, 1))
}

// IndexComplete reports whether an index may be read through v. One that was
// completed after v was taken may not.
func (t Table) IndexComplete(v *store.View, x ident.IndexID) (bool, error) {
	n, err := counter(v.Get(t.Part, completeKey(x)))
	return n == 1, err
}

// DropIndex stages the removal of all entries of an index. Nothing may put
// entries of it in b afterwards.
func (t Table) DropIndex(b *store.Batch, x ident.IndexID) {
	lo, hi := row.IndexSpace(x)
	b.DeleteRange(t.Part, lo, hi)
	b.Delete(t.Part, completeKey(x))
}

// Entries walks the entries of a user in an index. It is used by one goroutine
// and must be closed.
type Entries struct {
	it          store.Iterator
	prefix      int
	key         []byte
	columns, pk []byte
	err         error
}

// ScanIndex walks the entries whose columns, with the primary key behind them,
// are within s, in that order. Only a prefix of the columns may bound s where
// the index is unique, since its entries end with their columns.
func (t Table) ScanIndex(v *store.View, u ident.UserID, x ident.IndexID, s Span) *Entries {
	prefix := row.IndexPrefix(u, x, 0)
	r := store.Range{Lo: prefix, Hi: row.PrefixEnd(prefix), Reverse: s.Reverse}
	if s.Lo != nil {
		r.Lo = append(row.IndexPrefix(u, x, len(s.Lo)), s.Lo...)
	}
	if s.Hi != nil {
		r.Hi = append(row.IndexPrefix(u, x, len(s.Hi)), s.Hi...)
	}
	return &Entries{it: v.Scan(t.Part, r), prefix: len(prefix)}
}

// Next moves to the next entry, the first one on the first call.
func (e *Entries) Next() bool {
	if e.err != nil || !e.it.Next() {
		return false
	}
	e.key = e.it.Key()[e.prefix:]
	e.columns, e.pk, e.err = row.SplitEntry(e.key, e.it.Value())
	return e.err == nil
}

// Key returns where the entry stands in the index: its columns, with the
// primary key behind them unless it is unique. It is valid until Next or Close.
func (e *Entries) Key() []byte { return e.key }

// Columns returns the encoded columns of the entry, valid until Next or Close.
func (e *Entries) Columns() []byte { return e.columns }

// PK returns the primary key of the entry's row, valid until Next or Close.
func (e *Entries) PK() []byte { return e.pk }

// Err returns what ended the walk early, if anything did.
func (e *Entries) Err() error {
	if e.err != nil {
		return e.err
	}
	return e.it.Err()
}

// Close frees the iterator and returns Err's error. It may be called twice.
func (e *Entries) Close() error {
	if err := e.it.Close(); e.err == nil {
		e.err = err
	}
	return e.err
}

// Indexed walks the rows of a user in the order of an index, as Rows walks them
// in the order of the key.
type Indexed struct {
	*Entries
	ctx   context.Context
	table Table
	view  *store.View
	user  ident.UserID
	rec   row.Record
	read  int
	ahead *ahead // nil until a row was cold

	headers bool
	need    Need
}

// RowsByIndex is ScanIndex with the rows. ctx ends the reading of cold ones. The
// caller holds v until Close.
func (t Table) RowsByIndex(
	ctx context.Context, v *store.View, u ident.UserID, x ident.IndexID, s Span,
) *Indexed {
	return &Indexed{Entries: t.ScanIndex(v, u, x, s), ctx: ctx, table: t, view: v, user: u,
		headers: s.Headers}
}

// Need is Rows.Need.
func (r *Indexed) Need(n Need) { r.need = n }

// Next moves to the next row, the first one on the first call.
func (r *Indexed) Next() bool {
	if r.ahead != nil {
		if ok := r.takeAhead(); ok || r.err != nil || r.ahead.ended {
			return ok
		}
	}
	if !r.Entries.Next() {
		return false
	}
	r.read++
	if r.rec, r.err = r.table.named(r.view, r.user, r.pk); r.err != nil {
		return false
	}
	if r.rec.Cold && !r.headers {
		return r.lookAhead()
	}
	return true
}

// takeAhead moves to a row that was read ahead, if there is one.
func (r *Indexed) takeAhead() bool {
	it, ok, err := r.ahead.take(r.ctx, r.table, r.view, r.user)
	if err == nil && ok {
		r.read++
		r.rec, r.key = it.rec, it.key
		r.columns, r.pk, err = row.SplitEntry(it.key, it.value)
	}
	if err != nil {
		r.err = err
	}
	return ok && err == nil
}

// lookAhead reads ahead from the row that it stands on.
func (r *Indexed) lookAhead() bool {
	if r.ahead == nil {
		r.ahead = newAhead(r.need)
	}
	r.read-- // it is counted when it is taken
	r.ahead.look(r.ctx, r.table, r.view, r.user, r.standsOn(), func() (item, bool, error) {
		if !r.Entries.Next() {
			return item{}, false, r.Entries.Err()
		}
		rec, err := r.table.named(r.view, r.user, r.pk)
		if err != nil {
			return item{}, false, err
		}
		r.rec = rec
		return r.standsOn(), true, nil
	})
	return r.takeAhead()
}

// standsOn returns the row that the iterator is at.
func (r *Indexed) standsOn() item {
	return item{key: bytes.Clone(r.key), value: bytes.Clone(r.it.Value()), rec: r.rec}
}

// Indexed returns the row that an entry of an index names.
func (t Table) Indexed(ctx context.Context, v *store.View, u ident.UserID, pk []byte) (
	row.Record, error,
) {
	rec, err := t.named(v, u, pk)
	if rec.Cold {
		return t.thaw(ctx, v, u, rec)
	}
	return rec, err
}

// named is Indexed without fetching the row.
func (t Table) named(v *store.View, u ident.UserID, pk []byte) (row.Record, error) {
	rec, found, err := t.Peek(v, u, pk)
	if err == nil && (!found || rec.Deleted) {
		err = fault.New(fault.Corruption, "an index of partition %s has an entry without a row; "+
			"drop the index and create it again", t.Part.Name)
	}
	return rec, err
}

// Record returns the present row. Its payload is valid until Next or Close.
func (r *Indexed) Record() row.Record { return r.rec }

// Present is Record without a copy; see Rows.Present.
func (r *Indexed) Present() *row.Record { return &r.rec }

// Read returns how many rows were read so far.
func (r *Indexed) Read() int { return r.read }
