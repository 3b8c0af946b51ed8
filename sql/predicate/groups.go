package predicate

import "github.com/kalamdb/kalamdb-go/commons/value"

// Groups makes a result of aggregates over groups of the rows that match. Where
// the columns of GROUP BY are shown they are marked as Key.
type Groups struct {
	Keys  []int // columns of the table; none makes one group of all rows
	Cells []Cell
}

// Call is an aggregate, or none.
type Call uint8

// The calls. All but KeyOf and Count are NULL over no values.
const (
	KeyOf Call = iota // a column of GROUP BY
	Count
	Sum     // exact: of whole numbers or decimals
	Average // exact, rounded
	Least
	Greatest
)

// Cell is a column of the result.
type Cell struct {
	Call  Call
	From  int        // position in Keys for KeyOf, else a column of the table; -1 counts rows
	Kind  value.Kind // of the result
	Scale int        // digits behind the point of the values that are added
}
