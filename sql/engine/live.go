package engine

import (
	"container/list"
	"context"
	"sync"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/planbuilder"
	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// CompileLive compiles the SELECT of a live query over one USER table and
// returns whose rows it follows. The caller's rights are checked each time;
// what was compiled is kept and shared. A query that can't be kept live is
// LIVE_UNSUPPORTED_QUERY, one over a shared table LIVE_SHARED_TABLE; nothing
// is ever left out of the filter. Only Catalog, DB, Rights, Caller, Role,
// User, Namespace and Params of env are used.
func (e *Engine) CompileLive(
	ctx context.Context, text string, env *Env,
) (q *predicate.Query, owner ident.UserID, err error) {
	run := &execution{engine: e, env: env, tables: make(map[tableKey]*target)}
	defer func() {
		if p := recover(); p != nil {
			err = e.panicked(p)
		}
		if err = run.fault(err); err != nil {
			q, owner = nil, ""
			if f := fault.From(err); f.Code == fault.Unsupported {
				err = fault.New(fault.LiveUnsupportedQuery, "%s", f.Message)
			}
		}
	}()
	stmt, err := e.parse(text, env)
	if err != nil {
		return nil, "", err
	}
	c, err := run.liveSelect(stmt.Statement)
	if err != nil {
		return nil, "", err
	}
	key := liveKey{c.canonical(), c.src.target.def.ID, c.src.target.def.Version}
	if q, ok := e.live.get(key); ok {
		return q, c.src.target.owner, nil
	}
	if q, err = c.query(ctx, key.text); err != nil {
		return nil, "", err
	}
	e.live.put(key, q, e.opts.MaxLiveQueries)
	return q, c.src.target.owner, nil
}

func cannotLive(format string, args ...any) error {
	return fault.New(fault.LiveUnsupportedQuery, format, args...)
}

// liveSelect passes a statement through the gate and what a live query needs
// beyond it.
func (run *execution) liveSelect(stmt ast.Statement) (*compiler, error) {
	s, ok := stmt.(*ast.Select)
	if !ok {
		return nil, cannotLive("a live query is a SELECT over one table")
	}
	if clause := liveClause(s); clause != "" {
		return nil, cannotLive("%s can't be kept live", clause)
	}
	t, ok := s.From[0].(*ast.AliasedTableExpr)
	if !ok {
		return nil, cannotLive("a join can't be kept live")
	}
	name, ok := t.Expr.(ast.TableName)
	if !ok {
		return nil, cannotLive("a query in FROM can't be kept live")
	}
	src, err := run.resolve(name, false)
	if err != nil {
		return nil, err
	}
	switch src.target.def.Kind {
	case ddl.SharedTable:
		return nil, fault.New(fault.LiveSharedTable,
			"table %s is shared and can't be followed", src.target.def.FullName())
	case ddl.SystemTable:
		return nil, cannotLive("system tables can't be followed")
	}
	if err := run.inlineParams(s); err != nil {
		return nil, err
	}
	g := &gate{run: run, live: true, pure: true}
	if err := g.query(s, nil); err != nil {
		return nil, err
	}
	return &compiler{run: run, stmt: s, src: g.top.sc.sources[0], top: g.top}, nil
}

// liveClause returns the name of a clause that a live query must not have.
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
	case len(s.OrderBy) > 0:
		return "ORDER BY"
	case s.Limit != nil:
		return "LIMIT"
	case len(s.Window) > 0:
		return "WINDOW"
	}
	return ""
}

// inlineParams writes parameters into the statement, so that its text says
// all about it.
func (run *execution) inlineParams(s *ast.Select) error {
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
		if col, ok := n.(*ast.ColName); ok {
			col.Qualifier = ast.TableName{}
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

// liveKey names a compiled query.
type liveKey struct {
	text    string
	table   ident.TableID
	version ident.SchemaVersion
}

// liveCache keeps the compiled queries that were used last. The zero cache is
// empty. It is safe for concurrent use.
type liveCache struct {
	mu    sync.Mutex
	order list.List // of *liveEntry, the latest used first
	byKey map[liveKey]*list.Element
}

type liveEntry struct {
	key   liveKey
	query *predicate.Query
}

func (c *liveCache) get(k liveKey) (*predicate.Query, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	el, ok := c.byKey[k]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(el)
	entry, ok := el.Value.(*liveEntry)
	return entry.query, ok
}

func (c *liveCache) put(k liveKey, q *predicate.Query, most int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[k]; ok {
		return
	}
	if c.byKey == nil {
		c.byKey = make(map[liveKey]*list.Element)
	}
	c.byKey[k] = c.order.PushFront(&liveEntry{k, q})
	for c.order.Len() > most {
		last := c.order.Back()
		if entry, ok := last.Value.(*liveEntry); ok {
			delete(c.byKey, entry.key)
		}
		c.order.Remove(last)
	}
}
