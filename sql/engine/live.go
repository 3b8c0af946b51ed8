package engine

import (
	"context"
	"errors"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/planbuilder"
	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// CompileLive compiles the SELECT of a live query and returns whose rows it
// follows. The caller's rights are checked each time; what was compiled is kept
// and shared, but for a Rerun, whose Run is the caller's to set: it runs the
// same text. A query that can't be kept live is LIVE_UNSUPPORTED_QUERY, one
// that follows a shared table LIVE_SHARED_TABLE; nothing is ever left out of
// the filter. Only Catalog, DB, Rights, Caller, Role, User, Namespace and
// Params of env are used.
func (e *Engine) CompileLive(
	ctx context.Context, text string, env *Env,
) (q *predicate.Query, owner ident.UserID, err error) {
	if q, owner, ok := e.knownLive(text, env); ok {
		return q, owner, nil
	}
	for _, way := range liveWays {
		q, owner, err = e.compileLive(ctx, text, env, way)
		if !errors.As(err, &onlyAgainError{}) {
			break
		}
	}
	return q, owner, err
}

// liveWay is a way to keep a query live. It fails with an onlyAgainError when
// the query is not for it.
type liveWay func(*execution, context.Context, ast.Statement) (
	*predicate.Query, ident.UserID, error)

// liveWays are tried in this order: the first costs a change the least, the last
// takes any query.
var liveWays = []liveWay{
	(*execution).liveSelect, (*execution).liveGroups, (*execution).liveRerun,
}

// compileLive compiles in one of the ways to keep a query live.
func (e *Engine) compileLive(ctx context.Context, text string, env *Env, way liveWay) (
	q *predicate.Query, owner ident.UserID, err error) {
	run := &execution{
		ctx: ctx, engine: e, env: env, text: text, tables: make(map[tableKey]*target),
	}
	defer func() {
		if p := recover(); p != nil {
			err = e.panicked(p)
		}
		run.cursors.closeAll()
		if errors.As(err, &onlyAgainError{}) {
			return
		}
		if err = run.fault(err); err != nil {
			q, owner = nil, ""
			if f := fault.From(err); f.Code == fault.Unsupported {
				err = fault.New(fault.LiveUnsupportedQuery, "%s", f.Message).At(0, f.Position)
			}
		}
	}()
	stmt, err := e.parse(text, env)
	if err != nil {
		return nil, "", err
	}
	run.liveText = liveText{text, env.Namespace}
	return way(run, ctx, stmt.Statement)
}

func cannotLive(format string, args ...any) error {
	return fault.New(fault.LiveUnsupportedQuery, format, args...)
}

// onlyAgainError says that a query can be kept live by running it again only.
type onlyAgainError struct{ error }

// Unwrap returns the fault.
func (e onlyAgainError) Unwrap() error { return e.error }

func onlyAgain(what string) error {
	return onlyAgainError{cannotLive("%s can't be kept live", what)}
}

// liveSelect compiles a SELECT over one table whose result follows from each
// row alone, or is a window of such rows.
func (run *execution) liveSelect(
	ctx context.Context, stmt ast.Statement,
) (*predicate.Query, ident.UserID, error) {
	s, err := liveShape(stmt)
	if err != nil {
		return nil, "", err
	}
	if err := run.liveTable(s); err != nil {
		return nil, "", err
	}
	name := followed(s) // before the tree is written to
	if err := run.inlineParams(s); err != nil {
		return nil, "", err
	}
	g := &gate{run: run, live: true, pure: true}
	if err := g.query(s, nil); err != nil {
		return nil, "", err
	}
	c := &compiler{run: run, stmt: s, src: g.top.sc.sources[0], top: g.top}
	owner := c.src.target.owner
	key := liveKey{c.canonical(), c.src.target.def.ID, c.src.target.def.Version}
	if q, ok := run.engine.live.get(key); ok {
		run.remember(name, key)
		return q, owner, nil
	}
	q, err := c.query(ctx, key.text)
	if err == nil && (s.Limit != nil || len(s.OrderBy) > 0) {
		q.Window, err = c.window(ctx)
	}
	if err != nil {
		return nil, "", err
	}
	run.engine.live.put(key, q, run.engine.opts.MaxLiveQueries)
	run.remember(name, key)
	return q, owner, nil
}

// liveTable checks the one table that a SELECT follows.
func (run *execution) liveTable(s *ast.Select) error {
	name, ok := s.From[0].(*ast.AliasedTableExpr).Expr.(ast.TableName)
	if !ok {
		return onlyAgain("a query in FROM")
	}
	src, err := run.resolve(name, false)
	if err != nil {
		return err
	}
	switch src.target.def.Kind {
	case ddl.SharedTable:
		return sharedLive(src.target.def)
	case ddl.SystemTable:
		return errSystemLive
	}
	return nil
}

func sharedLive(def *ddl.Table) error {
	return fault.New(fault.LiveSharedTable, "table %s is shared and can't be followed; "+
		"follow a table of the user and join it, or use a STREAM table", def.FullName())
}

var errSystemLive = cannotLive("system tables can't be followed")

// liveShape takes a SELECT from one table without clauses that make more of its
// rows than a window.
func liveShape(stmt ast.Statement) (*ast.Select, error) {
	s, ok := stmt.(*ast.Select)
	if !ok {
		if _, ok := stmt.(ast.SelectStatement); ok {
			return nil, onlyAgain("this kind of SELECT")
		}
		return nil, cannotLive("a live query is a SELECT")
	}
	if clause := liveClause(s); clause != "" {
		return nil, onlyAgain(clause)
	}
	if _, ok := s.From[0].(*ast.AliasedTableExpr); !ok {
		return nil, onlyAgain("a join")
	}
	return s, nil
}

// liveClause returns the name of a clause for which a query is run again.
func liveClause(s *ast.Select) string {
	switch {
	case s.With != nil:
		return "WITH"
	case len(s.From) == 0:
		return "a SELECT without FROM"
	case len(s.From) > 1:
		return "a join"
	case len(s.GroupBy) > 0:
		return "GROUP BY"
	case s.Having != nil:
		return "HAVING"
	case s.QueryOpts.Distinct:
		return "DISTINCT"
	case len(s.OrderBy) > 0 && s.Limit == nil:
		return "ORDER BY without LIMIT"
	case len(s.Window) > 0:
		return "WINDOW"
	}
	return ""
}

// inlineParams writes parameters into the statement, so that its text says
// all about it.
func (run *execution) inlineParams(s ast.SQLNode) error {
	return ast.Walk(func(n ast.SQLNode) (bool, error) {
		lit, ok := n.(*ast.SQLVal)
		if !ok || lit.Type != ast.ValArg {
			return true, nil
		}
		p, ok := run.param(lit)
		switch k := p.Kind(); {
		case !ok || p.IsNull():
			return false, fault.New(fault.InvalidParameter, "a parameter of a live query must not be NULL")
		case k >= value.Int8 && k <= value.Uint64:
			lit.Type, lit.Val = ast.IntVal, []byte(p.Text())
		case k == value.Float32 || k == value.Float64 || k == value.Decimal:
			lit.Type, lit.Val = ast.FloatVal, []byte(p.Text())
		case k == value.Bool && p.Bool():
			lit.Type, lit.Val = ast.IntVal, []byte("1")
		case k == value.Bool:
			lit.Type, lit.Val = ast.IntVal, []byte("0")
		default:
			lit.Type, lit.Val = ast.StrVal, []byte(p.Text())
		}
		return true, nil
	}, s)
}

// canonical writes the statement without the names of its owner: two users'
// queries that mean the same are one. A column that takes its name from how its
// expression was written keeps that name, since the same expression may be
// written in several ways.
func (c *compiler) canonical() string {
	for _, e := range c.stmt.SelectExprs {
		if a, ok := e.(*ast.AliasedExpr); ok && a.As.IsEmpty() && a.InputExpression != "" {
			a.As = ast.NewColIdent(a.InputExpression)
		}
	}
	_ = ast.Walk(func(n ast.SQLNode) (bool, error) { // the function returns no error
		switch n := n.(type) {
		case *ast.ColName:
			n.Qualifier = ast.TableName{}
		case *ast.FuncExpr:
			plainName(n)
		}
		return true, nil
	}, c.stmt)
	c.stmt.From[0] = &ast.AliasedTableExpr{Expr: ast.TableName{
		Name:        ast.NewTableIdent(string(c.src.target.def.Name)),
		DbQualifier: ast.NewTableIdent(string(c.src.target.def.Namespace)),
	}}
	text := ast.String(c.stmt)
	c.src.place.As = ast.TableIdent{}
	c.stmt.From[0] = c.src.place
	return text
}

// plainName gives an aggregate the name back that it was called by.
func plainName(f *ast.FuncExpr) { f.Name = ast.NewColIdent(calledName(f)) }

// calledName returns the name by which a function is called.
func calledName(f *ast.FuncExpr) string {
	for name, own := range ownAggregates {
		if f.Name.EqualString(own) {
			return name
		}
	}
	return f.Name.String()
}

// bind plans `SELECT list FROM the table` up to the point where names and
// types are known.
func (c *compiler) bind(
	ctx context.Context, list ast.SelectExprs, where *ast.Where,
) (gms.Node, gms.Schema, error) {
	g, release, err := c.run.engine.acquire(ctx, c.run)
	if err != nil {
		return nil, nil, err
	}
	defer release()
	b := planbuilder.New(g, c.run.engine.analyzer.Catalog, nil)
	n, _, err := b.BindOnly(&ast.Select{SelectExprs: list, From: c.stmt.From, Where: where}, "", nil)
	if err != nil {
		return nil, nil, err
	}
	return n, n.Schema(g), nil
}
