package live

import (
	"math/big"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/exact"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// tally is what is known of the values of one aggregate in a group.
type tally struct {
	n     int64     // values, or rows
	sum   exact.Sum // of whole numbers, or of decimals without their point
	most  value.Value
	alike int64 // values that are equal to most
	lost  bool  // most left, and has to be searched for
}

// count adds a value, or takes it out.
func (t *tally) count(c predicate.Cell, v value.Value, in bool) {
	if in {
		t.n++
	} else {
		t.n--
	}
	switch c.Call {
	case predicate.Sum, predicate.Average:
		t.add(c, v, in)
	case predicate.Least, predicate.Greatest:
		switch {
		case in:
			if t.rank(c, v) { // beyond the one that left, so beyond all others
				t.lost = false
			}
		case value.Compare(v, t.most) == 0:
			t.alike--
			t.lost = t.lost || t.alike == 0 && t.n > 0
		}
		if t.n == 0 {
			*t = tally{}
		}
	}
}

func (t *tally) add(c predicate.Cell, v value.Value, in bool) {
	var n *big.Int
	switch v.Kind().Form() {
	case value.FormInt:
		if in {
			t.sum.Add(v.Int())
			return
		}
		n = big.NewInt(v.Int())
	case value.FormUint:
		if in {
			t.sum.AddUint(v.Uint())
			return
		}
		n = new(big.Int).SetUint64(v.Uint())
	default:
		n = unscaled(v.Str(), c.Scale)
	}
	if in {
		t.sum.AddBig(n)
	} else {
		t.sum.Remove(n)
	}
}

// rank looks whether v is the least or greatest, or equal to it.
func (t *tally) rank(c predicate.Cell, v value.Value) bool {
	order := -1
	if !t.most.IsNull() {
		order = value.Compare(v, t.most)
		if c.Call == predicate.Greatest {
			order = -order
		}
	}
	switch {
	case order == 0:
		t.alike++
	case order < 0:
		t.most, t.alike = v, 1
	}
	return order <= 0
}

// value returns the aggregate.
func (t *tally) value(c predicate.Cell) value.Value {
	switch {
	case c.Call == predicate.Count:
		return value.NewBigInt(t.n)
	case t.n == 0:
		return value.NullValue
	case c.Call == predicate.Sum:
		return value.NewString(value.Decimal, scaled(t.sum.String(), c.Scale))
	case c.Call == predicate.Average:
		return value.NewString(value.Decimal, scaled(t.sum.Average(t.n), c.Scale))
	case t.most.Kind() != c.Kind: // a Timestamp, shown as a DateTime
		return value.NewInt(c.Kind, t.most.Int())
	}
	return t.most
}

// unscaled returns a decimal as a whole number of its last digits.
func unscaled(s string, scale int) *big.Int {
	whole, frac, _ := strings.Cut(s, ".")
	if len(frac) > scale {
		frac = frac[:scale]
	}
	n, _ := new(big.Int).SetString(whole+frac+strings.Repeat("0", scale-len(frac)), 10)
	if n == nil { // no statement stores what is no decimal
		return new(big.Int)
	}
	return n
}

// scaled moves the point of a decimal to the left.
func scaled(s string, by int) string {
	if by == 0 {
		return s
	}
	s, negative := strings.CutPrefix(s, "-")
	whole, frac, _ := strings.Cut(s, ".")
	if len(whole) <= by {
		whole = strings.Repeat("0", by+1-len(whole)) + whole
	}
	at := len(whole) - by
	out := whole[:at] + "." + whole[at:] + frac
	if negative {
		out = "-" + out
	}
	return out
}
