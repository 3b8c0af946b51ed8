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
)

// tableIndex is a path to a table's rows as the library's index. Lookups only
// narrow what is read: the library keeps all filters above it.
type tableIndex struct {
	rel  *relation
	path *path
	// columns are those that the library is told of.
	columns []int
}

var _ gms.OrderedIndex = tableIndex{}

// GetIndexes implements gms.IndexAddressable.
func (r *relation) GetIndexes(*gms.Context) ([]gms.Index, error) {
	if r.target.def.Kind == ddl.SystemTable || len(r.target.def.PrimaryKey) == 0 {
		return nil, nil
	}
	paths, err := r.target.paths()
	if err != nil {
		return nil, err
	}
	out := make([]gms.Index, len(paths))
	for i, p := range paths {
		out[i] = tableIndex{r, p, p.distinct()}
	}
	return out, nil
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
	x, isOurs := l.Index.(tableIndex)
	ranges, ok := l.Ranges.(gms.MySQLRangeCollection)
	if l.IsEmptyRange && !findsNull(ranges) {
		return &partIter{done: true}, nil
	}
	if !ok || !isOurs {
		return nil, fault.New(fault.Internal, "index ranges of type %T of an index of type %T",
			l.Ranges, l.Index)
	}
	to := route{path: x.path, reverse: l.IsReverse}
	spans := make([]span, 0, len(ranges))
	for _, rg := range ranges {
		s, point, empty := x.span(rg)
		if empty {
			continue
		}
		spans = append(spans, s)
		to.byKey = to.byKey || !point
	}
	to.byKey = r.target.order == keyOrder && x.path.index != nil && (to.byKey || len(spans) > 1)
	to.spans = merge(spans) // two that touch become one
	return &partIter{part: part(to)}, nil
}

// findsNull reports whether a range that the library calls empty looks for NULL
// in a column, and for none that compares with NULL in another. It means so
// where a join compares by <=>, and where the range is empty its bounds say it.
func findsNull(ranges gms.MySQLRangeCollection) bool {
	if len(ranges) != 1 {
		return false
	}
	null := false
	for _, col := range ranges[0] {
		if cut, ok := col.LowerBound.(gms.Below); ok && cut.Key == nil {
			return false
		}
		_, above := col.UpperBound.(gms.AboveNull)
		null = null || above
	}
	return null
}

func sortSpans(spans []span) {
	slices.SortFunc(spans, func(a, b span) int { return bytes.Compare(a.lo, b.lo) })
}

// span returns the keys within a range. Bounds that can't be expressed are left
// open.
func (x tableIndex) span(rg gms.MySQLRange) (s span, point, empty bool) {
	known := make(map[int]*limits, len(rg))
	for i, col := range rg {
		if l := limitsOf(x.path.def.Columns[x.columns[i]].Type, col); l != nil {
			known[x.columns[i]] = l
		}
	}
	return x.path.span(func(c int) *limits { return known[c] })
}

// limitsOf returns what a range says of a column, nil for nothing.
func limitsOf(t ddl.Type, col gms.MySQLRangeColumnExpr) *limits {
	if text, ok := oneText(col); ok && t.Kind == value.Enum {
		return labelled(t, text)
	}
	kind, l := t.Kind, &limits{}
	var above, ok bool
	switch col.LowerBound.(type) {
	case gms.BelowNull:
	case gms.AboveAll:
		return &limits{null: true, notNull: true} // nothing at all
	default:
		l.notNull = true
		if l.lo, above, ok = bound(kind, col.LowerBound); !ok {
			l.lo = value.NullValue
		}
		l.loOver = above
	}
	switch col.UpperBound.(type) {
	case gms.AboveAll:
	case gms.BelowNull:
		return &limits{null: true, notNull: true}
	case gms.AboveNull:
		l.null = true
	default:
		if l.hi, l.hiIncl, ok = bound(kind, col.UpperBound); !ok {
			l.hi = value.NullValue
		}
	}
	if *l == (limits{}) {
		return nil
	}
	return l
}

// oneText returns the text that a range holds, if it is just one.
func oneText(col gms.MySQLRangeColumnExpr) (string, bool) {
	lower, isBelow := col.LowerBound.(gms.Below)
	upper, isAbove := col.UpperBound.(gms.Above)
	if !isBelow || !isAbove {
		return "", false
	}
	lo, isText := lower.Key.(string)
	hi, areTexts := upper.Key.(string)
	return lo, isText && areTexts && lo == hi
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
	v, ok = placed(k, v)
	return v, above, ok
}

// ID implements gms.Index.
func (x tableIndex) ID() string { return x.path.name() }

// Database implements gms.Index.
func (x tableIndex) Database() string { return x.rel.db }

// Table implements gms.Index.
func (x tableIndex) Table() string { return x.rel.Name() }

// Expressions implements gms.Index: "table.column" of each column.
func (x tableIndex) Expressions() []string {
	out := make([]string, len(x.columns))
	for i, c := range x.columns {
		out[i] = x.rel.Name() + "." + x.path.def.Columns[c].Name
	}
	return out
}

// ColumnExpressionTypes implements gms.Index. The library computes with ranges
// as their column is compared, so those of an ENUM are of texts.
func (x tableIndex) ColumnExpressionTypes(*gms.Context) []gms.ColumnExpressionType {
	names := x.Expressions()
	out := make([]gms.ColumnExpressionType, len(names))
	for i, c := range x.columns {
		t := x.rel.schema[c].Type
		if _, ok := t.(*labels); ok {
			t = longText
		}
		out[i] = gms.ColumnExpressionType{Expression: names[i], Type: t}
	}
	return out
}

// IsUnique implements gms.Index.
//
// It is not told of an index that may hold NULL several times, nor of one of
// texts: the library would not read a range of it.
func (x tableIndex) IsUnique() bool {
	if x.path.index == nil {
		return true
	}
	return x.path.index.Unique && !slices.ContainsFunc(x.columns, func(c int) bool {
		kind := x.path.def.Columns[c].Type.Kind
		return !x.path.neverNull(c) || kind == value.Text || kind == value.Bytes || kind == value.Enum
	})
}

// IsSpatial implements gms.Index.
func (tableIndex) IsSpatial() bool { return false }

// IsFullText implements gms.Index.
func (tableIndex) IsFullText() bool { return false }

// IsVector implements gms.Index.
func (tableIndex) IsVector() bool { return false }

// Comment implements gms.Index.
func (tableIndex) Comment() string { return "" }

// IndexType implements gms.Index.
func (tableIndex) IndexType() string { return "BTREE" }

// IsGenerated implements gms.Index.
func (tableIndex) IsGenerated() bool { return false }

// CanSupport implements gms.Index.
func (tableIndex) CanSupport(*gms.Context, ...gms.Range) bool { return true }

// CanSupportOrderBy implements gms.Index.
func (tableIndex) CanSupportOrderBy(e gms.Expression) bool {
	_, ok := e.(*expression.GetField)
	return ok
}

// PrefixLengths implements gms.Index.
func (tableIndex) PrefixLengths() []uint16 { return nil }

// Order implements gms.OrderedIndex.
func (x tableIndex) Order(*gms.Context) gms.IndexOrder {
	if x.path.index != nil && x.rel.target.order != indexOrder {
		return gms.IndexOrderNone
	}
	return gms.IndexOrderAsc
}

// Reversible implements gms.OrderedIndex.
func (tableIndex) Reversible(*gms.Context) bool { return true }
