package engine

import (
	"slices"
	"strconv"
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// grouping is what a GROUP BY makes the same in all rows of a group.
type grouping struct {
	sc     *scope
	scopes map[*ast.Select]*scope // of the queries inside
	texts  map[string]bool        // of the grouped expressions
	known  map[field]bool         // columns, also those that follow from others
	outer  *ast.FuncExpr          // an aggregate in a query inside that is of the FROM
}

// field is a column of a FROM.
type field struct {
	src  *source
	name string
}

// grouped refuses columns that differ within a group: each one outside of an
// aggregate has to be grouped by, or to follow from what is.
func (g *gate) grouped(s *ast.Select, sc *scope) error {
	if len(s.GroupBy) == 0 && !aggregates(s) || len(sc.sources) == 0 {
		return nil
	}
	by := &grouping{sc: sc, scopes: g.scopes, texts: make(map[string]bool),
		known: make(map[field]bool)}
	for _, e := range s.GroupBy {
		by.add(s, e)
	}
	for n := -1; n < len(by.known); {
		n = len(by.known)
		by.followTables(s.From)
		if s.Where != nil {
			by.followAll(s.Where.Expr, nil)
		}
		by.followKeys()
	}
	for _, e := range s.SelectExprs {
		var err error
		switch e := e.(type) {
		case *ast.AliasedExpr:
			err = g.sameInGroup(by, e.Expr, false)
		case *ast.StarExpr:
			err = g.starInGroup(by, e)
		}
		if err != nil {
			return err
		}
	}
	if s.Having != nil {
		if err := g.sameInGroup(by, s.Having.Expr, true); err != nil {
			return err
		}
	}
	for _, o := range s.OrderBy {
		if len(s.GroupBy) == 0 {
			break // one row has one order
		}
		if err := g.sameInGroup(by, o.Expr, true); err != nil {
			return err
		}
	}
	return nil
}

// aggregates reports whether a list has an aggregate of its own, which makes one
// group of all rows.
func aggregates(s *ast.Select) bool {
	found := false
	_ = ast.Walk(func(n ast.SQLNode) (bool, error) { // no visit fails
		switch n := n.(type) {
		case *ast.Subquery, *ast.ExistsExpr:
			return false, nil
		case *ast.GroupConcatExpr:
			found = true
		case *ast.FuncExpr:
			found = found || n.Over == nil && isAggregate(n)
		}
		return !found, nil
	}, s.SelectExprs)
	return found
}

// add takes an expression of GROUP BY: a number or a name of the list stands
// for what it is of.
func (by *grouping) add(s *ast.Select, e ast.Expr) {
	e = bare(e)
	by.texts[by.text(e)] = true
	if f, ok := by.field(e); ok {
		by.known[f] = true
		return
	}
	n := 0
	if v, ok := e.(*ast.SQLVal); ok && v.Type == ast.IntVal {
		n, _ = strconv.Atoi(string(v.Val)) // what is no number is none of the list
	}
	for i, item := range s.SelectExprs {
		a, ok := item.(*ast.AliasedExpr)
		if !ok || a.Expr == e {
			continue
		}
		c, isName := e.(*ast.ColName)
		if n == i+1 || isName && c.Qualifier.IsEmpty() && a.As.Equal(c.Name) {
			by.texts[by.text(a.Expr)] = true
			if f, ok := by.field(bare(a.Expr)); ok {
				by.known[f] = true
			}
		}
	}
}

// text writes an expression with its columns resolved.
func (by *grouping) text(e ast.Expr) string {
	buf := ast.NewTrackedBuffer(func(buf *ast.TrackedBuffer, n ast.SQLNode) {
		if p, ok := n.(*ast.ParenExpr); ok {
			if _, column := bare(p).(*ast.ColName); column {
				n = bare(p)
			}
		}
		if c, ok := n.(*ast.ColName); ok {
			if f, ok := by.field(c); ok {
				buf.WriteString(f.src.db + "." + f.src.name + "." + f.name)
				return
			}
		}
		n.Format(buf)
	})
	buf.Myprintf("%v", bare(e))
	return strings.ToLower(buf.String())
}

// field resolves a name to a column of the FROM.
func (by *grouping) field(e ast.Expr) (field, bool) {
	c, ok := e.(*ast.ColName)
	if !ok {
		return field{}, false
	}
	for _, s := range by.sc.sources {
		sure := s.target != nil || s.columns != nil || !c.Qualifier.IsEmpty() ||
			len(by.sc.sources) == 1 && by.sc.outer == nil
		if sure && s.mayHave(c) {
			return field{s, c.Name.Lowered()}, true
		}
	}
	return field{}, false
}

// has reports whether a table has a column, declared or of the system.
func (s *source) has(name string) bool {
	return s.target.def.Column(name) >= 0 || system.IsColumn(name)
}

// followKeys adds the columns of the tables whose whole key is known, or all
// columns of a unique index, none of which may be NULL.
func (by *grouping) followKeys() {
	for _, s := range by.sc.sources {
		if s.target == nil || !by.knowsKey(s) {
			continue
		}
		for i := range s.target.def.Columns {
			by.known[field{s, s.target.def.Columns[i].Name}] = true
		}
		for _, name := range []string{system.ColSeq, system.ColUpdated, system.ColDeleted} {
			by.known[field{s, name}] = true
		}
	}
}

func (by *grouping) knowsKey(s *source) bool {
	def := s.target.def
	knows := func(c int) bool { return by.known[field{s, def.Columns[c].Name}] }
	differ := func(c int) bool { return !knows(c) }
	if len(def.PrimaryKey) > 0 && !slices.ContainsFunc(def.PrimaryKey, differ) {
		return true
	}
	return slices.ContainsFunc(def.Indexes, func(x ddl.Index) bool {
		return x.Unique && !x.Building && !s.target.deleted &&
			!slices.ContainsFunc(def.Positions(&x), func(c int) bool {
				return !knows(c) || !def.Columns[c].NotNull && !def.IsKey(c)
			})
	})
}

// followTables adds what the conditions of joins make equal to known columns.
// Those of an outer join say so of the side that may be left out.
func (by *grouping) followTables(list ast.TableExprs) {
	for _, t := range list {
		switch t := t.(type) {
		case *ast.ParenTableExpr:
			by.followTables(t.Exprs)
		case *ast.JoinTableExpr:
			by.followTables(ast.TableExprs{t.LeftExpr, t.RightExpr})
			by.followJoin(t)
		}
	}
}

func (by *grouping) followJoin(t *ast.JoinTableExpr) {
	var only ast.TableExpr
	switch {
	case strings.HasPrefix(t.Join, "left"):
		only = t.RightExpr
	case strings.HasPrefix(t.Join, "right"):
		only = t.LeftExpr
	case strings.HasPrefix(t.Join, "full"):
		return
	}
	by.followAll(t.Condition.On, only)
	for _, c := range t.Condition.Using {
		any := false
		for _, s := range by.sc.sources {
			any = any || s.merged[c.Lowered()] && by.known[field{s, c.Lowered()}]
		}
		for _, s := range by.sc.sources {
			if any && s.merged[c.Lowered()] {
				by.known[field{s, c.Lowered()}] = true
			}
		}
	}
}

// followAll adds the columns, of the tables in only, that a conjunction makes
// equal to known ones or to constants.
func (by *grouping) followAll(e ast.Expr, only ast.TableExpr) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		by.followAll(e.Expr, only)
	case *ast.AndExpr:
		by.followAll(e.Left, only)
		by.followAll(e.Right, only)
	case *ast.ComparisonExpr:
		if e.Operator == ast.EqualStr {
			by.follow(e.Left, e.Right, only)
			by.follow(e.Right, e.Left, only)
		}
	}
}

func (by *grouping) follow(column, from ast.Expr, only ast.TableExpr) {
	f, ok := by.field(bare(column))
	if !ok || only != nil && !holds(only, f.src) {
		return
	}
	other, isColumn := by.field(bare(from))
	_, isConstant := bare(from).(*ast.SQLVal)
	if isConstant && only == nil || isColumn && by.known[other] {
		by.known[f] = true
	}
}

// holds reports whether a source stands in a part of a FROM.
func holds(t ast.TableExpr, s *source) bool {
	found := s.place != nil && t == ast.TableExpr(s.place)
	switch t := t.(type) {
	case *ast.ParenTableExpr:
		for _, x := range t.Exprs {
			found = found || holds(x, s)
		}
	case *ast.JoinTableExpr:
		found = holds(t.LeftExpr, s) || holds(t.RightExpr, s)
	}
	return found
}
