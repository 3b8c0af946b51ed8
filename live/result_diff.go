package live

import (
	"math"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// differ tells the difference between two versions of a result.
type differ struct {
	columns []predicate.Column
	key     []predicate.Column // what identifies a row; none when only all of it does
	inKey   []bool             // of columns: told by key already
	ordered bool
	// found says that the columns hold the key, so that subscribers can find a row
	// that has moved. Where they don't, a row that moves goes and comes.
	found bool
}

func newDiffer(q *predicate.Query) differ {
	d := differ{columns: q.Columns, inKey: make([]bool, len(q.Columns))}
	if q.Window != nil {
		d.ordered = true
		for _, k := range q.Table.PrimaryKey {
			c := &q.Table.Columns[k]
			d.key = append(d.key,
				predicate.Column{Name: c.Name, Kind: c.Type.Kind, Key: true, NotNull: true})
		}
		for i := range q.Columns {
			d.inKey[i] = isKeyColumn(q.Table, &q.Columns[i])
		}
		d.found = holdsKey(q)
		return d
	}
	d.ordered = q.Rerun != nil && q.Rerun.Ordered
	for i, c := range q.Columns {
		if c.Key {
			d.key, d.inKey[i] = append(d.key, c), true
		}
	}
	d.found = len(d.key) > 0
	return d
}

// holdsKey reports whether the whole primary key is among the columns.
func holdsKey(q *predicate.Query) bool {
	for _, k := range q.Table.PrimaryKey {
		name := q.Table.Columns[k].Name
		if !slices.ContainsFunc(q.Columns, func(c predicate.Column) bool {
			return c.Name == name && isKeyColumn(q.Table, &c)
		}) {
			return false
		}
	}
	return true
}

// move is one step from a version to another: the row now or old alone comes or
// goes, both are a row that changes or moves.
type move struct {
	old, now *entry
	// at is where the row stands after the step, or where it stood when it
	// goes; the steps before have been taken. Of an order only.
	at    int
	moved bool // a row that changes stands elsewhere now
}

// moves returns the steps from old to now: first what goes, then what comes.
func (d *differ) moves(old, now []*entry) []move {
	if d.ordered {
		return d.orderedMoves(old, now)
	}
	for len(old) > 0 && len(now) > 0 && old[0].same(now[0]) {
		old, now = old[1:], now[1:]
	}
	for len(old) > 0 && len(now) > 0 && old[len(old)-1].same(now[len(now)-1]) {
		old, now = old[:len(old)-1], now[:len(now)-1]
	}
	was := make(map[string]*entry, len(old))
	for _, e := range old {
		was[e.id] = e
	}
	var come []move
	for _, e := range now {
		before := was[e.id]
		if before == nil || !before.same(e) {
			come = append(come, move{old: before, now: e})
		}
		delete(was, e.id)
	}
	var out []move
	for _, e := range old {
		if was[e.id] != nil {
			out = append(out, move{old: e})
		}
	}
	return append(out, come...)
}

// orderedMoves leaves as many rows as possible where they are.
func (d *differ) orderedMoves(old, now []*entry) []move {
	var out, tail []move
	head := 0
	for ; head < min(len(old), len(now)) && old[head].id == now[head].id; head++ {
		if !old[head].same(now[head]) {
			out = append(out, move{old: old[head], now: now[head], at: head})
		}
	}
	for len(old) > head && len(now) > head && old[len(old)-1].id == now[len(now)-1].id {
		o, n := old[len(old)-1], now[len(now)-1]
		if old, now = old[:len(old)-1], now[:len(now)-1]; !o.same(n) {
			tail = append(tail, move{old: o, now: n, at: len(now)})
		}
	}
	out = append(out, d.middleMoves(old[head:], now[head:], head)...)
	return append(out, tail...)
}

// middleMoves is orderedMoves for the part behind head rows that are in place.
func (d *differ) middleMoves(old, now []*entry, head int) []move {
	if len(old) == 0 && len(now) == 0 {
		return nil
	}
	place := make(map[string]int, len(now)) // in now
	for i, e := range now {
		place[e.id] = i
	}
	var out []move
	was := make([]*entry, len(now)) // in old, by the place in now
	var list []int                  // the rows as they stand, by their place in now
	for i := len(old) - 1; i >= 0; i-- {
		at, stays := place[old[i].id]
		if !stays {
			out = append(out, move{old: old[i], at: head + i})
			continue
		}
		was[at], list = old[i], append(list, at)
	}
	slices.Reverse(list)
	still := staying(list, func(at int) bool { return was[at].same(now[at]) })
	at := 0 // behind the row before
	for i, e := range now {
		switch {
		case was[i] == nil:
			list = slices.Insert(list, at, i)
			out = append(out, move{now: e, at: head + at})
		case !still[i]:
			from := slices.Index(list, i)
			list = slices.Delete(list, from, from+1)
			if from < at {
				at--
			}
			list = slices.Insert(list, at, i)
			if d.found {
				out = append(out, move{was[i], e, head + at, true})
			} else {
				out = append(out, move{old: was[i], at: head + from}, move{now: e, at: head + at})
			}
		default:
			at = slices.Index(list, i)
			if !was[i].same(e) {
				out = append(out, move{old: was[i], now: e, at: head + at})
			}
		}
		at++
	}
	return out
}

// staying returns the rows of a list that need not move. Rows that are as they
// were are seldom out of order; then it is those that have changed that move.
func staying(list []int, same func(at int) bool) map[int]bool {
	next := make([]int, len(list)) // the first unchanged row from here on
	after := math.MaxInt
	for i := len(list) - 1; i >= 0; i-- {
		if same(list[i]) {
			if list[i] > after {
				return rising(list)
			}
			after = list[i]
		}
		next[i] = after
	}
	set := make(map[int]bool, len(list))
	last := -1
	for i, at := range list {
		if at > last && at <= next[i] {
			set[at], last = true, at
		}
	}
	return set
}

// rising returns a longest part of list that rises, as a set.
func rising(list []int) map[int]bool {
	before := make([]int, len(list)) // position of the one before in the best part
	var ends []int                   // position of the least end of a part of each length
	for i, n := range list {
		at, _ := slices.BinarySearchFunc(ends, n, func(e, n int) int { return list[e] - n })
		before[i] = -1
		if at > 0 {
			before[i] = ends[at-1]
		}
		if at == len(ends) {
			ends = append(ends, i)
		} else {
			ends[at] = i
		}
	}
	set := make(map[int]bool, len(ends))
	if len(ends) > 0 {
		for i := ends[len(ends)-1]; i >= 0; i = before[i] {
			set[list[i]] = true
		}
	}
	return set
}

// event returns what subscribers are told of a step.
func (d *differ) event(m *move, seq clock.Seq, why MatchReason) *Event {
	e := &Event{Seq: seq, Columns: d.columns, Reason: why, Type: Update}
	if d.ordered {
		e.Ordered, e.Position = true, m.at
	}
	if m.now != nil {
		e.Rows, e.id = [][]value.Value{m.now.row}, m.now.id
	}
	switch {
	case m.old == nil:
		e.Type = Insert
	case m.now == nil:
		e.Type, e.id = Delete, m.old.id
		d.setOld(e, m.old, nil)
	case !d.setAppend(e, m):
		d.setOld(e, m.old, m.now)
	}
	e.measure()
	return e
}

// setAppend makes e tell of text that was appended to a row that stays in its
// place, and reports whether it is that.
func (d *differ) setAppend(e *Event, m *move) bool {
	if !d.found || m.moved {
		return false
	}
	i := extended(d.columns, m.old.row, m.now.row, m.now.text, m.now.seq)
	if i < 0 {
		return false
	}
	e.Append = appendTo(&d.columns[i], m.old.row[i], m.now.row[i])
	columns, vals := slices.Clone(d.key), make([]value.Value, 0, len(d.key)+1)
	for _, v := range m.now.key {
		vals = append(vals, detached(v))
	}
	for i, c := range d.columns {
		if c.Key && !d.inKey[i] {
			columns, vals = append(columns, c), append(vals, detached(m.now.row[i]))
		}
	}
	e.Columns = append(columns, seqColumn)
	e.Rows = [][]value.Value{append(vals, value.NewBigInt(int64(m.now.seq)))}
	return true
}

// setOld fills Old with the key and the columns whose value differs from now:
// all of them when now is nil, or when there is no key to find the row by.
func (d *differ) setOld(e *Event, old, now *entry) {
	columns := slices.Clone(d.key)
	vals := slices.Clone(old.key)
	for i := range old.row {
		if d.inKey[i] || now != nil && len(d.key) > 0 && old.row[i] == now.row[i] {
			continue
		}
		columns = append(columns, d.columns[i])
		vals = append(vals, old.row[i])
	}
	e.OldColumns, e.Old = columns, [][]value.Value{vals}
}
