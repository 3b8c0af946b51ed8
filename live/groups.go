package live

import (
	"context"
	"errors"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// groups keeps aggregates. A change takes the row before it out of its group
// and puts the row after it into its own, so it costs two reads of the row. When
// the last row that held a MIN or MAX leaves, the rows are read once more for
// all that have lost theirs.
type groups struct {
	query *predicate.Query
	found map[string]*bucket
	list  []*bucket // as they were met
	rows  int       // that match
	bytes int
	key   []byte
}

// bucket is a group of rows, and what is known of them.
type bucket struct {
	keys    []value.Value
	rows    int
	tallies []tally
	changed bool // entry is not of the present tallies
	entry   *entry
}

// groupOverhead is the memory of a group apart from its values.
const groupOverhead = 200

// keep implements keeper.
func (k *groups) keep(
	ctx context.Context, g *glance, since clock.Seq, _ int,
) (entries []*entry, more bool, err error) {
	k.query = g.query
	current := false
	if since > 0 {
		if current, err = k.update(ctx, g, since); err != nil {
			return nil, false, err
		}
	}
	if !current {
		err = k.build(ctx, g)
	} else if slices.ContainsFunc(k.list, (*bucket).lost) {
		err = k.search(ctx, g)
	}
	if err != nil {
		return nil, false, err
	}
	return k.entries(g.hub), false, k.tooLarge(g.hub)
}

func (k *groups) tooLarge(h *Hub) error {
	if len(k.list) <= h.opts.ResultRows && k.bytes <= h.opts.ResultBytes {
		return nil
	}
	return fault.New(fault.ResultTooLarge,
		"a live query may have %d groups and %d bytes of them; narrow it with WHERE",
		h.opts.ResultRows, h.opts.ResultBytes)
}

// entries returns the groups as rows of the result.
func (k *groups) entries(h *Hub) []*entry {
	total := len(k.query.Groups.Keys) == 0
	if !total {
		k.list = slices.DeleteFunc(k.list, func(one *bucket) bool {
			if one.rows > 0 {
				return false
			}
			k.forget(one)
			return true
		})
	}
	out := make([]*entry, len(k.list))
	for i, one := range k.list {
		if one.changed {
			k.show(one)
		}
		out[i] = one.entry
	}
	return out
}

func (k *groups) forget(one *bucket) {
	k.key = appendKeys(k.key[:0], one.keys)
	delete(k.found, string(k.key))
	k.bytes -= one.size()
}

func (g *bucket) size() int {
	return groupOverhead + rowSize(g.keys) + len(g.tallies)*160
}

// lost reports whether an extreme has left and is to be searched for.
func (g *bucket) lost() bool {
	return slices.ContainsFunc(g.tallies, func(t tally) bool { return t.lost })
}

// show makes the entry of a group that has changed.
func (k *groups) show(one *bucket) {
	now := make([]value.Value, len(one.tallies))
	for i, c := range k.query.Groups.Cells {
		if c.Call == predicate.KeyOf {
			now[i] = one.keys[c.From]
		} else {
			now[i] = one.tallies[i].value(c)
		}
	}
	one.changed = false
	if one.entry != nil && equal(one.entry.row, now) {
		return
	}
	e := &entry{id: string(appendKeys(nil, one.keys)), row: now}
	e.key = keyValues(k.query.Columns, now)
	one.entry = e
}

func appendKeys(dst []byte, keys []value.Value) []byte {
	for _, v := range keys {
		dst = value.AppendKey(dst, v)
	}
	return dst
}

// of returns the group of a row, a new one if need be.
func (k *groups) of(vals []value.Value) *bucket {
	keys := k.query.Groups.Keys
	k.key = k.key[:0]
	for _, c := range keys {
		k.key = value.AppendKey(k.key, vals[c])
	}
	if one := k.found[string(k.key)]; one != nil {
		return one
	}
	one := &bucket{keys: make([]value.Value, len(keys)), changed: true,
		tallies: make([]tally, len(k.query.Groups.Cells))}
	for i, c := range keys {
		one.keys[i] = vals[c]
	}
	k.found[string(k.key)] = one
	k.list = append(k.list, one)
	k.bytes += one.size()
	return one
}

// count puts a row into its group, or takes it out.
func (k *groups) count(vals []value.Value, in bool) {
	one := k.of(vals)
	one.changed = true
	by := 1
	if !in {
		by = -1
	}
	one.rows += by
	k.rows += by
	for i, c := range k.query.Groups.Cells {
		t := &one.tallies[i]
		switch {
		case c.Call == predicate.KeyOf:
		case c.From < 0:
			t.n += int64(by)
		case !vals[c.From].IsNull():
			t.count(c, vals[c.From], in)
		}
	}
}

// build reads all rows.
func (k *groups) build(ctx context.Context, g *glance) error {
	k.found, k.list, k.rows, k.bytes = make(map[string]*bucket), nil, 0, 0
	if len(g.query.Groups.Keys) == 0 {
		k.of(nil)
	}
	return g.each(ctx, func(vals []value.Value) error {
		k.count(vals, true)
		return k.tooLarge(g.hub)
	})
}

// search reads the rows for the extremes that were lost.
func (k *groups) search(ctx context.Context, g *glance) error {
	cells := g.query.Groups.Cells
	for _, one := range k.list {
		for i := range one.tallies {
			if t := &one.tallies[i]; t.lost {
				t.most, t.alike = value.NullValue, 0
			}
		}
	}
	err := g.each(ctx, func(vals []value.Value) error {
		one := k.of(vals)
		for i := range one.tallies {
			if t := &one.tallies[i]; t.lost && !vals[cells[i].From].IsNull() {
				t.rank(cells[i], vals[cells[i].From])
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, one := range k.list {
		for i := range one.tallies {
			one.tallies[i].lost = false
		}
	}
	return nil
}

// update takes the changes after since. It returns false when history does not
// have them, or has more of them than there are rows.
func (k *groups) update(ctx context.Context, g *glance, since clock.Seq) (ok bool, err error) {
	if ok, err := g.covers(since); err != nil || !ok {
		return false, err
	}
	changes := g.rows.Changes(ctx, g.view, g.user, since)
	defer func() { err = errors.Join(err, changes.Close()) }()
	im := images{source: g.hub.opts.Source}
	most := k.rows + g.hub.opts.ScanRows
	for n := 1; changes.Next(); n++ {
		if n%ctxEvery == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		if n > most {
			return false, nil
		}
		if err := k.take(g, changes, &im); err != nil {
			return false, err
		}
	}
	return true, changes.Err()
}

func (k *groups) take(g *glance, changes *table.Changes, im *images) error {
	before, after, err := changes.Images()
	if err != nil {
		return err
	}
	im.set(changes.Entry().Seq, present(before), present(after))
	if err := im.load(g.query.Table); err != nil {
		return err
	}
	was, err := matches(g.query, im.old, im.before)
	if err != nil {
		return err
	}
	is, err := matches(g.query, im.new, im.after)
	if err != nil {
		return err
	}
	if was {
		k.count(im.before, false)
	}
	if is {
		k.count(im.after, true)
	}
	return nil
}

// each gives visit the rows that match.
func (g *glance) each(ctx context.Context, visit func(vals []value.Value) error) (err error) {
	rows := g.rows.Scan(ctx, g.view, g.user, table.Span{Lo: g.query.Lo, Hi: g.query.Hi})
	defer func() { err = errors.Join(err, rows.Close()) }()
	var vals []value.Value
	for n := 1; rows.Next(); n++ {
		if n%ctxEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		match := false
		if vals, match, err = g.match(rows.Record(), vals); err == nil && match {
			err = visit(vals)
		}
		if err != nil {
			return err
		}
	}
	return rows.Err()
}

// match decodes a row into vals, and reports whether it is there and matches.
func (g *glance) match(rec row.Record, vals []value.Value) ([]value.Value, bool, error) {
	if rec.Deleted || rec.Seq < g.expired {
		return vals, false, nil
	}
	vals, err := appendRow(vals, g.hub.opts.Source, g.query.Table, rec)
	if err != nil {
		return vals, false, err
	}
	match, err := g.query.Match(vals)
	return vals, match, err
}
