package engine

import (
	"strconv"
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/value"
)

// leadWithKey makes ORDER BY begin with the columns of a key or an index that
// the WHERE binds to one value, when what it orders by is the rest of it in one
// direction. The library then reads the rows in order instead of sorting them:
// it only compares the ORDER BY with the beginning of an index. Of several such
// indexes the one with the most bound columns is taken.
func leadWithKey(s *ast.Select, sc *scope) error {
	if len(s.OrderBy) == 0 || len(sc.sources) != 1 || sc.sources[0].target == nil ||
		len(s.GroupBy) > 0 || s.Having != nil || s.QueryOpts.Distinct || s.Where == nil {
		return nil
	}
	src := sc.sources[0]
	bound := map[string]bool{}
	src.boundColumns(s.Where.Expr, bound)
	direction := ""
	rest := make([]string, 0, len(s.OrderBy))
	for _, o := range s.OrderBy {
		name, ok := src.columnName(o.Expr)
		switch {
		case !ok || sc.aliases[name]:
			return nil
		case bound[name]:
			continue
		case direction == "":
			direction = o.Direction
		case o.Direction != direction:
			return nil
		}
		rest = append(rest, name)
	}
	if direction == "" {
		direction = ast.AscScr
	}
	paths, err := src.target.paths()
	if err != nil {
		return err
	}
	var best []string
	most := -1
	for _, p := range paths {
		if lead, leading, ok := p.ordering(rest, bound); ok && leading > most {
			best, most = lead, leading
		}
	}
	if most >= 0 {
		s.OrderBy = src.orderBy(best, direction)
	}
	return nil
}

// ordering returns the columns of the path's beginning that order rows by rest,
// when those that are bound have one value, and how many bound ones lead them.
// ok is false when rest is not the order of the path.
func (p *path) ordering(rest []string, bound map[string]bool) (
	lead []string, leading int, ok bool,
) {
	begun := false
	for _, c := range p.distinct() {
		name := p.def.Columns[c].Name
		switch {
		case len(rest) > 0 && rest[0] == name:
			rest, begun = rest[1:], true
		case bound[name]:
			if !begun {
				leading++
			}
		default:
			return lead, leading, len(rest) == 0
		}
		lead = append(lead, name)
	}
	// Where the whole primary key is among the columns nothing is left to order.
	return lead, leading, len(rest) == 0 || p.index == nil || !p.index.Unique
}

func (s *source) orderBy(names []string, direction string) ast.OrderBy {
	q := ast.TableName{Name: ast.NewTableIdent(s.name)}
	out := make(ast.OrderBy, len(names))
	for i, n := range names {
		c := &ast.ColName{Name: ast.NewColIdent(n), Qualifier: q}
		out[i] = &ast.Order{Expr: c, Direction: direction}
	}
	return out
}

// columnName returns the declared column that e is.
func (s *source) columnName(e ast.Expr) (string, bool) {
	if p, ok := e.(*ast.ParenExpr); ok {
		return s.columnName(p.Expr)
	}
	c, ok := e.(*ast.ColName)
	if !ok {
		return "", false
	}
	if q := strings.ToLower(c.Qualifier.Name.String()); q != "" && q != s.name {
		return "", false
	}
	name := c.Name.Lowered()
	return name, s.target.def.Column(name) >= 0
}

// boundColumns adds the columns that e, a conjunction, binds to one value.
func (s *source) boundColumns(e ast.Expr, bound map[string]bool) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		s.boundColumns(e.Expr, bound)
	case *ast.AndExpr:
		s.boundColumns(e.Left, bound)
		s.boundColumns(e.Right, bound)
	case *ast.ComparisonExpr:
		if e.Operator != ast.EqualStr {
			return
		}
		for _, side := range [][2]ast.Expr{{e.Left, e.Right}, {e.Right, e.Left}} {
			name, ok := s.columnName(side[0])
			if lit, is := side[1].(*ast.SQLVal); ok && is && s.bindsOne(name, lit) {
				bound[name] = true
			}
		}
	}
}

// bindsOne reports whether at most one value of a column equals a literal. A
// text column has many that equal a number: '1', '01' and '1.0' are all 1.
func (s *source) bindsOne(column string, lit *ast.SQLVal) bool {
	switch s.target.def.Columns[s.target.def.Column(column)].Type.Kind {
	case value.Text, value.UUID, value.Enum:
		k := s.target.run.literalKind(lit)
		return k == value.Text || k == value.UUID
	}
	return true
}

// nameItems replaces the numbers in an ORDER BY by the names of the items of
// the list that they mean, where these have one of their own: behind DISTINCT,
// and beside a subquery, the library looks for such a column in the wrong place
// of the row.
func nameItems(orders ast.OrderBy, list ast.SelectExprs) {
	for _, o := range orders {
		lit, ok := o.Expr.(*ast.SQLVal)
		if !ok || lit.Type != ast.IntVal {
			continue
		}
		n, err := strconv.Atoi(string(lit.Val))
		if err != nil || n < 1 || n > len(list) {
			continue
		}
		a, ok := list[n-1].(*ast.AliasedExpr)
		if !ok {
			continue
		}
		if _, isLiteral := a.Expr.(*ast.SQLVal); isLiteral && a.As.IsEmpty() && a.InputExpression != "" {
			a.As = ast.NewColIdent(a.InputExpression)
		}
		if !a.As.IsEmpty() {
			o.Expr = &ast.ColName{Name: a.As}
		}
	}
}
