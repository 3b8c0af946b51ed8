package flush

import (
	"context"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// compact runs a compaction, which merges the segments of users who have many
// small ones and rewrites those with many rows that nothing points to, or a
// retention, which rewrites those with such rows from before the time for which
// deleted ones are kept. When somebody asked for a compaction, users with two
// segments or a single such row are enough.
func (m *Mover) compact(ctx context.Context, w *job.Work) error {
	t, err := m.table(w)
	if err != nil {
		return err
	}
	if w.Kind == job.Retain {
		if err := m.Purge(ctx, t); err != nil {
			return err
		}
	}
	c := &compacting{m: m, w: w, t: t}
	c.choice = m.choice(t, w.Kind, w.Params[job.ByPolicy] == "")
	for _, s := range t.Shards(m.DB.Shards()) {
		if err := c.shard(ctx, s); err != nil {
			return err
		}
	}
	w.Say("%d segments of %d users became %d, %d rows written", c.old, c.users, c.files, w.Rows())
	return nil
}

// compacting is one run of a compaction or a retention.
type compacting struct {
	m                 *Mover
	w                 *job.Work
	t                 *ddl.Table
	choice            choice
	old, users, files int
}

func (c *compacting) shard(ctx context.Context, s ident.ShardID) error {
	part, ok := c.m.DB.Partition(c.t.Partition(s))
	if !ok {
		return job.Skip("table %s was dropped", c.t.FullName())
	}
	from, more := ident.UserID(""), true
	for more {
		var users []worn
		var err error
		v := c.m.DB.View()
		users, from, more, err = c.choice.find(ctx, v, part, from, lookUsers)
		if v.Release(); err != nil {
			return err
		}
		for _, u := range users {
			if err := c.user(ctx, s, u); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (c *compacting) user(ctx context.Context, s ident.ShardID, u worn) error {
	report, err := c.m.Tier.Rewrite(ctx, c.t.ID, s, u.id, cold.Which{Segments: u.segments}, nil)
	c.w.Wrote(report.Rows, report.Bytes)
	if c.files += report.Segments; err == nil {
		c.old += len(u.segments)
		c.users++
	}
	return err
}
