package plan

import (
	"slices"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// grouping is how a plan makes groups of the rows that it reads.
type grouping struct {
	keys  []int     // the columns of GROUP BY; none makes one group of all rows
	order []keyRank // of the groups; none leaves them as they were first met
	cells []cell    // the columns of the result
	tally int       // how many of them are aggregates
}

// keyRank is a column of ORDER BY.
type keyRank struct {
	key  int // position among the keys
	desc bool
}

// cell is a column of the result: a key of the group or an aggregate.
type cell struct {
	call aggregate
	from int        // position among the keys, or the column of the table, -1 for COUNT(*)
	kind value.Kind // of an aggregate
}

// compileGroups compiles a SELECT with aggregates. What else stands in the list
// or in ORDER BY has to be of GROUP BY.
func (p *plan) compileGroups(st *statement) bool {
	if st.limit != nil {
		return false
	}
	g := &grouping{}
	p.grouped = g
	for _, name := range st.group {
		c := p.def.Column(name)
		if c < 0 || slices.Contains(g.keys, c) || !groupable(p.def.Columns[c].Type.Kind) {
			return false
		}
		g.keys = append(g.keys, c)
		p.want(c)
	}
	for _, it := range st.items {
		if !p.compileCell(it) {
			return false
		}
	}
	return g.tally > 0 && p.compileGroupOrder(st)
}

func (p *plan) compileCell(it item) bool {
	g, c := p.grouped, p.def.Column(it.column)
	shown := strings.Clone(it.shown)
	switch {
	case it.call == noAggregate:
		at := slices.Index(g.keys, c)
		if c < 0 || at < 0 {
			return false
		}
		p.addColumn(c, shown)
		g.cells = append(g.cells, cell{from: at})
		return true
	case it.column != "" && c < 0:
		return false
	}
	out := cell{call: it.call, from: c, kind: value.Int64}
	if it.call != count {
		var ok bool
		if out.kind, ok = aggregateKind(it.call, p.def.Columns[c].Type.Kind); !ok {
			return false
		}
	}
	if c >= 0 {
		p.want(c)
	}
	g.cells = append(g.cells, out)
	g.tally++
	p.columns = append(p.columns, predicate.Column{
		Name: shown, Kind: out.kind, // as the engine says it
		NotNull: it.call != average && it.call != sum,
	})
	return true
}

// compileGroupOrder takes all columns of GROUP BY or none, so that no two groups
// are equal in it.
func (p *plan) compileGroupOrder(st *statement) bool {
	g := p.grouped
	var seen []string
	for i, name := range st.order {
		at := slices.Index(st.group, name)
		if at < 0 || slices.Contains(seen, name) {
			return false
		}
		seen = append(seen, name)
		g.order = append(g.order, keyRank{at, st.desc[i]})
	}
	return len(g.order) == 0 || len(g.order) == len(g.keys)
}

// groupable reports whether the engine tells values of a kind apart as
// value.Compare does, and orders them so.
func groupable(k value.Kind) bool {
	switch k {
	case value.Bool, value.Text, value.Enum, value.UUID, value.Date, value.DateTime, value.Timestamp:
		return true
	}
	return k >= value.Int8 && k <= value.Uint64
}

// aggregateKind returns the kind in which the engine shows an aggregate of a
// column, false when it is left to the engine.
func aggregateKind(call aggregate, k value.Kind) (value.Kind, bool) {
	number := k >= value.Int8 && k <= value.Float64
	switch {
	case (call == sum || call == average) && k >= value.Int8 && k <= value.Uint64:
		return value.Decimal, true
	case call == sum, call == average:
		return value.Float64, number
	case k == value.Timestamp:
		return value.DateTime, true
	}
	return k, number || k == value.Text || k == value.Enum || k == value.Date || k == value.DateTime
}
