package segment

import (
	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// windowRows is how many rows a Window has at most. Pages of numbers end where
// windows do.
const windowRows = pageRows

// Window are neighbours in a row group, of which those have been read that meet
// the conditions of a Reader. The zero Window has no rows.
type Window struct {
	first   uint32 // ordinal of its first row
	rows    uint32
	whole   bool    // all rows meet the conditions
	found   []int32 // for each row which of those that do it is, -1 for none
	Seqs    []clock.Seq
	Columns [][]value.Value // as they were asked for; nil for one the file has not
}

// Has reports whether the row of an ordinal is in w.
func (w *Window) Has(ordinal uint32) bool { return ordinal-w.first < w.rows }

// Bounds returns the ordinals [first, end) of the rows of w.
func (w *Window) Bounds() (first, end uint32) { return w.first, w.first + w.rows }

// Find returns where the row of an ordinal, which w has, stands in Seqs and
// Columns; ok is false when it does not meet the conditions.
func (w *Window) Find(ordinal uint32) (at int, ok bool) {
	switch {
	case w.whole:
		return int(ordinal - w.first), true
	case len(w.found) == 0:
		return 0, false
	}
	at = int(w.found[ordinal-w.first])
	return at, at >= 0
}

// Met returns how many rows of w meet the conditions, of how many.
func (w *Window) Met() (met, of int) { return len(w.Seqs), int(w.rows) }

// empty makes w a window of rows none of which meets the conditions.
func (w *Window) empty(first, rows int64) {
	w.first, w.rows, w.whole = uint32(first), uint32(rows), false
	w.found, w.Seqs = w.found[:0], w.Seqs[:0]
	for i := range w.Columns {
		w.Columns[i] = w.Columns[i][:0]
	}
}

// fill notes which rows of the row group are those that have been read.
func (w *Window) fill(kept []int64, offset int64) {
	if w.whole = len(kept) == int(w.rows); w.whole || len(kept) == 0 {
		return
	}
	if cap(w.found) < int(w.rows) {
		w.found = make([]int32, windowRows)
	}
	w.found = w.found[:w.rows]
	for i := range w.found {
		w.found[i] = -1
	}
	for i, r := range kept {
		w.found[r-offset] = int32(i)
	}
}
