package engine

import (
	"context"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/internal/failpoint"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// Pace of history trimming: how often it looks, and how much one command
// removes, so that writes wait for a chunk at most.
const (
	trimEvery = time.Minute
	trimChunk = 250
)

// trimLoop removes history and audit entries that are older than their
// retention, until ctx ends. It begins at once: a process that lives shortly, again
// and again, has to trim as well.
func (e *Engine) trimLoop(ctx context.Context) {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		if err := e.TrimHistory(ctx); err != nil && ctx.Err() == nil {
			e.opts.Logger.Error("trim history; it is tried again", "error", err)
		}
		if !e.Leads(ident.SystemShard) {
			// Who leads the system tables trims it.
		} else if err := e.TrimAudit(ctx); err != nil && ctx.Err() == nil {
			e.opts.Logger.Error("trim the audit log; it is tried again", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// TrimAudit removes rows of system.audit_log that are older than the
// retention. It is done from time to time without being asked.
func (e *Engine) TrimAudit(ctx context.Context) error {
	_, err := e.audit.Trim(ctx, e.opts.Now().Add(-e.opts.AuditRetention))
	return err
}

// TrimHistory removes changes and overwritten versions that are older than the
// retention, in all tables, and deleted rows that are older than theirs. It is
// done from time to time without being asked.
// Cursors from before are answered by a resync afterwards.
func (e *Engine) TrimHistory(ctx context.Context) error {
	below := e.historyBelow()
	tables := e.catalog.Snapshot().All()
	for _, k := range catalog.AllKept() {
		tables = append(tables, k.Table())
	}
	for _, t := range tables {
		if t.State != ddl.Ready || t.Kind == ddl.StreamTable {
			continue
		}
		if err := e.trimTable(ctx, t, below); err != nil {
			return err
		}
	}
	return nil
}

// historyBelow returns the seq below which history is older than its retention.
func (e *Engine) historyBelow() clock.Seq {
	return clock.SeqAt(e.opts.Now().Add(-e.opts.HistoryRetention))
}

// evictLoop removes what has expired in stream tables, until ctx ends.
func (e *Engine) evictLoop(ctx context.Context) {
	tick := time.NewTicker(e.opts.EvictInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := e.EvictExpired(ctx); err != nil && ctx.Err() == nil {
				e.opts.Logger.Error("evict expired rows; it is tried again", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// EvictExpired removes the rows of stream tables that have expired, and their
// history: nobody sees them any more. It walks what was written in the order
// of time, so it costs what has expired and a look at each user who has rows.
// It is done from time to time without being asked. Cursors from before are
// answered by a resync afterwards. Live queries whose result is kept are told
// first.
func (e *Engine) EvictExpired(ctx context.Context) error {
	now := e.opts.Now()
	if err := e.hub.Expire(ctx, now); err != nil {
		return err
	}
	for _, t := range e.catalog.Snapshot().All() {
		if t.State != ddl.Ready || t.Kind != ddl.StreamTable {
			continue
		}
		if err := e.trimTable(ctx, t, clock.ExpiredBelow(now, t.TTL)); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) trimTable(ctx context.Context, t *ddl.Table, below clock.Seq) error {
	what := command.Trim{Table: t.ID, Below: below, Keep: e.keepDeleted(t), Limit: trimChunk}
	for _, s := range t.Shards(e.db.Shards()) {
		if !e.Leads(s) {
			continue // who leads it trims it
		}
		if err := e.trim(ctx, t, s, what); err != nil {
			return err
		}
	}
	return nil
}

// keepDeleted returns the seq from which on deleted rows of a table are kept; 0
// keeps none beyond their history.
func (e *Engine) keepDeleted(t *ddl.Table) clock.Seq {
	if !t.HasColdTier() {
		return 0
	}
	retention := t.DeletedRetention
	if retention == 0 {
		retention = e.opts.DeletedRetention
	}
	return clock.SeqAt(e.opts.Now().Add(-retention))
}

// trim removes a table's old history on one shard, chunk by chunk. Each chunk
// is first tried on a batch that is thrown away, so that nothing is proposed
// where nothing is old.
func (e *Engine) trim(
	ctx context.Context, t *ddl.Table, s ident.ShardID, what command.Trim,
) error {
	part, ok := e.db.Partition(t.Partition(s))
	if !ok {
		return nil
	}
	var cursor table.Cursor
	for {
		next, done, removed, err := e.tryTrim(part, cursor, what)
		if err != nil {
			return err
		}
		if removed > 0 {
			piece := what
			piece.Cursor = cursor
			out, err := e.log.Propose(ctx, &command.Command{
				Shard: s, Clock: e.clock.Now(), Trim: &piece,
			})
			if err == nil {
				err = out.Err
			}
			if err != nil {
				return err
			}
			failpoint.Here(failpoint.RetainPurged)
			next, done = out.Trim.Cursor, out.Trim.Done
		}
		if done || ctx.Err() != nil {
			return ctx.Err()
		}
		cursor = next
	}
}

func (e *Engine) tryTrim(p store.Partition, from table.Cursor, what command.Trim) (
	next table.Cursor, done bool, removed int, err error,
) {
	v := e.db.View()
	defer v.Release()
	return table.Table{Part: p}.Trim(v, new(store.Batch), from, what.Below, what.Keep, what.Limit)
}
