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

// IsNullable implements gms.Expression. The library asks what the columns
// allow, and an outer join may have left their table out.
func (v *veiled) IsNullable(*gms.Context) bool { return true }

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
// constants, and each of its conditions that is about them only: the library
// finds columns of an index by their names alone, and takes one of the outer
// table for one of the inner.
func veilOuter(
	ctx *gms.Context, outer gms.ColSet, n gms.Node,
) (gms.Node, transform.TreeIdentity, error) {
	n, kept, err := transform.NodeExprsWithOpaque(ctx, n, func(
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
	if err != nil {
		return nil, transform.SameTree, err
	}
	n, same, err := transform.NodeWithOpaque(ctx, n, func(
		ctx *gms.Context, n gms.Node,
	) (gms.Node, transform.TreeIdentity, error) {
		f, ok := n.(*plan.Filter)
		if !ok {
			return n, transform.SameTree, nil
		}
		list := expression.SplitConjunction(ctx, f.Expression)
		same := transform.SameTree
		for i, e := range list {
			if _, done := e.(*veiled); !done && only(ctx, e, outer) {
				list[i], same = &veiled{e}, transform.NewTree
			}
		}
		if same {
			return n, same, nil
		}
		return plan.NewFilter(expression.JoinAnd(list...), f.Child), transform.NewTree, nil
	})
	return n, same && kept, err
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

// veilNullSafe veils the comparisons by <=> in joins that compare by = as well:
// looking for the key of a column, the library takes that one <=> was tried
// before for that it compares so, and joins NULL with NULL.
func veilNullSafe(ctx *gms.Context, n gms.Node) (gms.Node, error) {
	equal, nullSafe := false, false
	transform.InspectExpressions(ctx, n, func(_ *gms.Context, e gms.Expression) bool {
		switch e.(type) {
		case *expression.Equals:
			equal = true
		case *expression.NullSafeEquals:
			nullSafe = true
		}
		return true
	})
	if !equal || !nullSafe {
		return n, nil
	}
	out, _, err := transform.NodeExprs(ctx, n, func(
		_ *gms.Context, e gms.Expression,
	) (gms.Expression, transform.TreeIdentity, error) {
		if _, ok := e.(*expression.NullSafeEquals); ok {
			return &veiled{e}, transform.NewTree, nil
		}
		return e, transform.SameTree, nil
	})
	return out, err
}
