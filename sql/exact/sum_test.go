package exact_test

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/kalamdb/kalamdb-go/sql/exact"
)

func TestSum_HasNoLimits(t *testing.T) {
	const seed = 3
	r := rand.New(rand.NewPCG(seed, 0))
	edges := []int64{math.MaxInt64, math.MinInt64, 0, 1, -1, math.MaxInt64 - 1}
	for round := range 2000 {
		var s exact.Sum
		want := new(big.Int)
		for range r.IntN(12) {
			if r.IntN(3) == 0 {
				n := r.Uint64()
				s.AddUint(n)
				want.Add(want, new(big.Int).SetUint64(n))
				continue
			}
			n := edges[r.IntN(len(edges))]
			s.Add(n)
			want.Add(want, big.NewInt(n))
			if r.IntN(4) == 0 {
				s.Remove(big.NewInt(n))
				want.Sub(want, big.NewInt(n))
			}
		}
		if got := s.String(); got != want.String() {
			t.Fatalf("round %d of seed %d: %s, want %s", round, seed, got, want)
		}
	}
}

func TestSum_Average_RoundsHalvesAway(t *testing.T) {
	for _, c := range []struct {
		values []int64
		want   string
	}{
		{[]int64{1, 2}, "1.5000"},
		{[]int64{1, 2, 2}, "1.6667"},
		{[]int64{-1, -2, -2}, "-1.6667"},
		{[]int64{0}, "0.0000"},
		{[]int64{-1, 1}, "0.0000"},
		{[]int64{0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, "0.1000"},
		{[]int64{9007199254740993, 9007199254740995}, "9007199254740994.0000"},
		{[]int64{math.MaxInt64, math.MaxInt64, math.MaxInt64}, "9223372036854775807.0000"},
	} {
		var s exact.Sum
		for _, v := range c.values {
			s.Add(v)
		}
		if got := s.Average(int64(len(c.values))); got != c.want {
			t.Errorf("average of %d: %s, want %s", c.values, got, c.want)
		}
	}
	var s exact.Sum
	s.Add(1)
	if got := s.Average(20_000); got != "0.0001" { // a half of the last digit
		t.Errorf("1/20000 is %s", got)
	}
}
