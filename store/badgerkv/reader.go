package badgerkv

import (
	"bytes"
	"errors"

	"github.com/dgraph-io/badger/v4"

	"github.com/kalamdb/kalamdb-go/store"
)

// snapshot is a read transaction.
type snapshot struct{ txn *badger.Txn }

func (s snapshot) Get(key []byte) ([]byte, bool, error) {
	item, err := s.txn.Get(key)
	if errors.Is(err, badger.ErrKeyNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, mapError(err, "read a key")
	}
	value, err := item.ValueCopy(nil)
	if err != nil {
		return nil, false, mapError(err, "read a value")
	}
	return value, true, nil
}

func (s snapshot) Scan(lo, hi []byte, reverse bool) store.Iterator {
	return newIterator(s.txn, lo, hi, reverse)
}

func (s snapshot) Close() error {
	s.txn.Discard()
	return nil
}

type iterator struct {
	it      *badger.Iterator
	lo, hi  []byte
	reverse bool
	started bool
	closed  bool
	discard func() // of a transaction of its own, or nil
	value   []byte
	loaded  bool // value is the present pair's
	err     error
}

// engineKeys is the first key that belongs to the engine itself.
var engineKeys = []byte{0xFF}

func newIterator(txn *badger.Txn, lo, hi []byte, reverse bool) *iterator {
	if hi == nil {
		hi = engineKeys
	}
	o := badger.DefaultIteratorOptions
	o.PrefetchValues = false
	o.Reverse = reverse
	o.Prefix = sharedPrefix(lo, hi, reverse)
	return &iterator{it: txn.NewIterator(o), lo: lo, hi: hi, reverse: reverse}
}

// sharedPrefix returns what all keys of [lo, hi) begin with, by which badger
// leaves out tables. Upwards it is one byte longer when hi is the end of a
// prefix. Downwards the walk begins at hi, which must have the prefix as well.
func sharedPrefix(lo, hi []byte, reverse bool) []byte {
	n := 0
	for n < len(lo) && n < len(hi) && lo[n] == hi[n] {
		n++
	}
	if !reverse && n < len(lo) && len(hi) == n+1 && hi[n] == lo[n]+1 {
		n++
	}
	return lo[:n]
}

func (i *iterator) Next() bool {
	if i.closed || i.err != nil {
		return false
	}
	i.loaded = false
	if i.started {
		if !i.it.Valid() {
			return false
		}
		i.it.Next()
	} else {
		i.started = true
		i.seek()
	}
	return i.it.Valid() && i.inside()
}

func (i *iterator) seek() {
	if !i.reverse {
		i.it.Seek(i.lo)
		return
	}
	i.it.Seek(i.hi)
	if i.it.Valid() && bytes.Equal(i.Key(), i.hi) {
		i.it.Next()
	}
}

func (i *iterator) inside() bool {
	if i.reverse {
		return bytes.Compare(i.Key(), i.lo) >= 0
	}
	return bytes.Compare(i.Key(), i.hi) < 0
}

func (i *iterator) Key() []byte { return i.it.Item().Key() }

func (i *iterator) Value() []byte {
	if i.loaded {
		return i.value
	}
	value, err := i.it.Item().ValueCopy(i.value[:0])
	if err != nil {
		i.err = mapError(err, "load a value")
		return nil
	}
	i.value, i.loaded = value, true
	return value
}

func (i *iterator) Err() error { return i.err }

func (i *iterator) Close() error {
	if i.closed {
		return i.err
	}
	i.closed = true
	i.it.Close()
	if i.discard != nil {
		i.discard()
	}
	return i.err
}
