package segment_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/segment"
)

// sample is a segment and what was written into it.
type sample struct {
	layout segment.Layout
	keys   [][]byte
	seqs   []clock.Seq
	rows   [][]value.Value
	info   segment.Info
	bytes  []byte
}

// everything is a layout of all kinds, with a primary key of an integer and a
// text. Ids of columns are not their positions.
func everything() segment.Layout {
	l := segment.Layout{Table: 7, User: "alice@example.com",
		Schema: &row.Schema{Version: 3, Codec: 1}}
	add := func(k value.Kind, c segment.Column, labels ...string) {
		n := len(l.Columns)
		c.Name = fmt.Sprintf("c%d_%s", n, strings.ToLower(k.String()))
		l.Columns = append(l.Columns, c)
		l.Schema.IDs = append(l.Schema.IDs, ident.ColumnID(100-n))
		l.Schema.Kinds = append(l.Schema.Kinds, k)
		l.Schema.Labels = append(l.Schema.Labels, labels)
	}
	for _, i := range value.Kinds() {
		switch i.Kind {
		case value.Null:
		case value.Decimal:
			for _, p := range [][2]int{{1, 0}, {2, 2}, {9, 2}, {10, 0}, {18, 18}, {19, 4}, {38, 10}, {65, 30}} {
				add(i.Kind, segment.Column{Precision: p[0], Scale: p[1]})
			}
		case value.Embedding:
			add(i.Kind, segment.Column{Dimension: 1})
			add(i.Kind, segment.Column{Dimension: 5})
		case value.Enum:
			add(i.Kind, segment.Column{}, "new", "in work", "done", "")
		default:
			add(i.Kind, segment.Column{})
		}
	}
	l.Key = []ident.ColumnID{l.Schema.IDs[4], l.Schema.IDs[slices.Index(l.Schema.Kinds, value.Text)]}
	return l
}

// draw returns a value of a column, NULL one time in so many.
func draw(r *rand.Rand, l *segment.Layout, i, nulls int) value.Value {
	if nulls > 0 && r.IntN(nulls) == 0 {
		return value.NullValue
	}
	k, c := l.Schema.Kinds[i], &l.Columns[i]
	switch k {
	case value.Bool:
		return value.NewBool(r.IntN(2) == 0)
	case value.Int8:
		return value.NewInt(k, int64(int8(r.Uint64())))
	case value.Int16:
		return value.NewInt(k, int64(int16(r.Uint64())))
	case value.Int32:
		return value.NewInt(k, int64(int32(r.Uint64())))
	case value.Int64:
		return value.NewBigInt(int64(r.Uint64()) >> r.IntN(64))
	case value.Uint8:
		return value.NewUint(k, r.Uint64()>>56)
	case value.Uint16:
		return value.NewUint(k, r.Uint64()>>48)
	case value.Uint32:
		return value.NewUint(k, r.Uint64()>>32)
	case value.Uint64:
		return value.NewUint(k, r.Uint64()>>r.IntN(64))
	case value.Float32, value.Float64:
		return value.NewFloat(k, r.NormFloat64()*100)
	case value.Decimal:
		return drawDecimal(r, c)
	case value.Date:
		return value.NewInt(k, r.Int64N(2_932_896+719_162)-719_162)
	case value.Time:
		return value.NewInt(k, r.Int64N(2*839*3600*1e6-1)-839*3600*1e6+1)
	case value.DateTime, value.Timestamp:
		return value.NewInt(k, r.Int64N(315_537_897_600_000_000)-62_135_596_800_000_000)
	case value.Enum:
		n := 1 + r.IntN(len(l.Schema.Labels[i]))
		return value.NewEnum(n, l.Schema.Labels[i][n-1])
	}
	return value.NewString(k, drawString(r, k, c))
}

func drawDecimal(r *rand.Rand, c *segment.Column) value.Value {
	digits := make([]byte, 1+r.IntN(c.Precision))
	for i := range digits {
		digits[i] = byte('0' + r.IntN(10))
	}
	s := string(digits)
	if c.Scale > 0 {
		for len(s) <= c.Scale {
			s = "0" + s
		}
		s = s[:len(s)-c.Scale] + "." + s[len(s)-c.Scale:]
	}
	if r.IntN(2) == 0 {
		s = "-" + s
	}
	v, err := value.Parse(value.Decimal, s)
	if err == nil {
		v, err = value.Rescale(v, c.Precision, c.Scale)
	}
	if err != nil {
		panic(err)
	}
	return v
}

func drawString(r *rand.Rand, k value.Kind, c *segment.Column) string {
	n := r.IntN(1 + r.IntN(150))
	switch k {
	case value.UUID:
		n = 16
	case value.Embedding:
		b, _ := value.NewEmbedding(make([]float32, c.Dimension))
		list := b.Vector()
		for i := range list {
			list[i] = float32(r.NormFloat64())
		}
		b, _ = value.NewEmbedding(list)
		return b.Str()
	case value.JSON, value.File:
		return fmt.Sprintf(`{"a":%d,"b":"%s"}`, r.IntN(1000), strings.Repeat("x", n))
	case value.Text:
		if r.IntN(20) == 0 {
			return strings.Repeat("ä\x00", n)
		}
		return strings.Repeat(string(rune('a'+r.IntN(26))), n)
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

// write makes a segment of n rows. The first column of the key ascends.
func write(t testing.TB, r *rand.Rand, l segment.Layout, n, nulls int) *sample {
	t.Helper()
	s := &sample{layout: l}
	first, second := slices.Index(l.Schema.IDs, l.Key[0]), slices.Index(l.Schema.IDs, l.Key[1])
	for i := range n {
		vals := make([]value.Value, len(l.Columns))
		for c := range vals {
			vals[c] = draw(r, &l, c, nulls)
		}
		vals[first] = value.NewUint(l.Schema.Kinds[first], uint64(i/3))
		if k := l.Schema.Kinds[first]; k.Form() == value.FormInt {
			vals[first] = value.NewInt(k, int64(i/3)-int64(n/6))
		}
		vals[second] = value.NewText(strings.Repeat("k", i%3) + "\x00")
		s.rows = append(s.rows, vals)
		s.keys = append(s.keys, value.AppendKey(value.AppendKey(nil, vals[first]), vals[second]))
		s.seqs = append(s.seqs, clock.Seq(r.Int64()))
	}
	s.write(t)
	return s
}

func (s *sample) write(t testing.TB) {
	t.Helper()
	var out bytes.Buffer
	w, err := segment.NewWriter(&out, s.layout)
	if err != nil {
		t.Fatal(err)
	}
	for i := range s.rows {
		if err := w.Append(s.keys[i], s.seqs[i], s.rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	if s.info, err = w.Close(); err != nil {
		t.Fatal(err)
	}
	s.bytes = out.Bytes()
}

func (s *sample) open(t testing.TB) *segment.File {
	t.Helper()
	f, err := segment.Open(t.Context(), bytes.NewReader(s.bytes), int64(len(s.bytes)), "a.parquet")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// check compares row i of a batch, which has these columns, with what was
// written.
func (s *sample) check(t testing.TB, b *segment.Batch, i int, columns []ident.ColumnID) {
	t.Helper()
	o := b.Ordinals[i]
	if b.Seqs[i] != s.seqs[o] {
		t.Fatalf("row %d has seq %d, want %d", o, b.Seqs[i], s.seqs[o])
	}
	if columns == nil {
		columns = s.layout.Schema.IDs
	}
	for c, id := range columns {
		at := slices.Index(s.layout.Schema.IDs, id)
		if at < 0 {
			if b.Columns[c] != nil {
				t.Fatalf("column %d is not in the segment, and was read", id)
			}
			continue
		}
		if got, want := b.Columns[c][i], s.rows[o][at]; got != want {
			t.Fatalf("row %d, column %s: %s %q, want %s %q", o, s.layout.Columns[at].Name,
				got.Kind(), got.Text(), want.Kind(), want.Text())
		}
	}
}

// scan reads all row groups that are left and returns the ordinals.
func (s *sample) scan(
	t testing.TB, f *segment.File, columns []ident.ColumnID, p segment.Prune,
) []uint32 {
	t.Helper()
	sc := f.Scan(columns, p)
	var all []uint32
	for sc.Next(t.Context()) {
		b := sc.Batch()
		for i := range b.Len() {
			s.check(t, b, i, columns)
		}
		all = append(all, b.Ordinals...)
	}
	if sc.Err() != nil {
		t.Fatal(sc.Err())
	}
	return all
}

func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 1))
}

func TestSegment_ReadsBackWhatWasWritten(t *testing.T) {
	r := seeded(t)
	for _, n := range []int{1, 2, 10, 1023, 5000, 40000} {
		for _, nulls := range []int{0, 1, 4} {
			if n > 5000 && nulls < 4 {
				continue // takes long, and shows no more
			}
			s := write(t, r, everything(), n, nulls)
			f := s.open(t)
			if f.NumRows() != int64(n) || s.info.Rows != int64(n) || s.info.Bytes != int64(len(s.bytes)) {
				t.Fatalf("%d rows written, %d read, %+v", n, f.NumRows(), s.info)
			}
			if all := s.scan(t, f, nil, segment.Prune{}); len(all) != n {
				t.Fatalf("a scan of %d rows read %d", n, len(all))
			}
			for range 20 {
				s.pick(t, r, f)
			}
		}
	}
}

// pick reads some rows with some columns.
func (s *sample) pick(t testing.TB, r *rand.Rand, f *segment.File) {
	t.Helper()
	var ordinals []uint32
	density := 1 + r.IntN(len(s.rows))
	for o := r.IntN(len(s.rows)); o < len(s.rows); o += 1 + r.IntN(density) {
		ordinals = append(ordinals, uint32(o))
	}
	var columns []ident.ColumnID
	for range r.IntN(5) {
		columns = append(columns, ident.ColumnID(55+r.IntN(46)))
	}
	b, err := f.Rows(t.Context(), ordinals, columns)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(b.Ordinals, ordinals) {
		t.Fatalf("rows %v, want %v", b.Ordinals, ordinals)
	}
	for i := range ordinals {
		s.check(t, b, i, columns)
	}
}

// Readers of one file at once see their own rows: what they borrow from each
// other's reads does not show.
func TestFile_ServesManyAtOnce(t *testing.T) {
	r := seeded(t)
	s := write(t, r, everything(), 20_000, 5)
	f := s.open(t)
	var all sync.WaitGroup
	for range 8 {
		own := rand.New(rand.NewPCG(r.Uint64(), 2))
		all.Go(func() {
			for range 20 {
				if own.IntN(5) > 0 {
					s.pick(t, own, f)
					continue
				}
				sc := f.Scan(nil, segment.Prune{})
				for i := 0; i < own.IntN(25) && sc.Next(t.Context()); i++ {
					b := sc.Batch()
					for i := range b.Len() {
						s.check(t, b, i, nil)
					}
				}
				sc.Close()
				if sc.Next(t.Context()) || sc.Err() != nil {
					t.Errorf("a scan that was closed goes on: %v", sc.Err())
				}
			}
		})
	}
	all.Wait()
}

// Values of a mebibyte, an empty file's worth of empty texts, and more than one
// row group of both.
func TestSegment_LargeAndEmptyValues(t *testing.T) {
	r := seeded(t)
	l := everything()
	s := write(t, r, l, 60, 3)
	bytes := slices.Index(l.Schema.Kinds, value.Bytes)
	for i := range s.rows {
		large := strings.Repeat(string(rune('a'+i%26)), 1<<20)
		s.rows[i][bytes] = value.NewString(value.Bytes, large)
		if i%2 == 0 {
			s.rows[i][bytes] = value.NewString(value.Bytes, "")
		}
	}
	s.write(t)
	f := s.open(t)
	if f.NumGroups() < 2 {
		t.Errorf("%d row groups of 30 MiB", f.NumGroups())
	}
	if all := s.scan(t, f, nil, segment.Prune{}); len(all) != len(s.rows) {
		t.Errorf("%d rows", len(all))
	}
	for range 10 {
		s.pick(t, r, f)
	}
}

// A Writer holds two row groups, however many rows there are: what the rows are
// made of can go before the segment is closed.
func TestWriter_HoldsTwoRowGroups(t *testing.T) {
	l := segment.Layout{Table: 1, Schema: &row.Schema{Version: 1, Codec: 1,
		IDs: []ident.ColumnID{1, 2}, Kinds: []value.Kind{value.Int64, value.Bytes}},
		Columns: []segment.Column{{Name: "id"}, {Name: "b"}}, Key: []ident.ColumnID{1}}
	w, err := segment.NewWriter(io.Discard, l)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	noise := make([]byte, 1<<20)
	var most uint64
	for i := range 200 {
		for j := range noise {
			noise[j] = byte(r.Uint32())
		}
		id := value.NewBigInt(int64(i))
		vals := []value.Value{id, value.NewString(value.Bytes, string(noise))}
		err := w.Append(value.AppendKey(nil, id), 1, vals)
		if err != nil {
			t.Fatal(err)
		}
		if i%20 == 19 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if most > 100<<20 {
		t.Errorf("%d MiB were held for 200 MiB of rows", most>>20)
	}
}
