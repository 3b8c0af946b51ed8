// Package memkv is the store engine that keeps everything in memory: a
// copy-on-write B-tree, so that a snapshot costs nothing and never changes. It
// is for tests and for stores that may be lost with their process.
//
// It runs no goroutines and touches no disk.
package memkv

import (
	"bytes"
	"sync"

	"github.com/tidwall/btree"

	"github.com/kalamdb/kalamdb-go/store"
)

// Name is the engine's name in the data directory and the configuration.
const Name = store.Memory

// pairCost estimates the memory a pair takes besides its bytes.
const pairCost = 64

// Engine is an ordered key space in memory. Use Open.
type Engine struct {
	mu   sync.Mutex // guards what follows; trees given out never change
	tree *btree.BTreeG[pair]
	size int64
}

var _ store.Engine = (*Engine)(nil)

type pair struct{ key, value []byte }

func (p pair) cost() int64 { return int64(len(p.key)+len(p.value)) + pairCost }

// Open returns an empty engine. The folder is not used.
func Open(string) (store.Engine, error) {
	less := func(a, b pair) bool { return bytes.Compare(a.key, b.key) < 0 }
	return &Engine{tree: btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})}, nil
}

// Apply writes b. Keys and values are kept, as Batch allows.
func (e *Engine) Apply(b *store.Batch, _ bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, op := range b.Ops() {
		switch op.Kind {
		case store.OpPut:
			p := pair{op.Key, op.Value}
			e.size += p.cost()
			if old, had := e.tree.Set(p); had {
				e.size -= old.cost()
			}
		case store.OpDelete:
			e.delete(op.Key)
		case store.OpDeleteRange:
			for _, key := range e.keys(op.Key, op.Value) {
				e.delete(key)
			}
		}
	}
	return nil
}

func (e *Engine) delete(key []byte) {
	if old, had := e.tree.Delete(pair{key: key}); had {
		e.size -= old.cost()
	}
}

func (e *Engine) keys(lo, hi []byte) (all [][]byte) {
	e.tree.Ascend(pair{key: lo}, func(p pair) bool {
		if hi != nil && bytes.Compare(p.key, hi) >= 0 {
			return false
		}
		all = append(all, p.key)
		return true
	})
	return all
}

// Sync does nothing: there is nothing more durable to move to.
func (e *Engine) Sync() error { return nil }

// Snapshot returns the present state. It costs the same however much it holds.
func (e *Engine) Snapshot() (store.Snapshot, error) { return e.copy(), nil }

func (e *Engine) copy() snapshot {
	e.mu.Lock()
	defer e.mu.Unlock()
	return snapshot{e.tree.Copy()}
}

// Get returns a copy of the value of key, and whether there is one.
func (e *Engine) Get(key []byte) ([]byte, bool, error) { return e.copy().Get(key) }

// Scan walks the present state.
func (e *Engine) Scan(lo, hi []byte, reverse bool) store.Iterator {
	return e.copy().Scan(lo, hi, reverse)
}

// Size returns the memory that all pairs take.
func (e *Engine) Size() (int64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.size, nil
}

// RangeSize returns the memory that the pairs of [lo, hi) take.
func (e *Engine) RangeSize(lo, hi []byte) (size int64, err error) {
	it := e.Scan(lo, hi, false)
	for it.Next() {
		size += pair{it.Key(), it.Value()}.cost()
	}
	return size, it.Close()
}

// Close does nothing; the memory goes with the last reference.
func (e *Engine) Close() error { return nil }

type snapshot struct{ tree *btree.BTreeG[pair] }

func (s snapshot) Get(key []byte) ([]byte, bool, error) {
	p, found := s.tree.Get(pair{key: key})
	return bytes.Clone(p.value), found, nil
}

func (s snapshot) Scan(lo, hi []byte, reverse bool) store.Iterator {
	return &iterator{it: s.tree.Iter(), lo: lo, hi: hi, reverse: reverse}
}

func (s snapshot) Close() error { return nil }

type iterator struct {
	it      btree.IterG[pair]
	lo, hi  []byte
	reverse bool
	started bool
	done    bool
}

func (i *iterator) Next() bool {
	if i.done {
		return false
	}
	i.done = !i.move() || i.outside()
	return !i.done
}

func (i *iterator) move() bool {
	first := !i.started
	i.started = true
	switch {
	case first && i.reverse:
		return i.seekBelow()
	case first:
		return i.it.Seek(pair{key: i.lo})
	case i.reverse:
		return i.it.Prev()
	}
	return i.it.Next()
}

// seekBelow moves to the last key below hi.
func (i *iterator) seekBelow() bool {
	if i.hi == nil || !i.it.Seek(pair{key: i.hi}) {
		return i.it.Last()
	}
	return i.it.Prev()
}

func (i *iterator) outside() bool {
	if i.reverse {
		return bytes.Compare(i.Key(), i.lo) < 0
	}
	return i.hi != nil && bytes.Compare(i.Key(), i.hi) >= 0
}

func (i *iterator) Key() []byte   { return i.it.Item().key }
func (i *iterator) Value() []byte { return i.it.Item().value }
func (i *iterator) Err() error    { return nil }

func (i *iterator) Close() error {
	i.done = true
	return nil
}
