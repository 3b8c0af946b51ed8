package predicate

import (
	"context"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
)

// Rerun is a live query whose result is found by running the statement again.
// The columns that are marked as Key identify a row; without any, a row is told
// from others by all of its values, and there may be several alike.
type Rerun struct {
	Follows []*ddl.Table // whose changes make it run
	Reads   []*ddl.Table // SHARED tables whose changes do not
	Ordered bool         // the rows have an order that is to be kept
	One     bool         // there is one row, whatever its values
	// Run gives visit each row of the result in v, in a slice that is used
	// again, and returns the columns. What it reads of the catalogue is the
	// present state.
	Run func(ctx context.Context, v *store.View, visit func([]value.Value) error) (
		[]Column, error)
}
