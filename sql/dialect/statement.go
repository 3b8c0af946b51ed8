// Package dialect reads the text of a request: it splits it into statements,
// says of which kind each is, and parses KalamDB's own statements into the
// nodes of package ast. What the query engine runs (SELECT, INSERT, UPDATE,
// DELETE, EXPLAIN) is recognised, bounded and left as text.
//
// It looks nothing up and executes nothing. Invariants: every error is a
// *fault.Error with a position inside the text; no input makes it panic or
// recurse; a text that passes is bounded in bytes, tokens and the height of
// any expression, so that recursive code behind it can't run out of stack.
// Nothing here has state or goroutines; all of it is safe for concurrent use.
package dialect

import (
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// Statement is one statement of a request, recognised but not executed.
type Statement struct {
	Kind   Kind
	Text   string // its own text: without the semicolon, and without EXECUTE AS
	Offset int    // byte offset of Text in the request's text
	Node   Node   // the parsed form of a statement of our own; nil for SQL that the engine runs
	// As is the user named by EXECUTE AS USER 'id' (...), "" without it.
	As ident.UserID
}

// Node is the parsed form of a statement of our own, such as *ast.CreateTable.
type Node = ast.Node

// Limits bound a request's text. Zero fields mean the defaults.
type Limits struct {
	MaxBytes      int // bytes of the whole text; 1 MiB
	MaxTokens     int // tokens of one statement; 200,000
	MaxDepth      int // parentheses and CASE inside each other; 200
	MaxHeight     int // operators above each other in an expression; 2,000
	MaxStatements int // statements of one text; 64
}

func (l Limits) withDefaults() Limits {
	set := func(n *int, def int) {
		if *n <= 0 {
			*n = def
		}
	}
	set(&l.MaxBytes, 1<<20)
	set(&l.MaxTokens, 200_000)
	set(&l.MaxDepth, 200)
	set(&l.MaxHeight, 2_000)
	set(&l.MaxStatements, 64)
	return l
}
