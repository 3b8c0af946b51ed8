package arrowio_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/arrowio"
	"github.com/kalamdb/kalamdb-go/store/arrowio/arrowiotest"
)

func parse(t *testing.T, k value.Kind, s string) value.Value {
	t.Helper()
	v, err := value.Parse(k, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// write returns the stream of some rows.
func write(t *testing.T, columns []arrowio.Column, rows ...[]value.Value) []byte {
	t.Helper()
	var b bytes.Buffer
	w := arrowio.NewWriter(&b, columns)
	for _, r := range rows {
		if err := w.Row(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t *testing.T, stream []byte) *arrowiotest.Table {
	t.Helper()
	got, err := arrowiotest.Read(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestWriter_KindsHaveTheirTypes(t *testing.T) {
	digits := strings.Repeat("9", 60)
	cases := []struct {
		column arrowio.Column
		v      value.Value
		field  string
		cell   string
	}{
		{column: arrowio.Column{Kind: value.Bool}, v: value.NewBool(true), field: "bool", cell: "true"},
		{column: arrowio.Column{Kind: value.Int8}, v: value.NewInt(value.Int8, -128), field: "int8",
			cell: "-128"},
		{column: arrowio.Column{Kind: value.Int16}, v: value.NewInt(value.Int16, math.MinInt16),
			field: "int16", cell: "-32768"},
		{column: arrowio.Column{Kind: value.Int32}, v: value.NewInt(value.Int32, math.MaxInt32),
			field: "int32", cell: "2147483647"},
		{column: arrowio.Column{Kind: value.Int64}, v: value.NewBigInt(math.MinInt64), field: "int64",
			cell: "-9223372036854775808"},
		{column: arrowio.Column{Kind: value.Uint8}, v: value.NewUint(value.Uint8, 255), field: "uint8",
			cell: "255"},
		{column: arrowio.Column{Kind: value.Uint16}, v: value.NewUint(value.Uint16, 65535),
			field: "uint16", cell: "65535"},
		{column: arrowio.Column{Kind: value.Uint32}, v: value.NewUint(value.Uint32, math.MaxUint32),
			field: "uint32", cell: "4294967295"},
		{column: arrowio.Column{Kind: value.Uint64}, v: value.NewUint(value.Uint64, math.MaxUint64),
			field: "uint64", cell: "18446744073709551615"},
		{column: arrowio.Column{Kind: value.Float32}, v: value.NewFloat(value.Float32, 0.5),
			field: "float32", cell: "0.5"},
		{column: arrowio.Column{Kind: value.Float64}, v: value.NewFloat(value.Float64, 1e300),
			field: "float64", cell: "1e+300"},
		{column: arrowio.Column{Kind: value.Decimal, Precision: 10, Scale: 2},
			v: parse(t, value.Decimal, "-12.50"), field: "decimal(10, 2)", cell: "-12.5"},
		{column: arrowio.Column{Kind: value.Decimal, Precision: 65, Scale: 2},
			v: parse(t, value.Decimal, digits+".25"), field: "decimal256(65, 2)", cell: digits + ".25"},
		{column: arrowio.Column{Kind: value.Decimal}, v: parse(t, value.Decimal, "1.50"), field: "utf8",
			cell: "1.50"},
		{column: arrowio.Column{Kind: value.Text}, v: value.NewText("ä\xff"), field: "utf8",
			cell: "ä\uFFFD"},
		{column: arrowio.Column{Kind: value.Bytes}, v: value.NewString(value.Bytes, "\x00\xff"),
			field: "binary", cell: "AP8="},
		{column: arrowio.Column{Kind: value.JSON}, v: parse(t, value.JSON, `{"a": 1}`),
			field: "utf8 [arrow.json]", cell: `{"a":1}`},
		{column: arrowio.Column{Kind: value.Date}, v: parse(t, value.Date, "1969-12-31"),
			field: "date32", cell: "1969-12-31"},
		{column: arrowio.Column{Kind: value.Time}, v: parse(t, value.Time, "-838:59:59.5"),
			field: "duration[us]", cell: "-3020399500000us"},
		{column: arrowio.Column{Kind: value.DateTime}, v: parse(t, value.DateTime, "2026-01-02 03:04:05"),
			field: "timestamp[us, tz=UTC]", cell: "2026-01-02T03:04:05Z"},
		{column: arrowio.Column{Kind: value.Timestamp},
			v:     parse(t, value.Timestamp, "2026-01-02 03:04:05.000006"),
			field: "timestamp[us, tz=UTC]", cell: "2026-01-02T03:04:05.000006Z"},
		{column: arrowio.Column{Kind: value.UUID},
			v:     parse(t, value.UUID, "01890a5d-ac96-774b-bcce-b302099a8057"),
			field: "fixed_size_binary[16] [arrow.uuid]", cell: "AYkKXayWd0u8zrMCCZqAVw=="},
		{column: arrowio.Column{Kind: value.Enum}, v: value.NewEnum(2, "done"), field: "utf8",
			cell: "done"},
		{column: arrowio.Column{Kind: value.Embedding, Length: 2},
			v:     parse(t, value.Embedding, "[0.5,-1]"),
			field: "fixed_size_list<item: float32>[2]", cell: "[0.5,-1]"},
		{column: arrowio.Column{Kind: value.Embedding}, v: parse(t, value.Embedding, "[0.5,-1]"),
			field: "list<item: float32>", cell: "[0.5,-1]"},
		{column: arrowio.Column{Kind: value.Null}, v: value.NullValue, field: "utf8", cell: "(null)"},
		// A value of another kind than its column's.
		{column: arrowio.Column{Kind: value.Int64}, v: value.NewInt(value.Int8, 7), field: "int64",
			cell: "7"},
		{column: arrowio.Column{Kind: value.Text}, v: value.NewBigInt(7), field: "utf8", cell: "7"},
	}
	var columns []arrowio.Column
	nulls := make([]value.Value, len(cases))
	var row []value.Value
	for _, c := range cases {
		c.column.Name = "c"
		columns, row = append(columns, c.column), append(row, c.v)
	}
	got := read(t, write(t, columns, row, nulls, row))
	if len(got.Rows) != 3 {
		t.Fatalf("%d rows", len(got.Rows))
	}
	for i, c := range cases {
		if want := "c: " + c.field; !strings.HasPrefix(strings.ReplaceAll(
			got.Fields[i], ", nullable>", ">"), want) {
			t.Errorf("%s is %q, want %q", c.column.Kind, got.Fields[i], want)
		}
		for _, r := range []int{0, 2} {
			if got.Rows[r][i] != c.cell {
				t.Errorf("%s %q reads as %q, want %q", c.column.Kind, c.v.Text(), got.Rows[r][i], c.cell)
			}
		}
		if got.Rows[1][i] != "(null)" {
			t.Errorf("NULL in %s reads as %q", c.column.Kind, got.Rows[1][i])
		}
	}
}

func TestWriter_BatchesAreBounded(t *testing.T) {
	columns := []arrowio.Column{{Name: "n", Kind: value.Int64}, {Name: "t", Kind: value.Text}}
	rows := make([][]value.Value, 2*arrowio.MaxBatchRows+1)
	for i := range rows {
		rows[i] = []value.Value{value.NewBigInt(int64(i)), value.NewText("x")}
	}
	got := read(t, write(t, columns, rows...))
	if want := []int{arrowio.MaxBatchRows, arrowio.MaxBatchRows, 1}; !slices.Equal(got.Batches, want) {
		t.Errorf("batches of %v rows, want %v", got.Batches, want)
	}
	for i, r := range got.Rows {
		if r[0] != rows[i][0].Text() {
			t.Fatalf("row %d is %v", i, r)
		}
	}
	large := []value.Value{value.NullValue, value.NewText(strings.Repeat("x", arrowio.MaxBatchBytes*2/5))}
	got = read(t, write(t, columns, large, large, large, large))
	if want := []int{3, 1}; !slices.Equal(got.Batches, want) {
		t.Errorf("batches of %v rows, want %v", got.Batches, want)
	}
	if got = read(t, write(t, columns)); len(got.Rows) != 0 || len(got.Fields) != 2 {
		t.Errorf("no rows read as %+v", got)
	}
}

func TestWriter_Refuses(t *testing.T) {
	for _, c := range []struct {
		column arrowio.Column
		v      value.Value
	}{
		{arrowio.Column{Kind: value.Float64}, value.NewFloat(value.Float64, math.NaN())},
		{arrowio.Column{Kind: value.Timestamp}, value.NewInt(value.Timestamp, math.MaxInt64)},
		{arrowio.Column{Kind: value.Decimal, Precision: 3}, value.NewString(value.Decimal, "1234")},
		{arrowio.Column{Kind: value.Embedding, Length: 2}, parse(t, value.Embedding, "[1]")},
		{arrowio.Column{Kind: value.Int8}, value.NewBigInt(128)},
	} {
		w := arrowio.NewWriter(io.Discard, []arrowio.Column{c.column})
		if err := w.Row([]value.Value{c.v}); !fault.Is(err, fault.ValueOutOfRange) {
			t.Errorf("%s %q: %v", c.column.Kind, c.v.Text(), err)
		}
	}
	w := arrowio.NewWriter(io.Discard, []arrowio.Column{{Kind: value.Int8}})
	if err := w.Row(nil); !fault.Is(err, fault.Internal) {
		t.Errorf("a row without values: %v", err)
	}
}

var errFull = errors.New("full")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestWriter_TellsWhatTheDestinationSays(t *testing.T) {
	w := arrowio.NewWriter(full{}, []arrowio.Column{{Kind: value.Text}})
	if err := w.Row([]value.Value{value.NewText("x")}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); !errors.Is(err, errFull) {
		t.Errorf("Close: %v", err)
	}
}

func TestWriter_StreamThatIsCutIsNotWhole(t *testing.T) {
	row := []value.Value{value.NewText("a text")}
	columns := []arrowio.Column{{Name: "t", Kind: value.Text}}
	stream := write(t, columns, row, row)
	var b bytes.Buffer
	w := arrowio.NewWriter(&b, columns)
	for range arrowio.MaxBatchRows {
		if err := w.Row(row); err != nil {
			t.Fatal(err)
		}
	}
	if b.Len() == 0 || b.Len() > 1<<20 {
		t.Errorf("a full batch has %d bytes", b.Len())
	}
	for _, cut := range []int{1, 9, len(stream) / 2} {
		if _, err := arrowiotest.Read(bytes.NewReader(stream[:len(stream)-cut])); err == nil && cut > 8 {
			t.Errorf("a stream without its last %d bytes was read", cut)
		}
	}
}

func BenchmarkWriter(b *testing.B) {
	columns := []arrowio.Column{{Name: "id", Kind: value.Int64}, {Name: "body", Kind: value.Text},
		{Name: "at", Kind: value.Timestamp}, {Name: "price", Kind: value.Decimal, Precision: 10, Scale: 2}}
	row := []value.Value{value.NewBigInt(1), value.NewText("a message of some length"),
		value.NewInt(value.Timestamp, 1e15), value.NewString(value.Decimal, "12.50")}
	w := arrowio.NewWriter(io.Discard, columns)
	b.ReportAllocs()
	for b.Loop() {
		if err := w.Row(row); err != nil {
			b.Fatal(err)
		}
	}
}
