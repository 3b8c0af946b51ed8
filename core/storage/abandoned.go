package storage

import (
	"context"
	"maps"
	"slices"
	"time"
)

// When what an upload has left may be taken away, and how often that is done. The
// folder of the database is this process's alone: there nobody goes on with what
// was begun before it.
const (
	abandonedAfter = 24 * time.Hour
	abandonedEvery = time.Hour
)

// sweepUploads takes away what uploads left that were cut off: in local those of
// an earlier process, in the other storages that were used since the start those
// that began long ago. What fails is told, and tried again the next time.
func (r *Registry) sweepUploads(ctx context.Context) {
	r.sweepOne(ctx, r.local, r.began)
	r.mu.Lock()
	used := slices.Collect(maps.Values(r.opened))
	r.mu.Unlock()
	for _, o := range used {
		r.sweepOne(ctx, o, r.Now().Add(-abandonedAfter))
	}
}

func (r *Registry) sweepOne(ctx context.Context, o *opened, before time.Time) {
	n, err := o.bucket.Bucket.Sweep(ctx, before) // no use of the storage that is counted
	if err != nil && ctx.Err() == nil {
		r.Logger.Warn("look for uploads that were cut off; it is tried again",
			"storage", o.def.ID, "error", err)
	}
	if n > 0 {
		r.Logger.Info("took away what was left of uploads that were cut off",
			"storage", o.def.ID, "files", n)
	}
}
