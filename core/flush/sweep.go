package flush

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store/manifest"
)

// sweepWait bounds the wait for those who read what is to be deleted. A sweep
// comes again.
const sweepWait = time.Minute

// sweep deletes files that no row points to and nobody reads any more: of a table
// those that its manifest knows, of a storage those that no manifest does.
func (m *Mover) sweep(ctx context.Context, w *job.Work) error {
	if id, ok := w.Params[job.OfStorage]; ok {
		return m.sweepStorage(ctx, w, ident.StorageID(id))
	}
	t, err := m.table(w)
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
	w.Say("%d files deleted", all)
	return nil
}

// sweepShard sweeps one shard; late is true when somebody still reads what is
// left.
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

// orphanAge is how old a file is that no manifest names before it is deleted. A
// few seconds would do for uploads; who restores a backup of the data directory
// without that of a storage gets time to see it.
const orphanAge = 3 * 24 * time.Hour

// sweepStorage deletes files of ours that no manifest names, which no crash of
// ours leaves: those of uploads that a service completed after they had failed,
// or of a table whose partitions are gone.
func (m *Mover) sweepStorage(ctx context.Context, w *job.Work, id ident.StorageID) error {
	found, err := m.Orphans(ctx, id, m.Now().Add(-orphanAge), m.strike)
	if found.Files > 0 {
		w.Say("%d files of storage %s deleted that no manifest names, such as %s",
			found.Files, id, found.First)
	} else {
		w.Say("storage %s has no files but those that manifests name", id)
	}
	return err
}

// strike takes out of files those that a manifest names, also that of a table that
// was dropped and is not cleaned up yet.
func (m *Mover) strike(files map[ident.SegmentID][]string) error {
	v := m.DB.View()
	defer v.Release()
	for _, p := range m.DB.Partitions() {
		if name := string(p.Name); !strings.HasPrefix(name, "user.") &&
			!strings.HasPrefix(name, "shared.") {
			continue
		}
		err := manifest.All(v, p, "", func(_ ident.UserID, e *manifest.Entry) error {
			delete(files, e.ID)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
