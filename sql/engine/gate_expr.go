package engine

import (
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

func (g *gate) exprs(list ast.Exprs, sc *scope) error {
	for i := range list {
		if err := g.expr(&list[i], sc); err != nil {
			return err
		}
	}
	return nil
}

func (g *gate) each(sc *scope, list ...*ast.Expr) error {
	for _, e := range list {
		if err := g.expr(e, sc); err != nil {
			return err
		}
	}
	return nil
}

// expr passes an expression, and may put another in its place; a nil one passes.
func (g *gate) expr(at *ast.Expr, sc *scope) error {
	switch e := (*at).(type) {
	case nil, *ast.NullVal, ast.BoolVal:
		return nil
	case *ast.SQLVal:
		return g.literal(e)
	case *ast.ColName:
		return g.column(e, sc)
	case *ast.ParenExpr:
		return g.expr(&e.Expr, sc)
	case *ast.AndExpr:
		return g.each(sc, &e.Left, &e.Right)
	case *ast.OrExpr:
		return g.each(sc, &e.Left, &e.Right)
	case *ast.XorExpr:
		return g.each(sc, &e.Left, &e.Right)
	case *ast.NotExpr:
		return g.expr(&e.Expr, sc)
	case *ast.ComparisonExpr:
		if err := g.escape(e.Escape); err != nil {
			return err
		}
		return g.compared(sc, &e.Left, &e.Right)
	case *ast.RangeCond:
		return g.compared(sc, &e.Left, &e.From, &e.To)
	case *ast.IsExpr:
		return g.expr(&e.Expr, sc)
	case ast.ValTuple:
		return g.exprs(ast.Exprs(e), sc)
	case *ast.BinaryExpr:
		err := g.each(sc, &e.Left, &e.Right)
		*at = g.computed(e)
		return err
	case *ast.UnaryExpr:
		err := g.expr(&e.Expr, sc)
		*at = g.negated(e)
		return err
	case *ast.CaseExpr:
		return g.cases(e, sc)
	}
	return g.wideExpr(*at, sc)
}

// wideExpr passes the expressions that hold queries, calls and types.
func (g *gate) wideExpr(e ast.Expr, sc *scope) error {
	if g.pure {
		switch e.(type) {
		case *ast.Subquery, *ast.ExistsExpr:
			return onlyAgain("a query inside of another")
		case *ast.GroupConcatExpr:
			return onlyAgain("GROUP_CONCAT")
		}
	}
	switch e := e.(type) {
	case *ast.Subquery:
		return g.query(e.Select, sc)
	case *ast.ExistsExpr:
		return g.query(e.Subquery.Select, sc)
	case *ast.FuncExpr:
		return g.call(e, sc)
	case *ast.IntervalExpr:
		return g.expr(&e.Expr, sc)
	case *ast.CollateExpr:
		return g.expr(&e.Expr, sc)
	case *ast.TimestampFuncExpr:
		return g.each(sc, &e.Expr1, &e.Expr2)
	case *ast.ExtractFuncExpr:
		return g.expr(&e.Expr, sc)
	case *ast.ConvertExpr:
		return g.convert(e, sc)
	case *ast.ConvertUsingExpr:
		return g.expr(&e.Expr, sc)
	case *ast.SubstrExpr:
		if e.Name != nil {
			if err := g.column(e.Name, sc); err != nil {
				return err
			}
		}
		return g.each(sc, &e.From, &e.To)
	case *ast.TrimExpr:
		if err := g.plain(&e.Str, sc); err != nil {
			return err
		}
		return g.plain(&e.Pattern, sc)
	case *ast.CharExpr:
		return g.arguments(e.Exprs, sc, g.expr)
	case *ast.GroupConcatExpr:
		if err := g.arguments(e.Exprs, sc, g.expr); err != nil {
			return err
		}
		return g.orders(e.OrderBy, sc)
	case *ast.MatchExpr:
		return refuse("MATCH ... AGAINST is not offered; use LIKE")
	case *ast.Default:
		return refuse("DEFAULT stands alone as the value of a column")
	case *ast.ValuesFuncExpr:
		return refuse("VALUES(column) is not offered")
	}
	return refuse("this kind of expression (%T) is not offered", e)
}

func (g *gate) literal(v *ast.SQLVal) error {
	if err := g.known(v); err != nil {
		return err
	}
	switch p, _ := g.run.param(v); {
	case v.Type == ast.StrVal && isWild(string(v.Val)):
		return errWild(string(v.Val))
	case p.Kind() == value.Text && isWild(p.Str()):
		return errWild(p.Str())
	}
	return nil
}

// known passes a literal that is a parameter that is there, a number that fits, or
// any text.
func (g *gate) known(v *ast.SQLVal) error {
	if v.Type == ast.ValArg && !g.run.isParam(v) {
		return fault.New(fault.InvalidParameter, "unknown parameter %s", v.Val)
	}
	if v.Type == ast.FloatVal && strings.ContainsAny(string(v.Val), "eE") {
		if _, err := value.Parse(value.Float64, string(v.Val)); fault.Is(err, fault.ValueOutOfRange) {
			return err
		}
	}
	return nil
}

func (g *gate) cases(e *ast.CaseExpr, sc *scope) error {
	if err := g.each(sc, &e.Expr, &e.Else); err != nil {
		return err
	}
	for _, w := range e.Whens {
		if err := g.each(sc, &w.Cond, &w.Val); err != nil {
			return err
		}
	}
	return nil
}

// convert bounds the length to which a CAST pads.
func (g *gate) convert(e *ast.ConvertExpr, sc *scope) error {
	if t := e.Type; t != nil && t.Length != nil && len(t.Length.Val) > 6 {
		return fault.New(fault.ResultTooLarge, "CAST to a length of %s is too long", t.Length.Val)
	}
	return g.expr(&e.Expr, sc)
}

// call checks a function against the table of functions.
func (g *gate) call(f *ast.FuncExpr, sc *scope) error {
	name := f.Name.Lowered()
	if !f.Qualifier.IsEmpty() {
		return refuse("function %s.%s is not offered", f.Qualifier.String(), name)
	}
	if err := g.allow(name); err != nil {
		g.run.blame(name)
		return err
	}
	pass := g.expr
	if takesTexts(name) {
		pass = g.plain
	}
	if err := g.arguments(f.Exprs, sc, pass); err != nil {
		return err
	}
	exactly(f)
	if f.Over == nil {
		return nil
	}
	if g.pure {
		return onlyAgain("window functions")
	}
	return g.window((*ast.WindowDef)(f.Over), sc)
}

func (g *gate) allow(name string) error {
	switch use, known := functionUse(name); {
	case !known:
		return fault.New(fault.InvalidSQL, "function %s does not exist%s", strings.ToUpper(name),
			likely(name))
	case use == Refused:
		return refuse("function %s is not offered", strings.ToUpper(name))
	case g.pure && rowFunctions[name]:
		return onlyAgain("function " + strings.ToUpper(name))
	case (g.pure || g.same) && use != LiveSafe && !rowFunctions[name]:
		return cannotLive("function %s can't be kept live: its value does not depend on rows alone",
			strings.ToUpper(name))
	}
	return nil
}

// arguments passes what stands between the parentheses of a call; `*` is
// COUNT's.
func (g *gate) arguments(
	list ast.SelectExprs, sc *scope, pass func(*ast.Expr, *scope) error,
) error {
	for _, e := range list {
		switch e := e.(type) {
		case *ast.AliasedExpr:
			if err := pass(&e.Expr, sc); err != nil {
				return err
			}
		case *ast.StarExpr:
			if !e.TableName.IsEmpty() {
				return fault.New(fault.InvalidSQL, "%s.* is no argument", e.TableName.Name.String())
			}
		default:
			return refuse("this kind of argument (%T) is not offered", e)
		}
	}
	return nil
}

func (g *gate) window(w *ast.WindowDef, sc *scope) error {
	if err := g.exprs(w.PartitionBy, sc); err != nil {
		return err
	}
	if err := g.orders(w.OrderBy, sc); err != nil {
		return err
	}
	if w.Frame == nil || w.Frame.Extent == nil {
		return nil
	}
	for _, b := range []*ast.FrameBound{w.Frame.Extent.Start, w.Frame.Extent.End} {
		if b != nil {
			if err := g.expr(&b.Expr, sc); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *gate) selectExpr(e ast.SelectExpr, sc *scope) error {
	switch e := e.(type) {
	case *ast.AliasedExpr:
		return g.plain(&e.Expr, sc)
	case *ast.StarExpr:
		return nil // of a derived table: expandStars has left no other
	}
	return refuse("this kind of result column (%T) is not offered", e)
}

// column passes a column's name. A namespace before it is replaced by the
// name that the library knows the table by.
func (g *gate) column(c *ast.ColName, sc *scope) error {
	name := c.Name.Lowered()
	if c.StoredProcVal != nil || strings.HasPrefix(name, "@") ||
		strings.HasPrefix(c.Qualifier.Name.String(), "@") {
		return refuse("variables are not offered")
	}
	q := c.Qualifier
	switch {
	case !q.DbQualifier.IsEmpty():
		return g.qualified(c, sc)
	case !q.Name.IsEmpty():
		if !sc.reads(strings.ToLower(q.Name.String())) {
			g.run.blame(c.Name.String())
			return fault.New(fault.TableNotFound, "the statement reads no table called %s", q.Name.String())
		}
		return nil
	}
	if _, _, isVariable := gms.SystemVariables.GetGlobal(name); isVariable && !sc.knows(name) {
		return g.run.noColumn(name)
	}
	return nil
}

// qualified finds the table of `ns.table.column`.
func (g *gate) qualified(c *ast.ColName, sc *scope) error {
	ns, _, _, err := splitOwned(strings.ToLower(c.Qualifier.DbQualifier.String()))
	if err != nil {
		return err
	}
	table := strings.ToLower(c.Qualifier.Name.String())
	for s := sc; s != nil; s = s.outer {
		for _, src := range s.sources {
			if src.ns == ident.NamespaceID(ns) && src.name == table {
				c.Qualifier.DbQualifier = ast.NewTableIdent(src.db)
				return nil
			}
		}
	}
	return fault.New(fault.ColumnNotFound, "column %s.%s.%s: the statement reads no table %[1]s.%[2]s",
		ns, table, c.Name.String())
}

// reads reports whether a table is called name in s or around it. The scope
// of a union has no tables; the library knows their columns.
func (s *scope) reads(name string) bool {
	any := false
	for ; s != nil; s = s.outer {
		for _, src := range s.sources {
			if any = true; src.name == name {
				return true
			}
		}
	}
	return !any
}

// knows reports whether name may be a column in s or around it.
func (s *scope) knows(name string) bool {
	for ; s != nil; s = s.outer {
		if s.aliases[name] {
			return true
		}
		for _, src := range s.sources {
			if src.target == nil || src.target.def.Column(name) >= 0 {
				return true
			}
		}
	}
	return false
}
