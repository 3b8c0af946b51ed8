package table

import (
	"bytes"
	"encoding/binary"
	"errors"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Erasure says which part of a partition goes, in two passes: what a user had, and
// when that is gone what indexes have left of it.
type Erasure struct {
	User   ident.UserID
	UpTo   clock.Seq // what is newer stays
	Cursor Cursor    // where the piece before ended, nil to begin a pass
	Limit  int       // keys looked at, at most
	// Entries is the second pass, over these indexes. The first one does without:
	// the entries of a cold row can't be told without its file.
	Entries bool
	Indexes []ident.IndexID
}

// Erased tells how far a piece of an erasure came.
type Erased struct {
	Cursor  Cursor // for the next piece, when not Done
	Done    bool   // with the pass
	Removed int    // keys
	Rows    int    // live rows, by which the caller lowers the count
}

// Names of notes about a user, which follows: that an erasure goes on, and up to
// which seq the last one went, behind which the user's history begins.
const (
	noteErasing = "erasing"
	noteErased  = "erased"
)

func noteKey(name string, u ident.UserID) []byte { return row.MetaKey(name + "\x00" + string(u)) }

// Erase stages the removal of a piece of what a user has from up to e.UpTo: changes,
// rows and tombstones, versions that no row is left of; then entries of indexes
// that no row is left of. The segments that held the rows are left to their end:
// nothing points to them. Everything is read over b, v being the view below it.
//
// Between the first piece and the last the user's entries are without rows: who
// erases sees to it that nobody reads the user's rows.
func (t Table) Erase(v *store.View, b *store.Batch, e Erasure, seq clock.Seq) (
	out Erased, err error,
) {
	s := &erasing{table: t, view: v, batch: b, Erasure: e, budget: max(e.Limit, 1),
		lost: make(map[ident.SegmentID]uint32)}
	if !e.Entries && e.Cursor == nil {
		s.begin()
	}
	for _, space := range s.spaces() {
		next, err := s.walk(space)
		if err != nil {
			return Erased{}, err
		}
		if next != nil {
			s.out.Cursor = next
			return s.out, s.lose(seq)
		}
	}
	if s.out.Done = true; e.Entries {
		b.Delete(t.Part, noteKey(noteErasing, e.User))
	}
	return s.out, s.lose(seq)
}

// Erasing reports whether an erasure of what a user has goes on.
func (t Table) Erasing(v *store.View, u ident.UserID) (bool, error) {
	_, found, err := v.Get(t.Part, noteKey(noteErasing, u))
	return found, err
}

// ErasedUpTo returns the seq up to which all that a user had was erased, 0 for
// never. A cursor below it is of rows that are gone without a change that says so.
func (t Table) ErasedUpTo(v *store.View, u ident.UserID) (clock.Seq, error) {
	n, err := counter(v.Get(t.Part, noteKey(noteErased, u)))
	return clock.Seq(n), err
}

// HasOf reports whether a partition has anything of a user but segments: rows,
// history, or an erasure that goes on.
func (t Table) HasOf(v *store.View, u ident.UserID) (bool, error) {
	s := &erasing{table: t, view: v, Erasure: Erasure{User: u, UpTo: clock.MaxSeq - 1}}
	for _, space := range s.spaces() {
		it := v.Scan(t.Part, store.Range{Lo: space.lo, Hi: space.hi})
		found := it.Next()
		if err := it.Close(); err != nil || found {
			return found, err
		}
	}
	return t.Erasing(v, u)
}

// erasing is one piece of an erasure.
type erasing struct {
	Erasure
	table  Table
	view   *store.View
	batch  *store.Batch
	budget int
	lost   map[ident.SegmentID]uint32
	out    Erased
}

// erasable is a range of keys of a user, and what is done with each.
type erasable struct {
	lo, hi []byte
	visit  func(key, value []byte) error
}

func (s *erasing) spaces() (list []erasable) {
	add := func(prefix []byte, visit func(key, value []byte) error) {
		list = append(list, erasable{prefix, row.PrefixEnd(prefix), visit})
	}
	if s.Entries {
		for _, x := range s.Indexes {
			prefix := row.IndexPrefix(s.User, x, 0)
			add(prefix, func(key, value []byte) error {
				_, pk, err := row.SplitEntry(key[len(prefix):], value)
				if err != nil {
					return err
				}
				return s.unlessRow(pk, key)
			})
		}
		return list
	}
	list = append(list, erasable{
		row.ChangeKey(s.User, 0), row.ChangeKey(s.User, s.UpTo+1),
		func(key, _ []byte) error { s.remove(key); return nil },
	})
	add(row.UserPrefix(s.User, 0), s.row)
	versions := row.VersionPrefix(s.User)
	add(versions, func(key, _ []byte) error {
		const seq = 8
		return s.unlessRow(key[len(versions):max(len(key)-seq, len(versions))], key)
	})
	return list
}

// begin notes that the user's rows go. Cursors from before are void from now on.
func (s *erasing) begin() {
	seq := binary.BigEndian.AppendUint64(nil, uint64(s.UpTo))
	s.batch.Put(s.table.Part, noteKey(noteErasing, s.User), nil)
	s.batch.Put(s.table.Part, noteKey(noteErased, s.User), seq)
}

// walk goes through a space, and returns where to go on when that was too much.
func (s *erasing) walk(space erasable) (next []byte, err error) {
	lo := space.lo
	if bytes.Compare(s.Cursor, lo) > 0 {
		lo = s.Cursor
	}
	if bytes.Compare(lo, space.hi) >= 0 {
		return nil, nil // a piece before was through
	}
	it := s.view.Scan(s.table.Part, store.Range{Lo: lo, Hi: space.hi})
	defer func() { err = errors.Join(err, it.Close()) }()
	for it.Next() {
		key := bytes.Clone(it.Key())
		if s.budget--; s.budget < 0 {
			return key, nil
		}
		if err := space.visit(key, it.Value()); err != nil {
			return nil, err
		}
	}
	return nil, it.Err()
}

func (s *erasing) remove(key []byte) {
	s.batch.Delete(s.table.Part, key)
	s.out.Removed++
}

// unlessRow removes what belongs to a row, unless that is there.
func (s *erasing) unlessRow(pk, key []byte) error {
	_, found, err := s.table.Present(s.view, s.batch, s.User, pk)
	if err == nil && !found {
		s.remove(key)
	}
	return err
}

// row removes a row or a tombstone.
func (s *erasing) row(key, value []byte) error {
	if staged, found, known := s.batch.Lookup(s.table.Part, key); known {
		if !found {
			return nil
		}
		value = staged
	}
	rec, err := row.ParseRecord(value)
	if err != nil || rec.Seq > s.UpTo {
		return err
	}
	pk := key[len(row.UserPrefix(s.User, 0)):]
	switch {
	case rec.Deleted: // it may be listed as one that outlives its history
		s.batch.Delete(s.table.Part, row.TombstoneKey(rec.Seq, s.User, pk))
	case rec.Cold:
		s.lost[rec.Place().Segment]++
		s.out.Rows++
	default:
		s.out.Rows++
	}
	s.remove(key)
	return nil
}

// lose stages that the rows point to their segments no more.
func (s *erasing) lose(seq clock.Seq) error {
	for id, n := range s.lost { // the order of what is staged shows nowhere
		if err := s.table.add(s.view, s.batch, counterCold, -int(n)); err != nil {
			return err
		}
		if err := s.table.lose(s.view, s.batch, s.User, id, n, seq); err != nil {
			return err
		}
	}
	return nil
}
