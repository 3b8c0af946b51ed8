package engine

import (
	"sync"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/plan"
)

// The library turns EXISTS in a WHERE into a join with the tables of the
// subquery. It takes every filter of the subquery for one of its WHERE, those
// inside of an outer join too, does not look at what the conditions of inner
// joins name, and strips groups and limits. So only a subquery of plain tables
// with a WHERE becomes a join; the others are asked row by row.

// ask returns what stands for an EXISTS: itself, when it may become a join.
func ask(ctx *gms.Context, e *plan.ExistsSubquery) gms.Expression {
	if !e.Query.Correlated().Empty() && flat(ctx, e.Query.Query) {
		return e
	}
	return &asked{Expression: e, query: e.Query}
}

// flat reports whether a query reads one table and has only a WHERE, in which
// there are no queries.
func flat(ctx *gms.Context, n gms.Node) bool {
	switch n := n.(type) {
	case *plan.Project:
		return flat(ctx, n.Child)
	case *plan.Filter:
		simple := true
		gms.Inspect(ctx, n.Expression, func(_ *gms.Context, e gms.Expression) bool {
			switch e.(type) {
			case *plan.Subquery, *plan.ExistsSubquery, *plan.InSubquery, *asked:
				simple = false
			}
			return simple
		})
		return simple && flat(ctx, n.Child)
	case *plan.TableAlias:
		_, ok := n.Child.(*plan.ResolvedTable)
		return ok
	case *plan.ResolvedTable:
		return true
	}
	return false
}

// asked is an EXISTS that the library leaves where it is. One whose subquery
// names nothing around it is asked once.
type asked struct {
	gms.Expression
	query *plan.Subquery

	once   sync.Once
	answer any
	err    error
}

var _ gms.CollationCoercible = (*asked)(nil)

// Eval implements gms.Expression.
func (a *asked) Eval(ctx *gms.Context, r gms.Row) (any, error) {
	if !a.query.CanCacheResults() {
		return a.Expression.Eval(ctx, r)
	}
	a.once.Do(func() { a.answer, a.err = a.Expression.Eval(ctx, r) })
	return a.answer, a.err
}

// Children implements gms.Expression.
func (a *asked) Children() []gms.Expression { return []gms.Expression{a.Expression} }

// WithChildren implements gms.Expression.
func (a *asked) WithChildren(_ *gms.Context, children ...gms.Expression) (gms.Expression, error) {
	if len(children) != 1 {
		return nil, gms.ErrInvalidChildrenNumber.New(a, len(children), 1)
	}
	out := &asked{Expression: children[0], query: a.query}
	if e, ok := children[0].(*plan.ExistsSubquery); ok {
		out.query = e.Query
	}
	return out, nil
}

// CollationCoercibility implements gms.CollationCoercible.
func (a *asked) CollationCoercibility(*gms.Context) (gms.CollationID, byte) {
	return gms.Collation_binary, 5
}
