package serdetest

import (
	"math/rand/v2"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

func columns(t *testing.T, c serde.ColumnDecoder) {
	r, all := seeded(t), Edges()
	for range 300 {
		kinds, row := randomRow(r, all)
		b, err := c.AppendRow(nil, kinds, row)
		if err != nil {
			t.Fatalf("%v: %v", kinds, err)
		}
		want := someOf(r, len(kinds))
		got := make([]value.Value, len(kinds))
		for i := range got {
			got[i] = leftOver(r, kinds[i], row[i])
		}
		before := append([]value.Value(nil), got...)
		if err := c.DecodeColumns(b, kinds, want, got); err != nil {
			t.Fatalf("columns %v of %v: %v", want, kinds, err)
		}
		clear(b)
		for _, i := range want {
			before[i] = row[i]
		}
		for i := range got {
			if got[i] != before[i] {
				t.Fatalf("columns %v of %v: %d is %v %.80q, not %v %.80q", want, kinds, i,
					got[i].Kind(), got[i].Text(), before[i].Kind(), before[i].Text())
			}
		}
	}
	kinds, row := sample()
	b, err := c.AppendRow(nil, kinds, row)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.DecodeColumns(b, kinds, nil, row[1:]); !fault.Is(err, fault.Internal) {
		t.Errorf("a row into too few values: %v", err)
	}
}

// leftOver is what stood in an element before: nothing of interest, the same
// value, or its string as another kind.
func leftOver(r *rand.Rand, k value.Kind, v value.Value) value.Value {
	switch {
	case r.IntN(3) == 0:
		return value.NewText("left over")
	case k.Form() == value.FormString && r.IntN(2) == 0:
		return value.NewBigInt(int64(len(v.Str())))
	case k.Form() == value.FormString:
		return value.NewString(value.File, v.Str())
	}
	return v
}

// someOf returns some of n positions, ascending.
func someOf(r *rand.Rand, n int) (list []int) {
	for i := range n {
		if r.IntN(3) == 0 {
			list = append(list, i)
		}
	}
	return list
}

// columnsOfDamage reads columns of damaged rows: what is read whole as well is
// read alike, all else is an error.
func columnsOfDamage(t *testing.T, c serde.ColumnDecoder) {
	r, all := seeded(t), Edges()
	for range 2000 {
		kinds, row := randomRow(r, all)
		b, err := c.AppendRow(nil, kinds, row)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 0 {
			b = b[:r.IntN(len(b)+1)]
		}
		if len(b) > 0 {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
		want := someOf(r, len(kinds))
		whole, some := make([]value.Value, len(kinds)), make([]value.Value, len(kinds))
		complete := c.DecodeRow(b, kinds, whole)
		err = c.DecodeColumns(b, kinds, want, some)
		switch {
		case err != nil && !fault.Is(err, fault.Corruption):
			t.Fatalf("columns %v of a damaged row: %v", want, err)
		case err != nil && complete == nil:
			t.Fatalf("columns %v of a row that reads whole: %v", want, err)
		}
		for _, i := range want {
			if complete == nil && some[i] != whole[i] {
				t.Fatalf("column %d is %v, and %v of the whole row", i, some[i], whole[i])
			}
		}
	}
}
