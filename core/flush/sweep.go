package flush

import (
	"context"
	"errors"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store/manifest"
)

// sweepWait bounds how long a sweep waits for readers of earlier states. Those
// who read longer are met by the next sweep.
const sweepWait = time.Minute

// sweep takes away the files of a table that nothing points to, and what uploads
// left in its storages that an earlier process had begun.
func (m *Mover) sweep(ctx context.Context, w *job.Work) error {
	t, err := m.table(w)
	if err != nil {
		return err
	}
	storages, err := m.unsettled(t)
	if err != nil {
		return err
	}
	all := 0
	for _, s := range t.Shards(m.DB.Shards()) {
		n, late, err := m.sweepShard(ctx, t, s)
		if all += n; err != nil {
			return err
		}
		if late {
			w.Say("%d files deleted; others are still read", all)
			return nil
		}
	}
	drafts, err := m.drafts(ctx, storages)
	w.Say("%d files and %d unfinished uploads deleted", all, drafts)
	return err
}

// sweepShard sweeps one shard; late says that there are files which are still
// read.
func (m *Mover) sweepShard(ctx context.Context, t *ddl.Table, s ident.ShardID) (
	all int, late bool, err error,
) {
	waiting, cancel := context.WithTimeout(ctx, sweepWait)
	defer cancel()
	for more := true; more && err == nil; {
		var n int
		n, more, err = m.Tier.Sweep(waiting, t, s)
		all += n
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return all, true, nil
	}
	return all, false, err
}

// unsettled returns the storages that have files of a table which nothing points
// to.
func (m *Mover) unsettled(t *ddl.Table) (map[ident.StorageID]bool, error) {
	v := m.DB.View()
	defer v.Release()
	found := make(map[ident.StorageID]bool)
	for _, s := range t.Shards(m.DB.Shards()) {
		part, ok := m.DB.Partition(t.Partition(s))
		if !ok {
			continue
		}
		err := manifest.Unsettled(v, part, func(_ ident.UserID, e *manifest.Entry) error {
			found[e.Storage] = true
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// clocksApart is how far the clock of a storage may be from ours.
const clocksApart = 10 * time.Minute

// drafts removes what uploads left that were begun before this process, which is
// the only one to write there.
func (m *Mover) drafts(ctx context.Context, storages map[ident.StorageID]bool) (
	all int, err error,
) {
	for id := range storages {
		before := m.Started
		if id != ident.LocalStorage {
			before = before.Add(-clocksApart)
		}
		bucket, err := m.Bucket(ctx, id)
		if err != nil {
			return all, err
		}
		n, err := bucket.Sweep(ctx, before)
		if all += n; err != nil {
			return all, err
		}
	}
	return all, nil
}
