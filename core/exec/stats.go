package exec

import (
	"fmt"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// showStats tells what each partition of a table holds.
func (r *run) showStats(n *ast.ShowStats, emit Sink) error {
	t, err := r.table(&n.TableRef)
	if err != nil {
		return err
	}
	if t.Kind == ddl.SystemTable {
		return fault.New(fault.Unsupported,
			"system table %s has no figures of its own; see system.stats", t.FullName())
	}
	v := r.x.DB.View()
	defer v.Release()
	var rows [][]value.Value
	for _, s := range t.Shards(r.x.DB.Shards()) {
		p, ok := r.x.DB.Partition(t.Partition(s))
		if !ok {
			continue // of a table that is being made or dropped
		}
		live, size, err := r.x.held(v, p)
		if err != nil {
			return err
		}
		row := []value.Value{text(p.Name), value.NewInt(value.Int32, int64(s)),
			value.NewBigInt(live), value.NewBigInt(size)}
		cold, err := coldStats(v, p)
		if err != nil {
			return err
		}
		rows = append(rows, append(row, cold...))
	}
	return emit(&Result{
		Columns: []predicate.Column{
			{Name: "partition", Kind: value.Text, NotNull: true},
			{Name: "shard", Kind: value.Int32, NotNull: true},
			{Name: "rows", Kind: value.Int64, NotNull: true},
			{Name: "bytes", Kind: value.Int64, NotNull: true},
			{Name: "cold_rows", Kind: value.Int64, NotNull: true},
			{Name: "cold_bytes", Kind: value.Int64, NotNull: true},
			{Name: "segments", Kind: value.Int64, NotNull: true},
			{Name: "dead_rows", Kind: value.Int64, NotNull: true},
		},
		Rows: newFixed(rows),
	})
}

// coldStats returns how many rows of a partition are cold, the bytes of their
// files, how many these are, and how many of their rows nothing points to.
func coldStats(v *store.View, p store.Partition) ([]value.Value, error) {
	cold, err := table.Table{Part: p}.ColdRows(v)
	if err != nil {
		return nil, err
	}
	var size, segments, dead int64
	err = manifest.All(v, p, "", func(_ ident.UserID, e *manifest.Entry) error {
		size += e.Bytes
		segments++
		dead += int64(e.Rows) - int64(e.Live)
		return nil
	})
	return []value.Value{value.NewBigInt(cold), value.NewBigInt(size),
		value.NewBigInt(segments), value.NewBigInt(dead)}, err
}

// held returns how many live rows a partition has, and about how many bytes it
// takes in storage.
func (x *Executor) held(v *store.View, p store.Partition) (rows, bytes int64, err error) {
	if rows, err = (table.Table{Part: p}).Count(v); err != nil {
		return 0, 0, err
	}
	bytes, err = x.DB.PartitionSize(p)
	return rows, bytes, err
}

// clearCache forgets what is kept of statements. Nothing but time is lost.
func (r *run) clearCache(emit Sink) error {
	plans, predicates := r.x.plans.Clear(), r.x.SQL.ClearPredicates()
	return emit(&Result{Message: fmt.Sprintf("cache cleared: %d plans of statements, "+
		"%d predicates of live queries and checks", plans, predicates)})
}
