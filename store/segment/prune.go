package segment

import (
	"bytes"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Prune says which rows a scan is about, so that it can leave out row groups
// that have none of them. It filters no rows: those of the row groups that are
// left are all read. The zero value is about all.
type Prune struct {
	// Encoded primary keys: KeyFrom <= key < KeyTo; nil for no bound.
	KeyFrom, KeyTo []byte
	// SeqAfter < seq <= SeqUpTo; 0 for no bound.
	SeqAfter, SeqUpTo clock.Seq
	// All of these, by their bounds.
	Conditions []row.Condition
}

// Pruned returns how many row groups conditions leave out, of how many.
func (f *File) Pruned(conditions []row.Condition) (pruned, of int, err error) {
	p := Prune{Conditions: conditions}
	for i := range f.groups {
		err := f.guard(func() error {
			keep, err := f.keeps(i, &p)
			if !keep {
				pruned++
			}
			return err
		})
		if err != nil {
			return 0, 0, err
		}
	}
	return pruned, len(f.groups), nil
}

// keeps reports whether a row group may have a row that p is about.
func (f *File) keeps(number int, p *Prune) (bool, error) {
	last := f.maxKey
	if number+1 < len(f.groups) {
		last = f.groups[number+1].key // which is not in it
	}
	switch c := bytes.Compare(last, p.KeyFrom); {
	case c < 0, c == 0 && number+1 < len(f.groups):
		return false, nil
	case p.KeyTo != nil && bytes.Compare(f.groups[number].key, p.KeyTo) >= 0:
		return false, nil
	}
	if p.SeqAfter > 0 || p.SeqUpTo > 0 {
		b := row.Condition{Kind: value.Int64, Min: value.NewBigInt(int64(p.SeqAfter) + 1)}
		if p.SeqUpTo > 0 {
			b.Max = value.NewBigInt(int64(p.SeqUpTo))
		}
		if keep, err := f.meets(number, f.seqAt(), value.Int64, &b); !keep || err != nil {
			return false, err
		}
	}
	for i := range p.Conditions {
		b := &p.Conditions[i]
		c := f.layout.position(b.Column)
		if c < 0 || !b.Bounded() || f.layout.Schema.Kinds[c] != b.Kind {
			continue
		}
		if keep, err := f.meets(number, c, f.layout.Schema.Kinds[c], b); !keep || err != nil {
			return false, err
		}
	}
	return true, nil
}

// meets reports whether the statistics of a column chunk leave room for a value
// within b.
func (f *File) meets(number, column int, kind value.Kind, b *row.Condition) (bool, error) {
	m, err := f.meta.RowGroup(number).ColumnChunk(column)
	if err != nil {
		return false, err
	}
	stats, err := m.Statistics()
	if err != nil || stats == nil {
		return true, err
	}
	if !stats.HasMinMax() {
		return !stats.HasNullCount() || stats.NullCount() < m.NumValues(), nil
	}
	lo, okLo := f.codecs[column].bound(stats.EncodeMin())
	hi, okHi := f.codecs[column].bound(stats.EncodeMax())
	// A maximum that was too long to be kept reads as an empty one.
	okHi = okHi && len(stats.EncodeMax()) > 0
	if okHi && comparable(kind, b.Min.Kind()) && value.Compare(hi, b.Min) < 0 {
		return false, nil
	}
	if okLo && comparable(kind, b.Max.Kind()) && value.Compare(lo, b.Max) > 0 {
		return false, nil
	}
	return true, nil
}

// comparable reports whether a bound of kind b says something of values of kind
// a.
func comparable(a, b value.Kind) bool {
	return b != value.Null && (a == b || numeric(a) && numeric(b) || instants(a) && instants(b))
}

func numeric(k value.Kind) bool { return k >= value.Int8 && k <= value.Decimal }

func instants(k value.Kind) bool { return k == value.DateTime || k == value.Timestamp }
