package value_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

func parse(t testing.TB, k value.Kind, s string) value.Value {
	t.Helper()
	v, err := value.Parse(k, s)
	if err != nil {
		t.Fatalf("Parse(%v, %q): %v", k, s, err)
	}
	return v
}

func TestAppendJSON_has_the_forms_of_the_contract(t *testing.T) {
	for _, test := range []struct {
		v    value.Value
		want string
	}{
		{value.NullValue, `null`},
		{value.NewBool(true), `true`},
		{value.NewInt(value.Int8, -128), `-128`},
		{value.NewInt(value.Int32, math.MaxInt32), `2147483647`},
		{value.NewBigInt(math.MinInt64), `"-9223372036854775808"`},
		{value.NewUint(value.Uint32, math.MaxUint32), `4294967295`},
		{value.NewUint(value.Uint64, math.MaxUint64), `"18446744073709551615"`},
		{value.NewFloat(value.Float32, 0.1), `0.1`},
		{value.NewFloat(value.Float64, -1.5), `-1.5`},
		{value.NewFloat(value.Float64, math.Copysign(0, -1)), `0`},
		{value.NewFloat(value.Float64, 1e21), `1e+21`},
		{value.NewFloat(value.Float64, 1e-7), `1e-07`},
		{parse(t, value.Decimal, "+012.50"), `"12.50"`},
		{value.NewText("a\"\\\n\x01é\u2028"), `"a\"\\\n\u0001é` + "\u2028" + `"`},
		{value.NewText("a\xffb"), "\"a\uFFFDb\""},
		{value.NewString(value.Bytes, "\x00\xff"), `"AP8="`},
		{parse(t, value.JSON, `{"a": [1, 2]}`), `{"a":[1,2]}`},
		{parse(t, value.Date, "2026-01-02"), `"2026-01-02"`},
		{parse(t, value.Date, "0001-01-01"), `"0001-01-01"`},
		{parse(t, value.Time, "15:04:05"), `"15:04:05.000000"`},
		{parse(t, value.Time, "-838:59:59.5"), `"-838:59:59.500000"`},
		{parse(t, value.Timestamp, "2026-01-02 15:04:05"), `"2026-01-02T15:04:05Z"`},
		{parse(t, value.DateTime, "2026-01-02T15:04:05.00012Z"), `"2026-01-02T15:04:05.000120Z"`},
		{parse(t, value.Timestamp, "1969-12-31 23:59:59.999999"), `"1969-12-31T23:59:59.999999Z"`},
		{
			parse(t, value.UUID, "01890A5DAC96774BBCCEB302099A8057"),
			`"01890a5d-ac96-774b-bcce-b302099a8057"`,
		},
		{value.NewEnum(3, "red"), `"red"`},
		{parse(t, value.Embedding, "[1, -0.5]"), `[1,-0.5]`},
	} {
		got, err := value.AppendJSON([]byte("> "), test.v)
		if err != nil || string(got) != "> "+test.want {
			t.Errorf("%v: %s, %v; want %s", test.v.Kind(), got, err, test.want)
		}
		if !json.Valid(got[2:]) {
			t.Errorf("%s is no JSON", got)
		}
	}
}

// Strings are looked at eight bytes at a time: whatever may not stand in JSON as
// it is has to be found at each place among plain bytes.
func TestAppendJSONString_is_read_back_as_it_was(t *testing.T) {
	parts := []string{"\x00", "\x1f", " ", "\"", "!", "#", "\\", "[", "]", "\n", "\x7f", "\u0080",
		"é", "\u2028", "日", "🙂", "\x80", "\xff", "a", "plain text", "\xe2\x82"}
	check := func(s string) {
		t.Helper()
		raw := value.AppendJSONString(nil, s)
		var got string
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%q becomes %s: %v", s, raw, err)
		}
		want := strings.Builder{}
		for _, r := range s { // ranging puts U+FFFD where a byte is not of UTF-8
			want.WriteRune(r)
		}
		if got != want.String() || !utf8.Valid(raw) {
			t.Fatalf("%q becomes %s", s, raw)
		}
	}
	for c := range 256 {
		for at := range 17 {
			for behind := range 9 {
				check(strings.Repeat("~", at) + string([]byte{byte(c)}) + strings.Repeat(" ", behind))
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		check(strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 40).Draw(t, "parts"), ""))
	})
}

func TestAppendJSON_refuses_what_JSON_has_no_form_for(t *testing.T) {
	for _, v := range []value.Value{
		value.NewFloat(value.Float64, math.NaN()),
		value.NewFloat(value.Float32, math.Inf(1)),
		value.NewInt(value.Timestamp, math.MaxInt64),
		value.NewInt(value.Date, math.MinInt64),
		value.NewString(value.Embedding, "\x00\x00\x80\x7f"),
	} {
		got, err := value.AppendJSON([]byte("dst"), v)
		if !fault.Is(err, fault.ValueOutOfRange) || string(got) != "dst" {
			t.Errorf("%v: %q, %v", v.Kind(), got, err)
		}
	}
}

func TestAppendJSON_does_not_allocate(t *testing.T) {
	dst := make([]byte, 0, 1<<16)
	long := strings.Repeat("byte é \x00", 500)
	vals := append(edges(), value.NewText(long), value.NewString(value.Bytes, long),
		parse(t, value.Timestamp, "2026-01-02 15:04:05.5"), parse(t, value.Time, "1:02"),
		parse(t, value.UUID, "01890a5dac96774bbcceb302099a8057"), parse(t, value.Embedding, "[1,2]"))
	for _, v := range vals {
		if n := testing.AllocsPerRun(10, func() {
			if _, err := value.AppendJSON(dst, v); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%v allocates %v times", v.Kind(), n)
		}
	}
}

func TestFromJSON_reads_what_AppendJSON_wrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := readable.Draw(t, "value")
		raw, err := value.AppendJSON(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(raw) || !utf8.Valid(raw) {
			t.Fatalf("%q is no JSON", raw)
		}
		k := v.Kind()
		if v.IsNull() {
			k = value.Text
		}
		if got, err := value.FromJSON(k, raw); err != nil || got != v {
			t.Fatalf("%s came back as %q: %v", raw, got.Text(), err)
		}
	})
}

func TestFromJSON_is_strict(t *testing.T) {
	deep := strings.Repeat("[", 60) + strings.Repeat("]", 60)
	for _, test := range []struct {
		kind value.Kind
		raw  string
		want fault.Code
	}{
		{value.Bool, `1`, fault.TypeMismatch},
		{value.Bool, `"true"`, fault.TypeMismatch},
		{value.Int8, `128`, fault.ValueOutOfRange},
		{value.Int32, `"1"`, fault.TypeMismatch},
		{value.Int32, `1.5`, fault.TypeMismatch},
		{value.Int64, `01`, fault.TypeMismatch},
		{value.Int64, `+1`, fault.TypeMismatch},
		{value.Int64, `"9223372036854775808"`, fault.ValueOutOfRange},
		{value.Int64, `true`, fault.TypeMismatch},
		{value.Uint64, `-1`, fault.ValueOutOfRange},
		{value.Uint64, `"18446744073709551616"`, fault.ValueOutOfRange},
		{value.Float64, `"1"`, fault.TypeMismatch},
		{value.Float64, `1e999`, fault.ValueOutOfRange},
		{value.Float32, `1e39`, fault.ValueOutOfRange},
		{value.Float64, `NaN`, fault.TypeMismatch},
		{value.Decimal, `"1e5"`, fault.TypeMismatch},
		{value.Decimal, `"` + strings.Repeat("9", 66) + `"`, fault.ValueOutOfRange},
		{value.Text, `1`, fault.TypeMismatch},
		{value.Text, `"a`, fault.TypeMismatch},
		{value.Text, "\"\xff\"", fault.TypeMismatch},
		{value.Text, `"a" "b"`, fault.TypeMismatch},
		{value.Text, "\"\n\"", fault.TypeMismatch},
		{value.Text, ``, fault.TypeMismatch},
		{value.Bytes, `"AP8"`, fault.TypeMismatch},
		{value.JSON, `{`, fault.TypeMismatch},
		{value.JSON, deep, fault.ValueOutOfRange},
		{value.Date, `"2026-02-30"`, fault.TypeMismatch},
		{value.Date, `20260102`, fault.TypeMismatch},
		{value.Date, `"0000-01-01"`, fault.ValueOutOfRange},
		{value.Time, `"839:00:00"`, fault.ValueOutOfRange},
		{value.Time, `"10:60:00"`, fault.TypeMismatch},
		{value.Timestamp, `"yesterday"`, fault.TypeMismatch},
		{value.Timestamp, `"0000-12-31T23:59:59Z"`, fault.ValueOutOfRange},
		{value.Timestamp, `1700000000`, fault.TypeMismatch},
		{value.UUID, `"01890a5d-ac96"`, fault.TypeMismatch},
		{value.Embedding, `[1, "2"]`, fault.TypeMismatch},
		{value.Embedding, `{}`, fault.TypeMismatch},
		{value.Embedding, `[1, null]`, fault.TypeMismatch},
		{value.Embedding, `[1,, 2]`, fault.TypeMismatch},
		{value.Embedding, `[1, 2`, fault.TypeMismatch},
		{value.Embedding, `[1] 2]`, fault.TypeMismatch},
		{value.Embedding, `[[1]]`, fault.TypeMismatch},
		{value.Embedding, `[NaN]`, fault.TypeMismatch},
		{value.Embedding, `[1e39]`, fault.ValueOutOfRange},
		{value.Embedding, `[]`, fault.ValueOutOfRange},
		{value.Embedding, `[0` + strings.Repeat(`,0`, value.MaxEmbedding) + `]`, fault.ValueOutOfRange},
		{value.Enum, `"red"`, fault.TypeMismatch},
		{value.Null, `1`, fault.TypeMismatch},
		{value.Kind(99), `1`, fault.TypeMismatch},
	} {
		v, err := value.FromJSON(test.kind, []byte(test.raw))
		if !fault.Is(err, test.want) {
			t.Errorf("%v from %s: %q, %v; want %s", test.kind, test.raw, v.Text(), err, test.want)
		}
	}
}

func TestParse_reads_the_usual_spellings(t *testing.T) {
	for _, test := range []struct {
		kind    value.Kind
		s, want string
	}{
		{value.Bool, "TRUE", "true"},
		{value.Int64, "+5", "5"},
		{value.Decimal, "-.50", "-0.50"},
		{value.Decimal, "-0.00", "0.00"},
		{value.Decimal, "007", "7"},
		{value.Float64, "1e3", "1000"},
		{value.Date, "2026-01-02T23:59:59-01:00", "2026-01-03"},
		{value.Timestamp, "2026-01-02", "2026-01-02T00:00:00Z"},
		{value.Timestamp, "2026-01-02 15:04:05+02", "2026-01-02T13:04:05Z"},
		{value.Timestamp, "2026-01-02 15:04:05.1234567+0230", "2026-01-02T12:34:05.123456Z"},
		{value.Timestamp, "2026-01-02t15:04:05.5z", "2026-01-02T15:04:05.500000Z"},
		{value.Time, "9:05", "09:05:00.000000"},
		{value.UUID, "01890A5D-AC96-774B-BCCE-B302099A8057", "01890a5d-ac96-774b-bcce-b302099a8057"},
	} {
		if got := parse(t, test.kind, test.s).Text(); got != test.want {
			t.Errorf("%v %q reads as %q, not %q", test.kind, test.s, got, test.want)
		}
	}
}

func TestParse_reads_what_Text_wrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := readable.Filter(func(v value.Value) bool { return !v.IsNull() }).Draw(t, "value")
		if got, err := value.Parse(v.Kind(), v.Text()); err != nil || got != v {
			t.Fatalf("%v %q came back as %q: %v", v.Kind(), v.Text(), got.Text(), err)
		}
		if err := v.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestParse_refuses_with_a_short_message(t *testing.T) {
	_, err := value.Parse(value.Int64, strings.Repeat("x", 1<<20))
	if !fault.Is(err, fault.TypeMismatch) || len(err.Error()) > 200 {
		t.Errorf("%.300v", err)
	}
}

func TestNewTimestamp_cuts_to_microseconds(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6999, time.FixedZone("", 3600))
	if got := value.NewTimestamp(at).Text(); got != "2026-01-02T02:04:05.000006Z" {
		t.Error(got)
	}
}

func FuzzFromJSON(f *testing.F) {
	for _, v := range edges() {
		raw, err := value.AppendJSON(nil, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, uint8(v.Kind()))
	}
	f.Add([]byte(`"2026-01-02T15:04:05Z"`), uint8(value.Timestamp))
	f.Add([]byte(`[1,2]`), uint8(value.Embedding))
	f.Fuzz(func(t *testing.T, raw []byte, kind uint8) {
		v, err := value.FromJSON(value.Kind(kind), raw)
		if err != nil {
			if code := fault.CodeOf(err); code != fault.TypeMismatch && code != fault.ValueOutOfRange {
				t.Fatal(err)
			}
			return
		}
		out, err := value.AppendJSON(nil, v)
		if err != nil {
			t.Fatalf("%s reads as %q, which has no JSON: %v", raw, v.Text(), err)
		}
		if again, err := value.FromJSON(value.Kind(kind), out); err != nil || again != v {
			t.Fatalf("%s reads as %q, and %s as %q: %v", raw, v.Text(), out, again.Text(), err)
		}
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	row := []value.Value{
		value.NewBigInt(1 << 60), value.NewText("a message of the usual length, some forty"),
		value.NewTimestamp(time.Now()), value.NewBool(true), value.NullValue,
	}
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		out := dst
		for _, v := range row {
			out, _ = value.AppendJSON(out, v)
		}
	}
}

func BenchmarkAppendJSONString(b *testing.B) {
	for _, test := range []struct{ name, text string }{
		{"plain", strings.Repeat("about nothing in particular ", 7)},
		{"quotes", strings.Repeat(`"so", he said `, 14)},
		{"greek", strings.Repeat("καλημέρα κόσμε ", 8)},
	} {
		b.Run(test.name, func(b *testing.B) {
			dst := make([]byte, 0, 1024)
			b.SetBytes(int64(len(test.text)))
			for b.Loop() {
				value.AppendJSONString(dst, test.text)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range edges() {
		f.Add(v.Text(), uint8(v.Kind()))
	}
	f.Add("2026-01-02 15:04:05.5+01:30", uint8(value.Timestamp))
	f.Add("[1, 2.5, -0]", uint8(value.Embedding))
	f.Add("-0.0e-9", uint8(value.Decimal))
	f.Fuzz(func(t *testing.T, s string, kind uint8) {
		k := value.Kind(kind)
		v, err := value.Parse(k, s)
		if err != nil {
			if code := fault.CodeOf(err); code != fault.TypeMismatch && code != fault.ValueOutOfRange {
				t.Fatal(err)
			}
			return
		}
		if again, err := value.Parse(k, v.Text()); err != nil || again != v {
			t.Fatalf("%v %q reads as %q, and that as %q: %v", k, s, v.Text(), again.Text(), err)
		}
	})
}
