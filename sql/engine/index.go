package engine

import (
	"bytes"
	"slices"
	"strings"
	"time"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// keyIndex is a table's primary key as the library's index. Lookups only
// narrow what is read: the library keeps all filters above it.
type keyIndex struct{ rel *relation }

var _ gms.OrderedIndex = keyIndex{}

// GetIndexes implements gms.IndexAddressable.
func (r *relation) GetIndexes(*gms.Context) ([]gms.Index, error) {
	if r.target.def.Kind == ddl.SystemTable || len(r.target.def.PrimaryKey) == 0 {
		return nil, nil
	}
	return []gms.Index{keyIndex{r}}, nil
}

// IndexedAccess implements gms.IndexAddressable.
func (r *relation) IndexedAccess(_ *gms.Context, lookup gms.IndexLookup) gms.IndexedTable {
	c := *r
	c.lookup = &lookup
	return &c
}

// PreciseMatch implements gms.IndexAddressable: filters are kept.
func (r *relation) PreciseMatch() bool { return false }

// LookupPartitions implements gms.IndexedTable.
func (r *relation) LookupPartitions(_ *gms.Context, l gms.IndexLookup) (gms.PartitionIter, error) {
	if l.IsEmptyRange {
		return &partIter{done: true}, nil
	}
	ranges, ok := l.Ranges.(gms.MySQLRangeCollection)
	if !ok {
		return nil, fault.New(fault.Internal, "index ranges of type %T", l.Ranges)
	}
	spans := make([]span, 0, len(ranges))
	for _, rg := range ranges {
		s, empty, err := r.span(rg)
		if err != nil {
			return nil, err
		}
		if !empty {
			spans = append(spans, s)
		}
	}
	return &partIter{part: part{spans: merge(spans), reverse: l.IsReverse}}, nil
}

func sortSpans(spans []span) {
	slices.SortFunc(spans, func(a, b span) int { return bytes.Compare(a.lo, b.lo) })
}

// span returns the keys between the bounds of a range: those of the leading
// columns that are bound to one value, and the bounds of the column behind
// them. Bounds that can't be expressed are left open.
func (r *relation) span(rg gms.MySQLRange) (s span, empty bool, err error) {
	var prefix []byte
	def := r.target.def
	for i, col := range rg {
		kind := def.Columns[def.PrimaryKey[i]].Type.Kind
		lo, loOver, loOK := bound(kind, col.LowerBound)
		hi, hiIncl, hiOK := bound(kind, col.UpperBound)
		loIncl := !loOver
		switch col.UpperBound.(type) {
		case gms.BelowNull, gms.AboveNull:
			return s, true, nil // at most NULL, which no key column holds
		}
		if _, all := col.LowerBound.(gms.AboveAll); all {
			return s, true, nil
		}
		if loOK && hiOK && loIncl && hiIncl && lo == hi {
			prefix = value.AppendKey(prefix, lo)
			continue
		}
		return bounds(prefix, lo, loIncl, loOK, hi, hiIncl, hiOK), false, nil
	}
	return span{lo: prefix, hi: row.PrefixEnd(prefix)}, false, nil
}

func bounds(
	prefix []byte, lo value.Value, loIncl, loOK bool, hi value.Value, hiIncl, hiOK bool,
) span {
	s := span{lo: prefix, hi: row.PrefixEnd(prefix)}
	if len(prefix) == 0 {
		s.hi = nil
	}
	if loOK {
		s.lo = value.AppendKey(slices.Clone(prefix), lo)
		if !loIncl {
			s.lo = row.PrefixEnd(s.lo)
		}
	}
	if hiOK {
		s.hi = value.AppendKey(slices.Clone(prefix), hi)
		if hiIncl {
			s.hi = row.PrefixEnd(s.hi)
		}
	}
	return s
}

// bound returns the value of a range's cut as a key of kind k, and whether
// the cut is above it: an upper bound then includes the value, a lower one
// does not. ok is false for an open bound, and for a value that has no exact
// place among the keys.
func bound(k value.Kind, cut gms.MySQLRangeCut) (v value.Value, above, ok bool) {
	var raw any
	switch c := cut.(type) {
	case gms.Below:
		raw = c.Key
	case gms.Above:
		raw, above = c.Key, true
	default:
		return v, false, false
	}
	v, err := scalar(raw)
	if err != nil || v.IsNull() {
		return v, false, false
	}
	if t, is := raw.(time.Time); is && t.Nanosecond()%1000 != 0 {
		return v, false, false
	}
	if s := v.Str(); k == value.UUID &&
		(v.Kind() != value.Text || len(s) != uuidLength || strings.ToLower(s) != s) {
		return v, false, false
	}
	if v, err = value.Convert(k, v); err != nil {
		return v, false, false
	}
	return v, above, true
}

// ID implements gms.Index.
func (keyIndex) ID() string { return keyIndexName }

// Database implements gms.Index.
func (x keyIndex) Database() string { return x.rel.db }

// Table implements gms.Index.
func (x keyIndex) Table() string { return x.rel.Name() }

// Expressions implements gms.Index: "table.column" of each key column.
func (x keyIndex) Expressions() []string {
	def := x.rel.target.def
	out := make([]string, len(def.PrimaryKey))
	for i, c := range def.PrimaryKey {
		out[i] = x.rel.Name() + "." + def.Columns[c].Name
	}
	return out
}

// ColumnExpressionTypes implements gms.Index.
func (x keyIndex) ColumnExpressionTypes(*gms.Context) []gms.ColumnExpressionType {
	names := x.Expressions()
	out := make([]gms.ColumnExpressionType, len(names))
	for i, c := range x.rel.target.def.PrimaryKey {
		out[i] = gms.ColumnExpressionType{Expression: names[i], Type: x.rel.schema[c].Type}
	}
	return out
}

// IsUnique implements gms.Index.
func (keyIndex) IsUnique() bool { return true }

// IsSpatial implements gms.Index.
func (keyIndex) IsSpatial() bool { return false }

// IsFullText implements gms.Index.
func (keyIndex) IsFullText() bool { return false }

// IsVector implements gms.Index.
func (keyIndex) IsVector() bool { return false }

// Comment implements gms.Index.
func (keyIndex) Comment() string { return "" }

// IndexType implements gms.Index.
func (keyIndex) IndexType() string { return "BTREE" }

// IsGenerated implements gms.Index.
func (keyIndex) IsGenerated() bool { return false }

// CanSupport implements gms.Index.
func (keyIndex) CanSupport(*gms.Context, ...gms.Range) bool { return true }

// CanSupportOrderBy implements gms.Index.
func (keyIndex) CanSupportOrderBy(e gms.Expression) bool {
	_, ok := e.(*expression.GetField)
	return ok
}

// PrefixLengths implements gms.Index.
func (keyIndex) PrefixLengths() []uint16 { return nil }

// Order implements gms.OrderedIndex.
func (keyIndex) Order(*gms.Context) gms.IndexOrder { return gms.IndexOrderAsc }

// Reversible implements gms.OrderedIndex.
func (keyIndex) Reversible(*gms.Context) bool { return true }
