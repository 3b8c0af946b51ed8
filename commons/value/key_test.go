package value_test

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}

func TestAppendKey_sorts_as_Compare_does(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, a, b value.Value) {
		got := bytes.Compare(value.AppendKey(nil, a), value.AppendKey(nil, b))
		if want := sign(value.Compare(a, b)); got != want {
			t.Fatalf("keys of %v %q and %v %q compare as %d, the values as %d",
				a.Kind(), a.Text(), b.Kind(), b.Text(), got, want)
		}
	}
	for _, a := range edges() {
		for _, b := range edges() {
			if a.Kind() == b.Kind() || a.IsNull() || b.IsNull() {
				check(t, a, b)
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom(columnKinds).Draw(t, "kind")
		check(t, valueOf(k).Draw(t, "a"), valueOf(k).Draw(t, "b"))
	})
}

func TestAppendKey_of_several_columns_sorts_column_by_column(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kinds := rapid.SliceOfN(rapid.SampledFrom(columnKinds), 2, 3).Draw(t, "kinds")
		var a, b []byte
		want := 0
		for _, k := range kinds {
			x, y := valueOf(k).Draw(t, "x"), valueOf(k).Draw(t, "y")
			if rapid.Bool().Draw(t, "same") {
				y = x
			}
			a, b = value.AppendKey(a, x), value.AppendKey(b, y)
			if want == 0 {
				want = sign(value.Compare(x, y))
			}
		}
		if got := bytes.Compare(a, b); got != want {
			t.Fatalf("keys compare as %d, rows as %d", got, want)
		}
	})
}

func TestCutKey_reads_what_AppendKey_wrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := anyValue.Draw(t, "value")
		k := v.Kind()
		if v.IsNull() {
			k = value.Int64
		}
		key := value.AppendKey(nil, v)
		got, rest, err := value.CutKey(append(key, "rest"...), k)
		if err != nil || string(rest) != "rest" {
			t.Fatalf("CutKey of %v %q: rest %q, %v", k, v.Text(), rest, err)
		}
		if k != value.Decimal && got != v || !value.Equal(got, v) {
			t.Fatalf("%q came back as %q", v.Text(), got.Text())
		}
		for i := range key {
			if _, _, err := value.CutKey(key[:i], k); !fault.Is(err, fault.Corruption) {
				t.Fatalf("a key of %v cut to %d of %d bytes reads: %v", k, i, len(key), err)
			}
		}
	})
}

func TestCutKey_refuses_damage(t *testing.T) {
	text := value.AppendKey(nil, value.NewText("a"))
	double := value.AppendKey(nil, value.NewFloat(value.Float64, 0.1))
	noDecimal := value.AppendKey(nil, value.NewString(value.Decimal, "x"))
	for name, test := range map[string]struct {
		key  []byte
		kind value.Kind
	}{
		"another kind's tag":            {text, value.Int64},
		"a number outside the range":    {value.AppendKey(nil, value.NewBigInt(128)), value.Int8},
		"an unknown escape":             {[]byte{0x40, 'a', 0, 2}, value.Text},
		"a boolean of 2":                {[]byte{0x10, 2}, value.Bool},
		"a double in a float's place":   {double, value.Float32},
		"a negative zero":               {[]byte("\x22\x7f\xff\xff\xff\xff\xff\xff\xff"), value.Float64},
		"a decimal that is not one":     {noDecimal, value.Decimal},
		"a decimal with outer zeros":    {[]byte{0x23, 3, 0x80, 1, '0', '1', 0}, value.Decimal},
		"the kind of NULL":              {[]byte{0x05}, value.Null},
		"a kind that does not exist":    {text, 200},
		"an instant in the year 10,000": {value.AppendKey(nil, value.NewBigInt(0)), value.Timestamp},
	} {
		if _, _, err := value.CutKey(test.key, test.kind); !fault.Is(err, fault.Corruption) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The encoding is part of the data format: a change of these bytes makes
// stored keys unreadable.
func TestAppendKey_keeps_its_bytes(t *testing.T) {
	for _, test := range []struct {
		v    value.Value
		want string
	}{
		{value.NullValue, "\x05"},
		{value.NewBool(true), "\x10\x01"},
		{value.NewInt(value.Int8, -1), "\x20\x7f\xff\xff\xff\xff\xff\xff\xff"},
		{value.NewBigInt(1), "\x20\x80\x00\x00\x00\x00\x00\x00\x01"},
		{value.NewUint(value.Uint64, 1), "\x21\x00\x00\x00\x00\x00\x00\x00\x01"},
		{value.NewFloat(value.Float64, 1), "\x22\xbf\xf0\x00\x00\x00\x00\x00\x00"},
		{value.NewString(value.Decimal, "12.50"), "\x23\x03\x80\x02125\x00"},
		{value.NewString(value.Decimal, "-0.05"), "\x23\x01\x80\x00\xca\xff"},
		{value.NewInt(value.Date, 1), "\x30\x80\x00\x00\x00\x00\x00\x00\x01"},
		{value.NewText("a\x00b"), "\x40a\x00\xffb\x00\x01"},
		{value.NewString(value.UUID, "0123456789abcdef"), "\x420123456789abcdef"},
	} {
		if got := string(value.AppendKey(nil, test.v)); got != test.want {
			t.Errorf("key of %v %q is %q, not %q", test.v.Kind(), test.v.Text(), got, test.want)
		}
	}
}

func FuzzKey(f *testing.F) {
	f.Add("a", "a\x00", int64(1), int64(-1))
	f.Add("", "\x00\xff", int64(0), int64(1)<<62)
	f.Fuzz(func(t *testing.T, s1, s2 string, n1, n2 int64) {
		rows := [2][2]value.Value{
			{value.NewText(s1), value.NewBigInt(n1)},
			{value.NewText(s2), value.NewBigInt(n2)},
		}
		var keys [2][]byte
		for i, row := range rows {
			for _, v := range row {
				keys[i] = value.AppendKey(keys[i], v)
			}
			rest := keys[i]
			for _, v := range row {
				var got value.Value
				var err error
				if got, rest, err = value.CutKey(rest, v.Kind()); err != nil || got != v {
					t.Fatalf("%q came back as %q: %v", v.Text(), got.Text(), err)
				}
			}
		}
		want := value.Compare(rows[0][0], rows[1][0])
		if want == 0 {
			want = value.Compare(rows[0][1], rows[1][1])
		}
		if got := bytes.Compare(keys[0], keys[1]); got != sign(want) {
			t.Fatalf("keys compare as %d, rows as %d", got, want)
		}
	})
}

func FuzzCutKey(f *testing.F) {
	for _, v := range edges() {
		f.Add(value.AppendKey(nil, v), uint8(v.Kind()))
	}
	f.Fuzz(func(t *testing.T, key []byte, kind uint8) {
		v, rest, err := value.CutKey(key, value.Kind(kind))
		if err != nil {
			var e *fault.Error
			if !errors.As(err, &e) || e.Code != fault.Corruption {
				t.Fatalf("not a corruption: %v", err)
			}
			return
		}
		if again := value.AppendKey(nil, v); string(again) != string(key[:len(key)-len(rest)]) {
			t.Fatalf("%x reads as %q, whose key is %x", key, v.Text(), again)
		}
	})
}
