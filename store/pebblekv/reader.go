package pebblekv

import (
	"bytes"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/kalamdb/kalamdb-go/store"
)

// reader reads a database or a snapshot of one.
type reader struct{ src pebble.Reader }

// Get returns a copy of the value of key, and whether there is one.
func (r reader) Get(key []byte) ([]byte, bool, error) {
	value, closer, err := r.src.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, mapError(err, "read a key")
	}
	value = bytes.Clone(value)
	return value, true, mapError(closer.Close(), "read a key")
}

// Scan walks [lo, hi).
func (r reader) Scan(lo, hi []byte, reverse bool) store.Iterator {
	if hi == nil {
		hi = []byte{0xFF}
	}
	if bytes.Compare(lo, hi) >= 0 {
		return store.ErrorIterator(nil)
	}
	it, err := r.src.NewIter(&pebble.IterOptions{LowerBound: lo, UpperBound: hi})
	if err != nil {
		return store.ErrorIterator(mapError(err, "open an iterator"))
	}
	return &iterator{it: it, reverse: reverse}
}

type snapshot struct {
	snap *pebble.Snapshot
	reader
}

func (s snapshot) Close() error { return mapError(s.snap.Close(), "close a snapshot") }

type iterator struct {
	it      *pebble.Iterator
	reverse bool
	started bool
	closed  bool
	err     error
}

func (i *iterator) Next() bool {
	if i.closed || i.err != nil {
		return false
	}
	first := !i.started
	i.started = true
	var ok bool
	switch {
	case first && i.reverse:
		ok = i.it.Last()
	case first:
		ok = i.it.First()
	case i.reverse:
		ok = i.it.Prev()
	default:
		ok = i.it.Next()
	}
	if !ok {
		i.err = mapError(i.it.Error(), "scan")
	}
	return ok
}

func (i *iterator) Key() []byte { return i.it.Key() }

func (i *iterator) Value() []byte {
	v, err := i.it.ValueAndErr()
	if err != nil {
		i.err = mapError(err, "load a value")
	}
	return v
}

func (i *iterator) Err() error { return i.err }

func (i *iterator) Close() error {
	if i.closed {
		return i.err
	}
	i.closed = true
	if err := i.it.Close(); i.err == nil {
		i.err = mapError(err, "close an iterator")
	}
	return i.err
}
