package writeset

import (
	"bytes"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// unique is a unique entry of an index.
type unique struct {
	table ident.TableID
	key   string // of the entry, with the index and the user in it
}

// index is an index with whose rows of it.
type index struct {
	owner
	id ident.IndexID
}

// Held is an entry of an index that a write gives its row.
type Held struct {
	// Key is where the entry stands in the index: its columns, with the primary
	// key behind them unless it is unique.
	Key   []byte
	Write *Write
}

// Holder returns the write whose new row has a unique entry, or nil. What the
// stored row of another write has of it does not count any more.
func (s *Set) Holder(t ident.TableID, u ident.UserID, e row.Entry) *Write {
	if len(s.unique) == 0 {
		return nil
	}
	return s.unique[unique{t, string(e.Key(u, nil))}]
}

// hold notes the entries of a write's new row. An entry that two rows have
// belongs to the later write; who cares asks Holder before.
func (s *Set) hold(w *Write) {
	for _, e := range w.Entries {
		s.held = nil
		if e.Unique {
			if s.unique == nil {
				s.unique = make(map[unique]*Write)
			}
			s.unique[unique{w.Table.ID, string(e.Key(w.User, nil))}] = w
		}
	}
}

// letGo forgets the entries of a write whose row changes again.
func (s *Set) letGo(w *Write) {
	for _, e := range w.Entries {
		s.held = nil
		k := unique{w.Table.ID, string(e.Key(w.User, nil))}
		if e.Unique && s.unique[k] == w {
			delete(s.unique, k)
		}
	}
}

// HeldIn returns the entries of new rows in a user's index with keys in
// [lo, hi), in order; a nil hi is the end. The slice is the caller's, what it
// points to is not.
func (s *Set) HeldIn(t ident.TableID, u ident.UserID, id ident.IndexID, lo, hi []byte) []Held {
	in := index{owner{t, u}, id}
	all, ok := s.held[in]
	if !ok {
		for _, w := range s.writes {
			if w.Table.ID == t && w.User == u {
				all = appendHeld(all, w, id)
			}
		}
		slices.SortFunc(all, func(a, b Held) int { return bytes.Compare(a.Key, b.Key) })
		if s.held == nil {
			s.held = make(map[index][]Held)
		}
		s.held[in] = all
	}
	at := func(key []byte) int {
		i, _ := slices.BinarySearchFunc(all, key, func(h Held, k []byte) int {
			return bytes.Compare(h.Key, k)
		})
		return i
	}
	from, to := at(lo), len(all)
	if hi != nil {
		to = max(from, at(hi))
	}
	return slices.Clone(all[from:to])
}

func appendHeld(all []Held, w *Write, id ident.IndexID) []Held {
	for _, e := range w.Entries {
		if e.Index != id {
			continue
		}
		key := e.Columns
		if !e.Unique {
			key = append(slices.Clone(key), w.PK...)
		}
		all = append(all, Held{key, w})
	}
	return all
}
