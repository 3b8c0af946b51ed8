package engine

import (
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/system"
)

// join passes both sides of a join. NATURAL becomes USING of the columns that
// both tables declare: to the library the system columns are ordinary ones
// and would be joined too.
func (g *gate) join(t *ast.JoinTableExpr, sc *scope) error {
	before := len(sc.sources)
	if err := g.tableExpr(t.LeftExpr, sc); err != nil {
		return err
	}
	middle := len(sc.sources)
	if err := g.tableExpr(t.RightExpr, sc); err != nil {
		return err
	}
	left, right := sc.sources[before:middle], sc.sources[middle:]
	if strings.HasPrefix(t.Join, "natural") {
		using, err := common(left, right)
		if err != nil {
			return err
		}
		t.Join = strings.TrimPrefix(t.Join, "natural ")
		t.Condition.Using = using
		if len(using) == 0 {
			t.Condition.On = ast.BoolVal(true)
		}
	}
	for _, c := range t.Condition.Using {
		name := c.Lowered()
		if system.IsColumn(name) {
			return refuse("USING (%s) is not offered; write the condition with ON", name)
		}
		sc.merge(name, left, right)
	}
	return g.expr(&t.Condition.On, sc)
}

// merge notes that USING shows a column once.
func (sc *scope) merge(name string, sides ...[]*source) {
	known := false
	for _, u := range sc.using {
		known = known || u == name
	}
	if !known {
		sc.using = append(sc.using, name)
	}
	for _, side := range sides {
		for _, s := range side {
			if s.merged == nil {
				s.merged = make(map[string]bool)
			}
			s.merged[name] = true
		}
	}
}

// common returns the columns that both sides declare.
func common(left, right []*source) (ast.Columns, error) {
	in := map[string]bool{}
	for _, s := range append(append([]*source(nil), left...), right...) {
		if s.target == nil {
			return nil, refuse("NATURAL JOIN of a derived table is not offered; use USING")
		}
	}
	for _, s := range right {
		for i := range s.target.def.Columns {
			in[s.target.def.Columns[i].Name] = true
		}
	}
	var out ast.Columns
	for _, s := range left {
		for i := range s.target.def.Columns {
			if name := s.target.def.Columns[i].Name; in[name] {
				out = append(out, ast.NewColIdent(name))
				delete(in, name)
			}
		}
	}
	return out, nil
}

// expandStars replaces `*` and `t.*` by the declared columns, and notes the
// names that the SELECT list gives.
func (g *gate) expandStars(s *ast.Select, sc *scope) error {
	stars := false
	for _, e := range s.SelectExprs {
		switch e := e.(type) {
		case *ast.StarExpr:
			stars = true
		case *ast.AliasedExpr:
			if !e.As.IsEmpty() {
				sc.aliases[e.As.Lowered()] = true
			}
		}
	}
	if !stars {
		return nil
	}
	var out ast.SelectExprs
	for _, e := range s.SelectExprs {
		star, ok := e.(*ast.StarExpr)
		if !ok {
			out = append(out, e)
			continue
		}
		list, err := sc.star(star)
		if err != nil {
			return err
		}
		out = append(out, list...)
	}
	s.SelectExprs = out
	return nil
}

func (sc *scope) star(star *ast.StarExpr) (ast.SelectExprs, error) {
	var out ast.SelectExprs
	if star.TableName.IsEmpty() {
		if len(sc.sources) == 0 {
			return nil, fault.New(fault.InvalidSQL, "SELECT * needs a FROM")
		}
		for _, name := range sc.using {
			out = append(out, &ast.AliasedExpr{Expr: ast.NewColName(name)})
		}
		for _, s := range sc.sources {
			out = append(out, s.expanded(s.merged)...)
		}
		return out, nil
	}
	name := strings.ToLower(star.TableName.Name.String())
	db, _, _, err := splitOwned(strings.ToLower(star.TableName.DbQualifier.String()))
	if err != nil {
		return nil, err
	}
	for _, s := range sc.sources {
		if s.name == name && (db == "" || s.ns == ident.NamespaceID(db)) {
			return s.expanded(nil), nil
		}
	}
	return nil, fault.New(fault.TableNotFound, "the statement reads no table called %s", name)
}

// expanded returns the declared columns of a source, or its star when it is a
// derived table, which shows just what it was made to show.
func (s *source) expanded(except map[string]bool) ast.SelectExprs {
	q := ast.TableName{Name: ast.NewTableIdent(s.name)}
	if s.target == nil {
		return ast.SelectExprs{&ast.StarExpr{TableName: q}}
	}
	if s.ns != "" {
		q.DbQualifier = ast.NewTableIdent(string(s.ns))
	}
	def := s.target.def
	out := make(ast.SelectExprs, 0, len(def.Columns))
	for i := range def.Columns {
		if name := def.Columns[i].Name; !except[name] {
			c := &ast.ColName{Name: ast.NewColIdent(name), Qualifier: q}
			out = append(out, &ast.AliasedExpr{Expr: c})
		}
	}
	return out
}
