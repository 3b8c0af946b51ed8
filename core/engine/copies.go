package engine

import (
	"context"
	"io"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/cluster"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/object"
)

// Files sends files of the cold tier to other nodes and gets them from there.
// server/peer.Clients is one.
type Files interface {
	PutFile(ctx context.Context, to cluster.Node, c cold.Copy, r io.Reader) error
	GetFile(ctx context.Context, from cluster.Node, c cold.Copy) (io.ReadCloser, error)
}

// How often a node looks whether it has the files that its manifests name, and for
// those that none does. A file is older than copyAge before it is deleted.
const (
	fillEvery  = 5 * time.Minute
	fillSoon   = 15 * time.Second // while some are missing
	sweepEvery = 30 * time.Minute
	copyAge    = time.Hour
	fillPause  = 20 * time.Millisecond // behind each file that came
	sweepWait  = time.Minute           // for readers
)

// peers are the other nodes as the cold tier knows them.
type peers struct{ *Engine }

var _ cold.Peers = peers{}

// Own implements cold.Peers.
func (p peers) Own(id ident.StorageID) (bool, error) { return p.storages.Own(id) }

// Others implements cold.Peers.
func (p peers) Others(s ident.ShardID) (ids []ident.NodeID) {
	for _, n := range p.Holders(s) {
		if n.ID != p.NodeID() {
			ids = append(ids, n.ID)
		}
	}
	return ids
}

func (p peers) node(id ident.NodeID) (cluster.Node, error) {
	if p.opts.Cluster.Files == nil {
		return cluster.Node{}, fault.New(fault.StorageUnavailable, "this node sends no files to others")
	}
	n, ok := cluster.Find(p.Holders(ident.SystemShard), id)
	if !ok {
		return n, fault.New(fault.StorageUnavailable, "node %d is no more", id)
	}
	return n, nil
}

// Put implements cold.Peers.
func (p peers) Put(ctx context.Context, to ident.NodeID, c cold.Copy, r io.Reader) error {
	n, err := p.node(to)
	if err != nil {
		return err
	}
	return p.opts.Cluster.Files.PutFile(ctx, n, c, r)
}

// Get implements cold.Peers.
func (p peers) Get(ctx context.Context, from ident.NodeID, c cold.Copy) (io.ReadCloser, error) {
	n, err := p.node(from)
	if err != nil {
		return nil, err
	}
	return p.opts.Cluster.Files.GetFile(ctx, n, c)
}

// AcceptFile stores a file of the cold tier that another node sends.
func (e *Engine) AcceptFile(ctx context.Context, c cold.Copy, r io.Reader) error {
	if err := e.knowStorage(ctx, c.Storage); err != nil {
		return err
	}
	return e.cold.Accept(ctx, c, r)
}

// LendFile returns a file of the cold tier for another node.
func (e *Engine) LendFile(ctx context.Context, id ident.StorageID, path string) (
	object.Reader, error,
) {
	if err := e.knowStorage(ctx, id); err != nil {
		return nil, err
	}
	return e.cold.Lend(ctx, id, path)
}

// knowStorage has a storage be known that another node knows.
func (e *Engine) knowStorage(ctx context.Context, id ident.StorageID) error {
	err := e.storages.Exists(id)
	if fault.Is(err, fault.NotFound) {
		if err = e.log.Barrier(ctx, ident.SystemShard); err == nil {
			err = e.storages.Exists(id)
		}
	}
	return err
}

// copyLoop keeps the files of this node's own storages as its manifests say, until ctx
// ends.
func (e *Engine) copyLoop(ctx context.Context) {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		wait := fillEvery
		missing, err := e.FillCold(ctx)
		if missing > 0 || err != nil {
			wait = fillSoon
		}
		if err != nil && ctx.Err() == nil {
			e.opts.Logger.Warn("get files of the cold tier from other nodes; it is tried again",
				"missing", missing, "error", err)
		}
		next := time.NewTimer(wait)
		select {
		case <-next.C:
		case <-sweep.C:
			if err := e.SweepOwn(ctx, time.Now().Add(-copyAge)); err != nil && ctx.Err() == nil {
				e.opts.Logger.Warn("delete files that no manifest names; it is tried again",
					"error", err)
			}
		case <-ctx.Done():
		}
		next.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// FillCold gets the files that manifests of this node's shards name, and that it lacks,
// from other nodes. It returns how many it did not get, and why the last one. It is
// done from time to time without being asked.
func (e *Engine) FillCold(ctx context.Context) (missing int64, err error) {
	for _, t := range e.tieredTables() {
		for _, s := range t.Shards(e.db.Shards()) {
			part, ok := e.db.Partition(t.Partition(s))
			if !ok || !e.log.Holds(s) {
				continue
			}
			n, failed := e.fillShard(ctx, t, part)
			if missing += n; failed != nil {
				err = failed
			}
			if ctx.Err() != nil {
				return missing, ctx.Err()
			}
		}
	}
	e.missing.Store(missing)
	return missing, err
}

// fillShard gets what a partition lacks. It holds a view while it looks, and none while
// it waits for others.
func (e *Engine) fillShard(ctx context.Context, t *ddl.Table, part store.Partition) (
	missing int64, last error,
) {
	type lacked struct {
		user  ident.UserID
		entry manifest.Entry
	}
	var list []lacked
	v := e.db.View()
	err := manifest.All(v, part, "", func(u ident.UserID, g *manifest.Entry) error {
		own, err := e.storages.Own(g.Storage)
		if err != nil || !own || g.State != manifest.There {
			return err
		}
		has, err := e.cold.Has(ctx, g)
		if err == nil && !has {
			list = append(list, lacked{u, *g})
		}
		return err
	})
	v.Release()
	if err != nil {
		return 0, err
	}
	for _, l := range list {
		ok, err := e.cold.Restore(ctx, &l.entry)
		if ok && err == nil {
			err = e.cold.Relist(ctx, t, part, l.user, &l.entry)
		}
		switch {
		case ctx.Err() != nil:
			return missing + int64(len(list)), ctx.Err()
		case err != nil:
			missing, last = missing+1, err
		case !ok && e.stillThere(part, l.user, &l.entry):
			missing, last = missing+1, fault.New(fault.Corruption,
				"no node has the file %s of the cold tier; restore it from a backup", l.entry.Path)
		}
		pause(ctx, fillPause)
	}
	return missing, last
}

func (e *Engine) stillThere(part store.Partition, u ident.UserID, g *manifest.Entry) bool {
	v := e.db.View()
	defer v.Release()
	is, found, err := manifest.Get(v, nil, part, u, g.ID)
	return err != nil || found && is.State == manifest.There
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// SweepOwn deletes the segments in this node's own storages that are older than before
// and that no manifest of its shards names: the node that merged them deletes its own
// files, and each other does so here. It is done from time to time without being asked.
//
// An entry is older than its file, on whatever node. So behind a barrier a file that
// was there before is named by the state of this node, or is nobody's; and those who
// read an older state are waited for.
func (e *Engine) SweepOwn(ctx context.Context, before time.Time) error {
	ids, err := e.storages.IDs()
	if err != nil {
		return err
	}
	strike := func(files map[ident.SegmentID][]string) error { return e.strikeOwn(ctx, files) }
	for _, id := range ids {
		own, err := e.storages.Own(id)
		if err != nil {
			return err
		}
		if !own {
			continue
		}
		_, err = e.storages.SweepOrphans(ctx, id, before, strike)
		if err != nil && !fault.Is(err, fault.NotFound) { // nothing was written there
			return err
		}
	}
	return nil
}

// strikeOwn takes out of files those that this node has to keep.
func (e *Engine) strikeOwn(ctx context.Context, files map[ident.SegmentID][]string) error {
	var held []ident.ShardID
	for s := ident.SystemShard; s <= keyspace.SharedShard(e.db.Shards()); s++ {
		if e.log.Holds(s) {
			held = append(held, s)
		}
	}
	if err := e.log.Barrier(ctx, held...); err != nil {
		return err
	}
	v := e.db.View()
	defer v.Release()
	for _, p := range e.db.Partitions() {
		if !p.Name.Tiered() {
			continue
		}
		err := manifest.All(v, p, "", func(_ ident.UserID, g *manifest.Entry) error {
			delete(files, g.ID)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if len(files) == 0 {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, sweepWait)
	defer cancel()
	return e.db.WaitOlder(waiting, v)
}
