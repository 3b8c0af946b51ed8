package engine

import (
	"context"
	"errors"
	"runtime/debug"
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// parsed is a statement as the library's tree, and the clauses that the tree
// has no place for.
type parsed struct {
	ast.Statement
	conflict  *conflict       // ON CONFLICT of an INSERT; nil for none
	returning ast.SelectExprs // nil for none
}

// conflict is ON CONFLICT (columns) or ON CONSTRAINT index DO NOTHING, or DO UPDATE SET sets WHERE
// where.
type conflict struct {
	columns []string // lower case; nil without a target
	index   string   // instead of columns: a unique index, or primary
	nothing bool
	sets    ast.AssignmentExprs
	where   *ast.Where
}

// parse returns the statement as the library's tree. The text has passed the
// dialect's limits of size and depth, without which the parser and the planner
// could overflow the stack.
func (e *Engine) parse(text string, env *Env) (st *parsed, err error) {
	defer func() {
		if p := recover(); p != nil { // the parser's fault, and no other statement's
			e.opts.Logger.Error("the parser panicked", "panic", p, "stack", string(debug.Stack()))
			err = fault.New(fault.InvalidSQL, "the statement can't be parsed; write it in another way")
		}
	}()
	r, p, err := rewrite(text, env)
	if err != nil {
		return nil, err
	}
	st = &parsed{}
	if st.Statement, err = parseText(p.main); err != nil {
		return nil, r.unoffered(err)
	}
	if err := r.using(st.Statement); err != nil {
		return nil, err
	}
	r.writtenNames(st.Statement, "", 0)
	if p.conflict != nil {
		if st.conflict, err = p.conflict.parse(); err != nil {
			return nil, err
		}
	}
	if p.returning != "" {
		const before = "SELECT "
		s, err := parseText(before + p.returning)
		if err != nil {
			return nil, err
		}
		list, ok := s.(*ast.Select)
		if !ok || !onlyList(list) {
			return nil, fault.New(fault.InvalidSQL,
				"RETURNING takes a list of columns and ends the statement")
		}
		st.returning = list.SelectExprs
		r.writtenNames(st.returning, before, p.listed)
	}
	return st, nil
}

// onlyList reports whether a SELECT is nothing but its list.
func onlyList(s *ast.Select) bool {
	return len(s.From) == 0 && s.Where == nil && len(s.GroupBy) == 0 && s.Having == nil &&
		len(s.OrderBy) == 0 && s.Limit == nil && len(s.Window) == 0 && s.Into == nil &&
		!locks(s.Lock) && !s.QueryOpts.Distinct && len(s.QueryOpts.DistinctOn) == 0
}

// parse reads the assignments of DO UPDATE as those of an UPDATE.
func (c *conflictText) parse() (*conflict, error) {
	out := &conflict{columns: c.columns, index: c.index, nothing: c.nothing}
	if c.nothing {
		return out, nil
	}
	s, err := parseText("UPDATE t SET " + c.sets)
	if err != nil {
		return nil, err
	}
	u, ok := s.(*ast.Update)
	if !ok || len(u.OrderBy) > 0 || u.Limit != nil {
		return nil, fault.New(fault.InvalidSQL, "DO UPDATE SET takes assignments and a WHERE")
	}
	out.sets, out.where = u.Exprs, u.Where
	return out, nil
}

func parseText(sql string) (ast.Statement, error) {
	stmt, err := ast.ParseWithOptions(context.Background(), sql, ast.ParserOptions{})
	if errors.Is(err, ast.ErrEmpty) {
		return nil, fault.New(fault.EmptySQL, "there is no statement")
	}
	if err != nil {
		return nil, syntaxFault(err)
	}
	return stmt, nil
}

// syntaxFault says where the parser stopped, in its own words.
func syntaxFault(err error) error {
	msg := strings.TrimSuffix(err.Error(), "\n")
	if i := strings.IndexByte(msg, '\n'); i >= 0 {
		msg = msg[:i]
	}
	return &fault.Error{Code: fault.InvalidSQL, Message: msg, Err: err}
}
