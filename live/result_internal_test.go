package live

// In package live, since what tells versions apart is not to be seen from
// outside.

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/exact"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

func entriesOf(pool map[string]*entry, r *rand.Rand) []*entry {
	var out []*entry
	for _, i := range r.Perm(12)[:r.IntN(12)] {
		id := fmt.Sprint(i)
		e := pool[id]
		if e == nil || r.IntN(3) == 0 {
			e = &entry{id: id, row: []value.Value{value.NewBigInt(int64(r.IntN(3)))}}
		}
		out = append(out, e)
	}
	return out
}

// Steps lead from any result to any other, whoever takes them one by one.
func TestDiffer_stepsLeadToTheOtherVersion(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 3))
	for range 3000 {
		pool := make(map[string]*entry)
		old := entriesOf(pool, r)
		for _, e := range old {
			pool[e.id] = e
		}
		now := entriesOf(pool, r)
		for _, d := range []differ{{}, {ordered: true}, {ordered: true, found: true}} {
			list := slices.Clone(old)
			for _, m := range d.moves(old, now) {
				list = take(t, d, list, m)
			}
			want := slices.Clone(now)
			if !d.ordered {
				byID := func(a, b *entry) int { return slices.Compare([]byte(a.id), []byte(b.id)) }
				slices.SortFunc(list, byID)
				slices.SortFunc(want, byID)
			}
			if !slices.EqualFunc(list, want, (*entry).same) {
				t.Fatalf("seed %d: %+v leads to %v, want %v", seed, d, list, want)
			}
		}
	}
}

func take(t *testing.T, d differ, list []*entry, m move) []*entry {
	t.Helper()
	if m.old != nil {
		from := slices.IndexFunc(list, func(e *entry) bool { return e.same(m.old) })
		if from < 0 || d.ordered && (m.now == nil || !d.found) && from != m.at {
			t.Fatalf("the step is from %d, the row stands at %d", m.at, from)
		}
		list = slices.Delete(list, from, from+1)
		if m.now == nil {
			return list
		}
	}
	if !d.ordered {
		return append(list, m.now)
	}
	return slices.Insert(list, m.at, m.now)
}

// A row that moves is told as one step, whichever way.
func TestDiffer_movesAsFewAsPossible(t *testing.T) {
	row := func(id string, n int64) *entry {
		return &entry{id: id, row: []value.Value{value.NewBigInt(n)}}
	}
	old := []*entry{row("a", 1), row("b", 2), row("c", 3), row("d", 4)}
	down := row("a", 9)
	up := row("d", 0)
	d := differ{ordered: true, found: true}
	for _, x := range []struct {
		now  []*entry
		want string
	}{
		{[]*entry{old[1], old[2], old[3], down}, "[a@3]"},
		{[]*entry{up, old[0], old[1], old[2]}, "[d@0]"},
		{[]*entry{old[1], down, old[2], old[3]}, "[a@1]"},
		{[]*entry{old[0], row("b", 7), old[2], old[3]}, "[b@1]"},
		{old, "[]"},
	} {
		var got []string
		for _, m := range d.moves(old, x.now) {
			got = append(got, fmt.Sprintf("%s@%d", m.now.id, m.at))
		}
		if fmt.Sprint(got) != x.want {
			t.Errorf("got %v, want %s", got, x.want)
		}
	}
}

func TestTally_decimals(t *testing.T) {
	for _, x := range []struct {
		scale        int
		in, out      []string
		sum, average string
	}{
		{2, []string{"1.5", "-0.25", "10"}, []string{"10"}, "1.25", "0.625000"},
		{2, []string{"0.01", "0.02"}, nil, "0.03", "0.015000"},
		{3, []string{"-0.001"}, nil, "-0.001", "-0.0010000"},
		{2, []string{"999999999999999999.99", "0.01"}, nil, "1000000000000000000.00",
			"500000000000000000.000000"},
		{0, []string{"7", "-8"}, nil, "-1", "-0.5000"},
	} {
		sum := tally{}
		c := predicate.Cell{Call: predicate.Sum, Kind: value.Decimal, Scale: x.scale}
		for _, s := range x.in {
			sum.count(c, value.NewString(value.Decimal, s), true)
		}
		for _, s := range x.out {
			sum.count(c, value.NewString(value.Decimal, s), false)
		}
		if got := sum.value(c).Str(); got != x.sum {
			t.Errorf("%v without %v is %s, want %s", x.in, x.out, got, x.sum)
		}
		c.Call = predicate.Average
		if got := sum.value(c).Str(); got != x.average {
			t.Errorf("the average of %v without %v is %s, want %s", x.in, x.out, got, x.average)
		}
	}
	if exact.AverageScale != 4 {
		t.Error("the averages above have four digits more than their values")
	}
}
