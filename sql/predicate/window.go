package predicate

import "github.com/kalamdb/kalamdb-go/commons/value"

// Window makes a result of the first rows in an order: of those that match, it
// shows Limit behind the first Offset.
type Window struct {
	Offset, Limit int
	// Order appends to dst what rows are ordered by, so that bytes.Compare of
	// what it appends for two rows is their order; rows that are equal in it are
	// in the order of the primary key. Nil orders by the primary key alone.
	Order func(dst []byte, row []value.Value) ([]byte, error)
	// Reverse turns the order of the primary key around.
	Reverse bool
}
