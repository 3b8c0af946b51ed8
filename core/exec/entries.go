package exec

import (
	"bytes"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// The entries that a write adds to indexes were made with its new row. Those
// that it removes are of the stored row, which is read here once more: only now
// is it known which definition of the table the write goes by. In v the row has
// the seq that the write expects; if it has another one later, the write is
// refused as a whole.

// indexWrites fills in what writes change in the indexes of their tables; cs
// are the commands' writes in the same order.
func (r *run) indexWrites(v *store.View, writes []writeset.Write, cs []command.Write) error {
	for i := range writes {
		if err := r.indexWrite(v, &writes[i], &cs[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) indexWrite(v *store.View, w *writeset.Write, c *command.Write) error {
	if len(w.Table.Indexes) == 0 {
		return nil
	}
	c.Add = w.Entries
	if w.Expect == 0 {
		return nil
	}
	had, err := r.storedEntries(v, w)
	if err != nil {
		return err
	}
	c.Remove, c.Add = moved(w.Table, had, w.Entries)
	return nil
}

// storedEntries returns what the indexes hold of the stored row of a write. Of
// a table that is gone they hold nothing: the write will be refused.
func (r *run) storedEntries(v *store.View, w *writeset.Write) ([]row.Entry, error) {
	part, ok := r.x.DB.Partition(w.Table.Partition(w.Table.Shard(w.User, r.x.DB.Shards())))
	if !ok {
		return nil, nil
	}
	rec, found, err := table.Table{Part: part}.Peek(v, w.User, w.PK)
	if err != nil || !found || rec.Deleted {
		return nil, err
	}
	if rec.Cold && w.Old != nil {
		rec = *w.Old
	}
	reader, err := r.x.Catalog.Snapshot().Reader(w.Table, rec.Schema)
	if fault.Is(err, fault.TableNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	vals := make([]value.Value, len(w.Table.Columns))
	if err := reader.Read(rec, vals); err != nil {
		return nil, err
	}
	return w.Table.Entries(vals)
}

// moved returns what of a row's entries has to be removed and added. An entry
// that stays is neither, but in an index that is being built it may not be
// there yet.
func moved(t *ddl.Table, had, has []row.Entry) (remove, add []row.Entry) {
	for _, e := range had {
		if !holds(has, e) {
			remove = append(remove, e)
		}
	}
	for _, e := range has {
		x := t.IndexByID(e.Index)
		if !holds(had, e) || x == nil || x.Building {
			add = append(add, e)
		}
	}
	return remove, add
}

func holds(list []row.Entry, e row.Entry) bool {
	return slices.ContainsFunc(list, func(o row.Entry) bool {
		return o.Index == e.Index && o.Unique == e.Unique && bytes.Equal(o.Columns, e.Columns)
	})
}

// refusal returns the error of a refused command, which names the index that it
// would have broken.
func (x *Executor) refusal(out apply.Outcome) error {
	if out.Violated == nil {
		return out.Err
	}
	t, ok := x.Catalog.Snapshot().TableByID(out.Violated.Table)
	if !ok {
		return out.Err
	}
	index := t.IndexByID(out.Violated.Index)
	if index == nil {
		return out.Err
	}
	return t.Duplicate(index, out.Violated.Columns)
}
