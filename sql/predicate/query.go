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
	Key     bool // part of the primary key of the one table that is read
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

// Query is a live query: a filter and a projection over one table. Rows handed
// to its functions hold the values of Table.Columns in order, followed by
// _seq, _updated and _deleted. It is immutable and safe for concurrent use;
// its functions turn a panic of what they call into fault.Internal.
type Query struct {
	// Text is the normalised statement; two queries of equal Text, table and
	// schema version give equal results.
	Text    string
	Table   *ddl.Table
	Columns []Column // of the projected row, in order
	// Match reports whether a row belongs to the result. Never nil.
	Match func(row []value.Value) (bool, error)
	// Equal are comparisons that hold for every row that Match accepts, one for a
	// column, by column. They help to find queries by rows; Match says it all.
	Equal []Equal
	// Project appends the projected values of a row to dst.
	Project func(dst, row []value.Value) ([]value.Value, error)
}

// Equal says that a column of a table has a value, and not NULL.
type Equal struct {
	Column int         // position in Table.Columns
	Value  value.Value // of the column's kind, a signed integer or text
}
