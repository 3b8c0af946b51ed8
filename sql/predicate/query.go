// Package predicate holds WHERE and projections compiled once into closures.
// It knows no parser and no engine: package engine builds a Query from SQL,
// package live runs it for each change.
package predicate

import (
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// Column describes a column of a result.
type Column struct {
	Name    string
	Kind    value.Kind
	Key     bool // part of what identifies a row: of the key of the one table that is read
	NotNull bool
	// Precision and Scale are those of a DECIMAL, and Length is how many numbers
	// an EMBEDDING has, where the column is one of a table; 0 where it is not.
	Precision, Scale, Length int
}

// Declare gives the column the type of a table's column.
func (c *Column) Declare(t ddl.Type) {
	c.Kind = t.Kind
	c.Precision, c.Scale = t.Precision, t.Scale
	if t.Kind == value.Embedding {
		c.Length = t.Length
	}
}

// Query is a live query: a filter and a projection over one table, and what
// beyond them makes its result. Rows handed to its functions hold the values of
// Table.Columns in order, followed by _seq, _updated and _deleted. It is
// immutable and safe for concurrent use; its functions turn a panic of what
// they call into fault.Internal.
type Query struct {
	// Text is the normalised statement; two queries of equal Text, table and
	// schema version give equal results.
	Text    string
	Table   *ddl.Table
	Columns []Column // of the projected row, in order
	// Match reports whether a row belongs to the result. Nil in a Rerun.
	Match func(row []value.Value) (bool, error)
	// Equal are comparisons that hold for every row that Match accepts, one for a
	// column, by column. They help to find queries by rows; Match says it all.
	Equal []Equal
	// Lo and Hi bound the primary keys of the rows that Match accepts, encoded: from
	// Lo, nil for the first, to below Hi, nil for no end. Both are empty where it
	// accepts none. Nil in a Rerun.
	Lo, Hi []byte
	// Project appends the projected values of a row to dst. Nil in Groups and in a
	// Rerun.
	Project func(dst, row []value.Value) ([]value.Value, error)

	// One of these is set when a change of a row can change what the result
	// shows of others.
	Window *Window
	Groups *Groups
	Rerun  *Rerun
}

// Kind says how a live query is kept up to date.
type Kind string

// The kinds of live queries.
const (
	Rows        Kind = "rows"         // each change of a row is one of the result
	WindowRows  Kind = "window"       // the first rows in an order
	Aggregates  Kind = "aggregate"    // sums that are kept
	Reevaluated Kind = "re-evaluated" // run again, and compared
)

// Kind returns how q is kept up to date.
func (q *Query) Kind() Kind {
	switch {
	case q.Window != nil:
		return WindowRows
	case q.Groups != nil:
		return Aggregates
	case q.Rerun != nil:
		return Reevaluated
	}
	return Rows
}

// Follows returns the tables whose changes q follows. They are of one owner, and
// q.Table is the first.
func (q *Query) Follows() []*ddl.Table {
	if q.Rerun != nil {
		return q.Rerun.Follows
	}
	return []*ddl.Table{q.Table}
}

// Equal says that a column of a table has a value, and not NULL.
type Equal struct {
	Column int         // position in Table.Columns
	Value  value.Value // of the column's kind, a signed integer or text
}
