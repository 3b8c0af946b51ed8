package row

import (
	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// Filter says which rows whoever reads many of them wants: those whose seq is
// within the bounds and that meet all conditions. It is a hint: rows that it
// excludes may be left out, and need not be. It is used by one goroutine.
type Filter struct {
	// After < seq <= UpTo; 0 for no bound.
	After, UpTo clock.Seq
	Conditions  []Condition
}

// Condition is about the value of one column.
type Condition struct {
	Column ident.ColumnID
	// Kind is that of the values that Meets and the bounds are about. Where a row
	// was written with another kind, nothing is known of it.
	Kind value.Kind
	// A value meets the condition only if it is Min or more and Max or less, as
	// value.Compare has it, and not NULL. NULL is no bound; without any the bounds
	// say nothing.
	Min, Max value.Value
	// Meets reports whether a value, which may be NULL, meets the condition. It
	// must not keep it. nil is always.
	Meets func(v value.Value) bool
}

// Bounded reports whether c has a bound.
func (c *Condition) Bounded() bool { return !c.Min.IsNull() || !c.Max.IsNull() }

// Covers reports whether a row of this seq may be one of f's.
func (f *Filter) Covers(seq clock.Seq) bool {
	return f == nil || seq > f.After && (f.UpTo == 0 || seq <= f.UpTo)
}
