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

// Cursor is where a Trim goes on; nil is the start. Its content is private to
// the package, it may be stored and used with a later view.
type Cursor []byte

// Trim stages the removal of a piece of the history of all users: each change
// below below, the version that it overwrote, and the row that it deleted
// unless it was inserted again. A row that was deleted at or behind keep stays as
// a tombstone until a later Trim, whose keep is above; 0 keeps none. It looks at
// limit changes, users and tombstones at most, so that a writer does it in
// bounded pieces between commits: call it with the cursor it returned until done.
// It also raises Trimmed. removed counts the changes and the tombstones that
// outlived theirs. Everything is read over b, v being the view below it.
func (t Table) Trim(
	v *store.View, b *store.Batch, from Cursor, below, keep clock.Seq, limit int,
) (next Cursor, done bool, removed int, err error) {
	if keep == 0 {
		keep = clock.MaxSeq
	}
	s := trim{table: t, view: v, batch: b, below: below, keep: keep, budget: max(limit, 1)}
	if err := s.purge(); err != nil {
		return from, false, s.removed, err
	}
	next, done, err = s.run(from)
	return next, done, s.removed, err
}

// Evict is Trim for a table whose rows are gone when they are older than
// below: it removes each row that the change before below wrote last too. rows
// counts the live ones among them, by which the caller lowers the count. A row
// that was written since is neither removed nor looked at again. The entries of
// a row in indexes go with it: its change says what they are.
func (t Table) Evict(
	v *store.View, b *store.Batch, from Cursor, below clock.Seq, limit int,
) (next Cursor, done bool, removed, rows int, err error) {
	s := trim{table: t, view: v, batch: b, below: below, keep: clock.MaxSeq,
		budget: max(limit, 1), evict: true}
	next, done, err = s.run(from)
	return next, done, s.removed, s.rows, err
}

type trim struct {
	table   Table
	view    *store.View
	batch   *store.Batch
	below   clock.Seq
	keep    clock.Seq // tombstones from here on stay
	budget  int
	evict   bool // live rows go too
	removed int
	rows    int // live rows removed
	trimmed uint64
}

func (s *trim) run(from Cursor) (next Cursor, done bool, err error) {
	t, v, b := s.table, s.view, s.batch
	if s.trimmed, err = counter(b.Get(v, t.Part, row.MetaKey(counterTrimmed))); err != nil {
		return from, false, err
	}
	floor := s.trimmed
	lo, hi := row.ChangeSpace()
	if from != nil {
		lo = from
	}
	if from == nil && s.budget == 0 { // nil would be the end
		return lo, false, nil
	}
	for s.budget > 0 && lo != nil {
		if lo, err = s.user(lo, hi); err != nil {
			return from, false, err
		}
	}
	if s.trimmed > floor {
		value := binary.BigEndian.AppendUint64(nil, s.trimmed)
		b.Put(t.Part, row.MetaKey(counterTrimmed), value)
	}
	return lo, lo == nil, nil
}

// user trims the changes of the first user from lo on, and returns where to go
// on: at the next user, or nil behind the last one, or at the change that was
// one too many.
func (s *trim) user(lo, hi []byte) (next []byte, err error) {
	it := s.view.Scan(s.table.Part, store.Range{Lo: lo, Hi: hi})
	defer func() { err = errors.Join(err, it.Close()) }()
	var first ident.UserID
	for n := 0; it.Next(); n++ {
		e, user, err := parseEntry(it)
		switch {
		case err != nil:
			return nil, err
		case n == 0:
			first = user
		case user != first:
			return bytes.Clone(it.Key()), nil
		}
		if s.budget--; s.budget < 0 {
			return bytes.Clone(it.Key()), nil
		}
		if e.Seq >= s.below {
			return row.ChangeEnd(user), nil
		}
		if err := s.remove(user, e); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (s *trim) remove(user ident.UserID, e Entry) error {
	part := s.table.Part
	pk := bytes.Clone(e.PK)
	key := row.ChangeKey(user, e.Seq)
	if raw, found, known := s.batch.Lookup(part, key); s.evict && known && found {
		staged, err := row.ParseChange(raw) // with entries that were added just now
		if err != nil {
			return err
		}
		e.Change = staged
	}
	s.batch.Delete(part, key)
	if e.Prev != 0 {
		s.batch.Delete(part, row.VersionKey(user, pk, e.Prev))
	}
	s.removed++
	s.trimmed = max(s.trimmed, uint64(e.Seq))
	if e.Op != row.Delete && !s.evict {
		return nil
	}
	rec, found, err := s.table.Present(s.view, s.batch, user, pk)
	if err != nil || !found || rec.Seq != e.Seq {
		return err
	}
	if rec.Deleted && e.Seq >= s.keep {
		s.batch.Put(part, row.TombstoneKey(e.Seq, user, pk), nil)
		return nil
	}
	if !rec.Deleted {
		s.rows++
		for _, x := range e.Entries {
			if err := s.table.RemoveEntry(s.view, s.batch, user, pk, x); err != nil {
				return err
			}
		}
	}
	s.batch.Delete(part, row.Key(user, pk))
	return nil
}

// purge removes tombstones from before keep whose history is gone.
func (s *trim) purge() (err error) {
	lo, hi := row.TombstonesBelow(s.keep)
	it := s.view.Scan(s.table.Part, store.Range{Lo: lo, Hi: hi})
	defer func() { err = errors.Join(err, it.Close()) }()
	for s.budget > 0 && it.Next() {
		seq, user, pk, err := row.SplitTombstoneKey(it.Key())
		if err != nil {
			return err
		}
		if _, found, known := s.batch.Lookup(s.table.Part, it.Key()); known && !found {
			continue // gone by a piece before in the same batch
		}
		pk = bytes.Clone(pk)
		rec, found, err := s.table.Present(s.view, s.batch, user, pk)
		if err != nil {
			return err
		}
		if found && rec.Deleted && rec.Seq == seq { // else it was inserted again
			s.batch.Delete(s.table.Part, row.Key(user, pk))
		}
		s.batch.Delete(s.table.Part, bytes.Clone(it.Key()))
		s.budget--
		s.removed++
	}
	return it.Err()
}
