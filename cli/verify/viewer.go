package verify

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/commons/clock"
)

// viewer follows the states of a client.View: each has to be the result of its
// query as the commits up to the state's cursor left it.
type viewer struct {
	user  *user
	query *query
	view  *client.View
	tally *tally

	mu      sync.Mutex
	waiting []client.State // the ledger does not know their commits yet
	state   map[int64]*record
	next    int // commit
}

func newViewer(u *user, q *query, v *client.View, t *tally) *viewer {
	w := &viewer{user: u, query: q, view: v, tally: t, state: map[int64]*record{}}
	u.ledger.read(w, 0)
	return w
}

// run follows until ctx ends or the View does.
func (w *viewer) run(ctx context.Context) error {
	for s, err := range w.view.States(ctx) {
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		w.mu.Lock()
		w.waiting = append(w.waiting, s)
		w.judgeLocked()
		w.mu.Unlock()
	}
	return nil
}

func (w *viewer) judge() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.judgeLocked()
}

func (w *viewer) judgeLocked() {
	for len(w.waiting) > 0 && w.user.ledger.knows(w.waiting[0].Cursor) {
		s := w.waiting[0]
		w.waiting[0] = client.State{}
		w.waiting = w.waiting[1:]
		w.advance(s.Cursor)
		w.compare(s)
	}
	w.user.ledger.read(w, w.next)
}

// advance goes over the commits that have a row up to a cursor: one inside a
// commit is that of a query which the rest of the commit does not concern.
func (w *viewer) advance(cursor clock.Seq) {
	for {
		k, ok := w.user.ledger.at(w.next)
		if !ok || k.end-clock.Seq(len(k.changes)) >= cursor {
			return
		}
		for _, ch := range k.changes {
			if ch.new == nil {
				delete(w.state, ch.id)
			} else {
				w.state[ch.id] = ch.new
			}
		}
		w.next++
	}
}

func (w *viewer) compare(s client.State) {
	t := w.tally
	t.add(&t.states, 1)
	want := w.query.result(w.user.name, w.state)
	got := texts(s.Rows, w.query.columns)
	if w.query.unordered {
		slices.SortFunc(got, slices.Compare)
	}
	if !slices.EqualFunc(got, want, slices.Equal) {
		n, first := difference(got, want)
		t.fault(&t.faults.WrongRows, int64(n), "a View of %s, query %s, at %s differs in %d rows, as %s",
			w.user.name, w.query.name, s.Cursor, n, first)
	}
}

// result returns what the query shows of rows, in the order of the key where
// it has none of its own.
func (q *query) result(owner string, rows map[int64]*record) [][]string {
	if q.kept != nil {
		return q.kept(owner, rows)
	}
	var out [][]string
	for _, id := range slices.SortedFunc(maps.Keys(rows), cmp.Compare) {
		if shown, ok := q.shows(owner, id, rows[id]); ok {
			out = append(out, shown)
		}
	}
	return out
}

// texts returns the columns of rows as query.shows does.
func texts(rows []client.Row, columns []string) [][]string {
	out := make([][]string, len(rows))
	for i, r := range rows {
		for _, c := range columns {
			text, err := r.String(c)
			if err == nil && r.IsNull(c) {
				text = null
			}
			out[i] = append(out[i], text)
		}
	}
	return out
}

// difference returns in how many rows two results differ, and one of them.
func difference(got, want [][]string) (n int, first string) {
	name := func(what string, row []string) {
		if n++; n == 1 {
			first = what
			for _, v := range row {
				first += " " + v
			}
		}
	}
	in := func(rows [][]string, row []string) bool {
		return slices.ContainsFunc(rows, func(r []string) bool { return slices.Equal(r, row) })
	}
	for _, row := range got {
		if !in(want, row) {
			name("it has", row)
		}
	}
	for _, row := range want {
		if !in(got, row) {
			name("it lacks", row)
		}
	}
	if n == 0 {
		return 1, "the rows stand in another order"
	}
	return n, first
}
