package engine

import (
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"
)

// route finds how a direct read goes: by the path of which the WHERE binds
// most, among those that give the rows in the order that is asked for. ok is
// false when none does, or when it would be better to sort.
func (d *direct) route(src *source, order ast.OrderBy, sc *scope) (best route, ok bool) {
	paths, err := src.target.paths()
	if err != nil {
		return route{}, false // the library meets it again and tells it
	}
	most, unserved := -1, 0
	for _, p := range paths {
		s, point, empty := p.span(d.bounds.of)
		rank := d.bounds.rank(p)
		reverse, inOrder := d.inOrder(src, p, order, sc)
		switch {
		case len(order) > 0 && !inOrder:
			unserved = max(unserved, rank)
			continue
		case rank <= most:
			continue
		}
		most = rank
		best = route{path: p, spans: []span{s}, reverse: reverse,
			point: point && (p.index == nil || p.index.Unique)}
		if empty {
			best.spans = nil
		}
		best.byKey = len(order) == 0 && p.index != nil && !point
	}
	// Where another path binds a column, or the walk has no end, its rows are
	// better sorted.
	if most < 0 || unserved > most && (unserved >= rankColumn || d.left < 0) {
		return route{}, false
	}
	return best, true
}

// inOrder reports whether an ORDER BY is the order of a path in one direction,
// and which, columns with one value left out.
func (d *direct) inOrder(src *source, p *path, order ast.OrderBy, sc *scope) (reverse, ok bool) {
	columns := p.distinct()
	next := 0
	direction := ""
	one := func(c int) bool { l := d.bounds.of(c); return l != nil && l.one() }
	for _, o := range order {
		name, ok := src.columnName(o.Expr)
		if !ok || sc.aliases[name] {
			return false, false
		}
		at := p.def.Column(name)
		if one(at) {
			continue
		}
		for next < len(columns) && one(columns[next]) {
			next++
		}
		if next == len(columns) {
			if p.index != nil && p.index.Unique {
				return false, false // rows with a NULL may be many
			}
			break // the primary key is behind: nothing is left to order
		}
		if columns[next] != at || direction != "" && o.Direction != direction {
			return false, false
		}
		direction = o.Direction
		next++
	}
	return strings.EqualFold(direction, ast.DescScr), true
}

// of returns what is known of a column, nil for nothing.
func (b bounded) of(column int) *limits { return b[column] }

// What a column with one value, and an end of a range, count for a path.
const (
	rankColumn = 4
	rankSide   = 1
)

// rank says how much of a path is bound: most of all by columns with one value,
// then by bounds of the one behind them.
func (b bounded) rank(p *path) int {
	n := 0
	for i, c := range p.columns {
		l := b[c]
		if l == nil {
			break
		}
		if !l.one() {
			if !l.lo.IsNull() {
				n += rankSide
			}
			if !l.hi.IsNull() {
				n += rankSide
			}
			break
		}
		if n += rankColumn; i+1 == p.own && (p.index == nil || p.index.Unique) {
			return n + rankColumn*len(p.def.Columns) // one row
		}
	}
	return n
}
