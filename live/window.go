package live

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// window keeps the first rows in an order, and some behind them: a reserve to
// fill up from when rows leave. What has changed is found in history, so a
// change costs a read by key and a place in a list. The table is read again
// when the reserve is used up, or history does not reach back.
type window struct {
	rows  []*entry // by sort: the first of all that match
	whole bool     // there are no others
	full  int      // rows that are kept at most
}

// Bounds of the reserve, which is a quarter of the rows.
const (
	minReserve = 8
	maxReserve = 256
)

// keep implements keeper.
func (w *window) keep(
	ctx context.Context, g *glance, since clock.Seq, most int,
) (entries []*entry, more bool, err error) {
	w.full = most + min(max(most/4, minReserve), maxReserve)
	current := false
	if since > 0 {
		if current, err = w.update(ctx, g, since); err != nil {
			return nil, false, err
		}
	}
	if current && g.expired > 0 {
		w.rows = slices.DeleteFunc(w.rows, func(e *entry) bool { return e.seq < g.expired })
	}
	if !current || len(w.rows) < most && !w.whole {
		if err := w.fill(ctx, g); err != nil {
			return nil, false, err
		}
	}
	shown := min(most, len(w.rows))
	return slices.Clone(w.rows[:shown]), shown < len(w.rows) || !w.whole, nil
}

// update takes the changes after since. It returns false when there are too
// many, or history lacks some.
func (w *window) update(ctx context.Context, g *glance, since clock.Seq) (bool, error) {
	pks, err := g.changed(ctx, since, w.full+g.hub.opts.ScanRows)
	if pks == nil || err != nil {
		return false, err
	}
	var vals []value.Value
	for pk := range pks {
		w.remove(pk)
		rec, found, err := g.rows.Get(ctx, g.view, g.user, []byte(pk))
		if err != nil {
			return false, err
		}
		if !found {
			continue
		}
		if vals, err = w.offer(g, []byte(pk), rec, vals); err != nil {
			return false, err
		}
	}
	w.cut()
	return true, nil
}

// changed returns the keys that have changed after since, nil for more than
// most, or when history does not reach back.
func (g *glance) changed(ctx context.Context, since clock.Seq, most int) (
	pks map[string]bool, err error,
) {
	if ok, err := g.covers(since); err != nil || !ok {
		return nil, err
	}
	changes := g.rows.Changes(ctx, g.view, g.user, since)
	defer func() { err = errors.Join(err, changes.Close()) }()
	pks = make(map[string]bool)
	for n := 1; changes.Next(); n++ {
		if n%ctxEvery == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if n > most {
			return nil, nil
		}
		pks[string(changes.Entry().PK)] = true
	}
	return pks, nil
}

func (w *window) remove(pk string) {
	if i := slices.IndexFunc(w.rows, func(e *entry) bool { return e.id == pk }); i >= 0 {
		w.rows = slices.Delete(w.rows, i, i+1)
	}
}

// offer puts a row into the window when it matches and belongs there. It
// decodes into vals and returns them.
func (w *window) offer(g *glance, pk []byte, rec row.Record, vals []value.Value) (
	[]value.Value, error,
) {
	vals, match, err := g.match(rec, vals)
	if err != nil || !match {
		return vals, err
	}
	sort, err := sortKey(g.query.Window, pk, vals)
	if err != nil {
		return vals, err
	}
	at, _ := slices.BinarySearchFunc(w.rows, sort, bySort)
	if at == len(w.rows) && !w.whole { // others may stand before it
		return vals, nil
	}
	e, err := newEntry(g.query, pk, sort, rec, vals)
	if err == nil {
		w.rows = slices.Insert(w.rows, at, e)
	}
	return vals, err
}

func bySort(e *entry, sort string) int { return strings.Compare(e.sort, sort) }

func (w *window) cut() {
	if len(w.rows) > w.full {
		w.rows, w.whole = slices.Delete(w.rows, w.full, len(w.rows)), false
	}
}

// sortKey returns what a row of a window is ordered by. No two rows have the
// same.
func sortKey(w *predicate.Window, pk []byte, vals []value.Value) (string, error) {
	var dst []byte
	if w.Order != nil {
		var err error
		if dst, err = w.Order(dst, vals); err != nil {
			return "", err
		}
	}
	n := len(dst)
	dst = append(dst, pk...)
	if w.Reverse {
		for i := n; i < len(dst); i++ {
			dst[i] = ^dst[i]
		}
	}
	return string(dst), nil
}

func newEntry(q *predicate.Query, pk []byte, sort string, rec row.Record, vals []value.Value) (
	*entry, error,
) {
	projected, err := project(q, vals)
	if err != nil {
		return nil, err
	}
	e := &entry{id: string(pk), sort: sort, row: projected, seq: rec.Seq,
		text: runText(q.Table, rec, vals)}
	for _, k := range q.Table.PrimaryKey {
		e.key = append(e.key, vals[k])
	}
	return e, nil
}

// fill reads the window from the table: in the order of the key just its rows,
// else all rows that may match.
func (w *window) fill(ctx context.Context, g *glance) (err error) {
	q := g.query.Window
	w.rows, w.whole = make([]*entry, 0, min(w.full, 2*maxReserve)), true
	rows := g.rows.Scan(ctx, g.view, g.user,
		table.Span{Lo: g.query.Lo, Hi: g.query.Hi, Reverse: q.Reverse})
	defer func() { err = errors.Join(err, rows.Close()) }()
	inOrder := q.Order == nil
	slack := w.full // rows beyond, before they are sorted out
	if inOrder {
		slack = 0
	}
	var vals []value.Value
	for n := 1; rows.Next(); n++ {
		if n%ctxEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		rec := rows.Record()
		if rec.Deleted || rec.Seq < g.expired {
			continue
		}
		if vals, err = w.collect(g, bytes.Clone(rows.PK()), rec, vals); err != nil {
			return err
		}
		if len(w.rows) <= w.full+slack {
			continue
		}
		w.order()
		if inOrder {
			return nil
		}
	}
	w.order()
	return rows.Err()
}

// collect appends a row that matches.
func (w *window) collect(g *glance, pk []byte, rec row.Record, vals []value.Value) (
	[]value.Value, error,
) {
	vals, match, err := g.match(rec, vals)
	if err != nil || !match {
		return vals, err
	}
	sort, err := sortKey(g.query.Window, pk, vals)
	if err != nil {
		return vals, err
	}
	if !w.whole && len(w.rows) >= w.full && sort > w.rows[w.full-1].sort {
		return vals, nil // behind rows that are sorted and enough
	}
	e, err := newEntry(g.query, pk, sort, rec, vals)
	if err == nil {
		w.rows = append(w.rows, e)
	}
	return vals, err
}

// order sorts what was collected and cuts what is beyond the window.
func (w *window) order() {
	slices.SortFunc(w.rows, func(a, b *entry) int { return strings.Compare(a.sort, b.sort) })
	w.cut()
}
