package engine

import (
	"slices"
	"strconv"
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"
)

// cte is a common table expression in reach.
type cte struct {
	name    string
	columns []string // nil where they are not known
}

// cte returns the innermost common table expression of a name, nil for none.
func (g *gate) cte(name string) *cte {
	for i := len(g.ctes) - 1; i >= 0; i-- {
		if g.ctes[i].name == name {
			return &g.ctes[i]
		}
	}
	return nil
}

func (g *gate) with(w *ast.With, outer *scope) error {
	if w == nil {
		return nil
	}
	for _, c := range w.Ctes {
		sub, ok := c.Expr.(*ast.Subquery)
		if !ok {
			return refuse("WITH takes a query in parentheses")
		}
		known := cte{name: strings.ToLower(c.As.String())}
		if w.Recursive {
			g.ctes = append(g.ctes, known)
		}
		if err := g.query(sub.Select, outer); err != nil {
			return err
		}
		computeOnce(sub.Select)
		known.columns = g.columnsOf(sub.Select, c.Columns)
		if w.Recursive {
			g.ctes[len(g.ctes)-1] = known
		} else {
			g.ctes = append(g.ctes, known)
		}
	}
	return nil
}

// derived passes a query in a FROM.
func (g *gate) derived(t *ast.AliasedTableExpr, sub *ast.Subquery, sc *scope) error {
	outer := sc.outer
	if t.Lateral {
		outer = sc
	}
	src := &source{name: strings.ToLower(t.As.String())}
	sc.sources = append(sc.sources, src)
	err := g.query(sub.Select, outer)
	computeOnce(sub.Select)
	src.columns = g.columnsOf(sub.Select, sub.Columns)
	return err
}

// columnsOf returns the names, in lower case, of the columns of a query that
// has passed, or those that are given to them; nil where they are not known.
func (g *gate) columnsOf(s ast.SelectStatement, given ast.Columns) []string {
	if len(given) == 0 {
		return g.shown[s]
	}
	out := make([]string, len(given))
	for i, c := range given {
		out[i] = c.Lowered()
	}
	return out
}

// show notes what a query shows.
func (g *gate) show(s ast.SelectStatement, columns []string) {
	if g.shown == nil {
		g.shown = make(map[ast.SelectStatement][]string)
	}
	g.shown[s] = columns
}

// within notes the scope of a SELECT.
func (g *gate) within(s *ast.Select, sc *scope) {
	if g.scopes == nil {
		g.scopes = make(map[*ast.Select]*scope)
	}
	g.scopes[s] = sc
	g.show(s, sc.columns(s.SelectExprs))
}

// columns returns the names of the columns of a list whose stars are expanded,
// nil where they are not known.
func (sc *scope) columns(list ast.SelectExprs) []string {
	var out []string
	for _, e := range list {
		switch e := e.(type) {
		case *ast.AliasedExpr:
			c, isColumn := e.Expr.(*ast.ColName)
			switch {
			case !e.As.IsEmpty():
				out = append(out, e.As.Lowered())
			case isColumn:
				out = append(out, c.Name.Lowered())
			default:
				out = append(out, strings.ToLower(e.InputExpression))
			}
		case *ast.StarExpr:
			src := sc.source(e)
			if src == nil || src.columns == nil {
				return nil
			}
			out = append(out, src.columns...)
		}
	}
	return out
}

// source returns the derived table whose star a list has, nil for none.
func (sc *scope) source(star *ast.StarExpr) *source {
	name := strings.ToLower(star.TableName.Name.String())
	i := slices.IndexFunc(sc.sources, func(s *source) bool {
		return s.target == nil && s.name == name
	})
	if i < 0 {
		return nil
	}
	return sc.sources[i]
}

// mayHave reports whether a name may be of a column of a source.
func (s *source) mayHave(c *ast.ColName) bool {
	q, db := strings.ToLower(c.Qualifier.Name.String()), c.Qualifier.DbQualifier.String()
	switch {
	case q != "" && q != s.name:
		return false
	case s.target == nil:
		return s.columns == nil || slices.Contains(s.columns, c.Name.Lowered())
	}
	return s.has(c.Name.Lowered()) && (db == "" || strings.EqualFold(db, s.db))
}

// chance are the functions that have another value at each call.
var chance = map[string]bool{
	"rand": true, "random_bytes": true, "uuid": true,
	"snowflake_id": true, "ulid": true, "uuid_v7": true,
}

// computeOnce gives a query in a FROM a LIMIT when its list depends on chance:
// else the library computes the list again for a condition outside.
func computeOnce(q ast.SelectStatement) {
	switch q := q.(type) {
	case *ast.ParenSelect:
		computeOnce(q.Select)
	case *ast.SetOp:
		computeOnce(q.Left)
		computeOnce(q.Right)
	case *ast.Select:
		if q.Limit == nil && calls(q.SelectExprs, chance) {
			q.Limit = &ast.Limit{Rowcount: ast.NewIntVal([]byte(strconv.Itoa(noLimit)))}
		}
	}
}

// calls reports whether one of the functions is called in n.
func calls(n ast.SQLNode, functions map[string]bool) bool {
	found := false
	_ = ast.Walk(func(n ast.SQLNode) (bool, error) { // no visit fails
		f, ok := n.(*ast.FuncExpr)
		found = found || ok && functions[f.Name.Lowered()]
		return !found, nil
	}, n)
	return found
}
