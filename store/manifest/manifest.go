// Package manifest is what a table's partition knows of its segments: one entry
// each, below the id of the user whose rows are in it. It is read through a
// store.View and changed in a store.Batch, beside the records that point to the
// segments, so that the two never disagree.
//
// The byte layout is in docs/format/manifest.md. The package holds no state.
package manifest

import (
	"errors"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// State is where a segment is in its life.
type State uint8

// The states of a segment, in order.
const (
	Pending State = 1 // its file is being written; nothing points to it
	There   State = 2 // its file is whole and may be pointed to
	Dying   State = 3 // nothing points to it any more; its file goes
)

// String returns the state as system tables show it.
func (s State) String() string {
	switch s {
	case Pending:
		return "pending"
	case There:
		return "there"
	case Dying:
		return "dying"
	}
	return "unknown"
}

// Entry is a segment of one user's rows.
type Entry struct {
	ID      ident.SegmentID
	State   State
	Storage ident.StorageID
	Path    string // of the file in the storage
	Created clock.Seq
	Schema  ident.SchemaVersion

	// What is in the file, once it is There.
	Rows           uint32
	Bytes          int64
	MinKey, MaxKey []byte // primary keys
	MinSeq, MaxSeq clock.Seq
	Checksum       [32]byte // SHA-256 of the file

	Live      uint32    // records that point to it
	DeadSince clock.Seq // when the first one was lost; 0 while none was
}

// Get returns the entry of a segment over what b will change, and whether there
// is one; a nil b changes nothing.
func Get(v *store.View, b *store.Batch, p store.Partition, u ident.UserID, id ident.SegmentID) (
	e Entry, found bool, err error,
) {
	key := row.SegmentKey(u, id)
	var raw []byte
	if b == nil {
		raw, found, err = v.Get(p, key)
	} else {
		raw, found, err = b.Get(v, p, key)
	}
	if err != nil || !found {
		return Entry{}, false, err
	}
	e, err = Parse(raw)
	e.ID = id
	return e, err == nil, err
}

// Put stages the entry of a segment.
func Put(b *store.Batch, p store.Partition, u ident.UserID, e *Entry) {
	b.Put(p, row.SegmentKey(u, e.ID), e.Append(nil))
	if e.State == There && e.Live > 0 {
		b.Delete(p, row.UnsettledKey(u, e.ID))
	} else {
		b.Put(p, row.UnsettledKey(u, e.ID), nil)
	}
}

// Remove stages the removal of a segment's entry.
func Remove(b *store.Batch, p store.Partition, u ident.UserID, id ident.SegmentID) {
	b.Delete(p, row.SegmentKey(u, id))
	b.Delete(p, row.UnsettledKey(u, id))
}

// Of gives visit the entries of a user, oldest first, until it returns an error.
func Of(v *store.View, p store.Partition, u ident.UserID, visit func(*Entry) error) error {
	lo := row.SegmentPrefix(u)
	return walk(v, p, lo, row.PrefixEnd(lo), func(_ ident.UserID, e *Entry) error { return visit(e) })
}

// All gives visit the entries of all users from the one of from on, user by
// user, until it returns an error.
func All(v *store.View, p store.Partition, from ident.UserID,
	visit func(ident.UserID, *Entry) error,
) error {
	lo, hi := row.SegmentSpace()
	if from != "" {
		lo = row.SegmentPrefix(from)
	}
	return walk(v, p, lo, hi, visit)
}

func walk(v *store.View, p store.Partition, lo, hi []byte,
	visit func(ident.UserID, *Entry) error,
) (err error) {
	it := v.Scan(p, store.Range{Lo: lo, Hi: hi})
	defer func() { err = errors.Join(err, it.Close()) }()
	for it.Next() {
		u, id, err := row.SplitSegmentKey(it.Key())
		if err != nil {
			return err
		}
		e, err := Parse(it.Value())
		if err != nil {
			return err
		}
		e.ID = id
		if err := visit(u, &e); err != nil {
			return err
		}
	}
	return it.Err()
}

// Unsettled gives visit the entries of all users that nothing points to: they are
// Pending or Dying, or there and of no use yet. It costs these, not what is there.
func Unsettled(v *store.View, p store.Partition,
	visit func(ident.UserID, *Entry) error,
) (err error) {
	lo, hi := row.UnsettledSpace()
	it := v.Scan(p, store.Range{Lo: lo, Hi: hi})
	defer func() { err = errors.Join(err, it.Close()) }()
	for it.Next() {
		u, id, err := row.SplitUnsettledKey(it.Key())
		if err != nil {
			return err
		}
		e, found, err := Get(v, nil, p, u, id)
		if err == nil && !found {
			err = fault.New(fault.Corruption, "partition %s lacks the entry of segment %s", p.Name, id)
		}
		if err != nil {
			return err
		}
		if err := visit(u, &e); err != nil {
			return err
		}
	}
	return it.Err()
}
