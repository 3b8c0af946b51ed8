package segment_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/segment"
)

// condition returns a random condition on a column, with the bounds that follow
// from it.
func condition(r *rand.Rand, s *sample, c int) row.Condition {
	x := row.Condition{Column: s.layout.Schema.IDs[c], Kind: s.layout.Schema.Kinds[c]}
	than := s.rows[r.IntN(len(s.rows))][c]
	switch r.IntN(4) {
	case 0:
		x.Meets = value.Value.IsNull
		return x
	case 1:
		odd := r.IntN(2) == 0
		x.Meets = func(v value.Value) bool { return (len(v.Text())%2 == 1) == odd }
		return x
	case 2:
		x.Max = than
		x.Meets = func(v value.Value) bool {
			return !v.IsNull() && !than.IsNull() && value.Compare(v, than) <= 0
		}
	default:
		x.Min = than
		x.Meets = func(v value.Value) bool {
			return !v.IsNull() && !than.IsNull() && value.Compare(v, than) >= 0
		}
	}
	return x
}

// met reports whether a row meets all conditions.
func (s *sample) met(o int, conditions []row.Condition) bool {
	return !slices.ContainsFunc(conditions, func(c row.Condition) bool {
		return !c.Meets(s.rows[o][slices.Index(s.layout.Schema.IDs, c.Column)])
	})
}

// A Reader gives the rows that meet its conditions, wherever it is asked to be,
// and no others.
func TestReader_GivesTheRowsThatMeetConditions(t *testing.T) {
	r := seeded(t)
	l := everything()
	s := write(t, r, l, 40_000, 9)
	f := s.open(t)
	pruned := 0
	for range 12 {
		var columns []ident.ColumnID
		for _, id := range l.Schema.IDs {
			if r.IntN(5) == 0 {
				columns = append(columns, id)
			}
		}
		columns = append(columns, 9999) // which the file lacks
		var conditions []row.Condition
		for range r.IntN(3) {
			if c := condition(r, s, r.IntN(len(l.Columns))); slices.Contains(columns, c.Column) {
				conditions = append(conditions, c)
			}
		}
		in := f.Reader(columns, conditions)
		var w segment.Window
		at, step := 0, 1+r.IntN(900)
		if r.IntN(2) == 0 {
			at, step = len(s.rows)-1, -step
		}
		for ; at >= 0 && at < len(s.rows); at += step {
			if r.IntN(50) == 0 {
				at = r.IntN(len(s.rows))
			}
			if !w.Has(uint32(at)) {
				if err := in.Read(t.Context(), uint32(at), &w); err != nil {
					t.Fatal(err)
				}
			}
			i, ok := w.Find(uint32(at))
			if want := s.met(at, conditions); ok != want || !w.Has(uint32(at)) {
				t.Fatalf("row %d meets %+v: %v, want %v", at, conditions, ok, want)
			}
			if ok {
				s.check(t, &segment.Batch{Ordinals: repeat(uint32(at), i+1), Seqs: w.Seqs,
					Columns: w.Columns}, i, columns)
			}
		}
		pruned += in.Stats().Pruned
		in.Close(&w)
		in.Close()
		if w.Has(0) {
			t.Error("a window has rows that were given back")
		}
	}
	if _, ok := new(segment.Window).Find(0); ok || new(segment.Window).Has(0) {
		t.Error("the zero Window has a row")
	}
}

func repeat(o uint32, n int) []uint32 {
	return slices.Repeat([]uint32{o}, n)
}

// What a Window has given stays as it was when the next one is read.
func TestReader_LeavesStringsAlone(t *testing.T) {
	r := seeded(t)
	l := everything()
	text := slices.Index(l.Schema.Kinds, value.Text)
	s := write(t, r, l, 9000, 5)
	in := s.open(t).Reader([]ident.ColumnID{l.Schema.IDs[text]}, nil)
	defer in.Close()
	var w segment.Window
	var got []value.Value
	for o := range s.rows {
		if !w.Has(uint32(o)) {
			if err := in.Read(t.Context(), uint32(o), &w); err != nil {
				t.Fatal(err)
			}
		}
		i, _ := w.Find(uint32(o))
		got = append(got, w.Columns[0][i])
	}
	for o, v := range got {
		if v != s.rows[o][text] {
			t.Fatalf("row %d is %q, want %q", o, v.Text(), s.rows[o][text].Text())
		}
	}
}

func TestReader_TellsWhatIsWrong(t *testing.T) {
	r := seeded(t)
	s := write(t, r, everything(), 5000, 5)
	var w segment.Window
	in := s.open(t).Reader(nil, nil)
	defer in.Close()
	if err := in.Read(t.Context(), 5000, &w); !fault.Is(err, fault.Corruption) {
		t.Errorf("a row behind the last one: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := in.Read(ctx, 0, &w); err == nil || w.Has(0) {
		t.Errorf("a read that was cancelled: %v", err)
	}
	if err := in.Read(t.Context(), 0, &w); err != nil || !w.Has(0) {
		t.Errorf("a read behind one that failed: %v", err)
	}
	s.bytes[len(s.bytes)/3] ^= 1
	bad := s.open(t).Reader(nil, nil)
	defer bad.Close()
	if err := bad.Read(t.Context(), 0, &w); !fault.Is(err, fault.Corruption) || w.Has(0) {
		t.Errorf("a damaged file: %v", err)
	}
}

// pruned returns the row groups that a condition leaves out.
func pruned(t *testing.T, f *segment.File, c row.Condition) int {
	t.Helper()
	n, _ := f.Scan(nil, segment.Prune{Conditions: []row.Condition{c}}).Pruned()
	return n
}

// plain is a layout of a number as the key and one other column.
func plain(k value.Kind, c segment.Column) segment.Layout {
	c.Name = "v"
	return segment.Layout{Table: 1, Key: []ident.ColumnID{1},
		Schema: &row.Schema{Version: 1, Codec: 1, IDs: []ident.ColumnID{1, 2},
			Kinds: []value.Kind{value.Int64, k}},
		Columns: []segment.Column{{Name: "id"}, c}}
}

func column(t *testing.T, l segment.Layout, vals ...value.Value) *segment.File {
	t.Helper()
	s := &sample{layout: l}
	for i, v := range vals {
		id := value.NewBigInt(int64(i))
		s.keys = append(s.keys, value.AppendKey(nil, id))
		s.rows = append(s.rows, []value.Value{id, v})
		s.seqs = append(s.seqs, 1)
	}
	s.write(t)
	return s.open(t)
}

// Statistics leave out what can't be there, and nothing else, whatever side they
// are cut or turned on.
func TestPrune_ByStatistics(t *testing.T) {
	text, null := value.NewText, value.NullValue
	dec := func(s string) value.Value {
		v, err := value.Parse(value.Decimal, s)
		if err == nil {
			v, err = value.Rescale(v, 12, 2)
		}
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	float := func(f float64) value.Value { return value.NewFloat(value.Float64, f) }
	at := func(n int64) value.Value { return value.NewInt(value.DateTime, n) }
	long := strings.Repeat("m", 500)
	for _, c := range []struct {
		name     string
		kind     value.Kind
		vals     []value.Value
		min, max value.Value
		pruned   bool
	}{
		{"negative numbers, above", value.Int64, ints(-9, -3), value.NewBigInt(-2), null, true},
		{"negative numbers, below", value.Int64, ints(-9, -3), null, value.NewBigInt(-10), true},
		{"negative numbers, at an end", value.Int64, ints(-9, -3), value.NewBigInt(-3), null, false},
		{"numbers around zero", value.Int64, ints(-9, 3), value.NewBigInt(0), value.NewBigInt(0), false},
		{"a number as a decimal", value.Int64, ints(1, 2), dec("2.50"), null, true},
		{"a number as a decimal below", value.Int64, ints(1, 2), dec("1.50"), null, false},
		{"large unsigned numbers", value.Uint64, []value.Value{
			value.NewUint(value.Uint64, 1<<63), value.NewUint(value.Uint64, 1<<63+1)},
			value.NewUint(value.Uint64, 1<<63+1), null, false},
		{"small of large unsigned numbers", value.Uint64, []value.Value{
			value.NewUint(value.Uint64, 1<<63), value.NewUint(value.Uint64, 1<<63+1)},
			null, value.NewUint(value.Uint64, 7), true},
		{"only NULL", value.Int64, []value.Value{null, null}, value.NewBigInt(0), null, true},
		{"NULL and a number", value.Int64, []value.Value{null, value.NewBigInt(4)},
			value.NewBigInt(4), value.NewBigInt(4), false},
		{"doubles", value.Float64, []value.Value{float(-1.5), float(0)}, float(0.5), null, true},
		{"doubles, zero of the other sign", value.Float64, []value.Value{float(-1.5), float(0)},
			float(math.Copysign(0, -1)), null, false},
		{"texts", value.Text, []value.Value{text("b"), text("d")}, text("e"), null, true},
		{"capitals stand before", value.Text, []value.Value{text("B"), text("D")}, text("a"), null, true},
		{"capitals are others", value.Text, []value.Value{text("B"), text("d")}, text("D"), text("D"), false},
		{"a text that is too long to be kept, above", value.Text, []value.Value{text("b"), text(long)},
			text(long + "a"), null, false},
		{"a text that is too long to be kept", value.Text, []value.Value{text("b"), text(long)},
			text(long), text(long), false},
		{"only long texts", value.Text, []value.Value{text(long), text(long + "x")},
			text(long), text(long), false},
		{"below only long texts", value.Text, []value.Value{text(long)}, null, text("a"), false},
		{"only empty texts", value.Text, []value.Value{text("")}, null, text(""), false},
		{"letters of more bytes", value.Text, []value.Value{text("a"), text("ä")}, text("z"), null, false},
		{"decimals", value.Decimal, []value.Value{dec("-10.00"), dec("-9.99")}, dec("-9.98"), null, true},
		{"decimals as texts would stand", value.Decimal, []value.Value{dec("9.00"), dec("10.00")},
			dec("9.50"), dec("9.60"), false},
		{"times before 1970", value.DateTime, []value.Value{at(-500), at(-400)}, at(-399), null, true},
		{"times at an end", value.DateTime, []value.Value{at(-500), at(400)}, at(400), null, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := plain(c.kind, segment.Column{Precision: 12, Scale: 2})
			if c.kind != value.Decimal {
				l.Columns[1] = segment.Column{Name: "v"}
			}
			f := column(t, l, c.vals...)
			x := row.Condition{Column: 2, Kind: c.kind, Min: c.min, Max: c.max}
			if got := pruned(t, f, x) == 1; got != c.pruned {
				t.Errorf("pruned: %v, want %v", got, c.pruned)
			}
			x.Kind = value.Bool // of another schema version
			if pruned(t, f, x) != 0 {
				t.Error("pruned by a bound of another kind")
			}
		})
	}
}

func ints(list ...int64) (vals []value.Value) {
	for _, n := range list {
		vals = append(vals, value.NewBigInt(n))
	}
	return vals
}
