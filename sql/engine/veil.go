package engine

import (
	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
)

// veiled is an expression that the library's planner must not recognise,
// since what it would make of it is wrong. It is evaluated as it is.
type veiled struct{ gms.Expression }

var _ gms.CollationCoercible = (*veiled)(nil)

// Children implements gms.Expression.
func (v *veiled) Children() []gms.Expression { return []gms.Expression{v.Expression} }

// WithChildren implements gms.Expression.
func (v *veiled) WithChildren(_ *gms.Context, children ...gms.Expression) (gms.Expression, error) {
	if len(children) != 1 {
		return nil, gms.ErrInvalidChildrenNumber.New(v, len(children), 1)
	}
	return &veiled{children[0]}, nil
}

// CollationCoercibility implements gms.CollationCoercible.
func (v *veiled) CollationCoercibility(ctx *gms.Context) (gms.CollationID, byte) {
	return gms.GetCoercibility(ctx, v.Expression)
}

// veilNegated veils the comparisons with subqueries below a NOT: as an anti
// join the library would keep rows for which they are NULL.
func veilNegated(
	ctx *gms.Context, n *expression.Not,
) (gms.Expression, transform.TreeIdentity, error) {
	child, same, err := transform.Expr(ctx, n.Child, func(
		ctx *gms.Context, e gms.Expression,
	) (gms.Expression, transform.TreeIdentity, error) {
		switch e := e.(type) {
		case *plan.InSubquery:
			return &veiled{e}, transform.NewTree, nil
		case expression.Comparer:
			if _, ok := e.Right().(*plan.Subquery); ok {
				return &veiled{e}, transform.NewTree, nil
			}
		}
		return e, transform.SameTree, nil
	})
	if same || err != nil {
		return n, transform.SameTree, err
	}
	return expression.NewNot(child), transform.NewTree, nil
}

// veilOuter veils what a subquery compares of the rows around it with
// constants: the library finds columns of an index by their names alone, and
// takes one of the outer table for one of the inner.
func veilOuter(
	ctx *gms.Context, outer gms.ColSet, n gms.Node,
) (gms.Node, transform.TreeIdentity, error) {
	return transform.NodeExprsWithOpaque(ctx, n, func(
		ctx *gms.Context, e gms.Expression,
	) (gms.Expression, transform.TreeIdentity, error) {
		switch e.(type) {
		case expression.Comparer, *expression.Between, *expression.InTuple, *expression.IsNull:
			if only(ctx, e, outer) {
				return &veiled{e}, transform.NewTree, nil
			}
		}
		return e, transform.SameTree, nil
	})
}

// only reports whether e names columns, and of those around the query only.
func only(ctx *gms.Context, e gms.Expression, outer gms.ColSet) bool {
	any, others := false, false
	gms.Inspect(ctx, e, func(_ *gms.Context, e gms.Expression) bool {
		switch e := e.(type) {
		case *expression.GetField:
			any = true
			others = others || !outer.Contains(e.Id())
		case *plan.Subquery:
			others = true
		}
		return true
	})
	return any && !others
}
