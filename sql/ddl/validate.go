package ddl

import (
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
)

// Limits of a table.
const (
	MaxColumns = 1000
	MaxComment = 2048 // bytes
)

// Validate checks a column on its own: name, type, default and comment. It
// returns a *fault.Error.
func (c *Column) Validate() error {
	if name, err := ident.ParseColumnName(c.Name); err != nil {
		return err
	} else if name != c.Name {
		return fault.New(fault.InvalidParameter, "column name %q must be in lower case", c.Name)
	}
	if err := c.Type.Validate(); err != nil {
		return fault.Wrap(fault.InvalidParameter, err, "column %s", c.Name)
	}
	if len(c.Comment) > MaxComment {
		return fault.New(fault.InvalidParameter,
			"the comment of column %s has more than %d bytes", c.Name, MaxComment)
	}
	if c.Default == nil {
		return nil
	}
	if c.Default.Null && c.NotNull {
		return fault.New(fault.InvalidSQL,
			"column %s is NOT NULL and can't have DEFAULT NULL; leave out one", c.Name)
	}
	if err := c.Default.Validate(c.Type); err != nil {
		return fault.Wrap(fault.InvalidParameter, err, "column %s", c.Name)
	}
	return nil
}

// Validate checks what a user may define: names, columns, key and options. Id,
// version and state are not looked at, and Namespace only when it is set. It
// returns a *fault.Error.
func (t *Table) Validate() error {
	if _, err := ident.ParseTableName(string(t.Name)); err != nil {
		return err
	}
	if t.Namespace != "" {
		if _, err := ident.ParseNamespaceID(string(t.Namespace)); err != nil {
			return err
		}
	}
	if err := t.validateOptions(); err != nil {
		return err
	}
	if len(t.Columns) == 0 || len(t.Columns) > MaxColumns {
		return t.invalid(fault.InvalidParameter, "must have 1 to %d columns, not %d",
			MaxColumns, len(t.Columns))
	}
	names := make(map[string]bool, len(t.Columns))
	ids := make(map[ident.ColumnID]bool, len(t.Columns))
	for i := range t.Columns {
		c := &t.Columns[i]
		if err := c.Validate(); err != nil {
			return err
		}
		if names[c.Name] {
			return t.invalid(fault.InvalidSQL, "declares column %s twice", c.Name)
		}
		if c.ID == 0 || ids[c.ID] {
			return t.invalid(fault.InvalidParameter, "has no id of its own for column %s", c.Name)
		}
		names[c.Name], ids[c.ID] = true, true
	}
	if err := t.validateChecks(); err != nil {
		return err
	}
	if err := t.validateIndexes(); err != nil {
		return err
	}
	return t.validateKey()
}

func (t *Table) invalid(code fault.Code, format string, args ...any) error {
	return fault.New(code, "table "+string(t.Name)+" "+format, args...)
}

func (t *Table) validateOptions() error {
	if _, err := serde.ByID(t.Codec); err != nil {
		return t.invalid(fault.InvalidParameter, "has no known codec")
	}
	if len(t.Comment) > MaxComment {
		return t.invalid(fault.InvalidParameter, "has a comment of more than %d bytes", MaxComment)
	}
	if err := t.validateTier(); err != nil {
		return err
	}
	switch t.Kind {
	case UserTable:
		if t.Access != "" {
			return t.invalid(fault.InvalidParameter,
				"is a USER table, each user's own; ACCESS is for SHARED tables")
		}
	case SharedTable:
		if t.Access != Public && t.Access != Restricted && t.Access != Private {
			return t.invalid(fault.InvalidParameter,
				"has unknown access %q; use public, restricted or private", t.Access)
		}
	case StreamTable:
		return t.validateStream()
	default:
		return t.invalid(fault.InvalidParameter, "has kind %q; use USER, SHARED or STREAM", t.Kind)
	}
	if t.TTL != 0 || t.Scope != "" {
		return t.invalid(fault.InvalidParameter,
			"is a %s table; TTL and SCOPE are for STREAM tables", t.Kind)
	}
	return nil
}

func (t *Table) validateKey() error {
	if len(t.PrimaryKey) == 0 {
		return t.invalid(fault.InvalidSQL, "has no primary key; add PRIMARY KEY to a column")
	}
	seen := make(map[int]bool, len(t.PrimaryKey))
	for _, i := range t.PrimaryKey {
		if i < 0 || i >= len(t.Columns) || seen[i] {
			return t.invalid(fault.InvalidParameter, "has a primary key that names no column or one twice")
		}
		seen[i] = true
		c := &t.Columns[i]
		info, err := c.Type.Kind.Info()
		if err != nil {
			return err
		}
		if !info.Key {
			return t.invalid(fault.InvalidParameter, "has column %s of type %s in its primary key; "+
				"use an integer, text, uuid, date or timestamp", c.Name, c.Type.SQL())
		}
		if !c.NotNull {
			return t.invalid(fault.InvalidParameter, "has key column %s that may be NULL", c.Name)
		}
	}
	return nil
}
