package engine

import (
	"context"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// openCold opens the cold tier.
func (e *Engine) openCold(gen *clock.Generator) {
	storages := cold.Storages(e.storages)
	if e.opts.WrapStorages != nil {
		storages = e.opts.WrapStorages(storages)
	}
	var others cold.Peers
	if e.opts.Cluster != nil {
		others = peers{e}
	}
	e.cold = cold.New(cold.Parts{
		DB: e.db, Storages: storages, Log: termed{e.log, &e.term}, Clock: e.clock, Gen: gen,
		Catalog: e.catalog, Peers: others, Logger: e.opts.Logger,
	}, e.opts.Cold)
}

// Cold returns the cold tier.
func (e *Engine) Cold() *cold.Tier { return e.cold }

// Flush moves the hot rows of a table to the cold tier: those of a user, or of all
// for "".
func (e *Engine) Flush(
	ctx context.Context, ns ident.NamespaceID, name ident.TableName, u ident.UserID,
) (sum cold.Report, err error) {
	err = e.eachShard(ns, name, u, func(t *ddl.Table, s ident.ShardID) error {
		users := []ident.UserID{u}
		if t.PerUser() && u == "" {
			users = nil
			err := e.cold.EachHot(ctx, t, s, func(h cold.Hot) error {
				users = append(users, h.User)
				return nil
			})
			if err != nil {
				return err
			}
		}
		for _, user := range users {
			r, err := e.cold.Rewrite(ctx, t.ID, s, user, cold.Which{Hot: true}, nil)
			if sum.Add(r); err != nil {
				return err
			}
		}
		return nil
	})
	return sum, err
}

// Compact rewrites all segments of a user's rows of a table into as few as they
// fit in; u is "" for a shared table.
func (e *Engine) Compact(
	ctx context.Context, ns ident.NamespaceID, name ident.TableName, u ident.UserID,
) (sum cold.Report, err error) {
	err = e.eachShard(ns, name, u, func(t *ddl.Table, s ident.ShardID) error {
		part, ok := e.db.Partition(t.Partition(s))
		if !ok {
			return nil
		}
		v := e.db.View()
		defer v.Release()
		var all []ident.SegmentID
		err := manifest.Of(v, part, u, func(g *manifest.Entry) error {
			if g.State == manifest.There {
				all = append(all, g.ID)
			}
			return nil
		})
		if err != nil || len(all) == 0 {
			return err
		}
		sum, err = e.cold.Rewrite(ctx, t.ID, s, u, cold.Which{Segments: all}, nil)
		return err
	})
	return sum, err
}

// SweepCold takes away the files of a table that nothing points to, and returns
// how many.
func (e *Engine) SweepCold(ctx context.Context, ns ident.NamespaceID, name ident.TableName) (
	deleted int, err error,
) {
	err = e.eachShard(ns, name, "", func(t *ddl.Table, s ident.ShardID) error {
		for {
			n, more, err := e.cold.Sweep(ctx, t, s)
			if deleted += n; err != nil || !more {
				return err
			}
		}
	})
	return deleted, err
}

// eachShard calls f with a table and the shard of a user, or every one for "".
func (e *Engine) eachShard(ns ident.NamespaceID, name ident.TableName, u ident.UserID,
	f func(t *ddl.Table, s ident.ShardID) error,
) error {
	t, err := e.catalog.Snapshot().Table(ns, string(name))
	if err != nil {
		return err
	}
	shards := t.Shards(e.db.Shards())
	if u != "" {
		shards = []ident.ShardID{t.Shard(u, e.db.Shards())}
	}
	for _, s := range shards {
		if err := f(t, s); err != nil {
			return err
		}
	}
	return nil
}

// Fetch implements table.Cold for the hub, which is made before the cold tier and
// reads after.
func (s *source) Fetch(ctx context.Context, v *store.View, p store.Partition, u ident.UserID,
	columns []ident.ColumnID, recs []*row.Record,
) error {
	return s.cold.Fetch(ctx, v, p, u, columns, recs)
}

// Scan implements table.Cold as Fetch does.
func (s *source) Scan(ctx context.Context, v *store.View, w table.Wanted) (table.Scan, error) {
	return s.cold.Scan(ctx, v, w)
}

// Outlook implements table.Cold as Fetch does.
func (s *source) Outlook(ctx context.Context, v *store.View, w table.Wanted) (
	table.Outlook, error,
) {
	return s.cold.Outlook(ctx, v, w)
}

// coldFigures are the figures of the cold tier.
func coldFigures(f cold.Figures) []Figure {
	count := func(name string, n int64, unit string) Figure {
		return Figure{Name: "cold_" + name, Value: n, Unit: unit, Counter: true}
	}
	const size, files, rows, groups = "bytes", "files", "rows", "row groups"
	return []Figure{
		{Name: "cold_cache_bytes", Value: f.CacheBytes, Unit: size},
		{Name: "cold_files_open", Value: f.OpenFiles, Unit: files},
		count("bytes_read", f.BytesRead, size), count("fetches", f.Fetches, "reads"),
		count("files_deleted", f.FilesDeleted, files), count("files_opened", f.FilesOpened, files),
		count("files_restored", f.FilesRestored, files),
		count("files_written", f.Segments, files), count("rows_cached", f.RowsCached, rows),
		count("groups_pruned", f.GroupsPruned, groups), count("groups_read", f.GroupsRead, groups),
		count("rows_fetched", f.RowsFetched, rows), count("rows_read", f.RowsRead, rows),
		count("rows_scanned", f.RowsScanned, rows), count("rows_swapped", f.RowsSwapped, rows),
		count("rows_written", f.RowsWritten, rows), count("scans", f.Scans, "reads"),
		count("segments_pruned", f.SegmentsPruned, files),
		count("segments_read", f.SegmentsRead, files),
	}
}
