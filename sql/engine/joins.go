package engine

import (
	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
)

// The library orders the joins of a FROM as a set of tables and conditions. It
// loses conditions on the way: one of an inner join that can only be tested
// where an outer join takes place (its addJoin ignores selFilters), and a
// filter that stands between two joins, when an order is chosen in which that
// pair is not joined first.
//
// So before it orders them, the joins are brought into a form in which neither
// can happen, without changing their meaning:
//
//  1. an outer join whose missing rows would fail a condition above it is an
//     inner one;
//  2. filters between joins, and conditions of inner joins that name what an
//     outer join may leave out or that connect nothing, move above all joins;
//  3. what stands above and names nothing of that kind goes to the lowest join
//     that has all it names. (The library's own rule for that, replaceCrossJoins,
//     does not stop at outer joins.)
//
// Where a condition can't be moved that far, the joins are left as written.

// settleJoins wraps the rule that orders joins.
func settleJoins(order analyzer.RuleFunc) analyzer.RuleFunc {
	return func(
		ctx *gms.Context, a *analyzer.Analyzer, n gms.Node, scope *plan.Scope,
		sel analyzer.RuleSelector, flags *gms.QueryFlags,
	) (gms.Node, transform.TreeIdentity, error) {
		s := settler{ctx: ctx}
		settled, err := s.find(n)
		if err != nil {
			return nil, transform.SameTree, err
		}
		if s.stuck {
			return n, transform.SameTree, nil
		}
		out, same, err := order(ctx, a, settled, scope, sel, flags)
		return out, same && transform.TreeIdentity(!s.changed), err
	}
}

// settler brings the joins of one query into their safe form.
type settler struct {
	ctx     *gms.Context
	changed bool
	stuck   bool // a condition can't be moved
	blank   bool // a side of a join is an empty table, which does not say of whom
}

// joins reports whether n is a join, perhaps below filters.
func joins(n gms.Node) bool {
	switch n := n.(type) {
	case *plan.JoinNode:
		return true
	case *plan.Filter:
		return joins(n.Child)
	}
	return false
}

// find looks for the joins of a query. What stands behind a derived table is a
// query of its own.
func (s *settler) find(n gms.Node) (gms.Node, error) {
	if joins(n) {
		return veilNullSafe(s.ctx, s.root(n))
	}
	if o, ok := n.(gms.OpaqueNode); ok && o.Opaque() {
		return n, nil
	}
	children := n.Children()
	if len(children) == 0 {
		return n, nil
	}
	out := make([]gms.Node, len(children))
	same := true
	for i, c := range children {
		var err error
		if out[i], err = s.find(c); err != nil {
			return nil, err
		}
		same = same && out[i] == c
	}
	if same {
		return n, nil
	}
	return n.WithChildren(s.ctx, out...)
}

// root settles a tree of joins that is no part of another.
func (s *settler) root(n gms.Node) gms.Node {
	above := &conditions{}
	for {
		f, ok := n.(*plan.Filter)
		if !ok {
			break
		}
		above.add(s.ctx, f.Expression)
		n = f.Child
	}
	s.changed = true
	out := s.settle(s.narrow(n, above.rejected(s.ctx)))
	s.blank = hasEmpty(out.node)
	var rest []gms.Expression
	for _, e := range append(above.list, out.up...) {
		if !s.sink(&out, e) {
			rest = append(rest, e)
		}
	}
	return rejoin(out.node, rest)
}

// hasEmpty reports whether the library has found that a side of a join has no
// rows.
func hasEmpty(n gms.Node) bool {
	found := false
	transform.Inspect(n, func(n gms.Node) bool {
		_, empty := n.(*plan.EmptyTable)
		found = found || empty
		return !found
	})
	return found
}

// rejoin puts a filter above n, if there is one.
func rejoin(n gms.Node, list []gms.Expression) gms.Node {
	if len(list) == 0 {
		return n
	}
	return plan.NewFilter(expression.JoinAnd(list...), n)
}

// plain reports whether a join is an inner or a cross join.
func plain(op plan.JoinType) bool {
	return op == plan.JoinTypeInner || op == plan.JoinTypeCross
}

// conditions is a conjunction.
type conditions struct{ list []gms.Expression }

func (c *conditions) add(ctx *gms.Context, e gms.Expression) {
	if e != nil {
		c.list = append(c.list, expression.SplitConjunction(ctx, e)...)
	}
}

// rejected returns the tables of which a row of NULLs fails the conjunction.
func (c *conditions) rejected(ctx *gms.Context) gms.FastIntSet {
	var out gms.FastIntSet
	for _, e := range c.list {
		out = out.Union(rejects(ctx, e))
	}
	return out
}

// rejects returns the tables of which a row of NULLs makes e false or NULL.
func rejects(ctx *gms.Context, e gms.Expression) gms.FastIntSet {
	var out gms.FastIntSet
	switch e := e.(type) {
	case *expression.Or:
		return rejects(ctx, e.LeftChild).Intersection(rejects(ctx, e.RightChild))
	case *expression.And:
		return rejects(ctx, e.LeftChild).Union(rejects(ctx, e.RightChild))
	case *expression.NullSafeEquals:
		return out
	case expression.Comparer:
		for _, side := range []gms.Expression{e.Left(), e.Right()} {
			if f, ok := side.(*expression.GetField); ok {
				out.Add(int(f.TableId()))
			}
		}
	case *expression.Not:
		if null, ok := e.Child.(*expression.IsNull); ok {
			if f, ok := null.Child.(*expression.GetField); ok {
				out.Add(int(f.TableId()))
			}
		}
	}
	return out
}

// tablesOf returns the tables that n reads, down to its derived tables.
func tablesOf(n gms.Node) gms.FastIntSet {
	var out gms.FastIntSet
	transform.Inspect(n, func(n gms.Node) bool {
		if t, ok := n.(plan.TableIdNode); ok {
			out.Add(int(t.Id()))
			return false
		}
		return true
	})
	return out
}

// tablesIn returns the tables that e names, those inside of its subqueries and
// around the query among them, and whether there are subqueries.
func tablesIn(ctx *gms.Context, e gms.Expression) (out gms.FastIntSet, queries bool) {
	gms.Inspect(ctx, e, func(ctx *gms.Context, e gms.Expression) bool {
		switch e := e.(type) {
		case *expression.GetField:
			out.Add(int(e.TableId()))
		case *plan.Subquery:
			queries = true
			transform.InspectExpressions(ctx, e.Query, func(_ *gms.Context, e gms.Expression) bool {
				if f, ok := e.(*expression.GetField); ok {
					out.Add(int(f.TableId()))
				}
				return true
			})
		}
		return true
	})
	return out, queries
}
