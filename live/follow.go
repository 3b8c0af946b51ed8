package live

import (
	"slices"

	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// follow begins s after old, whose table has got another schema or was
// truncated, and reports whether old's subscriber had been told anything. It
// had a cursor and its rows are still a base: they go on with what follows the
// cursor. Otherwise they begin again.
func (s *Subscription) follow(old *Subscription, q *predicate.Query) bool {
	old.shard.mu.Lock()
	acked, cursor, before := old.acked, old.cursor, old.group.query
	old.shard.mu.Unlock()
	if !acked {
		return false
	}
	s.acked = true // of what old told, also when this one ends before it is polled
	s.out = []Message{Schema{Columns: q.Columns, SchemaVersion: q.Table.Version}}
	switch {
	case cursor != 0 && sameBase(before, q):
		s.opts.From, s.cursor, s.quiet, s.state = &cursor, cursor, true, resuming
	case cursor == 0 && old.opts.From != nil:
		// It had not resumed yet, and does now.
	default:
		s.opts.From, s.state = nil, loading
		s.out = append(s.out, Resync{Reason: RowsChanged})
	}
	return true
}

// sameBase reports whether rows that were told for a query are what the same
// query over a later definition of its table would have told: no column has
// taken the place of another. One that is gone is none that the query names,
// since it still compiles, and so is one that came since.
func sameBase(before, now *predicate.Query) bool {
	if now.Kind() != predicate.Rows || before.Table.ID != now.Table.ID ||
		!slices.Equal(before.Columns, now.Columns) {
		return false
	}
	for i := range before.Table.Columns {
		was := &before.Table.Columns[i]
		at := now.Table.Column(was.Name)
		if at < 0 {
			continue
		}
		if is := &now.Table.Columns[at]; is.ID != was.ID || is.Type.Kind != was.Type.Kind {
			return false
		}
	}
	return true
}
