package cold

import (
	"context"
	"errors"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// Hot is what a user has beside the keys of a table.
type Hot struct {
	User   ident.UserID
	Rows   int64     // that are live
	Bytes  int64     // of these
	Oldest clock.Seq // of these
}

// HotRows returns how many live rows of a table's shard are not cold.
func (t *Tier) HotRows(def *ddl.Table, s ident.ShardID) (int64, error) {
	part, ok := t.DB.Partition(def.Partition(s))
	if !ok {
		return 0, nil
	}
	v := t.DB.View()
	defer v.Release()
	all, err := table.Table{Part: part}.Count(v)
	if err != nil {
		return 0, err
	}
	cold, err := table.Table{Part: part}.ColdRows(v)
	return all - cold, err
}

// ctxEvery is how many rows are walked between two looks at the context.
const ctxEvery = 1024

// EachHot gives visit the users of a table's shard who have hot rows, in order,
// until it returns an error. It walks the keys of all rows, and holds a view
// meanwhile.
func (t *Tier) EachHot(ctx context.Context, def *ddl.Table, s ident.ShardID,
	visit func(Hot) error,
) (err error) {
	part, ok := t.DB.Partition(def.Partition(s))
	if !ok {
		return nil
	}
	v := t.DB.View()
	defer v.Release()
	lo, hi := row.RowSpace()
	it := v.Scan(part, store.Range{Lo: lo, Hi: hi})
	defer func() { err = errors.Join(err, it.Close()) }()
	var h Hot
	var prefix []byte // of the user's keys
	tell := func() error {
		if h.Rows == 0 {
			return nil
		}
		return visit(h)
	}
	for n := 1; it.Next(); n++ {
		if n%ctxEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if key := it.Key(); prefix == nil || len(key) < len(prefix) ||
			string(key[:len(prefix)]) != string(prefix) {
			if err := tell(); err != nil {
				return err
			}
			u, _, err := row.SplitKey(key)
			if err != nil {
				return err
			}
			h, prefix = Hot{User: u}, row.UserPrefix(u, 0)
		}
		rec, err := row.ParseRecord(it.Value())
		if err != nil {
			return err
		}
		if rec.Deleted || rec.Cold {
			continue
		}
		h.Rows++
		h.Bytes += int64(len(it.Value()))
		if h.Oldest == 0 || rec.Seq < h.Oldest {
			h.Oldest = rec.Seq
		}
	}
	if err := it.Err(); err != nil {
		return err
	}
	return tell()
}
