package store

import (
	"sync/atomic"
)

// View is the state of a DB at one moment. It does not change, and is safe for
// concurrent use. Whoever holds one holds a reference: each View() and Retain
// is followed by one Release, after which the holder reads it no more. A view
// that is held keeps the space of what was overwritten since, so it is not
// kept longer than a statement or a page needs.
//
// The count starts at 1 for the DB, which publishes the view, and a count of 0
// is final. View() may load a view just before the DB replaces and frees it,
// so it takes its reference only while the count is above 0 and else loads
// again; the one it finds then is newer. Nothing is locked on that way.
type View struct {
	db   *DB
	snap Snapshot
	refs atomic.Int64

	number uint64 // in the order of states
}

// Range is the part [Lo, Hi) of a partition and the direction to walk it. A
// nil Hi means the end of the partition.
type Range struct {
	Lo, Hi  []byte
	Reverse bool
}

// Get returns a copy of the value of key in p, and whether there is one.
func (v *View) Get(p Partition, key []byte) ([]byte, bool, error) {
	if v.refs.Load() <= 0 {
		return nil, false, errReleased
	}
	return v.snap.Get(p.physical(key))
}

// Scan walks r in p. Keys come back without the partition's prefix. The
// iterator holds a reference to v of its own until it is closed.
func (v *View) Scan(p Partition, r Range) Iterator {
	if !v.retain() {
		return ErrorIterator(errReleased)
	}
	hi := p.end()
	if r.Hi != nil {
		hi = p.physical(r.Hi)
	}
	return &viewIterator{Iterator: v.snap.Scan(p.physical(r.Lo), hi, r.Reverse), view: v}
}

// Retain takes one more reference for another holder and returns v. The
// caller holds one while calling.
func (v *View) Retain() *View {
	v.refs.Add(1)
	return v
}

// Release gives a reference back. The last one frees what the view held.
func (v *View) Release() {
	switch n := v.refs.Add(-1); {
	case n == 0:
		v.db.viewFreed(v.number, v.snap.Close())
	case n < 0:
		panic("store: a view was released more often than it was retained")
	}
}

// retain takes a reference unless the view is freed.
func (v *View) retain() bool {
	for {
		n := v.refs.Load()
		if n <= 0 {
			return false
		}
		if v.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

type viewIterator struct {
	Iterator
	view *View
}

func (it *viewIterator) Key() []byte {
	if k := it.Iterator.Key(); len(k) >= prefixLen {
		return k[prefixLen:]
	}
	return nil
}

func (it *viewIterator) Close() error {
	err := it.Iterator.Close()
	if it.view != nil {
		it.view.Release()
		it.view = nil
	}
	return err
}

// closedSnapshot is what a closed DB shows.
type closedSnapshot struct{}

func (closedSnapshot) Get([]byte) ([]byte, bool, error) { return nil, false, errClosed }
func (closedSnapshot) Scan(_, _ []byte, _ bool) Iterator {
	return ErrorIterator(errClosed)
}
func (closedSnapshot) Close() error { return nil }
