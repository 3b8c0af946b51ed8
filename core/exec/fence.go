package exec

import (
	"context"
	"slices"
	"sync"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// fence tells all shards of a table which schema version it has now, which of
// its indexes are complete and which are gone, or that it is dropped. When it
// returns no shard takes a write planned before, and what a shard has applied
// until then is not above last. It waits for transactions over several shards that
// have written rows of the table.
func (x *Executor) fence(ctx context.Context, t *ddl.Table, dropped bool) (
	last clock.Seq, err error,
) {
	shards := t.Shards(x.DB.Shards())
	errs := make([]error, len(shards))
	seqs := make([]clock.Seq, len(shards))
	var indexes []command.Index
	if !dropped {
		indexes = fencedIndexes(t)
	}
	var wg sync.WaitGroup
	for i, s := range shards {
		wg.Go(func() {
			out, err := replica.Propose(ctx, x.Log, &command.Command{
				Shard: s, Clock: x.Clock.Now(), Fences: []command.Fence{{
					Table: t.ID, Partition: t.Partition(s), Min: t.Version, Dropped: dropped,
					TTL: t.TTL,
				}},
				Indexes: indexes,
			})
			if errs[i], seqs[i] = err, out.Seq; err == nil {
				errs[i] = out.Err
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return slices.Max(seqs), nil
}

// fencedIndexes is what a fence says of the indexes of t.
func fencedIndexes(t *ddl.Table) (list []command.Index) {
	for _, x := range t.Indexes {
		if !x.Building {
			list = append(list, command.Index{Table: t.ID, Index: x.ID})
		}
	}
	for _, id := range t.Gone {
		list = append(list, command.Index{Table: t.ID, Index: id, Gone: true})
	}
	return list
}
