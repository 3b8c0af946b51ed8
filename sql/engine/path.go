package engine

import (
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// path is a way to the rows of a table: its primary key, or a secondary index.
// It is immutable.
type path struct {
	def   *ddl.Table
	index *ddl.Index // nil for the primary key
	// columns are the positions of the columns that the encoded keys of the path
	// hold, in their order. Those of an index that is not unique end with the
	// primary key; own is how many are the path's own.
	columns []int
	own     int
}

func keyPath(def *ddl.Table) *path {
	return &path{def: def, columns: def.PrimaryKey, own: len(def.PrimaryKey)}
}

func indexPath(def *ddl.Table, x *ddl.Index) *path {
	p := &path{def: def, index: x, columns: def.Positions(x)}
	p.own = len(p.columns)
	if !x.Unique {
		p.columns = append(p.columns, def.PrimaryKey...)
	}
	return p
}

// paths returns the ways to the rows of t that the statement may take, the
// primary key first.
func (t *target) paths() ([]*path, error) {
	if t.known != nil {
		return t.known, nil
	}
	t.known = []*path{keyPath(t.def)}
	if len(t.def.Indexes) == 0 || t.deleted || t.store.Part.Name == "" {
		return t.known, nil // deleted rows, and rows in memory, are in no index
	}
	for i := range t.def.Indexes {
		x := &t.def.Indexes[i]
		if x.Building {
			continue
		}
		complete, err := t.store.IndexComplete(t.run.env.View, x.ID)
		if err != nil {
			return nil, err
		}
		if complete {
			t.known = append(t.known, indexPath(t.def, x))
		}
	}
	return t.known, nil
}

// name is how EXPLAIN calls the path.
func (p *path) name() string {
	if p.index == nil {
		return keyIndexName
	}
	return p.index.Name
}

// distinct returns the positions of the path's columns without those that
// stand there a second time, and so neither order nor narrow.
func (p *path) distinct() []int {
	out := make([]int, 0, len(p.columns))
	for _, c := range p.columns {
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}

// limits are what is known of one column.
type limits struct {
	lo, hi         value.Value // NULL for none
	loOver, hiIncl bool
	null           bool // it is NULL, and nothing else is known
	notNull        bool
}

// empty reports whether no value is within the limits.
func (l *limits) empty() bool {
	if l.null {
		return l.notNull
	}
	if l.lo.IsNull() || l.hi.IsNull() {
		return false
	}
	d := value.Compare(l.lo, l.hi)
	return d > 0 || d == 0 && (l.loOver || !l.hiIncl)
}

// one reports whether one value at most is within the limits.
func (l *limits) one() bool {
	return l.null || !l.lo.IsNull() && !l.hi.IsNull() && value.Equal(l.lo, l.hi)
}

// span returns the keys of the path within what is known of its columns; at
// returns nil for a column of which nothing is. point says that all of the
// path's own columns have one value.
func (p *path) span(at func(column int) *limits) (s span, point, empty bool) {
	for _, c := range p.columns {
		l := at(c)
		if l != nil && (l.empty() || l.null && p.neverNull(c)) {
			return s, false, true
		}
	}
	point = p.whole(at)
	var prefix []byte
	for _, c := range p.columns {
		l := at(c)
		if l == nil {
			break
		}
		if !l.one() {
			return l.bounds(prefix), point, false
		}
		prefix = value.AppendKey(prefix, l.lo)
	}
	if len(prefix) == 0 {
		return span{}, false, false
	}
	return span{lo: prefix, hi: row.PrefixEnd(prefix)}, point, false
}

// whole reports whether each of the path's own columns has one value.
func (p *path) whole(at func(column int) *limits) bool {
	for _, c := range p.columns[:p.own] {
		if l := at(c); l == nil || !l.one() {
			return false
		}
	}
	return true
}

// labelled returns the limits of a column that equals a text, where t is an ENUM.
func labelled(t ddl.Type, text string) *limits {
	i := slices.Index(t.Labels, text)
	if i < 0 {
		return &limits{null: true, notNull: true} // nothing at all
	}
	v := value.NewEnum(i+1, text)
	return &limits{lo: v, hi: v, hiIncl: true, notNull: true}
}

func (p *path) neverNull(c int) bool { return p.def.Columns[c].NotNull || p.def.IsKey(c) }

// bounds returns the keys that begin with prefix and whose next column is
// within the limits.
func (l *limits) bounds(prefix []byte) span {
	s := span{lo: prefix, hi: row.PrefixEnd(prefix)}
	if len(prefix) == 0 {
		s.hi = nil
	}
	switch {
	case !l.lo.IsNull():
		s.lo = value.AppendKey(slices.Clone(prefix), l.lo)
		if l.loOver {
			s.lo = row.PrefixEnd(s.lo)
		}
	case l.notNull:
		s.lo = row.PrefixEnd(value.AppendKey(slices.Clone(prefix), value.NullValue))
	}
	if !l.hi.IsNull() {
		s.hi = value.AppendKey(slices.Clone(prefix), l.hi)
		if l.hiIncl {
			s.hi = row.PrefixEnd(s.hi)
		}
	}
	return s
}

// placed returns v as a column of kind k holds it, unless it has no place of
// its own among the column's values. A text has none among labels: these are
// compared as texts, and stand in the order of their positions.
func placed(k value.Kind, v value.Value) (value.Value, bool) {
	switch k {
	case value.Enum:
		return v, false
	case value.Time, value.Bytes:
		return v, v.Kind() == k
	}
	out, err := value.Convert(k, v)
	if err != nil || out.IsNull() {
		return v, false
	}
	number := k >= value.Bool && k <= value.Decimal
	return out, !number || value.Compare(out, v) == 0
}
