package engine

import (
	"context"
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/quote"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// checkRoom bounds the cache of compiled CHECK constraints.
const checkRoom = 4096

// CompileChecks tells whether the CHECK constraints of a table can be enforced:
// they name columns of the table and call functions that depend on their
// arguments only. It returns a *fault.Error.
func (e *Engine) CompileChecks(ctx context.Context, t *ddl.Table) error {
	for i := range t.Checks {
		if _, err := e.compileCheck(ctx, t, &t.Checks[i]); err != nil {
			return err
		}
	}
	return nil
}

// Violates returns the first CHECK constraint of t that a row makes false, nil
// when all hold. vals stand in the order of t's columns.
func (e *Engine) Violates(
	ctx context.Context, t *ddl.Table, vals []value.Value,
) (*ddl.Check, error) {
	for i := range t.Checks {
		c := &t.Checks[i]
		key := liveKey{text: c.Expr, table: t.ID, version: t.Version}
		q, ok := e.checks.get(key)
		if !ok {
			var err error
			if q, err = e.compileCheck(ctx, t, c); err != nil {
				return nil, err
			}
			e.checks.put(key, q, checkRoom)
		}
		if broken, err := q.Match(vals); broken || err != nil {
			return c, err
		}
	}
	return nil, nil
}

// check refuses a row that breaks a constraint.
func (w *writer) check(ctx context.Context, vals []value.Value) error {
	if len(w.def().Checks) == 0 {
		return nil
	}
	c, err := w.run.engine.Violates(ctx, w.def(), vals)
	if err != nil || c == nil {
		return err
	}
	w.suspectColumns(c.Columns)
	return fault.New(fault.CheckViolation, "a row of %s breaks CHECK %s: %s",
		w.def().FullName(), c.Name, clip(c.Expr))
}

// compileCheck compiles the rows that break a constraint as a live query, so
// that it means the same as in a WHERE.
func (e *Engine) compileCheck(
	ctx context.Context, t *ddl.Table, check *ddl.Check,
) (q *predicate.Query, err error) {
	run := &execution{engine: e, env: &Env{}, tables: make(map[tableKey]*target)}
	defer func() {
		if p := recover(); p != nil {
			err = e.panicked(p)
		}
		if err = run.fault(err); err != nil {
			err = checkFault(check, fault.From(err))
		}
	}()
	text := "SELECT 1 FROM " + quote.Ident(string(t.Namespace)) + "." + quote.Ident(string(t.Name)) +
		" WHERE NOT (" + check.Expr + ")"
	st, err := e.parse(text, run.env)
	if err != nil {
		return nil, err
	}
	s, ok := st.Statement.(*ast.Select)
	if !ok || liveClause(s) != "" || s.Where == nil {
		return nil, refuse("it is no condition")
	}
	place, ok := s.From[0].(*ast.AliasedTableExpr)
	if !ok {
		return nil, refuse("it is no condition")
	}
	if err := noSystemColumns(s.Where); err != nil {
		return nil, err
	}
	g := &gate{run: run, live: true, pure: true, given: &source{ns: t.Namespace,
		target: &target{run: run, def: t}, db: ownedName(string(t.Namespace), "") + givenMark,
		place: place}}
	if err := g.query(s, nil); err != nil {
		return nil, err
	}
	c := &compiler{run: run, stmt: s, src: g.top.sc.sources[0], top: g.top}
	return c.query(ctx, text)
}

func noSystemColumns(n ast.SQLNode) error {
	return ast.Walk(func(n ast.SQLNode) (bool, error) {
		if c, ok := n.(*ast.ColName); ok && system.IsColumn(c.Name.Lowered()) {
			return false, refuse("column %s is given by the commit", c.Name.Lowered())
		}
		return true, nil
	}, n)
}

// checkFault says in the words of a constraint why it can't be compiled.
func checkFault(c *ddl.Check, err *fault.Error) error {
	code := err.Code
	if code == fault.LiveUnsupportedQuery {
		code = fault.Unsupported
	}
	return fault.New(code, "CHECK %s: %s", c.Name,
		strings.Replace(err.Message, "can't be kept live", "can't stand in a CHECK", 1))
}
