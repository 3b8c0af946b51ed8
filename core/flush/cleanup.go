package flush

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
)

// CleanupOf returns the request that deletes the files and partitions of a table
// whose definition is gone from the catalogue.
func CleanupOf(t *ddl.Table) (job.Request, error) {
	doc, err := json.Marshal(dropped{t.ID, t.Namespace, t.Name, t.Kind, t.Scope})
	if err != nil {
		return job.Request{}, fault.Wrap(fault.Internal, err, "encode table %s", t.FullName())
	}
	return job.Request{
		Kind: job.Cleanup, Namespace: t.Namespace, Table: t.Name, TableID: t.ID,
		Params: map[string]string{job.Dropped: string(doc)},
	}, nil
}

// dropped is what is kept of the definition of a table: what names its
// partitions.
type dropped struct {
	ID        ident.TableID     `json:"id"`
	Namespace ident.NamespaceID `json:"namespace"`
	Name      ident.TableName   `json:"name"`
	Kind      ddl.TableKind     `json:"kind"`
	Scope     ddl.Scope         `json:"scope,omitempty"`
}

// Empty has the partition of a dropped table removed on a shard, on each node that
// has it. Of files that the partition knows of nothing is known afterwards.
func Empty(
	ctx context.Context, log replica.Log, ck *clock.Clock, t *ddl.Table, s ident.ShardID,
) error {
	out, err := replica.Propose(ctx, log, &command.Command{
		Shard: s, Clock: ck.Now(), Fences: []command.Fence{{
			Table: t.ID, Partition: t.Partition(s), Min: t.Version, Dropped: true, Emptied: true,
		}},
	})
	if err == nil {
		err = out.Err
	}
	return err
}

// HasSegments reports whether a partition of a table knows of a file.
func HasSegments(db *store.DB, t *ddl.Table) (found bool, err error) {
	v := db.View()
	defer v.Release()
	for _, s := range t.Shards(db.Shards()) {
		part, ok := db.Partition(t.Partition(s))
		if !ok {
			continue
		}
		err := manifest.All(v, part, "", func(ident.UserID, *manifest.Entry) error {
			found = true
			return errEnough
		})
		if err != nil && !errors.Is(err, errEnough) {
			return false, err
		}
	}
	return found, nil
}

// cleanup removes the rows of a dropped user, or deletes the files of a dropped
// table, and then what knows of them. One that is interrupted deletes again what is
// gone already, which is no error.
func (m *Mover) cleanup(ctx context.Context, w *job.Work) error {
	if u, ok := w.Params[job.ForUser]; ok {
		return m.eraseUser(ctx, w, ident.UserID(u))
	}
	var doc dropped
	if err := json.Unmarshal([]byte(w.Params[job.Dropped]), &doc); err != nil {
		return fault.Wrap(fault.Corruption, err, "read the definition of the dropped table")
	}
	t := &ddl.Table{
		ID: doc.ID, Namespace: doc.Namespace, Name: doc.Name, Kind: doc.Kind, Scope: doc.Scope,
	}
	if now, ok := m.Catalog.Snapshot().TableByID(t.ID); ok && now.State == ddl.Ready {
		return job.Skip("table %s was not dropped", t.FullName())
	}
	if err := m.left(ctx, t); err != nil {
		return err
	}
	deleted := int64(0)
	for _, s := range t.Shards(m.DB.Shards()) {
		part, ok := m.DB.Partition(t.Partition(s))
		if !ok {
			continue // this far it came before
		}
		n, err := m.deleteFiles(ctx, w, part)
		if deleted += n; err != nil {
			return err
		}
		if err := Empty(ctx, m.Log, m.Clock, t, s); err != nil {
			return err
		}
	}
	w.Say("%d files deleted", deleted)
	return nil
}

// busyEvery is how often it is looked whether a job has left a table.
const busyEvery = 50 * time.Millisecond

// left waits until no job writes files of a table, and nobody reads it from
// before it was dropped, or has done so for too long.
func (m *Mover) left(ctx context.Context, t *ddl.Table) error {
	tick := time.NewTicker(busyEvery)
	defer tick.Stop()
	for m.Busy(t.ID) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return m.waitOlder(ctx)
}

// deleteFiles deletes the files of a partition's manifest.
func (m *Mover) deleteFiles(ctx context.Context, w *job.Work, part store.Partition) (
	deleted int64, err error,
) {
	v := m.DB.View()
	defer v.Release()
	listing := "" // that was deleted
	err = manifest.All(v, part, "", func(_ ident.UserID, e *manifest.Entry) error {
		bucket, err := m.Bucket(ctx, e.Storage)
		if fault.Is(err, fault.NotFound) { // the storage was dropped, and its files left to whoever did
			return nil
		}
		at := cold.ListingPath(e)
		if of := string(e.Storage) + ":" + at; err == nil && of != listing {
			err = bucket.Delete(ctx, at)
			listing = of
		}
		if err == nil {
			err = bucket.Delete(ctx, e.Path)
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		deleted++
		w.Wrote(int64(e.Rows), e.Bytes)
		return ctx.Err()
	})
	return deleted, err
}
