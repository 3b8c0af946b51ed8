// Package engine runs SELECT, INSERT, UPDATE and DELETE over the tables of a
// catalogue snapshot. It is the only importer of go-mysql-server and of its
// parser.
//
// The engine reads and this package writes: whatever has to be computed from
// stored rows is asked of go-mysql-server as a SELECT, and the outcome of a
// write is a writeset.Set that the caller commits. So conversions, defaults,
// duplicate keys and system columns follow our own rules, and nothing of the
// library's write path (truncation, auto increment, ignored errors) is in use.
//
// A statement passes these gates, in order: the lexer's rewriting of what the
// parser does not know ($1, "x", ns.user.t), the allow-list of statements,
// clauses and expressions, in which every table is resolved and the caller's
// rights are checked, and the table of functions. The library sees only tables
// that were resolved that way: its provider knows nothing else.
//
// Plans are made for one execution and never kept: their nodes hold rows and
// folded literals of the user they were made for.
//
// An Engine starts no goroutines and is safe for concurrent use.
package engine
