package exec

import (
	"context"
	"fmt"
	"io"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/access"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
	sqlengine "github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// show runs a statement that tells or sets the session's own state.
func (r *run) show(ctx context.Context, emit Sink) error {
	if err := access.MayRun(r.id.Role, r.st.Kind, ""); err != nil {
		return err
	}
	if err := r.catchUpToShow(ctx); err != nil {
		return err
	}
	switch n := r.st.Node.(type) {
	case *ast.UseNamespace:
		return r.use(n, emit)
	case *ast.Subscribe:
		return r.tellSubscribe(ctx, n, emit)
	case *ast.ShowNamespaces:
		return r.showSystem(ctx, emit, system.Namespaces, nil)
	case *ast.ShowTables:
		return r.showTables(ctx, n, emit)
	case *ast.ShowIndexes:
		return r.showIndexes(ctx, n, emit)
	case *ast.ShowUsers:
		return r.showSystem(ctx, emit, system.Users, nil)
	case *ast.ShowStorages:
		return r.showSystem(ctx, emit, system.Storages, nil)
	case *ast.CheckStorage:
		return r.checkStorage(ctx, n, emit)
	case *ast.ShowSettings:
		return r.showSystem(ctx, emit, system.Settings, nil)
	case *ast.ClearCache:
		return r.clearCache(emit)
	case *ast.ShowStats:
		return r.showStats(n, emit)
	case *ast.ShowLiveQueries:
		return r.showSystem(ctx, emit, system.LiveQueries, nil)
	case *ast.KillLiveQuery:
		return r.killLiveQuery(ctx, n, emit)
	case *ast.TraceDelivery:
		return r.traceDelivery(ctx, n, emit)
	case *ast.CheckTable:
		return r.checkTable(ctx, n, emit)
	case *ast.ShowManifest:
		return r.showManifest(ctx, n, emit)
	case *ast.ShowCluster:
		return r.showSystem(ctx, emit, system.Nodes, nil)
	case *ast.SetStaleness:
		return r.setStaleness(n, emit)
	case *ast.ShowJobs:
		return r.showSystem(ctx, emit, system.Jobs, nil)
	case *ast.WaitForJob:
		return r.waitForJob(ctx, n, emit)
	case *ast.ShowStreams:
		return r.showSystem(ctx, emit, system.Streams, nil)
	case *ast.DescribeTable:
		return r.describe(n, emit)
	case *ast.ShowCreateTable:
		return r.showCreate(&n.TableRef, emit)
	}
	return fault.New(fault.Unsupported, "%s is not supported", r.st.Kind)
}

func (r *run) use(n *ast.UseNamespace, emit Sink) error {
	if _, ok := r.x.Catalog.Snapshot().Namespace(n.Name); !ok {
		return errNoNamespace(n.Name)
	}
	r.req.Namespace = n.Name // for the statements behind it
	return emit(&Result{Message: fmt.Sprintf("using namespace %s", n.Name), Namespace: n.Name})
}

// tellSubscribe checks a query that is to be followed, and tells how.
func (r *run) tellSubscribe(ctx context.Context, n *ast.Subscribe, emit Sink) error {
	q, _, err := r.compileLive(ctx, n.Query)
	if err != nil {
		return locateIn(err, n.Offset)
	}
	return emit(&Result{
		Columns: []predicate.Column{{Name: "path", Kind: value.Text}, {Name: "sql", Kind: value.Text},
			{Name: "kind", Kind: value.Text}},
		Rows: newFixed([][]value.Value{{
			value.NewText("/v1/ws"), value.NewText(n.Query), value.NewText(string(q.Kind())),
		}}),
		Message: "open the WebSocket at /v1/ws on this server and send " +
			`{"type": "subscribe", "subscription": {"id": "...", "sql": "..."}}`,
	})
}

// liveText returns the SELECT that a statement asks to follow, and the options
// with those that the statement itself gives filled in.
func liveText(st *dialect.Statement, o live.SubscribeOptions) (
	string, live.SubscribeOptions, error,
) {
	switch n := st.Node.(type) {
	case *ast.Subscribe:
		if o.LastRows == nil {
			o.LastRows = n.Options.LastRows
		}
		if o.From == nil {
			o.From = n.Options.From
		}
		if o.BatchSize == 0 && n.Options.BatchSize != nil {
			o.BatchSize = *n.Options.BatchSize
		}
		if o.Policy == "" {
			o.Policy = live.Policy(n.Options.Policy)
		}
		return n.Query, o, nil
	case nil:
		if st.Kind == dialect.Select {
			return st.Text, o, nil
		}
	}
	return "", o, fault.New(fault.LiveUnsupportedQuery, "%s can't be followed; use a SELECT", st.Kind)
}

// showSystem answers with the rows of a system table that keep accepts.
func (r *run) showSystem(ctx context.Context, emit Sink, name system.Table,
	keep func([]value.Value) bool,
) error {
	cat := r.x.Catalog.Snapshot()
	t, err := cat.Table(system.Namespace, string(name))
	if err != nil {
		return err
	}
	if err := r.rights(cat).CheckTable(t, "", false); err != nil {
		return err
	}
	v := r.x.DB.View()
	defer v.Release()
	all, err := (&systemRows{r: r, cat: cat, view: v}).SystemRows(ctx, name)
	if err != nil {
		return err
	}
	rows := all[:0:0]
	for _, row := range all {
		if keep == nil || keep(row) {
			rows = append(rows, row)
		}
	}
	return emit(&Result{Columns: columnsOf(t), Rows: newFixed(rows)})
}

func columnsOf(t *ddl.Table) []predicate.Column {
	cols := make([]predicate.Column, len(t.Columns))
	for i, c := range t.Columns {
		cols[i] = predicate.Column{Name: c.Name, Key: t.IsKey(i), NotNull: c.NotNull}
		cols[i].Declare(c.Type)
	}
	return cols
}

func (r *run) showTables(ctx context.Context, n *ast.ShowTables, emit Sink) error {
	ns, err := r.namespace(n.Namespace)
	if err != nil {
		return err
	}
	if _, ok := r.x.Catalog.Snapshot().Namespace(ns); !ok {
		return errNoNamespace(ns)
	}
	return r.showSystem(ctx, emit, system.Tables, func(row []value.Value) bool {
		return row[0].Str() == string(ns)
	})
}

func (r *run) showIndexes(ctx context.Context, n *ast.ShowIndexes, emit Sink) error {
	t, err := r.table(&n.TableRef)
	if err != nil {
		return err
	}
	return r.showSystem(ctx, emit, system.Indexes, func(row []value.Value) bool {
		return row[0].Str() == string(t.Namespace) && row[1].Str() == string(t.Name)
	})
}

// table finds a table that the caller may know of.
func (r *run) table(ref *ast.TableRef) (*ddl.Table, error) {
	ns, err := r.namespace(ref.Namespace)
	if err != nil {
		return nil, err
	}
	cat := r.x.Catalog.Snapshot()
	t, err := cat.Table(ns, string(ref.Name))
	if err != nil {
		return nil, err
	}
	if !r.rights(cat).MaySee(t) {
		return nil, cat.Missing(ns, string(ref.Name))
	}
	return t, nil
}

func (r *run) describe(n *ast.DescribeTable, emit Sink) error {
	t, err := r.table(&n.TableRef)
	if err != nil {
		return err
	}
	if n.History {
		rows, err := ddl.History(t)
		if err != nil {
			return err
		}
		header := &ddl.Table{Columns: ddl.HistoryHeader()}
		return emit(&Result{Columns: columnsOf(header), Rows: newFixed(rows)})
	}
	var cols []predicate.Column
	for _, name := range ddl.DescribeHeader() {
		cols = append(cols, predicate.Column{Name: name, Kind: value.Text})
	}
	return emit(&Result{Columns: cols, Rows: newFixed(ddl.Describe(t))})
}

func (r *run) showCreate(ref *ast.TableRef, emit Sink) error {
	t, err := r.table(ref)
	if err != nil {
		return err
	}
	if t.Kind == ddl.SystemTable {
		return fault.New(fault.Unsupported,
			"system table %s is made by the server; use DESCRIBE", t.FullName())
	}
	return emit(&Result{
		Columns: []predicate.Column{
			{Name: "table_name", Kind: value.Text}, {Name: "create_table", Kind: value.Text},
		},
		Rows: newFixed([][]value.Value{
			{value.NewText(string(t.Name)), value.NewText(ddl.ShowCreate(t))},
		}),
	})
}

func keyPosition(t *ddl.Table, i int) value.Value {
	for at, k := range t.PrimaryKey {
		if k == i {
			return value.NewInt(value.Int32, int64(at+1))
		}
	}
	return value.NullValue
}

func defaultText(c *ddl.Column) value.Value {
	if c.Default == nil || c.Default.Null {
		return value.NullValue
	}
	return value.NewText(c.Default.SQL())
}

// fixed are rows that are all there already.
type fixed struct{ rows [][]value.Value }

var _ sqlengine.Rows = (*fixed)(nil)

func newFixed(rows [][]value.Value) *fixed { return &fixed{rows} }

// Next implements sqlengine.Rows.
func (f *fixed) Next(ctx context.Context) ([]value.Value, error) {
	if len(f.rows) == 0 {
		return nil, io.EOF
	}
	row := f.rows[0]
	f.rows = f.rows[1:]
	return row, ctx.Err()
}

// Close implements sqlengine.Rows.
func (f *fixed) Close() error { return nil }

// mayManage reports whether a role sees and ends what belongs to others.
func mayManage(role ident.Role) bool { return role == ident.RoleDBA || role == ident.RoleSystem }
