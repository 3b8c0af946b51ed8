package ddl

import (
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/dialect/quote"
)

// Limits of the CHECK constraints of a table.
const (
	MaxChecks     = 100
	MaxCheckBytes = 8192 // of one expression
)

// Check is a CHECK constraint: a condition that no row may make false. It
// holds when the condition is NULL.
type Check struct {
	Name string `json:"name"` // lower case
	// Expr is the condition as it was written, without the parentheses around
	// it and without comments. What it means is up to the query engine.
	Expr    string           `json:"expr"`
	Columns []ident.ColumnID `json:"columns"` // that Expr names
}

// SQL returns the constraint as CREATE TABLE reads it.
func (c *Check) SQL() string {
	return "CONSTRAINT " + quote.Ident(c.Name) + " CHECK (" + c.Expr + ")"
}

// CheckOn returns the first CHECK constraint that names a column, nil for none.
// Such a column can be neither dropped nor renamed.
func (t *Table) CheckOn(id ident.ColumnID) *Check {
	for i := range t.Checks {
		if slices.Contains(t.Checks[i].Columns, id) {
			return &t.Checks[i]
		}
	}
	return nil
}

func (t *Table) validateChecks() error {
	if len(t.Checks) > MaxChecks {
		return t.invalid(fault.InvalidParameter, "has more than %d CHECK constraints", MaxChecks)
	}
	seen := make(map[string]bool, len(t.Checks))
	for i := range t.Checks {
		c := &t.Checks[i]
		if name, err := ident.ParseColumnName(c.Name); err != nil || name != c.Name {
			return t.invalid(fault.InvalidParameter, "has a constraint called %q; "+
				"names are letters, digits and underscores", c.Name)
		}
		if seen[c.Name] {
			return t.invalid(fault.InvalidSQL, "declares constraint %s twice", c.Name)
		}
		seen[c.Name] = true
		if c.Expr == "" || len(c.Expr) > MaxCheckBytes {
			return t.invalid(fault.InvalidParameter, "has constraint %s of %d bytes; use 1 to %d",
				c.Name, len(c.Expr), MaxCheckBytes)
		}
		if len(c.Columns) == 0 {
			return t.invalid(fault.InvalidSQL, "has constraint %s that names no column", c.Name)
		}
	}
	return nil
}
