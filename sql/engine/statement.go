package engine

import (
	"context"
	"io"
	"strings"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/planbuilder"
	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// statement runs a parsed statement of one of the kinds that are offered.
func (run *execution) statement(ctx context.Context, st *parsed) (*Result, error) {
	switch s := st.Statement.(type) {
	case ast.SelectStatement:
		g := &gate{run: run}
		if err := g.query(s, nil); err != nil {
			return nil, err
		}
		if d := run.direct(g.top); d != nil {
			return &Result{Columns: d.columns, Rows: d, RowsRead: run.rowsRead.Load}, nil
		}
		rows, err := run.query(ctx, s, g.top)
		if err != nil {
			return nil, err
		}
		return &Result{Columns: rows.columns, Rows: rows, RowsRead: run.rowsRead.Load}, nil
	case *ast.Insert:
		return run.insert(ctx, s, st)
	case *ast.Update:
		return run.update(ctx, s, st)
	case *ast.Delete:
		return run.delete(ctx, s, st)
	}
	word, _, _ := strings.Cut(strings.TrimSpace(ast.String(st.Statement)), " ")
	return nil, refuse("this kind of statement (%s) is not offered", strings.ToUpper(word))
}

// selection is a SELECT whose columns' kinds can be told from the tables.
type selection struct {
	stmt *ast.Select
	sc   *scope
}

// rows are the rows of a query as they are asked for.
type rows struct {
	run     *execution
	ctx     *gms.Context
	iter    gms.RowIter
	release func()
	columns []predicate.Column
	schema  gms.Schema
	buf     []value.Value
	raw     bool // values as the library computed them, not of the columns' kinds
}

var _ Rows = (*rows)(nil)

// query plans a query that has passed the gate. top is nil for unions and the
// like.
func (run *execution) query(ctx context.Context, s ast.Statement, top *selection) (*rows, error) {
	e := run.engine
	c, release, err := e.acquire(ctx, run)
	if err != nil {
		return nil, err
	}
	planned := false
	defer func() {
		if !planned {
			release()
		}
	}()
	node, err := run.analyze(c, s)
	if err != nil {
		return nil, err
	}
	iter, err := e.analyzer.ExecBuilder.Build(c, node, nil)
	if err != nil {
		return nil, err
	}
	planned = true
	schema := node.Schema(c)
	return &rows{run: run, ctx: c, iter: iter, release: release,
		columns: top.describe(schema), schema: schema, buf: make([]value.Value, len(schema))}, nil
}

// analyze has the library plan a query that has passed the gate.
func (run *execution) analyze(c *gms.Context, s ast.Statement) (gms.Node, error) {
	b := planbuilder.New(c, run.engine.analyzer.Catalog, nil)
	if params := run.bindings(); params != nil {
		b.SetBindingsWithExpr(params)
	}
	node, flags, err := b.BindOnly(s, "", nil)
	if err != nil {
		return nil, err
	}
	if node, err = tame(c, node); err != nil {
		return nil, err
	}
	if node, err = run.engine.analyzer.Analyze(c, node, nil, flags); err != nil {
		return nil, err
	}
	return run.engine.meterQueries(c, node, flags)
}

// Next implements Rows.
func (r *rows) Next(ctx context.Context) (vals []value.Value, err error) {
	if r.iter == nil {
		return nil, io.EOF
	}
	defer func() {
		if p := recover(); p != nil {
			vals, err = nil, r.run.engine.panicked(p)
		}
		if err != nil && err != io.EOF {
			err = r.run.fault(err)
		}
	}()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	row, err := r.iter.Next(r.ctx)
	if err != nil {
		return nil, err
	}
	if len(row) != len(r.buf) {
		return nil, fault.New(fault.Internal,
			"a row of %d values in a result of %d", len(row), len(r.buf))
	}
	for i, x := range row {
		t := r.schema[i].Type
		if r.raw && !isVector(t) {
			r.buf[i], err = natural(r.ctx, x)
		} else {
			r.buf[i], err = fromEngine(r.ctx, r.columns[i].Kind, x)
		}
		if err != nil {
			return nil, err
		}
		if l, ok := t.(*labels); ok {
			r.buf[i] = l.value(r.buf[i])
		}
	}
	return r.buf, nil
}

// Close implements Rows.
func (r *rows) Close() (err error) {
	if r.iter == nil {
		return nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = r.run.engine.panicked(p)
		}
		err = r.run.fault(err)
		r.run.cursors.closeAll()
		r.release()
	}()
	iter := r.iter
	r.iter = nil
	return iter.Close(r.ctx)
}

// noRows are the rows of a statement that only writes.
type noRows struct{}

// Next implements Rows.
func (noRows) Next(context.Context) ([]value.Value, error) { return nil, io.EOF }

// Close implements Rows.
func (noRows) Close() error { return nil }

// describe returns the columns of a result. Columns that are a table's keep
// its kind; others have that of the library's type.
func (s *selection) describe(schema gms.Schema) []predicate.Column {
	out := make([]predicate.Column, len(schema))
	for i, c := range schema {
		out[i] = predicate.Column{Name: c.Name, Kind: resultKind(c.Type), NotNull: !c.Nullable}
	}
	if s == nil || len(s.stmt.SelectExprs) != len(schema) {
		return out
	}
	for i, e := range s.stmt.SelectExprs {
		a, ok := e.(*ast.AliasedExpr)
		if !ok {
			return out // a star: positions are not those of the expressions
		}
		s.describeColumn(&out[i], a.Expr)
	}
	return out
}

func (s *selection) describeColumn(out *predicate.Column, e ast.Expr) {
	c, ok := e.(*ast.ColName)
	if !ok {
		return
	}
	qualifier, name := strings.ToLower(c.Qualifier.Name.String()), c.Name.Lowered()
	for _, src := range s.sc.sources {
		if src.target == nil || qualifier != "" && qualifier != src.name {
			continue
		}
		if name == system.ColUpdated {
			out.Kind = value.Timestamp
			return
		}
		if i := src.target.def.Column(name); i >= 0 {
			out.Declare(src.target.def.Columns[i].Type)
			out.Key = len(s.sc.sources) == 1 && src.target.def.IsKey(i)
			return
		}
	}
}
