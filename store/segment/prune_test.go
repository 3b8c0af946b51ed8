package segment_test

import (
	"bytes"
	"slices"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/segment"
)

// A scan with a random Prune reads every row that it is about.
func TestScan_PrunesNoRowThatIsAskedFor(t *testing.T) {
	r := seeded(t)
	l := everything()
	s := write(t, r, l, 70_000, 50)
	f := s.open(t)
	if f.NumGroups() < 3 {
		t.Fatalf("%d row groups", f.NumGroups())
	}
	pruned := 0
	for range 25 {
		var p segment.Prune
		if r.IntN(2) == 0 {
			p.KeyFrom = s.keys[r.IntN(len(s.keys))]
		}
		if r.IntN(2) == 0 {
			p.KeyTo = s.keys[r.IntN(len(s.keys))]
		}
		if r.IntN(4) == 0 {
			p.SeqAfter = clock.Seq(r.Int64())
		}
		if r.IntN(4) == 0 {
			p.SeqUpTo = clock.Seq(r.Int64())
		}
		for range r.IntN(3) {
			c := r.IntN(len(l.Columns))
			b := row.Condition{Column: l.Schema.IDs[c], Kind: l.Schema.Kinds[c]}
			if r.IntN(2) == 0 {
				b.Min = s.rows[r.IntN(len(s.rows))][c]
			}
			if r.IntN(2) == 0 {
				b.Max = s.rows[r.IntN(len(s.rows))][c]
			}
			p.Conditions = append(p.Conditions, b)
		}
		got := s.scan(t, f, l.Key, p)
		n, of := f.Scan(nil, p).Pruned()
		if pruned += n; of != f.NumGroups() || n == 0 && len(got) != len(s.rows) {
			t.Fatalf("%d of %d row groups pruned, %d rows read", n, of, len(got))
		}
		for o := range s.rows {
			if _, ok := slices.BinarySearch(got, uint32(o)); !ok && s.about(o, &p) {
				t.Fatalf("row %d was pruned by %+v", o, p)
			}
		}
	}
	if pruned == 0 {
		t.Error("nothing was ever pruned")
	}
}

// about reports whether p is about a row.
func (s *sample) about(o int, p *segment.Prune) bool {
	in := func(v value.Value, b *row.Condition) bool {
		return !b.Bounded() || !v.IsNull() && (b.Min.IsNull() || value.Compare(v, b.Min) >= 0) &&
			(b.Max.IsNull() || value.Compare(v, b.Max) <= 0)
	}
	if bytes.Compare(s.keys[o], p.KeyFrom) < 0 ||
		p.KeyTo != nil && bytes.Compare(s.keys[o], p.KeyTo) >= 0 ||
		s.seqs[o] <= p.SeqAfter && p.SeqAfter > 0 || s.seqs[o] > p.SeqUpTo && p.SeqUpTo > 0 {
		return false
	}
	for i := range p.Conditions {
		b := &p.Conditions[i]
		if !in(s.rows[o][slices.Index(s.layout.Schema.IDs, b.Column)], b) {
			return false
		}
	}
	return true
}
