package engine

import (
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// differs returns a column in e that may differ within a group, nil for none.
func (by *grouping) differs(e ast.Expr, aliases bool) *ast.ColName {
	var bad *ast.ColName
	_ = ast.Walk(func(n ast.SQLNode) (bool, error) { // no visit fails
		if x, ok := n.(ast.Expr); bad != nil || ok && by.texts[by.text(x)] {
			return false, nil
		}
		switch n := n.(type) {
		case *ast.Subquery:
			bad = by.differsInside(n, nil)
			return false, nil
		case *ast.GroupConcatExpr:
			return false, nil
		case *ast.FuncExpr:
			return n.Over != nil || !isAggregate(n) && n.Name.Lowered() != "any_value", nil
		case *ast.ColName:
			f, ok := by.field(n)
			named := aliases && n.Qualifier.IsEmpty() && by.sc.aliases[n.Name.Lowered()]
			if ok && !by.known[f] && !named {
				bad = n
			}
			return false, nil
		}
		return true, nil
	}, e)
	return bad
}

// differsInside returns a column of the grouped tables in a query inside, which
// stands in queries with the scopes of inner.
func (by *grouping) differsInside(query ast.SQLNode, inner []*scope) *ast.ColName {
	var bad *ast.ColName
	_ = ast.Walk(func(n ast.SQLNode) (bool, error) { // no visit fails
		switch n := n.(type) {
		case *ast.Select:
			if ast.SQLNode(n) == query {
				return true, nil
			}
			if sc := by.scopes[n]; bad == nil && sc != nil {
				bad = by.differsInside(n, append(inner[:len(inner):len(inner)], sc))
			}
			return false, nil
		case *ast.ColName:
			if f, ok := by.field(n); bad == nil && ok && !by.known[f] && !anyHas(inner, n) {
				bad = n
			}
			return false, nil
		case *ast.FuncExpr:
			if n.Over == nil && isAggregate(n) && by.ofOuter(n, inner) {
				by.outer = n
				return false, nil
			}
		}
		return bad == nil, nil
	}, query)
	return bad
}

// ofOuter reports whether an aggregate in a query inside is of columns of the
// grouped tables only, which makes it one of these.
func (by *grouping) ofOuter(f *ast.FuncExpr, inner []*scope) bool {
	outer, others := false, false
	_ = ast.Walk(func(n ast.SQLNode) (bool, error) { // no visit fails
		if c, ok := n.(*ast.ColName); ok {
			_, ours := by.field(c)
			ours = ours && !anyHas(inner, c)
			outer, others = outer || ours, others || !ours
		}
		return true, nil
	}, f.Exprs)
	return outer && !others
}

// anyHas reports whether a name may be of a column in one of the scopes.
func anyHas(scopes []*scope, c *ast.ColName) bool {
	for _, sc := range scopes {
		for _, s := range sc.sources {
			if s.mayHave(c) {
				return true
			}
		}
		if c.Qualifier.IsEmpty() && sc.aliases[c.Name.Lowered()] {
			return true
		}
	}
	return false
}

func (g *gate) sameInGroup(by *grouping, e ast.Expr, aliases bool) error {
	c := by.differs(e, aliases)
	if by.outer != nil {
		name := calledName(by.outer)
		g.run.blame(name)
		return refuse("%s of columns outside of the query it stands in is not offered; compute it in a "+
			"query in FROM", strings.ToUpper(name))
	}
	if c == nil {
		return nil
	}
	return g.differsInGroup(c.Name.String())
}

func (g *gate) differsInGroup(name string) error {
	g.run.blame(name)
	return fault.New(fault.InvalidSQL, "column %s is neither grouped nor in an aggregate; "+
		"add it to GROUP BY, or use MIN(%[1]s) or another aggregate", name)
}

// starInGroup passes the star of a derived table when all of its columns are
// the same in a group.
func (g *gate) starInGroup(by *grouping, star *ast.StarExpr) error {
	s := by.sc.source(star)
	if s == nil || s.columns == nil {
		return refuse("a * beside GROUP BY or an aggregate is not offered here; name the columns")
	}
	for _, name := range s.columns {
		if !by.known[field{s, name}] {
			return g.differsInGroup(name)
		}
	}
	return nil
}
