package value_test

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

func TestInfer_gives_each_Go_type_its_kind(t *testing.T) {
	for _, test := range []struct {
		x    any
		kind value.Kind
		text string
	}{
		{nil, value.Null, ""},
		{true, value.Bool, "true"},
		{-1, value.Int64, "-1"},
		{uint8(1), value.Int64, "1"},
		{uint64(math.MaxUint64), value.Uint64, "18446744073709551615"},
		{1.5, value.Float64, "1.5"},
		{"a", value.Text, "a"},
		{[]byte("a"), value.Bytes, "a"},
		{time.Unix(0, 0), value.Timestamp, "1970-01-01T00:00:00Z"},
		{json.Number("-5"), value.Int64, "-5"},
		{json.Number("18446744073709551615"), value.Uint64, "18446744073709551615"},
		{json.Number("18446744073709551616"), value.Decimal, "18446744073709551616"},
		{json.Number("1.50"), value.Float64, "1.5"},
		{json.Number("1e3"), value.Float64, "1000"},
		{json.Number("123456789012345.678901"), value.Decimal, "123456789012345.678901"},
		{[]any{json.Number("1"), nil}, value.JSON, "[1,null]"},
		{map[string]any{"a": 1}, value.JSON, `{"a":1}`},
		{json.RawMessage(`{"a": 1}`), value.JSON, `{"a":1}`},
		{[16]byte{15: 1}, value.UUID, "00000000-0000-0000-0000-000000000001"},
		{[]float32{1}, value.Embedding, "[1]"},
		{value.NewInt(value.Int8, 1), value.Int8, "1"},
	} {
		v, err := value.Infer(test.x)
		if err != nil || v.Kind() != test.kind || v.Text() != test.text {
			t.Errorf("%T %v is %v %q, %v", test.x, test.x, v.Kind(), v.Text(), err)
		}
	}
}

func TestInfer_refuses(t *testing.T) {
	for _, test := range []struct {
		x    any
		want fault.Code
	}{
		{struct{}{}, fault.InvalidParameter},
		{make(chan int), fault.InvalidParameter},
		{[]any{make(chan int)}, fault.InvalidParameter},
		{math.NaN(), fault.ValueOutOfRange},
		{[]float32{1, float32(math.NaN())}, fault.ValueOutOfRange},
		{[]float32{float32(math.Inf(-1))}, fault.ValueOutOfRange},
		{[]float32{}, fault.ValueOutOfRange},
		{make([]float32, value.MaxEmbedding+1), fault.ValueOutOfRange},
		{json.Number("1e999"), fault.ValueOutOfRange},
		{json.Number("x"), fault.TypeMismatch},
		{"\xff", fault.TypeMismatch},
		{time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC), fault.ValueOutOfRange},
	} {
		if v, err := value.Infer(test.x); !fault.Is(err, test.want) {
			t.Errorf("%T is %v, %v; want %s", test.x, v.Kind(), err, test.want)
		}
	}
}

func TestFromAny_reads_what_ToAny_gave(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := readable.Draw(t, "value")
		k := v.Kind()
		if v.IsNull() {
			k = value.Date
		}
		if got, err := value.FromAny(k, v.ToAny()); err != nil || got != v {
			t.Fatalf("%v %q came back as %q: %v", k, v.Text(), got.Text(), err)
		}
	})
}

func TestToAny_gives_days_as_times(t *testing.T) {
	got := parse(t, value.Date, "2026-01-02").ToAny()
	if want := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC); !reflect.DeepEqual(got, want) {
		t.Errorf("%v", got)
	}
}

func TestConvert(t *testing.T) {
	instant := parse(t, value.Timestamp, "2026-01-02 15:04:05")
	for _, test := range []struct {
		to   value.Kind
		v    value.Value
		text string
		code fault.Code
	}{
		{to: value.Int8, v: value.NewBigInt(127), text: "127"},
		{to: value.Int8, v: value.NewBigInt(128), code: fault.ValueOutOfRange},
		{to: value.Uint8, v: value.NewBigInt(-1), code: fault.ValueOutOfRange},
		{to: value.Int64, v: value.NewUint(value.Uint64, 1<<63), code: fault.ValueOutOfRange},
		{to: value.Int64, v: value.NewFloat(value.Float64, 2), text: "2"},
		{to: value.Int64, v: value.NewFloat(value.Float64, 2.5), code: fault.TypeMismatch},
		{to: value.Int64, v: value.NewFloat(value.Float64, 1<<63), code: fault.ValueOutOfRange},
		{to: value.Uint64, v: value.NewFloat(value.Float64, 1<<63), text: "9223372036854775808"},
		{to: value.Int64, v: value.NewFloat(value.Float64, math.Inf(1)), code: fault.TypeMismatch},
		{to: value.Int64, v: value.NewString(value.Decimal, "2.00"), text: "2"},
		{to: value.Int64, v: value.NewString(value.Decimal, "2.01"), code: fault.TypeMismatch},
		{to: value.Decimal, v: value.NewFloat(value.Float32, 0.1), text: "0.1"},
		{to: value.Decimal, v: value.NewBigInt(-7), text: "-7"},
		{to: value.Decimal, v: value.NewBool(true), code: fault.TypeMismatch},
		{to: value.Float32, v: value.NewFloat(value.Float64, 1e39), code: fault.ValueOutOfRange},
		{to: value.Bool, v: value.NewBigInt(1), text: "true"},
		{to: value.Bool, v: value.NewBigInt(2), code: fault.TypeMismatch},
		{to: value.Int64, v: value.NewText("42"), text: "42"},
		{to: value.Int64, v: value.NewText("forty"), code: fault.TypeMismatch},
		{to: value.Text, v: value.NewBigInt(1), code: fault.TypeMismatch},
		{to: value.Text, v: value.NewString(value.Bytes, "\xff"), code: fault.TypeMismatch},
		{to: value.Date, v: instant, text: "2026-01-02"},
		{to: value.DateTime, v: instant, text: "2026-01-02T15:04:05Z"},
		{to: value.Timestamp, v: parse(t, value.Date, "2026-01-02"), text: "2026-01-02T00:00:00Z"},
		{to: value.JSON, v: value.NewBigInt(1), text: "1"},
		{to: value.JSON, v: value.NewText("{"), code: fault.TypeMismatch},
		{to: value.Int64, v: value.NullValue, text: ""},
	} {
		got, err := value.Convert(test.to, test.v)
		if fault.CodeOf(err) != test.code || got.Text() != test.text {
			t.Errorf("%v %q to %v: %q, %v", test.v.Kind(), test.v.Text(), test.to, got.Text(), err)
		}
		if err == nil && !got.IsNull() && got.Kind() != test.to {
			t.Errorf("%v to %v gives a %v", test.v.Kind(), test.to, got.Kind())
		}
	}
}

func TestRescale(t *testing.T) {
	for _, test := range []struct {
		s                string
		precision, scale int
		want             string
	}{
		{"1", 5, 2, "1.00"},
		{"1.005", 5, 2, "1.01"},
		{"-1.005", 5, 2, "-1.01"},
		{"1.00499", 5, 2, "1.00"},
		{"999.995", 6, 2, "1000.00"},
		{"999.995", 5, 2, ""},
		{"-0.004", 5, 2, "0.00"},
		{"9.5", 2, 0, "10"},
		{"0.5", 2, 2, "0.50"},
	} {
		got, err := value.Rescale(parse(t, value.Decimal, test.s), test.precision, test.scale)
		if got.Text() != test.want || (err != nil) != (test.want == "") {
			t.Errorf("%s to (%d,%d): %q, %v", test.s, test.precision, test.scale, got.Text(), err)
		}
	}
	if _, err := value.Rescale(value.NewText("1"), 5, 2); !fault.Is(err, fault.TypeMismatch) {
		t.Error(err)
	}
}

func TestKind_table_is_in_the_order_of_the_numbers(t *testing.T) {
	for i, info := range value.Kinds() {
		if int(info.Kind) != i || info.Kind.String() != info.Name || info.Kind.SQL() != info.SQL {
			t.Errorf("row %d of the table is kind %d", i, info.Kind)
		}
	}
	if bad := value.Kind(200); bad.Valid() || bad.String() != "Invalid" || bad.SQL() != "INVALID" {
		t.Error("kind 200 is valid")
	}
	if _, err := value.Kind(200).Info(); !fault.Is(err, fault.Corruption) {
		t.Error(err)
	}
}
