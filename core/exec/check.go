package exec

import (
	"context"
	"fmt"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/check"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

var checkColumns = []predicate.Column{
	{Name: "kind", Kind: value.Text, NotNull: true},
	{Name: "name", Kind: value.Text, NotNull: true},
	{Name: "shard", Kind: value.Int32, NotNull: true},
	{Name: "rows", Kind: value.Int64, NotNull: true},
	{Name: "status", Kind: value.Text, NotNull: true},
	{Name: "message", Kind: value.Text},
}

// checkTable compares a table with itself and with its files, and answers what
// was looked at and what is damaged.
func (r *run) checkTable(ctx context.Context, n *ast.CheckTable, emit Sink) error {
	t, err := r.table(&n.TableRef)
	if err != nil {
		return err
	}
	if t.Kind == ddl.SystemTable {
		return fault.New(fault.Unsupported, "system table %s can't be checked", t.FullName())
	}
	found, err := check.Table(ctx, check.Env{
		DB: r.x.DB, Catalog: r.x.Catalog.Snapshot(), Files: r.x.Storages.Bucket,
		Copies: r.x.Copies,
	}, t)
	if err != nil {
		return err
	}
	damaged := 0
	rows := make([][]value.Value, len(found))
	for i, f := range found {
		if f.Status != check.OK {
			damaged++
		}
		rows[i] = []value.Value{
			text(f.Kind), text(f.Name), value.NewInt(value.Int32, int64(f.Shard)),
			value.NewBigInt(f.Rows), text(f.Status), textOrNull(f.Message),
		}
	}
	message := fmt.Sprintf("table %s is as it should be", t.FullName())
	if damaged > 0 {
		message = fmt.Sprintf("table %s has damage in %d places", t.FullName(), damaged)
	}
	return emit(&Result{Columns: checkColumns, Rows: newFixed(rows), Message: message})
}
