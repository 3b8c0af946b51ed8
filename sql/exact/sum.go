// Package exact adds whole numbers without losing a digit.
//
// It exists so that the two paths that run aggregates, the query engine and
// the direct one, say the same.
package exact

import (
	"math/big"
	"math/bits"
	"strings"
)

// AverageScale is how many digits an average has behind the point beyond those
// of its values, as in MySQL.
const AverageScale = 4

// Sum is a sum of whole numbers without limits. The zero value is 0. It is
// used by one goroutine.
type Sum struct {
	small int64
	large *big.Int // what did not fit into small; nil for none
}

// Add adds n.
func (s *Sum) Add(n int64) {
	sum := s.small + n
	if (n > 0) == (sum > s.small) || n == 0 {
		s.small = sum
		return
	}
	s.spill(big.NewInt(n))
}

// AddUint adds n.
func (s *Sum) AddUint(n uint64) {
	if bits.LeadingZeros64(n) > 0 {
		s.Add(int64(n))
		return
	}
	s.spill(new(big.Int).SetUint64(n))
}

// Remove takes away n, which was added before.
func (s *Sum) Remove(n *big.Int) { s.spill(new(big.Int).Neg(n)) }

// AddBig adds n.
func (s *Sum) AddBig(n *big.Int) {
	if n.IsInt64() {
		s.Add(n.Int64())
		return
	}
	s.spill(n)
}

func (s *Sum) spill(n *big.Int) {
	if s.large == nil {
		s.large = new(big.Int)
	}
	s.large.Add(s.large, n)
}

// Big returns the sum.
func (s *Sum) Big() *big.Int {
	sum := big.NewInt(s.small)
	if s.large != nil {
		sum.Add(sum, s.large)
	}
	return sum
}

// String returns the sum in decimal digits.
func (s *Sum) String() string { return s.Big().String() }

// Average returns the sum divided by count, which is not 0, rounded to
// AverageScale digits, halves away from zero.
func (s *Sum) Average(count int64) string {
	n := s.Big()
	negative := n.Sign() < 0
	n.Abs(n)
	n.Mul(n, big.NewInt(20_000)) // 10^AverageScale, twice
	n.Div(n, big.NewInt(count))
	n.Add(n, big.NewInt(1))
	n.Rsh(n, 1)
	digits := n.String()
	if len(digits) <= AverageScale {
		digits = strings.Repeat("0", AverageScale+1-len(digits)) + digits
	}
	at := len(digits) - AverageScale
	out := digits[:at] + "." + digits[at:]
	if negative && n.Sign() != 0 {
		out = "-" + out
	}
	return out
}
