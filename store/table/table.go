// Package table is a table as one thing: rows, their change index, their
// overwritten versions and some counters, in one partition. It reads through a
// store.View and stages its writes into a store.Batch.
//
// The payload of a row may be cold: in a segment, where only its place is known
// here. Whoever reads rows gets them whole, fetched by Table.Cold; whether a row
// is there and its seq are known without. A cold row that can't be fetched is an
// error of the reads that need it, and of no other.
//
// It decides nothing: preconditions, sequence numbers and what may be trimmed
// are the caller's, and so is hiding tombstones. Writers stage one after
// another over the same batch; readers are safe for concurrent use. It keeps
// no state and runs no goroutines.
package table

import (
	"context"
	"encoding/binary"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Table is a table's part in one partition: a shard of a user table, or a
// whole shared table, whose rows belong to the empty user id. It is a small
// value that may be copied.
type Table struct {
	Part store.Partition
	Cold Cold // nil for a table that has no cold rows
}

// The counters of a partition, eight big-endian bytes each.
const (
	counterRows    = "rows"    // live rows
	counterCold    = "cold"    // those that are cold
	counterTrimmed = "trimmed" // the highest seq whose change was trimmed
	counterBegun   = "begun"   // the seq behind which the partition's history begins
)

// Get returns the record of a user's primary key, and whether there is one. A
// deleted row that is not trimmed yet is returned with Deleted set.
func (t Table) Get(ctx context.Context, v *store.View, user ident.UserID, pk []byte) (
	row.Record, bool, error,
) {
	rec, found, err := t.Peek(v, user, pk)
	if rec.Cold {
		rec, err = t.thaw(ctx, v, user, rec)
		found = err == nil
	}
	return rec, found, err
}

// Peek is Get for who does not need the row's values: the record may be Cold.
func (t Table) Peek(v *store.View, user ident.UserID, pk []byte) (row.Record, bool, error) {
	return parse(v.Get(t.Part, row.Key(user, pk)))
}

// Present is Peek over what b will change: the record that a writer judges its
// preconditions by and hands to Stage. Its payload is not to be changed.
func (t Table) Present(
	v *store.View, b *store.Batch, user ident.UserID, pk []byte,
) (row.Record, bool, error) {
	return parse(b.Get(v, t.Part, row.Key(user, pk)))
}

func parse(raw []byte, found bool, err error) (row.Record, bool, error) {
	if err != nil || !found {
		return row.Record{}, false, err
	}
	r, err := row.ParseRecord(raw)
	return r, err == nil, err
}

// Count returns the number of live rows of all users in the partition.
func (t Table) Count(v *store.View) (int64, error) {
	n, err := counter(v.Get(t.Part, row.MetaKey(counterRows)))
	return int64(n), err
}

// AddCount changes the number of live rows by delta, the sum of what Stage
// returned. It reads the number over b.
func (t Table) AddCount(v *store.View, b *store.Batch, delta int) error {
	return t.add(v, b, counterRows, delta)
}

// ColdRows returns how many of the live rows of all users are cold.
func (t Table) ColdRows(v *store.View) (int64, error) {
	n, err := counter(v.Get(t.Part, row.MetaKey(counterCold)))
	return int64(n), err
}

func (t Table) add(v *store.View, b *store.Batch, name string, delta int) error {
	if delta == 0 {
		return nil
	}
	n, err := counter(b.Get(v, t.Part, row.MetaKey(name)))
	if err != nil {
		return err
	}
	return t.put(b, name, int64(n)+int64(delta))
}

// PutCount sets the number of live rows, for who knows it without reading.
func (t Table) PutCount(b *store.Batch, n int64) error { return t.put(b, counterRows, n) }

func (t Table) put(b *store.Batch, name string, n int64) error {
	if n < 0 {
		return fault.New(fault.Corruption,
			"partition %s counts fewer than no %s; restore it from a backup", t.Part.Name, name)
	}
	b.Put(t.Part, row.MetaKey(name), binary.BigEndian.AppendUint64(nil, uint64(n)))
	return nil
}

// Trimmed returns the highest seq whose change is gone from the history, 0
// when all is there. A reader of changes whose cursor is below it must be told
// to read everything again.
func (t Table) Trimmed(v *store.View) (clock.Seq, error) {
	n, err := counter(v.Get(t.Part, row.MetaKey(counterTrimmed)))
	return clock.Seq(n), err
}

// Begin notes the seq behind which the history of a new partition begins.
func (t Table) Begin(b *store.Batch, seq clock.Seq) {
	b.Put(t.Part, row.MetaKey(counterBegun), binary.BigEndian.AppendUint64(nil, uint64(seq)))
}

// Begun returns what Begin noted, 0 for a partition of before it was noted. A
// cursor below it is of another table, or of what the table was before it was
// truncated.
func (t Table) Begun(v *store.View) (clock.Seq, error) {
	n, err := counter(v.Get(t.Part, row.MetaKey(counterBegun)))
	return clock.Seq(n), err
}

func counter(raw []byte, found bool, err error) (uint64, error) {
	if err != nil || !found {
		return 0, err
	}
	if len(raw) != 8 || raw[0] > 0x7F {
		return 0, fault.New(fault.Corruption, "a counter of a partition is damaged")
	}
	return binary.BigEndian.Uint64(raw), nil
}
