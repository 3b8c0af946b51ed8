package engine

import (
	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
)

// narrow makes an inner join of each outer one whose missing rows would fail a
// condition above it. rejected are the tables of which rows of NULLs fail.
func (s *settler) narrow(n gms.Node, rejected gms.FastIntSet) gms.Node {
	switch n := n.(type) {
	case *plan.Filter:
		if !joins(n.Child) {
			return n
		}
		c := &conditions{}
		c.add(s.ctx, n.Expression)
		return plan.NewFilter(n.Expression, s.narrow(n.Child, rejected.Union(c.rejected(s.ctx))))
	case *plan.JoinNode:
		return s.narrowJoin(n, rejected)
	}
	return n
}

func (s *settler) narrowJoin(n *plan.JoinNode, rejected gms.FastIntSet) gms.Node {
	on := &conditions{}
	on.add(s.ctx, n.Filter)
	own := on.rejected(s.ctx)
	out := *n
	switch {
	case n.Op == plan.JoinTypeLeftOuter && rejected.Intersects(tablesOf(n.Right())):
		out.Op = plan.JoinTypeInner
		own = own.Union(rejected)
		return withSides(&out, s.narrow(n.Left(), own), s.narrow(n.Right(), own))
	case plain(n.Op):
		own = own.Union(rejected)
		return withSides(&out, s.narrow(n.Left(), own), s.narrow(n.Right(), own))
	case n.Op == plan.JoinTypeLeftOuter:
		return withSides(&out, s.narrow(n.Left(), rejected), s.narrow(n.Right(), own))
	case n.Op == plan.JoinTypeSemi:
		return withSides(&out, s.narrow(n.Left(), own.Union(rejected)), s.narrow(n.Right(), own))
	case n.Op.IsAnti():
		return withSides(&out, s.narrow(n.Left(), rejected), n.Right())
	}
	return n
}

func withSides(n *plan.JoinNode, left, right gms.Node) *plan.JoinNode {
	out := plan.NewJoin(left, right, n.Op, n.Filter)
	out.CommentStr, out.ScopeLen = n.CommentStr, n.ScopeLen
	return out
}

// settled is a tree of joins without filters between them.
type settled struct {
	node     gms.Node
	up       []gms.Expression // to be tested above
	tables   gms.FastIntSet
	nullable gms.FastIntSet // tables that an outer join may leave out
}

func (s *settler) settle(n gms.Node) settled {
	switch n := n.(type) {
	case *plan.Filter:
		if !joins(n.Child) {
			break
		}
		out := s.settle(n.Child)
		out.up = append(out.up, expression.SplitConjunction(s.ctx, n.Expression)...)
		return out
	case *plan.JoinNode:
		left, right := s.settle(n.Left()), s.settle(n.Right())
		if plain(n.Op) {
			return s.inner(n, left, right)
		}
		return s.outer(n, left, right)
	}
	return settled{node: n, tables: tablesOf(n)}
}

// inner keeps the conditions that connect both sides and name nothing that
// may be left out; the others go up. Where nothing may be left out, its own
// conditions stay.
func (s *settler) inner(n *plan.JoinNode, left, right settled) settled {
	out := settled{tables: left.tables.Union(right.tables),
		nullable: left.nullable.Union(right.nullable)}
	var on []gms.Expression
	all := append(left.up, right.up...)
	if n.Filter != nil {
		own := expression.SplitConjunction(s.ctx, n.Filter)
		if out.nullable.Empty() {
			on = own
		} else {
			all = append(all, own...)
		}
	}
	for _, e := range all {
		named, _ := tablesIn(s.ctx, e)
		if named.Intersects(left.tables) && named.Intersects(right.tables) &&
			!named.Intersects(out.nullable) {
			on = append(on, e)
		} else {
			out.up = append(out.up, e)
		}
	}
	join := *n
	join.Op, join.Filter = plan.JoinTypeCross, nil
	if len(on) > 0 {
		join.Op, join.Filter = plan.JoinTypeInner, expression.JoinAnd(on...)
	}
	out.node = withSides(&join, left.node, right.node)
	return out
}

// outer passes on what is to be tested of its left side, whose rows all stay.
func (s *settler) outer(n *plan.JoinNode, left, right settled) settled {
	if len(right.up) > 0 {
		s.stuck = true
	}
	out := settled{node: withSides(n, left.node, right.node), up: left.up, tables: left.tables,
		nullable: left.nullable}
	if n.Op.IsPartial() {
		return out // the right side is not seen above
	}
	out.tables = out.tables.Union(right.tables)
	out.nullable = out.nullable.Union(right.tables).Union(right.nullable)
	if !n.Op.IsLeftOuter() {
		out.nullable = out.nullable.Union(out.tables)
		s.stuck = s.stuck || len(out.up) > 0
	}
	return out
}

// sink moves a condition that stands above a tree to where that first has all
// that it names, and reports whether it did. A name of no table of the tree is
// one around the query, or of a table that an outer join always leaves out.
func (s *settler) sink(to *settled, e gms.Expression) bool {
	named, queries := tablesIn(s.ctx, e)
	if s.blank && !named.SubsetOf(to.tables) {
		return false
	}
	return !queries && !named.Intersects(to.nullable) && s.sinkTo(&to.node, e, named)
}

func (s *settler) sinkTo(n *gms.Node, e gms.Expression, named gms.FastIntSet) bool {
	join, ok := (*n).(*plan.JoinNode)
	if !ok {
		*n = plan.NewFilter(e, *n)
		return true
	}
	inLeft := named.Intersects(tablesOf(join.Left()))
	inRight := !join.Op.IsPartial() && named.Intersects(tablesOf(join.Right()))
	left, right := join.Left(), join.Right()
	switch {
	case inLeft && !inRight:
		if !s.sinkTo(&left, e, named) {
			return false
		}
	case inRight && !inLeft && plain(join.Op):
		if !s.sinkTo(&right, e, named) {
			return false
		}
	case inLeft && inRight && plain(join.Op):
		on := []gms.Expression{e}
		if join.Filter != nil {
			on = append(expression.SplitConjunction(s.ctx, join.Filter), e)
		}
		out := *join
		out.Op, out.Filter = plan.JoinTypeInner, expression.JoinAnd(on...)
		join = &out
	default:
		return false
	}
	*n = withSides(join, left, right)
	return true
}
