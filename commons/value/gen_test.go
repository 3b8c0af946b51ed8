package value_test

import (
	"encoding/json"
	"math"
	"strings"

	"pgregory.net/rapid"

	"github.com/kalamdb/kalamdb-go/commons/value"
)

// columnKinds are all kinds that a column may have.
var columnKinds = func() []value.Kind {
	var all []value.Kind
	for _, i := range value.Kinds() {
		if i.Kind != value.Null {
			all = append(all, i.Kind)
		}
	}
	return all
}()

const (
	minMicros = -62_135_596_800_000_000
	maxMicros = 253_402_300_799_999_999
)

var texts = rapid.OneOf(
	rapid.String(),
	rapid.StringOfN(rapid.SampledFrom([]rune{0, 1, 'a', 'b', 0xFF, 0x10FFFF}), 0, 6, -1),
)

var decimals = rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?`)

// valueOf draws values of one kind, canonical as Parse makes them.
func valueOf(k value.Kind) *rapid.Generator[value.Value] {
	return rapid.Custom(func(t *rapid.T) value.Value {
		switch k {
		case value.Bool:
			return value.NewBool(rapid.Bool().Draw(t, "bool"))
		case value.Int8, value.Int16, value.Int32, value.Int64:
			shift := map[value.Kind]int{value.Int8: 56, value.Int16: 48, value.Int32: 32}[k]
			return value.NewInt(k, rapid.Int64().Draw(t, "int")>>shift)
		case value.Uint8, value.Uint16, value.Uint32, value.Uint64:
			shift := map[value.Kind]int{value.Uint8: 56, value.Uint16: 48, value.Uint32: 32}[k]
			return value.NewUint(k, rapid.Uint64().Draw(t, "uint")>>shift)
		case value.Enum:
			return value.NewEnum(rapid.IntRange(1, 1<<16-1).Draw(t, "position"), "")
		case value.Float32:
			return value.NewFloat(k, float64(rapid.Float32().Draw(t, "float")))
		case value.Float64:
			return value.NewFloat(k, rapid.Float64().Draw(t, "float"))
		case value.Date:
			return value.NewInt(k, rapid.Int64Range(-719_162, 2_932_896).Draw(t, "days"))
		case value.Time:
			const most = 839*3600*1e6 - 1
			return value.NewInt(k, rapid.Int64Range(-most, most).Draw(t, "micros"))
		case value.DateTime, value.Timestamp:
			return value.NewInt(k, rapid.Int64Range(minMicros, maxMicros).Draw(t, "micros"))
		}
		return value.NewString(k, stringOf(t, k))
	})
}

func stringOf(t *rapid.T, k value.Kind) string {
	bytes := func(n int) string {
		return string(rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "bytes"))
	}
	switch k {
	case value.Decimal:
		v, err := value.Parse(k, decimals.Draw(t, "decimal"))
		if err != nil {
			t.Fatal(err)
		}
		return v.Str()
	case value.Bytes:
		return bytes(rapid.IntRange(0, 8).Draw(t, "len"))
	case value.UUID:
		return bytes(16)
	case value.Embedding:
		var b []float32
		for range rapid.IntRange(1, 3).Draw(t, "len") {
			b = append(b, rapid.Float32().Draw(t, "component"))
		}
		v, err := value.FromAny(k, b)
		if err != nil {
			t.Fatal(err)
		}
		return v.Str()
	case value.JSON, value.File:
		b, err := json.Marshal(map[string]string{"a": texts.Draw(t, "member")})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	return strings.ToValidUTF8(texts.Draw(t, "text"), "")
}

// anyValue draws NULL or a value of any kind.
var anyValue = rapid.Custom(func(t *rapid.T) value.Value {
	if rapid.IntRange(0, 9).Draw(t, "null") == 0 {
		return value.NullValue
	}
	return valueOf(rapid.SampledFrom(columnKinds).Draw(t, "kind")).Draw(t, "value")
})

// readable draws values that are read without their type: all but Enums.
var readable = anyValue.Filter(func(v value.Value) bool { return v.Kind() != value.Enum })

// edges are values at the borders of their kinds.
func edges() []value.Value {
	list := []value.Value{value.NullValue, value.NewBool(false), value.NewBool(true)}
	for _, n := range []int64{math.MinInt64, -1, 0, 1, math.MaxInt64} {
		list = append(list, value.NewBigInt(n))
	}
	for _, n := range []uint64{0, 1, math.MaxInt64, math.MaxUint64} {
		list = append(list, value.NewUint(value.Uint64, n))
	}
	for _, f := range []float64{-math.MaxFloat64, -1, 0, 5e-324, 1, 1 << 53, math.MaxFloat64} {
		list = append(list, value.NewFloat(value.Float64, f))
	}
	for _, s := range []string{"", "\x00", "\x00\x01", "a", "a\x00", "a\x00b", "ab", "é", "\xff"} {
		list = append(list, value.NewText(s), value.NewString(value.Bytes, s))
	}
	for _, s := range []string{"-10", "-9.5", "-0.01", "0", "0.001", "0.01", "9", "9.5", "10"} {
		list = append(list, value.NewString(value.Decimal, s))
	}
	return list
}
