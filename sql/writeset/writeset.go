// Package writeset holds what a statement wants to change, before it becomes a
// command: rows with the preconditions under which the statement was planned.
//
// A Set is used by one goroutine. A key appears in it once: a later write of
// the same key merges with the earlier one.
package writeset

import (
	"bytes"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Write is one row's change. Expect is the seq that the live row had when it
// was read, 0 when the key was free (absent or a tombstone).
type Write struct {
	Table   *ddl.Table
	User    ident.UserID // whose row; "" unless Table is per user
	Op      row.Op       // Insert, Update or Delete, relative to the stored row; or Append
	PK      []byte       // encoded primary key
	Payload []byte       // the new row by the table's codec; the old one for Delete
	Expect  clock.Seq
	// Old is the stored row as it was fetched from a segment; nil where it is not
	// cold.
	Old *row.Record
	// Entries are what the indexes of Table hold of the new row; none for
	// Delete.
	Entries []row.Entry
	// Tail is where an Append puts the text in Payload. Its row was not read, and
	// Expect says nothing.
	Tail *row.Tail
}

func (w *Write) size() int {
	n := len(w.PK) + len(w.Payload)
	if w.Old != nil {
		n += len(w.Old.Payload)
	}
	for _, e := range w.Entries {
		n += len(e.Columns)
	}
	return n
}

type key struct {
	table ident.TableID
	user  ident.UserID
	pk    string
}

// Set is a list of writes in the order in which they were first made.
// The zero Set is empty and ready to use.
type Set struct {
	writes []*Write
	byKey  map[key]*Write // once there are more than few
	bytes  int
	sorted map[owner][]*Write // by primary key; made by Range, dropped by a new key
	unique map[unique]*Write  // the new rows that have a unique entry
	held   map[index][]Held   // made by HeldIn, dropped by any write
}

// owner is whose rows of which table.
type owner struct {
	table ident.TableID
	user  ident.UserID
}

// Lookup returns the pending write of a key, or nil. A write whose row was
// inserted and deleted again within the set has Op 0 and stands for "absent,
// as before".
func (s *Set) Lookup(t ident.TableID, u ident.UserID, pk []byte) *Write {
	if s.byKey != nil {
		return s.byKey[key{t, u, string(pk)}]
	}
	for _, w := range s.writes {
		if w.Table.ID == t && w.User == u && bytes.Equal(w.PK, pk) {
			return w
		}
	}
	return nil
}

// few is how many writes are looked through one by one.
const few = 8

// Add records w, merging it with an earlier write of the same key: what is
// expected of the stored row stays that of the first, the new state is that of
// the last. The set keeps w's slices.
func (s *Set) Add(w Write) {
	prev := s.Lookup(w.Table.ID, w.User, w.PK)
	if prev == nil {
		s.bytes += w.size()
		s.put(&w)
		return
	}
	w.Old = prev.Old
	s.bytes += w.size() - prev.size()
	s.letGo(prev)
	prev.Table, prev.Payload, prev.Entries = w.Table, w.Payload, w.Entries // of one schema version
	s.hold(prev)
	switch existed := prev.Expect != 0; {
	case w.Op == row.Delete && existed:
		prev.Op = row.Delete
	case w.Op == row.Delete:
		prev.Op = 0
	case existed:
		prev.Op = row.Update
	default:
		prev.Op = row.Insert
	}
}

// put adds a write of a new key.
func (s *Set) put(w *Write) {
	s.writes = append(s.writes, w)
	delete(s.sorted, owner{w.Table.ID, w.User})
	s.hold(w)
	if s.byKey == nil && len(s.writes) > few {
		s.byKey = make(map[key]*Write)
		for _, x := range s.writes {
			s.byKey[key{x.Table.ID, x.User, string(x.PK)}] = x
		}
	}
	if s.byKey != nil {
		s.byKey[key{w.Table.ID, w.User, string(w.PK)}] = w
	}
}

// Writes returns the writes that change something, in order.
func (s *Set) Writes() []Write {
	out := make([]Write, 0, len(s.writes))
	for _, w := range s.writes {
		if w.Op != 0 {
			out = append(out, *w)
		}
	}
	return out
}

// Range returns the writes of a user's keys in [lo, hi) in the order of keys,
// those with Op 0 included; a nil hi is the end. The slice is the caller's, the
// writes are not.
func (s *Set) Range(t ident.TableID, u ident.UserID, lo, hi []byte) []*Write {
	own := owner{t, u}
	all, ok := s.sorted[own]
	if !ok {
		for _, w := range s.writes {
			if w.Table.ID == t && w.User == u {
				all = append(all, w)
			}
		}
		slices.SortFunc(all, func(a, b *Write) int { return bytes.Compare(a.PK, b.PK) })
		if s.sorted == nil {
			s.sorted = make(map[owner][]*Write)
		}
		s.sorted[own] = all
	}
	at := func(key []byte) int {
		i, _ := slices.BinarySearchFunc(all, key, func(w *Write, k []byte) int {
			return bytes.Compare(w.PK, k)
		})
		return i
	}
	from, to := at(lo), len(all)
	if hi != nil {
		to = max(from, at(hi))
	}
	return slices.Clone(all[from:to])
}

// Merge adds all writes of other, in order.
func (s *Set) Merge(other *Set) {
	for _, w := range other.writes {
		if w.Op != 0 {
			s.Add(*w)
		}
	}
}

// Len returns the number of keys in the set.
func (s *Set) Len() int { return len(s.writes) }

// Bytes returns the bytes of all keys, payloads and entries, for limits.
func (s *Set) Bytes() int { return s.bytes }
