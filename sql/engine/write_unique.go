package engine

import (
	"bytes"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// What a statement knows of unique indexes is what its view and the writes so
// far show. It decides what an upsert does, and tells a duplicate early; that
// there is none in the end is seen to when the writes are applied.

// owner returns the primary key of the row that has a unique entry after what
// the transaction and the statement have done so far, nil for none.
func (w *writer) owner(e row.Entry) ([]byte, error) {
	if h := w.set.Holder(w.def().ID, w.target.owner, e); h != nil {
		return h.PK, nil
	}
	return w.earlierOwner(e)
}

// earlierOwner is owner without the rows that the statement has written: what
// these had before does not count any more.
func (w *writer) earlierOwner(e row.Entry) ([]byte, error) {
	env, id, user := w.run.env, w.def().ID, w.target.owner
	if env.Pending != nil {
		h := env.Pending.Holder(id, user, e)
		if h != nil && w.set.Lookup(id, user, h.PK) == nil {
			return h.PK, nil
		}
	}
	pk, found, err := w.target.store.Owner(env.View, nil, user, e)
	if err != nil || !found || w.set.Lookup(id, user, pk) != nil ||
		env.Pending != nil && env.Pending.Lookup(id, user, pk) != nil {
		return nil, err
	}
	if w.target.expired > 0 { // who has expired has given it up
		if _, lives, err := w.target.recordAt(pk); err != nil || !lives {
			return nil, err
		}
	}
	return pk, nil
}

// claim refuses a row with a unique entry that another row has.
func (w *writer) claim(pk []byte, vals []value.Value) error {
	entries, err := w.def().Entries(vals)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Unique {
			continue
		}
		owner, err := w.owner(e)
		if err != nil {
			return err
		}
		if owner != nil && !bytes.Equal(owner, pk) {
			return w.broken(e)
		}
	}
	return nil
}

// verify is claim for all rows of an UPDATE, which may exchange their values.
// That no two of them got the same was seen when they were added.
func (w *writer) verify() error {
	for _, c := range w.set.Writes() {
		for _, e := range c.Entries {
			if !e.Unique {
				continue
			}
			owner, err := w.earlierOwner(e)
			if err != nil {
				return err
			}
			if owner != nil && !bytes.Equal(owner, c.PK) {
				return w.broken(e)
			}
		}
	}
	return nil
}

func (w *writer) broken(e row.Entry) error {
	x := w.def().IndexByID(e.Index)
	w.run.suspect(w.def().IndexColumns(x)...)
	return w.def().Duplicate(x, e.Columns)
}

// movesUnique reports whether assignments may give a row another unique entry
// or another key.
func (w *writer) movesUnique(sets []assignment) bool {
	return slices.ContainsFunc(sets, func(a assignment) bool {
		return w.def().IsKey(a.column) || slices.ContainsFunc(w.def().Indexes, func(x ddl.Index) bool {
			return x.Unique && slices.Contains(x.Columns, w.def().Columns[a.column].ID)
		})
	})
}

// conflicts returns the rows that a new one clashes with, by its key and then
// by the unique indexes, in their order; only the first of them unless all are
// asked for.
func (u *upsert) conflicts(pk []byte, vals []value.Value, all bool) (list []*stored, err error) {
	add := func(pk []byte) error {
		if slices.ContainsFunc(list, func(s *stored) bool { return bytes.Equal(s.pk, pk) }) {
			return nil
		}
		old, err := u.w.present(pk, u.mode != takenStays)
		if err == nil && old != nil {
			list = append(list, old)
		}
		return err
	}
	if u.target == nil {
		if err := add(pk); err != nil {
			return nil, err
		}
	}
	if len(u.w.def().Indexes) == 0 {
		return list, nil
	}
	entries, err := u.w.def().Entries(vals)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if len(list) > 0 && !all {
			break
		}
		if !e.Unique || u.keyOnly || u.target != nil && u.target.ID != e.Index {
			continue
		}
		owner, err := u.w.owner(e)
		if err == nil && owner != nil {
			err = add(owner)
		}
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}
