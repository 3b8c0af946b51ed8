// Package serdetest is the conformance suite of serde.Codec: whatever calls
// itself a codec passes it.
package serdetest

import (
	"bytes"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// Run runs the suite on c.
func Run(t *testing.T, c serde.Codec) {
	t.Run("finds the codec by id and name", func(t *testing.T) { lookup(t, c) })
	t.Run("reads back every kind at its edges", func(t *testing.T) { edges(t, c) })
	t.Run("reads back random rows", func(t *testing.T) { random(t, c) })
	t.Run("appends behind what dst holds", func(t *testing.T) { appends(t, c) })
	t.Run("refuses values of other kinds", func(t *testing.T) { kinds(t, c) })
	t.Run("refuses values out of range", func(t *testing.T) { ranges(t, c) })
	t.Run("keeps or refuses text that is not UTF-8", func(t *testing.T) { utf8(t, c) })
	t.Run("does not alias what it read", func(t *testing.T) { alias(t, c) })
	t.Run("finds truncated rows damaged", func(t *testing.T) { truncated(t, c) })
	t.Run("survives flipped bits", func(t *testing.T) { flipped(t, c) })
	t.Run("does not believe declared lengths", func(t *testing.T) { lengths(t, c) })
	if d, ok := c.(serde.ColumnDecoder); ok {
		t.Run("reads some columns as it reads all", func(t *testing.T) { columns(t, d) })
		t.Run("finds damage among some columns", func(t *testing.T) { columnsOfDamage(t, d) })
	}
}

// Edges returns, for each kind of a column, values at the edges of its range.
func Edges() map[value.Kind][]value.Value {
	all := map[value.Kind][]value.Value{
		value.Bool:    {value.NewBool(false), value.NewBool(true)},
		value.Float32: floats(value.Float32, 0, -1.5, math.SmallestNonzeroFloat32, math.MaxFloat32),
		value.Float64: floats(value.Float64, 0, 0.1, math.SmallestNonzeroFloat64, math.MaxFloat64),
		value.Int8:    ints(value.Int8, math.MinInt8, -33, -32, -1, 0, 1, math.MaxInt8),
		value.Int16:   ints(value.Int16, math.MinInt16, -129, 0, 256, math.MaxInt16),
		value.Int32:   ints(value.Int32, math.MinInt32, math.MinInt16-1, 0, math.MaxInt32),
		value.Int64:   ints(value.Int64, math.MinInt64, math.MinInt32-1, 0, 1<<53+1, math.MaxInt64),
		value.Uint8:   uints(value.Uint8, 0, 127, 128, math.MaxUint8),
		value.Uint16:  uints(value.Uint16, 0, 256, math.MaxUint16),
		value.Uint32:  uints(value.Uint32, 0, math.MaxInt32+1, math.MaxUint32),
		value.Uint64:  uints(value.Uint64, 0, math.MaxInt64, math.MaxInt64+1, math.MaxUint64),
		value.Enum:    uints(value.Enum, 1, 127, 128, math.MaxUint16),
		value.Date:    parsed(value.Date, "0001-01-01", "1969-12-31", "1970-01-01", "9999-12-31"),
		value.Time:    parsed(value.Time, "-838:59:59.999999", "00:00:00", "838:59:59.999999"),
		value.JSON:    parsed(value.JSON, `null`, `[]`, `"\u0000"`, `{"a":[1,{"b":null}],"é":1e400}`),
		value.File:    parsed(value.File, `null`, `{"id":"1"}`),
		value.Decimal: parsed(value.Decimal, "0.00", "-12.50", strings.Repeat("9", 65)),
		value.UUID:    parsed(value.UUID, strings.Repeat("0", 32), strings.Repeat("f", 32)),
		value.Embedding: append(parsed(value.Embedding, "[0,-1.5,3.4e38]"),
			value.NewString(value.Embedding, "\x01\x00\x00\x00")),
	}
	for _, k := range []value.Kind{value.DateTime, value.Timestamp} {
		all[k] = parsed(k, "0001-01-01", "1969-12-31 23:59:59.999999", "2026-01-02 03:04:05",
			"9999-12-31 23:59:59.999999")
	}
	long := strings.Repeat("0123456789abcde\n", 1<<12+1)
	for _, k := range []value.Kind{value.Text, value.Bytes} {
		for _, s := range []string{"", "\x00", "null", "\"\\/\u2028é\U0010FFFF", long} {
			all[k] = append(all[k], value.NewString(k, s))
		}
	}
	all[value.Bytes] = append(all[value.Bytes], value.NewString(value.Bytes, "\x80\xff\xc0"))
	return all
}

func floats(k value.Kind, list ...float64) (vals []value.Value) {
	for _, f := range list {
		vals = append(vals, value.NewFloat(k, f), value.NewFloat(k, -f))
	}
	return vals
}

func ints(k value.Kind, list ...int64) (vals []value.Value) {
	for _, n := range list {
		vals = append(vals, value.NewInt(k, n))
	}
	return vals
}

func uints(k value.Kind, list ...uint64) (vals []value.Value) {
	for _, n := range list {
		vals = append(vals, value.NewUint(k, n))
	}
	return vals
}

// parsed leaves out what does not parse, which the suite notices as a kind
// without values.
func parsed(k value.Kind, list ...string) (vals []value.Value) {
	for _, s := range list {
		v, err := value.Parse(k, s)
		if err != nil {
			return nil
		}
		vals = append(vals, v)
	}
	return vals
}

func lookup(t *testing.T, c serde.Codec) {
	if got, err := serde.ByID(c.ID()); err != nil || got != c {
		t.Errorf("ByID(%d): %v", c.ID(), err)
	}
	if got, err := serde.ByName(c.Name()); err != nil || got != c {
		t.Errorf("ByName(%q): %v", c.Name(), err)
	}
}

// roundTrip fails unless row comes back as it was.
func roundTrip(t *testing.T, c serde.Codec, kinds []value.Kind, row []value.Value) []byte {
	t.Helper()
	b, err := c.AppendRow(nil, kinds, row)
	if err != nil {
		t.Fatalf("%v: %v", kinds, err)
	}
	got := make([]value.Value, len(kinds))
	for i := range got {
		got[i] = value.NewText("left over")
	}
	if err := c.DecodeRow(b, kinds, got); err != nil {
		t.Fatalf("%v: %v", kinds, err)
	}
	for i := range row {
		if got[i] != row[i] {
			t.Fatalf("%v %.80q came back as %v %.80q",
				row[i].Kind(), row[i].Text(), got[i].Kind(), got[i].Text())
		}
	}
	return b
}

func edges(t *testing.T, c serde.Codec) {
	all := Edges()
	for _, info := range value.Kinds() {
		if info.Kind == value.Null {
			continue
		}
		if len(all[info.Kind]) == 0 {
			t.Fatalf("the suite has no values of %v", info.Kind)
		}
		for _, v := range append(all[info.Kind], value.NullValue) {
			roundTrip(t, c, []value.Kind{info.Kind}, []value.Value{v})
		}
	}
	roundTrip(t, c, nil, nil)
}

// randomRow returns a row of up to 40 columns.
func randomRow(r *rand.Rand, all map[value.Kind][]value.Value) ([]value.Kind, []value.Value) {
	n := r.IntN(41)
	kinds, row := make([]value.Kind, n), make([]value.Value, n)
	for i := range kinds {
		kinds[i] = value.Kind(1 + r.IntN(len(all)))
		if r.IntN(4) > 0 {
			row[i] = all[kinds[i]][r.IntN(len(all[kinds[i]]))]
		}
	}
	return kinds, row
}

func seeded(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func random(t *testing.T, c serde.Codec) {
	r, all := seeded(t), Edges()
	for range 200 {
		kinds, row := randomRow(r, all)
		roundTrip(t, c, kinds, row)
	}
}

func appends(t *testing.T, c serde.Codec) {
	kinds, row := sample()
	b, err := c.AppendRow([]byte("before"), kinds, row)
	if err != nil || !bytes.HasPrefix(b, []byte("before")) {
		t.Fatalf("%q, %v", b, err)
	}
	if err := c.DecodeRow(b[len("before"):], kinds, make([]value.Value, len(kinds))); err != nil {
		t.Fatal(err)
	}
}

// sample returns a row of the usual kinds.
func sample() ([]value.Kind, []value.Value) {
	row := []value.Value{
		value.NewBigInt(1 << 60), value.NewText("hello"), value.NewBool(true),
		value.NewFloat(value.Float64, 1.25), value.NewString(value.Bytes, "\x00\xff"),
		value.NewString(value.Decimal, "12.50"), value.NewString(value.JSON, `{"a":1}`),
	}
	kinds := make([]value.Kind, len(row))
	for i, v := range row {
		kinds[i] = v.Kind()
	}
	return append(kinds, value.Text), append(row, value.NullValue)
}

func kinds(t *testing.T, c serde.Codec) {
	refuse := func(what string, want fault.Code, kinds []value.Kind, row ...value.Value) {
		b, err := c.AppendRow([]byte("dst"), kinds, row)
		if !fault.Is(err, want) || string(b) != "dst" {
			t.Errorf("%s: %q, %v", what, b, err)
		}
	}
	bigint := []value.Kind{value.Int64}
	refuse("a text as a number", fault.TypeMismatch, bigint, value.NewText("1"))
	refuse("an INT as BIGINT", fault.TypeMismatch, bigint, value.NewInt(value.Int32, 1))
	refuse("too many values", fault.Internal, bigint, value.NullValue, value.NullValue)
	refuse("too few values", fault.Internal, bigint)

	b := roundTrip(t, c, bigint, []value.Value{value.NewBigInt(1)})
	if err := c.DecodeRow(b, bigint, nil); !fault.Is(err, fault.Internal) {
		t.Errorf("read into no columns: %v", err)
	}
	wide := []value.Kind{value.Int64, value.Int64}
	if err := c.DecodeRow(b, wide, make([]value.Value, 2)); !fault.Is(err, fault.Corruption) {
		t.Errorf("one column read as two: %v", err)
	}
	if err := c.DecodeRow(b, nil, nil); !fault.Is(err, fault.Corruption) {
		t.Errorf("one column read as none: %v", err)
	}
}

func ranges(t *testing.T, c serde.Codec) {
	for _, v := range []value.Value{
		value.NewInt(value.Int8, 128), value.NewUint(value.Uint16, 1<<16),
		value.NewFloat(value.Float64, math.NaN()), value.NewFloat(value.Float32, math.MaxFloat64),
		value.NewInt(value.Date, math.MaxInt64), value.NewInt(value.Timestamp, math.MinInt64),
		value.NewString(value.UUID, "short"), value.NewString(value.Embedding, "odd"),
		value.NewString(value.Embedding, "\x00\x00\x80\x7f"), value.NewEnum(0, ""),
		value.NewEnum(1<<16, ""),
	} {
		_, err := c.AppendRow(nil, []value.Kind{v.Kind()}, []value.Value{v})
		if !fault.Is(err, fault.ValueOutOfRange) {
			t.Errorf("%v: %v", v.Kind(), err)
		}
	}
	b := roundTrip(t, c, []value.Kind{value.Int64}, []value.Value{value.NewBigInt(1 << 40)})
	err := c.DecodeRow(b, []value.Kind{value.Int8}, make([]value.Value, 1))
	if !fault.Is(err, fault.Corruption) {
		t.Errorf("a BIGINT read as TINYINT: %v", err)
	}
}

func utf8(t *testing.T, c serde.Codec) {
	kinds, row := []value.Kind{value.Text}, []value.Value{value.NewText("a\xff")}
	if _, err := c.AppendRow(nil, kinds, row); err != nil {
		if !fault.Is(err, fault.TypeMismatch) {
			t.Error(err)
		}
		return
	}
	roundTrip(t, c, kinds, row)
}

func alias(t *testing.T, c serde.Codec) {
	kinds, row := sample()
	b := roundTrip(t, c, kinds, row)
	got := make([]value.Value, len(kinds))
	if err := c.DecodeRow(b, kinds, got); err != nil {
		t.Fatal(err)
	}
	clear(b)
	for i := range row {
		if got[i] != row[i] {
			t.Errorf("%v changed to %q with the bytes it was read from", row[i].Kind(), got[i].Text())
		}
	}
}

func truncated(t *testing.T, c serde.Codec) {
	kinds, row := sample()
	b := roundTrip(t, c, kinds, row)
	got := make([]value.Value, len(kinds))
	for i := range b {
		if err := c.DecodeRow(b[:i], kinds, got); !fault.Is(err, fault.Corruption) {
			t.Fatalf("%d of %d bytes: %v", i, len(b), err)
		}
	}
	if err := c.DecodeRow(append(b, 1), kinds, got); !fault.Is(err, fault.Corruption) {
		t.Fatalf("one byte too many: %v", err)
	}
}

// flipped damages rows bit by bit. A flipped bit may give another row, since
// codecs have no checksum; what it may not do is panic, give another error or
// a value that can't be written again.
func flipped(t *testing.T, c serde.Codec) {
	kinds, row := sample()
	b := roundTrip(t, c, kinds, row)
	damaged := 0
	for i := range len(b) * 8 {
		bad := bytes.Clone(b)
		bad[i/8] ^= 1 << (i % 8)
		if Decode(t, c, kinds, bad) != nil {
			damaged++
		}
	}
	if damaged == 0 {
		t.Error("no flipped bit was noticed")
	}
	r := seeded(t)
	for range 2000 {
		bad := make([]byte, r.IntN(40))
		for i := range bad {
			bad[i] = byte(r.Uint32())
		}
		Decode(t, c, kinds, bad)
	}
}

// Decode reads b, which may be anything, and fails the test unless the outcome
// is a fault.Corruption, which it returns, or a row that the codec writes.
func Decode(t testing.TB, c serde.Codec, kinds []value.Kind, b []byte) error {
	t.Helper()
	row := make([]value.Value, len(kinds))
	if err := c.DecodeRow(b, kinds, row); err != nil {
		if !fault.Is(err, fault.Corruption) {
			t.Fatalf("%x: %v", b, err)
		}
		return err
	}
	// Text and JSON are not looked into when they are read.
	if _, err := c.AppendRow(nil, kinds, row); err != nil && !fault.Is(err, fault.TypeMismatch) {
		t.Fatalf("%x reads as a row that can't be written: %v", b, err)
	}
	return nil
}

// lengths gives each codec headers that promise up to 2^64 bytes or elements.
func lengths(t *testing.T, c serde.Codec) {
	for _, header := range []string{
		"\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x00\xff\xff\xff\xff\x07",
		"\x91\xdb\xff\xff\xff\xff", "\x91\xdb\x7f\xff\xff\xff", "\x91\xc6\x7f\xff\xff\xff",
		"\xdd\xff\xff\xff\xff", "\xdd\x7f\xff\xff\xff\xc0",
		"\x81\x7b\xff\xff\xff\xff\xff\xff\xff\xff", "\x81\x7b\x00\x00\x00\x00\x7f\xff\xff\xff",
		"\x81\x5b\x00\x00\x00\x00\x7f\xff\xff\xff", "\x9b\x00\x00\x00\x00\x7f\xff\xff\xff\xf6",
		"[", "[\"",
	} {
		for _, k := range []value.Kind{value.Text, value.Bytes} {
			kinds, dst := []value.Kind{k}, make([]value.Value, 1)
			before := allocated()
			if err := c.DecodeRow([]byte(header), kinds, dst); !fault.Is(err, fault.Corruption) {
				t.Errorf("%x: %v", header, err)
			}
			if n := allocated() - before; n > 1<<20 {
				t.Errorf("%x: reading %d bytes allocated %d", header, len(header), n)
			}
		}
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
