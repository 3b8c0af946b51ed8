package storage

import (
	"context"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// When what an upload has left may be taken away, and how often that is done. The
// folder of the database is this process's alone: there nobody goes on with what
// was begun before it.
const (
	abandonedAfter = 24 * time.Hour
	abandonedEvery = time.Hour
)

// sweepUploads takes away what uploads left that were cut off: in local those of
// an earlier process, in the other storages those that began long ago. What fails
// is told, and tried again the next time.
func (r *Registry) sweepUploads(ctx context.Context) {
	r.sweepOne(ctx, r.local, r.began)
	rows, err := r.rows()
	if err != nil {
		r.Logger.Error("read the storages; it is tried again", "error", err)
	}
	for _, def := range rows {
		if !def.Claimed {
			continue // nothing was written there
		}
		o, err := r.find(ctx, def.ID)
		if err != nil {
			r.unswept(ctx, def.ID, err)
			continue
		}
		r.sweepOne(ctx, o, r.Now().Add(-abandonedAfter))
	}
}

func (r *Registry) sweepOne(ctx context.Context, o *opened, before time.Time) {
	n, err := o.bucket.Bucket.Sweep(ctx, before) // no use of the storage that is counted
	if err != nil {
		r.unswept(ctx, o.def.ID, err)
	}
	if n > 0 {
		r.Logger.Info("took away what was left of uploads that were cut off",
			"storage", o.def.ID, "files", n)
	}
}

func (r *Registry) unswept(ctx context.Context, id ident.StorageID, err error) {
	if ctx.Err() == nil {
		r.Logger.Warn("look for uploads that were cut off; it is tried again",
			"storage", id, "error", err)
	}
}
