package engine

import (
	"context"
	"errors"
	"runtime/debug"
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// parse returns the statement as the library's tree. The text has passed the
// dialect's limits of size and depth, without which the parser and the planner
// could overflow the stack.
func (e *Engine) parse(text string, env *Env) (stmt ast.Statement, err error) {
	defer func() {
		if p := recover(); p != nil { // the parser's fault, and no other statement's
			e.opts.Logger.Error("the parser panicked", "panic", p, "stack", string(debug.Stack()))
			err = fault.New(fault.InvalidSQL, "the statement can't be parsed; write it in another way")
		}
	}()
	sql, err := rewrite(text, env)
	if err != nil {
		return nil, err
	}
	stmt, err = ast.ParseWithOptions(context.Background(), sql, ast.ParserOptions{})
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
