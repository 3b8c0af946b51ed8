package engine

import (
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// gate walks a statement's tree once. Only nodes and clauses that it knows
// pass; every table is resolved, its rights are checked, and stars are
// expanded on the way.
type gate struct {
	run   *execution
	ctes  []cte // in reach
	depth int
	top   *selection // the outermost SELECT, when there is one
	given *source    // stands in the FROM for rows that the statement holds; nil for none
	live  bool       // deleted rows stay hidden whatever the WHERE names
	pure  bool       // for a live query: no queries inside, live-safe functions only
	same  bool       // for a live query that is run again: what depends on rows alone

	shown  map[ast.SelectStatement][]string // the columns of the queries that have passed
	scopes map[*ast.Select]*scope           // of the same
}

// scope is the FROM of one SELECT.
type scope struct {
	sources []*source
	using   []string // columns merged by USING, in order
	aliases map[string]bool
	outer   *scope
}

// source is one entry of a FROM.
type source struct {
	name   string            // by which columns are qualified, lower case
	ns     ident.NamespaceID // "" for derived tables
	db     string            // the qualifier given to the library
	place  *ast.AliasedTableExpr
	target *target         // nil for derived tables
	merged map[string]bool // columns that USING shows elsewhere
	// columns are those of a derived table; nil where they are not known.
	columns []string
}

// refuse is the error for what the allow-list does not have.
func refuse(format string, args ...any) error {
	return fault.New(fault.Unsupported, format, args...)
}

const maxDepth = 64 // of nested queries

func (g *gate) enter() error {
	if g.depth++; g.depth > maxDepth {
		return refuse("queries are nested more than %d deep", maxDepth)
	}
	if g.depth == 1 {
		g.top = nil
	}
	return nil
}

func (g *gate) leave(ctes int) {
	g.depth--
	g.ctes = g.ctes[:ctes]
}

// query passes any form of SELECT.
func (g *gate) query(s ast.SelectStatement, outer *scope) error {
	ctes := len(g.ctes)
	if err := g.enter(); err != nil {
		return err
	}
	defer g.leave(ctes)
	switch s := s.(type) {
	case *ast.Select:
		return g.selects(s, outer)
	case *ast.SetOp:
		return g.setOp(s, outer)
	case *ast.ParenSelect:
		err := g.query(s.Select, outer)
		g.show(s, g.shown[s.Select])
		return err
	}
	return refuse("this kind of query (%T) is not offered", s)
}

func (g *gate) setOp(s *ast.SetOp, outer *scope) error {
	if s.Into != nil {
		return refuse("SELECT ... INTO is not offered")
	}
	if locks(s.Lock) {
		return refuse("FOR UPDATE is not offered in a UNION")
	}
	if err := g.with(s.With, outer); err != nil {
		return err
	}
	if err := g.query(s.Left, outer); err != nil {
		return err
	}
	if err := g.query(s.Right, outer); err != nil {
		return err
	}
	g.show(s, g.shown[s.Left])
	nameOrdinals(s)
	own := &scope{outer: outer, aliases: map[string]bool{}}
	if err := g.orders(s.OrderBy, own); err != nil {
		return err
	}
	return g.limit(s.Limit, own)
}

func (g *gate) values(s *ast.ValuesStatement, outer *scope) error {
	for _, r := range s.Rows {
		if err := g.exprs(ast.Exprs(r), outer); err != nil {
			return err
		}
	}
	return nil
}

// nameOrdinals replaces the numbers in a union's ORDER BY by names of columns:
// the library takes the number of a literal column for a constant and leaves
// the rows as they are.
func nameOrdinals(s *ast.SetOp) {
	left := s.Left
	for {
		if p, ok := left.(*ast.ParenSelect); ok {
			left = p.Select
		} else if u, ok := left.(*ast.SetOp); ok {
			left = u.Left
		} else {
			break
		}
	}
	first, ok := left.(*ast.Select)
	if !ok {
		return
	}
	nameItems(s.OrderBy, first.SelectExprs)
}

func (g *gate) selects(s *ast.Select, outer *scope) error {
	if err := g.selectClauses(s); err != nil {
		return err
	}
	if err := g.with(s.With, outer); err != nil {
		return err
	}
	sc := &scope{outer: outer, aliases: map[string]bool{}}
	if err := g.from(s.From, sc); err != nil {
		return err
	}
	if g.depth == 1 {
		g.top = &selection{stmt: s, sc: sc}
	}
	if !g.live || g.depth > 1 {
		showDeleted(sc, s.Where)
	}
	setOrder(s, sc)
	g.sieve(s, sc)
	if err := g.expandStars(s, sc); err != nil {
		return err
	}
	g.within(s, sc)
	for _, e := range s.SelectExprs {
		if err := g.selectExpr(e, sc); err != nil {
			return err
		}
	}
	if err := g.conditions(s, sc); err != nil {
		return err
	}
	return leadWithKey(s, sc)
}

// selectClauses refuses the clauses that a SELECT must not have.
func (g *gate) selectClauses(s *ast.Select) error {
	if locks(s.Lock) {
		if err := g.forUpdate(s.Lock); err != nil {
			return err
		}
		s.Lock = nil
	}
	switch o := s.QueryOpts; {
	case s.Into != nil:
		return refuse("SELECT ... INTO is not offered")
	case len(o.DistinctOn) > 0:
		return refuse("SELECT DISTINCT ON is not offered; use GROUP BY")
	case o.SQLCalcFoundRows:
		return refuse("SQL_CALC_FOUND_ROWS is not offered; use COUNT(*)")
	}
	s.Comments = nil
	s.QueryOpts.SQLCache, s.QueryOpts.SQLNoCache = false, false
	return nil
}

// forUpdate has the rows that the statement reads become preconditions of the
// transaction.
func (g *gate) forUpdate(l *ast.Lock) error {
	switch {
	case !strings.EqualFold(strings.TrimSpace(l.Type), "for update") || len(l.Tables) > 0:
		return refuse("of the locking clauses FOR UPDATE is offered")
	case g.run.env.Lock == nil:
		return refuse("SELECT ... FOR UPDATE needs a transaction; send BEGIN before it")
	}
	g.run.locking = true
	return nil
}

// locks reports whether a clause is there; the parser gives an empty one
// where it is not.
func locks(l *ast.Lock) bool { return l != nil && (l.Type != "" || len(l.Tables) > 0) }

// conditions passes everything behind the FROM.
func (g *gate) conditions(s *ast.Select, sc *scope) error {
	if err := g.where(s.Where, sc); err != nil {
		return err
	}
	if err := g.exprs(ast.Exprs(s.GroupBy), sc); err != nil {
		return err
	}
	if err := g.where(s.Having, sc); err != nil {
		return err
	}
	for _, w := range s.Window {
		if err := g.window(w, sc); err != nil {
			return err
		}
	}
	nameItems(s.OrderBy, s.SelectExprs)
	if err := g.orders(s.OrderBy, sc); err != nil {
		return err
	}
	if err := g.grouped(s, sc); err != nil {
		return err
	}
	return g.limit(s.Limit, sc)
}

func (g *gate) where(w *ast.Where, sc *scope) error {
	if w == nil {
		return nil
	}
	return g.expr(&w.Expr, sc)
}

func (g *gate) orders(o ast.OrderBy, sc *scope) error {
	for _, x := range o {
		if err := g.expr(&x.Expr, sc); err != nil {
			return err
		}
	}
	return nil
}

// limit allows numbers and parameters only.
func (g *gate) limit(l *ast.Limit, sc *scope) error {
	if l == nil {
		return nil
	}
	for _, e := range []ast.Expr{l.Offset, l.Rowcount} {
		if e == nil {
			continue
		}
		if v, ok := e.(*ast.SQLVal); !ok || v.Type != ast.IntVal && v.Type != ast.ValArg {
			return fault.New(fault.InvalidSQL, "LIMIT and OFFSET take a whole number")
		}
		if err := g.limitParam(e.(*ast.SQLVal)); err != nil {
			return err
		}
	}
	return nil
}

// from passes a list of tables and adds them to sc.
func (g *gate) from(list ast.TableExprs, sc *scope) error {
	for _, t := range list {
		if err := g.tableExpr(t, sc); err != nil {
			return err
		}
	}
	return nil
}

func (g *gate) tableExpr(t ast.TableExpr, sc *scope) error {
	switch t := t.(type) {
	case *ast.AliasedTableExpr:
		return g.aliased(t, sc)
	case *ast.ParenTableExpr:
		return g.from(t.Exprs, sc)
	case *ast.JoinTableExpr:
		return g.join(t, sc)
	case *ast.JSONTableExpr:
		if err := g.expr(&t.Data, sc); err != nil {
			return err
		}
		sc.sources = append(sc.sources, &source{name: strings.ToLower(t.Alias.String())})
		return nil
	}
	return refuse("this kind of table (%T) is not offered in FROM", t)
}

func (g *gate) aliased(t *ast.AliasedTableExpr, sc *scope) error {
	switch {
	case t.AsOf != nil:
		return refuse("AS OF is not offered")
	case len(t.Partitions) > 0:
		return refuse("PARTITION is not offered")
	}
	t.Hints = nil
	switch x := t.Expr.(type) {
	case ast.TableName:
		return g.table(t, x, sc)
	case *ast.Subquery:
		return g.derived(t, x, sc)
	case *ast.ValuesStatement:
		sc.sources = append(sc.sources, &source{name: strings.ToLower(t.As.String())})
		return g.values(x, sc.outer)
	}
	return refuse("this kind of table (%T) is not offered in FROM", t.Expr)
}

// table resolves a table's name, unless it is that of a common table
// expression.
func (g *gate) table(t *ast.AliasedTableExpr, n ast.TableName, sc *scope) error {
	if !n.SchemaQualifier.IsEmpty() {
		return fault.New(fault.InvalidSQL,
			"%s: write namespace.user.table or namespace.table", ast.String(n))
	}
	name := strings.ToLower(n.Name.String())
	exposed := name
	if !t.As.IsEmpty() {
		exposed = strings.ToLower(t.As.String())
	}
	if c := g.cte(name); n.DbQualifier.IsEmpty() && c != nil {
		sc.sources = append(sc.sources, &source{name: exposed, columns: c.columns})
		return nil
	}
	if n.DbQualifier.IsEmpty() && name == "dual" {
		return nil
	}
	src := g.given
	if src == nil || src.place != t {
		var err error
		if src, err = g.run.resolve(n, false); err != nil {
			return err
		}
	}
	src.name, src.place = exposed, t
	if !t.As.IsEmpty() {
		src.ns = "" // columns of an aliased table have no namespace in their names
	}
	sc.sources = append(sc.sources, src)
	src.publish()
	return nil
}
