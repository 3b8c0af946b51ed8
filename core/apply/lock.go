package apply

import (
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// What an intent touches is locked for all others until it is resolved, so that what
// was checked for it holds when it is applied: its rows, the unique entries that it
// adds or frees, its request, and the schemas of its tables.

// locks holds what the standing intents of a shard touch.
type locks struct {
	held   map[holder]struct{}
	tables map[ident.TableID]int // number of locks
}

func newLocks() locks {
	return locks{held: make(map[holder]struct{}), tables: make(map[ident.TableID]int)}
}

// each calls f with all that a command touches. A fill touches no row: the row's
// change removes what it adds.
func touches(c *command.Command, f func(holder) (goOn bool)) {
	if c.Request != nil && !f(requestHolder(c.Request.ID)) {
		return
	}
	for i := range c.Writes {
		w := &c.Writes[i]
		if w.Op != command.Fill && !f(rowHolder(w.Table, w.User, w.PK)) {
			return
		}
		for _, list := range [][]row.Entry{w.Remove, w.Add} {
			for _, e := range list {
				if e.Unique && !f(holder{w.Table, string(e.Key(w.User, nil))}) {
					return
				}
			}
		}
	}
}

// Keys of rows, entries and requests differ in their first byte, and no table has
// the id 0.
func requestHolder(id string) holder { return holder{0, id} }

func rowHolder(t ident.TableID, u ident.UserID, pk []byte) holder {
	return holder{t, string(row.Key(u, pk))}
}

func (l *locks) take(c *command.Command) {
	touches(c, func(h holder) bool {
		if _, again := l.held[h]; !again {
			l.held[h] = struct{}{}
			l.tables[h.table]++
		}
		return true
	})
}

func (l *locks) free(c *command.Command) {
	touches(c, func(h holder) bool {
		if _, held := l.held[h]; held {
			delete(l.held, h)
			if l.tables[h.table]--; l.tables[h.table] == 0 {
				delete(l.tables, h.table)
			}
		}
		return true
	})
}

// locked refuses a command that touches what an intent does.
func (s *shard) locked(c *command.Command) Outcome {
	if len(s.intents) == 0 {
		return Outcome{}
	}
	met := false
	touches(c, func(h holder) bool {
		_, met = s.locks.held[h]
		return !met
	})
	for i := range c.Fences {
		met = met || s.locks.tables[c.Fences[i].Table] > 0 && s.changes(&c.Fences[i])
	}
	for _, x := range c.Indexes {
		met = met || x.Gone && s.locks.tables[x.Table] > 0
	}
	if met {
		return locked
	}
	return Outcome{}
}

// changes reports whether a fence of a known table says something new.
func (s *shard) changes(f *command.Fence) bool {
	t := s.tables[f.Table]
	return t == nil || !t.fence.Dropped && (f.Dropped || f.Min > t.fence.Min || f.TTL != t.fence.TTL)
}

var locked = Outcome{Locked: true, Err: fault.New(fault.TransactionConflict,
	"a transaction over several shards that is not finished holds what this changes; run it again")}

// unlocked returns the moves of a swap whose rows no intent touches: an intent
// needs the payload where it was.
func (s *shard) unlocked(w command.Swap) table.Swap {
	if s.locks.tables[w.Table] == 0 {
		return w.Swap
	}
	rows := make([]table.Moved, 0, len(w.Rows))
	for _, r := range w.Rows {
		if _, held := s.locks.held[rowHolder(w.Table, w.User, r.PK)]; !held {
			rows = append(rows, r)
		}
	}
	w.Rows = rows
	return w.Swap
}
