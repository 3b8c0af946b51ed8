package engine

import (
	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
)

// filterRules are the library's rules that move conditions below the list of
// columns of a query.
var filterRules = map[string]bool{"pushdownSubqueryAliasFilters": true, "pushFilters": true}

// pushConstants wraps a rule that moves conditions. There the library puts the
// expressions of the list in the place of their names, but not those without
// columns: such a name stays, and is taken for a column of the same name below.
func pushConstants(push analyzer.RuleFunc) analyzer.RuleFunc {
	return func(
		ctx *gms.Context, a *analyzer.Analyzer, n gms.Node, scope *plan.Scope,
		sel analyzer.RuleSelector, flags *gms.QueryFlags,
	) (gms.Node, transform.TreeIdentity, error) {
		n, kept, err := transform.Node(ctx, n, putConstants)
		if err != nil {
			return nil, transform.SameTree, err
		}
		n, same, err := push(ctx, a, n, scope, sel, flags)
		return n, same && kept, err
	}
}

// putConstants puts the constants of the lists below a filter into it.
func putConstants(ctx *gms.Context, n gms.Node) (gms.Node, transform.TreeIdentity, error) {
	f, ok := n.(*plan.Filter)
	if !ok {
		return n, transform.SameTree, nil
	}
	named := constantsBelow(ctx, f.Child)
	if len(named) == 0 {
		return n, transform.SameTree, nil
	}
	e, same, err := transform.Expr(ctx, f.Expression, func(
		_ *gms.Context, e gms.Expression,
	) (gms.Expression, transform.TreeIdentity, error) {
		if field, ok := e.(*expression.GetField); ok {
			if c, ok := named[field.Id()]; ok {
				return c, transform.NewTree, nil
			}
		}
		return e, transform.SameTree, nil
	})
	if same || err != nil {
		return n, transform.SameTree, err
	}
	return plan.NewFilter(e, f.Child), transform.NewTree, nil
}

// constantsBelow returns the constants that the lists directly below a filter
// name. Above a join they may be NULL.
func constantsBelow(ctx *gms.Context, n gms.Node) map[gms.ColumnId]gms.Expression {
	out := make(map[gms.ColumnId]gms.Expression)
	for {
		switch x := n.(type) {
		case *plan.Filter:
			n = x.Child
		case *plan.Project:
			for _, e := range x.Projections {
				if a, ok := e.(*expression.Alias); ok && constant(ctx, a.Child) {
					out[a.Id()] = a.Child
				}
			}
			n = x.Child
		default:
			return out
		}
	}
}

// constant reports whether e has the same value for each row.
func constant(ctx *gms.Context, e gms.Expression) bool {
	same := true
	gms.Inspect(ctx, e, func(ctx *gms.Context, e gms.Expression) bool {
		switch e := e.(type) {
		case *expression.GetField, *plan.Subquery, gms.Aggregation, gms.WindowAggregation:
			same = false
		case gms.NonDeterministicExpression:
			same = same && !e.IsNonDeterministic()
		}
		return same
	})
	return same
}
