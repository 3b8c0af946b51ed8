package foreign_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/segment"
)

// column is a column of the test, and how another program should see it.
type column struct {
	kind   value.Kind
	facts  segment.Column
	labels []string
	schema string // its line in the schema of the other program
}

var columns = []column{
	{kind: value.Int64, schema: "optional int64 c0 (INT(64,true))"},
	{kind: value.Bool, schema: "optional boolean c1"},
	{kind: value.Int8, schema: "optional int32 c2 (INT(8,true))"},
	{kind: value.Int16, schema: "optional int32 c3 (INT(16,true))"},
	{kind: value.Int32, schema: "optional int32 c4 (INT(32,true))"},
	{kind: value.Uint8, schema: "optional int32 c5 (INT(8,false))"},
	{kind: value.Uint16, schema: "optional int32 c6 (INT(16,false))"},
	{kind: value.Uint32, schema: "optional int32 c7 (INT(32,false))"},
	{kind: value.Uint64, schema: "optional int64 c8 (INT(64,false))"},
	{kind: value.Float32, schema: "optional float c9"},
	{kind: value.Float64, schema: "optional double c10"},
	{kind: value.Decimal, facts: segment.Column{Precision: 9, Scale: 2},
		schema: "optional int32 c11 (DECIMAL(9,2))"},
	{kind: value.Decimal, facts: segment.Column{Precision: 18, Scale: 3},
		schema: "optional int64 c12 (DECIMAL(18,3))"},
	{kind: value.Decimal, facts: segment.Column{Precision: 38, Scale: 10},
		schema: "optional fixed_len_byte_array(16) c13 (DECIMAL(38,10))"},
	{kind: value.Decimal, facts: segment.Column{Precision: 65, Scale: 30},
		schema: "optional binary c14 (STRING)"},
	{kind: value.Text, schema: "optional binary c15 (STRING)"},
	{kind: value.Bytes, schema: "optional binary c16"},
	{kind: value.JSON, schema: "optional binary c17 (JSON)"},
	{kind: value.Date, schema: "optional int32 c18 (DATE)"},
	{kind: value.Time, schema: "optional int64 c19 (INT(64,true))"},
	{kind: value.DateTime,
		schema: "optional int64 c20 (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS))"},
	{kind: value.Timestamp,
		schema: "optional int64 c21 (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS))"},
	{kind: value.UUID, schema: "optional fixed_len_byte_array(16) c22 (UUID)"},
	{kind: value.Enum, labels: []string{"new", "done"}, schema: "optional binary c23 (STRING)"},
	{kind: value.Embedding, facts: segment.Column{Dimension: 3},
		schema: "optional group c24 (LIST)"},
}

func layout() segment.Layout {
	l := segment.Layout{Table: 9, User: "alice", Key: []ident.ColumnID{1},
		Schema: &row.Schema{Version: 2, Codec: 1}}
	for i, c := range columns {
		c.facts.Name = fmt.Sprintf("c%d", i)
		l.Columns = append(l.Columns, c.facts)
		l.Schema.IDs = append(l.Schema.IDs, ident.ColumnID(i+1))
		l.Schema.Kinds = append(l.Schema.Kinds, c.kind)
		l.Schema.Labels = append(l.Schema.Labels, c.labels)
	}
	return l
}

// draw returns a value of a column, now and then NULL.
func draw(t *testing.T, r *rand.Rand, c *column) value.Value {
	if r.IntN(6) == 0 {
		return value.NullValue
	}
	letters := strings.Repeat(string(rune('a'+r.IntN(26))), r.IntN(60))
	text := letters
	switch c.kind {
	case value.Bool:
		return value.NewBool(r.IntN(2) == 0)
	case value.Float32, value.Float64:
		return value.NewFloat(c.kind, r.NormFloat64())
	case value.Enum:
		n := 1 + r.IntN(2)
		return value.NewEnum(n, c.labels[n-1])
	case value.UUID:
		return value.NewString(value.UUID, string(binary.BigEndian.AppendUint64(
			binary.BigEndian.AppendUint64(nil, r.Uint64()), r.Uint64())))
	case value.Decimal:
		text = fmt.Sprintf("%d.%d", r.IntN(20_000)-10_000, r.IntN(100))
	case value.JSON:
		text = fmt.Sprintf(`{"a":%q}`, letters)
	case value.Embedding:
		text = fmt.Sprintf("[%v,%v,-1]", r.Float32(), r.Float32())
	case value.Text:
	case value.Bytes:
		return value.NewString(value.Bytes, letters+"\x00\xff")
	default:
		return number(c.kind, r)
	}
	v, err := value.Parse(c.kind, text)
	if err == nil && c.kind == value.Decimal {
		v, err = value.Rescale(v, c.facts.Precision, c.facts.Scale)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// number draws until a number is in the range of its kind.
func number(k value.Kind, r *rand.Rand) value.Value {
	for {
		n := r.Uint64() >> r.IntN(64)
		v := value.NewUint(k, n)
		if k.Form() == value.FormInt {
			v = value.NewInt(k, int64(n)*int64(1-2*r.IntN(2)))
		}
		if v.Check() == nil {
			return v
		}
	}
}

// text is what another program makes of the values of a column, without any code
// of ours: one value, or those of a list.
func (c *column) text(vals []parquet.Value) string {
	v := vals[0]
	if v.IsNull() {
		return "NULL"
	}
	switch c.kind {
	case value.Bool:
		return fmt.Sprint(v.Boolean())
	case value.Uint8, value.Uint16, value.Uint32:
		return fmt.Sprint(v.Uint32())
	case value.Uint64:
		return fmt.Sprint(v.Uint64())
	case value.Float32:
		return fmt.Sprint(v.Float())
	case value.Float64:
		return fmt.Sprint(v.Double())
	case value.Decimal:
		return decimalText(v, c.facts.Scale)
	case value.Embedding:
		var list []string
		for _, e := range vals {
			list = append(list, fmt.Sprint(e.Float()))
		}
		return strings.Join(list, ",")
	}
	switch v.Kind() {
	case parquet.Int32:
		return fmt.Sprint(v.Int32())
	case parquet.Int64:
		return fmt.Sprint(v.Int64())
	}
	return string(v.Bytes())
}

func decimalText(v parquet.Value, scale int) string {
	n := new(big.Int)
	switch v.Kind() {
	case parquet.ByteArray:
		return string(v.Bytes())
	case parquet.Int32:
		n.SetInt64(int64(v.Int32()))
	case parquet.Int64:
		n.SetInt64(v.Int64())
	default:
		b := v.Bytes()
		if n.SetBytes(b); b[0] >= 0x80 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
	}
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)
	return new(big.Rat).SetFrac(n, ten).FloatString(scale)
}

// want is the same of a value of ours.
func want(v value.Value) string {
	switch v.Kind() {
	case value.Null:
		return "NULL"
	case value.Bool:
		return fmt.Sprint(v.Bool())
	case value.Float32:
		return fmt.Sprint(float32(v.Float()))
	case value.Float64:
		return fmt.Sprint(v.Float())
	case value.Embedding:
		var list []string
		for _, f := range v.Vector() {
			list = append(list, fmt.Sprint(f))
		}
		return strings.Join(list, ",")
	}
	switch v.Kind().Form() {
	case value.FormInt:
		return fmt.Sprint(v.Int())
	case value.FormUint:
		if v.Kind() != value.Enum {
			return fmt.Sprint(v.Uint())
		}
	}
	return v.Str()
}

// read returns the rows of a file, each a list of texts.
func read(t *testing.T, f *parquet.File) (rows [][]string) {
	t.Helper()
	for _, g := range f.RowGroups() {
		from := g.Rows()
		buf := make([]parquet.Row, 100)
		for end := false; !end; {
			n, err := from.ReadRows(buf)
			if end = errors.Is(err, io.EOF); err != nil && !end {
				t.Fatal(err)
			}
			for _, r := range buf[:n] {
				cells := make([][]parquet.Value, len(columns)+3)
				for _, v := range r {
					cells[v.Column()] = append(cells[v.Column()], v)
				}
				texts := make([]string, len(cells))
				for i := range cells {
					c := &column{kind: value.Int64}
					if i < len(columns) {
						c = &columns[i]
					} else if i == len(columns)+2 {
						c = &column{kind: value.Bool}
					}
					texts[i] = c.text(cells[i])
				}
				rows = append(rows, texts)
			}
		}
		if err := from.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

// Another library reads the rows of a segment as they were written, and the
// schema, the order and the page index as they are meant.
func TestSegment_AnotherReaderSeesTheSameRows(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	var out bytes.Buffer
	w, err := segment.NewWriter(&out, layout())
	if err != nil {
		t.Fatal(err)
	}
	var written [][]string
	for i := range 33_000 {
		vals := make([]value.Value, len(columns))
		texts := make([]string, len(columns)+3)
		for c := range columns {
			vals[c] = draw(t, r, &columns[c])
			if c == 0 {
				vals[c] = value.NewBigInt(int64(i) - 16_000)
			}
			texts[c] = want(vals[c])
		}
		seq := clock.Seq(r.Int64())
		copy(texts[len(columns):], []string{seq.String(), fmt.Sprint(seq.Time().UnixMicro()), "false"})
		if err := w.Append(value.AppendKey(nil, vals[0]), seq, vals); err != nil {
			t.Fatal(err)
		}
		written = append(written, texts)
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	rows := read(t, f)
	if len(rows) != len(written) {
		t.Fatalf("%d rows, want %d", len(rows), len(written))
	}
	for i := range rows {
		if !slices.Equal(rows[i], written[i]) {
			t.Fatalf("row %d is %q, want %q", i, rows[i], written[i])
		}
	}
	checkFile(t, f)
}

func checkFile(t *testing.T, f *parquet.File) {
	t.Helper()
	schema := f.Schema().String()
	for i, c := range columns {
		if line := fmt.Sprintf("\t%s = %d", c.schema, i+1); !strings.Contains(schema, line) {
			t.Errorf("the schema has no %q:\n%s", line, schema)
		}
	}
	if user, _ := f.Lookup("kalamdb.user"); user != "alice" {
		t.Errorf("the user of the file is %q", user)
	}
	for _, g := range f.Metadata().RowGroups {
		if s := g.SortingColumns; len(s) != 1 || s[0].ColumnIdx != 0 || s[0].Descending {
			t.Errorf("a row group is sorted by %+v", s)
		}
	}
	if n := len(f.OffsetIndexes()); n != len(f.RowGroups())*(len(columns)+3) || len(f.RowGroups()) < 2 {
		t.Errorf("%d offset indexes of %d row groups", n, len(f.RowGroups()))
	}
}
