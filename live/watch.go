package live

import (
	"fmt"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// watch gives a new group the kept result that its query has, unless it is one
// of rows. The caller holds sh.mu.
func (sh *shard) watch(h *Hub, g *group) {
	if g.query.Kind() == predicate.Rows {
		return
	}
	g.kept = newResult(h, sh, g)
	if canExpire(g.query) {
		sh.expiring[g.kept] = struct{}{}
	}
	for _, t := range g.query.Follows() {
		k := feedKey{t.ID, g.key.feed.user}
		sh.watched[k] = append(sh.watched[k], g.kept)
	}
}

// unwatch lets go of the kept result of a group that is gone. The caller holds
// sh.mu.
func (sh *shard) unwatch(g *group) {
	if g.kept == nil {
		return
	}
	delete(sh.expiring, g.kept)
	if g.kept.rest != nil {
		g.kept.rest.Stop()
	}
	for _, t := range g.query.Follows() {
		k := feedKey{t.ID, g.key.feed.user}
		left := slices.DeleteFunc(sh.watched[k], func(r *result) bool { return r == g.kept })
		if sh.watched[k] = left; len(left) == 0 {
			delete(sh.watched, k)
		}
	}
}

// stir notes that kept results are to be looked at again, and appends whom to
// wake for it.
func (sh *shard) stir(applied clock.Seq, changes []Change, wake []*Subscription) []*Subscription {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if len(sh.watched) == 0 {
		return wake
	}
	for i := range changes {
		c := &changes[i]
		if i > 0 && c.Table == changes[i-1].Table && c.User == changes[i-1].User {
			continue
		}
		for _, r := range sh.watched[feedKey{c.Table, c.User}] {
			if r.touched = max(r.touched, applied); !r.resting {
				wake = r.stirLocked(wake)
			}
		}
	}
	return wake
}

// tables returns what the subscription follows, nothing when it has ended.
func (s *Subscription) tables() []*ddl.Table {
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	if s.group == nil {
		return nil
	}
	return s.group.query.Follows()
}

// follows reports whether changes of a table concern s.
func (s *Subscription) follows(t ident.TableID) bool {
	if s.table == t || s.kept == nil {
		return s.table == t
	}
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	return s.group != nil && slices.ContainsFunc(s.group.query.Follows(),
		func(f *ddl.Table) bool { return f.ID == t })
}

func compiled(q *predicate.Query) bool {
	switch {
	case q == nil:
		return false
	case q.Rerun != nil:
		return q.Rerun.Run != nil && len(q.Rerun.Follows) > 0
	}
	return q.Match != nil && (q.Project != nil || q.Groups != nil)
}

// checkKept checks what is asked of a query whose result is kept.
func (h *Hub) checkKept(spec *Spec) error {
	q := spec.Query
	if q.Kind() == predicate.Rows {
		return nil
	}
	if spec.Options.LastRows != nil {
		return fault.New(fault.InvalidParameter,
			"last_rows goes with a query of rows; this one is kept as %s, say LIMIT in it", q.Kind())
	}
	if w, most := q.Window, h.opts.WindowRows; w != nil && w.Offset > most-w.Limit {
		return fault.New(fault.LiveUnsupportedQuery,
			"a live window reaches %d rows at most, OFFSET included; take a smaller LIMIT",
			most)
	}
	shard := h.opts.Source.Shard(q.Table, spec.User)
	for _, t := range q.Follows() {
		if t.PerUser() != q.Table.PerUser() || h.opts.Source.Shard(t, spec.User) != shard {
			return fault.New(fault.LiveUnsupportedQuery,
				"%s and %s can't be followed together: their rows are not of one user",
				q.Table.FullName(), t.FullName())
		}
	}
	return nil
}

// Cost says in words what a change of a followed table costs a query.
func (h *Hub) Cost(q *predicate.Query) string {
	switch q.Kind() {
	case predicate.WindowRows:
		refill := "all rows that may match"
		if q.Window.Order == nil {
			refill = "the window's rows"
		}
		return "a read by key; " + refill + " when rows have left and the reserve is used up"
	case predicate.Aggregates:
		return "the row before and after it; all rows that may match when a MIN or MAX has left"
	case predicate.Reevaluated:
		return fmt.Sprintf("a run of the statement, at most one every %s", h.opts.RerunInterval)
	}
	return "the filter and the projection of the row, once for all who follow the same query"
}
