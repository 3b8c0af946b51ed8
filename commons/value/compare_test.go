package value_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/kalamdb/kalamdb-go/commons/value"
)

func TestCompare_is_exact_between_kinds_of_numbers(t *testing.T) {
	dec := func(s string) value.Value { return value.NewString(value.Decimal, s) }
	float := func(f float64) value.Value { return value.NewFloat(value.Float64, f) }
	ordered := []value.Value{
		value.NullValue,
		float(math.Inf(-1)),
		value.NewBigInt(math.MinInt64),
		dec("-9223372036854775807.5"),
		float(-1.5),
		value.NewInt(value.Int8, -1),
		dec("0"),
		dec("0.1"),
		float(0.1), // a little more than 0.1
		value.NewBool(true),
		dec("1.01"),
		float(1 << 53),
		value.NewBigInt(1<<53 + 1),
		value.NewBigInt(math.MaxInt64),
		float(1 << 63),
		value.NewUint(value.Uint64, 1<<63+1),
		value.NewUint(value.Uint64, math.MaxUint64),
		dec("18446744073709551615.1"),
		float(math.Inf(1)),
		float(math.NaN()),
		value.NewText(""),
	}
	for i, a := range ordered {
		for j, b := range ordered {
			if got := value.Compare(a, b); sign(got) != sign(i-j) {
				t.Errorf("Compare(%v %q, %v %q) is %d", a.Kind(), a.Text(), b.Kind(), b.Text(), got)
			}
		}
	}
}

func TestCompare_finds_equal_numbers_of_different_kinds_equal(t *testing.T) {
	ones := []value.Value{
		value.NewBool(true), value.NewInt(value.Int8, 1), value.NewUint(value.Uint64, 1),
		value.NewFloat(value.Float32, 1), value.NewString(value.Decimal, "1.00"),
		value.NewString(value.Decimal, "1"),
	}
	for _, a := range ones {
		for _, b := range ones {
			if !value.Equal(a, b) {
				t.Errorf("1 of %v and of %v differ", a.Kind(), b.Kind())
			}
		}
	}
}

func TestCompare_is_a_total_order(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := anyValue.Draw(t, "a"), anyValue.Draw(t, "b"), anyValue.Draw(t, "c")
		ab, bc, ac := value.Compare(a, b), value.Compare(b, c), value.Compare(a, c)
		switch {
		case value.Compare(a, a) != 0:
			t.Fatal("a value differs from itself")
		case sign(ab) != -sign(value.Compare(b, a)):
			t.Fatal("the order depends on the side")
		case ab <= 0 && bc <= 0 && ac > 0, ab >= 0 && bc >= 0 && ac < 0:
			t.Fatal("the order is not transitive")
		}
	})
}

func TestCompare_accepts_damaged_decimals(t *testing.T) {
	bad := value.NewString(value.Decimal, "1e999999999")
	good := value.NewString(value.Decimal, "1")
	if value.Compare(bad, good) <= 0 || value.Compare(good, bad) >= 0 || value.Compare(bad, bad) != 0 {
		t.Error("what is no decimal does not sort behind decimals")
	}
	if value.Compare(bad, value.NewFloat(value.Float64, 1)) == 0 {
		t.Error("what is no decimal equals a number")
	}
}
