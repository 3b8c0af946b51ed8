package exec

import (
	"context"
	"fmt"

	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

func (r *run) truncateTable(ctx context.Context, n *ast.TruncateTable) (string, error) {
	t, err := r.ownTable(ctx, &n.TableRef, "", false)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("table %s truncated", t.FullName()), r.x.truncate(ctx, t)
}

// truncate gives a table another id, and with it new partitions, instead of
// taking the rows out one by one: one put of the definition changes all shards
// at once. Its steps, each of which a restart finds:
//
//  1. The definition names the id to come. An interruption is undone.
//  2. The shards are told of the new id, which makes the partitions.
//  3. The definition has the new id, and names the former one. From here on
//     statements see the new partitions, and an interruption is finished.
//  4. The former id is removed as DROP TABLE does it. A write planned before
//     may still reach it until then: it counts as one before the TRUNCATE.
//  5. The definition forgets the former id, and says since when it has no
//     older rows, so that cursors from before are told to begin again.
func (x *Executor) truncate(ctx context.Context, t *ddl.Table) error {
	v := x.DB.View()
	id, taken, err := catalog.NextTableID(x.DB, v)
	v.Release()
	if err != nil {
		return err
	}
	err = x.restate(ctx, t, func(t *ddl.Table) { t.Successor = id }, taken)
	if err != nil {
		return err
	}
	if _, err := x.fence(ctx, t.WithID(id), false); err != nil {
		return err
	}
	next := t.WithID(id)
	err = x.restate(ctx, t, func(stored *ddl.Table) {
		stored.ID, stored.Successor, stored.Former = id, 0, t.ID
		next = stored
	})
	if err != nil {
		return err
	}
	if err := x.Catalog.Refresh(); err != nil {
		return err
	}
	return x.finishTruncate(ctx, next)
}

func (x *Executor) finishTruncate(ctx context.Context, t *ddl.Table) error {
	last, err := x.remove(ctx, t.WithID(t.Former), live.TableTruncated)
	if err != nil {
		return err
	}
	return x.restate(ctx, t, func(t *ddl.Table) { t.Former, t.Since = 0, max(t.Since, last) })
}

// undoTruncate forgets an id that the table was to get.
func (x *Executor) undoTruncate(ctx context.Context, t *ddl.Table) error {
	if _, err := x.remove(ctx, t.WithID(t.Successor), live.TableTruncated); err != nil {
		return err
	}
	return x.restate(ctx, t, func(t *ddl.Table) { t.Successor = 0 })
}
