package engine

import (
	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/rowexec"
	"github.com/dolthub/go-mysql-server/sql/transform"
)

// meterQueries has the subqueries of a plan give back what they charged when
// they are done: one that depends on the row around it runs as often as there
// are rows. What it returned stays charged where the library keeps it.
func (e *Engine) meterQueries(
	ctx *gms.Context, n gms.Node, flags *gms.QueryFlags,
) (gms.Node, error) {
	if !flags.SubqueryIsSet() {
		return n, nil
	}
	return e.meterExprs(ctx, n)
}

func (e *Engine) meterExprs(ctx *gms.Context, n gms.Node) (gms.Node, error) {
	metered := func(
		ctx *gms.Context, x gms.Expression,
	) (gms.Expression, transform.TreeIdentity, error) {
		sub, ok := x.(*plan.Subquery)
		if !ok {
			return x, transform.SameTree, nil
		}
		q, err := e.meterExprs(ctx, sub.Query)
		if err != nil {
			return nil, transform.SameTree, err
		}
		b := &queryBuilder{base: e.analyzer.ExecBuilder, keep: sub.CanCacheResults()}
		return sub.WithQuery(q).WithExecBuilder(b), transform.NewTree, nil
	}
	out, _, err := transform.NodeExprsWithOpaque(ctx, n, metered)
	return out, err
}

// queryBuilder builds the iterator of a subquery.
type queryBuilder struct {
	base *rowexec.BaseBuilder
	keep bool // the library keeps its rows for the rest of the statement
}

var _ gms.NodeExecBuilder = (*queryBuilder)(nil)

// Build implements gms.NodeExecBuilder.
func (b *queryBuilder) Build(ctx *gms.Context, n gms.Node, r gms.Row) (gms.RowIter, error) {
	run := of(ctx)
	if run == nil {
		return b.base.Build(ctx, n, r)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	it := &queryIter{run: run, before: run.used.Load(), keep: b.keep}
	var err error
	it.RowIter, err = b.base.Build(ctx, n, r)
	return it, err
}

type queryIter struct {
	gms.RowIter
	run    *execution
	before int64 // what the statement held when the subquery began
	held   int64 // the rows that it returned
	keep   bool
	closed bool
}

// Next implements gms.RowIter.
func (it *queryIter) Next(ctx *gms.Context) (gms.Row, error) {
	r, err := it.RowIter.Next(ctx)
	if err != nil {
		return nil, err
	}
	size := rowSize(r)
	it.held += size
	return r, it.run.charge(size)
}

// Close implements gms.RowIter.
func (it *queryIter) Close(ctx *gms.Context) error {
	if !it.closed {
		it.closed = true
		now := it.before
		if it.keep {
			now += it.held
		}
		it.run.used.Store(now)
	}
	return it.RowIter.Close(ctx)
}
