package exec

import (
	"context"
	"fmt"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// ownTable finds a table that a statement is to change, with nothing left to
// do of earlier changes. With ifExists a missing one is nil.
func (r *run) ownTable(ctx context.Context, ref *ast.TableRef, kind ddl.TableKind, ifExists bool) (
	*ddl.Table, error,
) {
	t, err := r.table(ref)
	switch {
	case err != nil && ifExists && fault.Is(err, fault.TableNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case t.Kind == ddl.SystemTable:
		return nil, fault.New(fault.PermissionDenied,
			"system table %s can't be changed", t.FullName())
	case kind != "" && kind != t.Kind:
		return nil, fault.New(fault.TableNotFound, "%s is a %s table, not a %s table",
			t.FullName(), t.Kind, kind)
	case !t.Unfenced && t.Successor == 0 && t.Former == 0 && !t.Building():
		return t, nil
	}
	if err := r.x.notBuilding(t); err != nil {
		return nil, err
	}
	if err := r.x.settle(ctx, t); err != nil {
		return nil, err
	}
	if err := r.x.Catalog.Refresh(); err != nil {
		return nil, err
	}
	return r.table(ref)
}

func (r *run) alterTable(ctx context.Context, n *ast.AlterTable) (string, error) {
	t, err := r.ownTable(ctx, &n.TableRef, n.Kind, n.IfExists)
	if err != nil {
		return "", err
	}
	if t == nil {
		return fmt.Sprintf("table %s does not exist", n.Name), nil
	}
	v := r.x.DB.View()
	defer v.Release()
	env := r.env(v)
	next, err := ddl.Alter(t, n.Actions, ddl.Origin{
		Now: r.x.Now().UTC(), By: r.id.Caller,
		Eval: func(f ddl.Func) (value.Value, error) { return env.Generate(f) },
	})
	if err != nil {
		return "", err
	}
	if err := r.x.Storages.Exists(next.Storage); err != nil {
		return "", err
	}
	if next == t {
		return fmt.Sprintf("table %s has nothing to change", t.FullName()), nil
	}
	return fmt.Sprintf("table %s changed, its schema version is %d", t.FullName(), next.Version),
		r.x.alter(ctx, t, next)
}

// alter makes the next version of a table the present one. The definition
// comes first: from then on statements are planned with the new version, and
// rows of both are written and read. Then the shards are told, and take the
// new version only. docs/adr/0006-schema-versions.md says why in this order.
func (x *Executor) alter(ctx context.Context, t, next *ddl.Table) error {
	err := x.restate(ctx, t, func(stored *ddl.Table) {
		*stored = *next
		stored.Unfenced, stored.Successor, stored.Former = true, 0, 0
	})
	if err != nil {
		return err
	}
	if err := x.Catalog.Refresh(); err != nil {
		return err
	}
	x.Hub.EndTable(t.ID, live.SchemaChanged)
	return x.finishAlter(ctx, next)
}

func (x *Executor) finishAlter(ctx context.Context, t *ddl.Table) error {
	if _, err := x.fence(ctx, t, false); err != nil {
		return err
	}
	return x.restate(ctx, t, func(t *ddl.Table) { t.Unfenced, t.Gone = false, nil })
}

// settle finishes, or undoes, a change of a table that was interrupted.
// REQUIRES: no other change of the catalogue runs; t is as stored.
func (x *Executor) settle(ctx context.Context, t *ddl.Table) error {
	if t.Unfenced {
		if err := x.finishAlter(ctx, t); err != nil {
			return err
		}
	}
	switch {
	case t.Former != 0:
		return x.finishTruncate(ctx, t)
	case t.Successor != 0:
		return x.undoTruncate(ctx, t)
	case t.Building():
		return x.giveUpIndexes(ctx, t)
	}
	return nil
}
