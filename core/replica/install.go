package replica

import (
	"errors"
	"io"

	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/statemachine"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/store"
)

// keyInstalling is in the node's partition, with a shard: -> nothing: what is here of
// the shard is not whole. The snapshot is installed again at the next start.
const keyInstalling = "installing"

// installer puts a snapshot into the store, in steps between which the applier does
// the work of other groups.
type installer struct {
	g    *group
	stop <-chan struct{}
	b    *store.Batch
	part store.Partition
	had  []keyspace.Name // what the shard had before
	has  map[keyspace.Name]bool
}

// install replaces all that the store has of the shard by a snapshot. Readers are
// turned away meanwhile.
func (g *group) install(from io.Reader, stop <-chan struct{}) error {
	g.held.Store(false)
	in := &installer{g: g, stop: stop, b: new(store.Batch), has: map[keyspace.Name]bool{}}
	err := in.begin()
	if err == nil {
		err = readSnapshot(from, g.shard, in)
	}
	if err == nil {
		err = in.finish()
	}
	if err != nil && !errors.Is(err, statemachine.ErrSnapshotStopped) {
		g.r.fail(err)
		err = statemachine.ErrSnapshotStopped
	}
	return err
}

// begin marks the shard, durably, and empties it.
func (in *installer) begin() error {
	g := in.g
	return g.r.hand(&portion{do: func() error {
		var mark store.Batch
		mark.Put(g.r.node, shardKey(keyInstalling, g.shard), nil)
		if err := g.r.db.Commit(&mark, true); err != nil {
			return err
		}
		var err error
		in.had, err = g.clear()
		return err
	}})
}

// clear removes all that the store has of the shard, and returns its partitions. The
// applier runs it.
func (g *group) clear() ([]keyspace.Name, error) {
	v := g.r.db.View()
	defer v.Release()
	names, err := apply.Partitions(v, g.part)
	if err != nil {
		return nil, err
	}
	var b store.Batch
	for _, name := range append(names, g.part.Name) {
		if p, ok := g.r.db.Partition(name); ok {
			b.DeleteRange(p, nil, nil)
		}
	}
	return names, g.r.db.Commit(&b, false)
}

func (in *installer) partition(name keyspace.Name) (err error) {
	if err = in.flush(); err != nil {
		return err
	}
	in.part, err = in.g.r.db.CreatePartition(name)
	in.has[name] = true
	return err
}

func (in *installer) pair(key, value []byte) error {
	in.b.Put(in.part, key, value)
	if in.b.Bytes() < applyBytes {
		return nil
	}
	return in.flush()
}

func (in *installer) flush() error {
	select {
	case <-in.stop:
		return statemachine.ErrSnapshotStopped
	default:
	}
	if in.b.Len() == 0 {
		return nil
	}
	b := in.b
	in.b = new(store.Batch)
	return in.g.r.hand(&portion{do: func() error { return in.g.r.db.Commit(b, false) }})
}

// finish takes the mark away, durably, and tells all that has kept something.
func (in *installer) finish() error {
	if err := in.flush(); err != nil {
		return err
	}
	g := in.g
	err := g.r.hand(&portion{do: func() error {
		for _, name := range in.had {
			if in.has[name] {
				continue
			}
			if err := g.r.db.DropPartition(name); err != nil {
				return err
			}
		}
		var done store.Batch
		done.Delete(g.r.node, shardKey(keyInstalling, g.shard))
		if err := g.r.db.Commit(&done, true); err != nil {
			return err
		}
		return g.reload()
	}})
	if err != nil {
		return err
	}
	g.leaderMu.Lock()
	g.installs = true
	g.leaderMu.Unlock()
	g.held.Store(true)
	g.r.wakeLeaders()
	return nil
}

// reload reads what the store has of the shard anew. The applier runs it.
func (g *group) reload() error {
	v := g.r.db.View()
	defer v.Release()
	if err := g.r.machine.ReloadShard(g.shard, v); err != nil {
		return err
	}
	index, _, err := appliedIndex(v, g.part)
	g.applied.Store(index)
	g.r.clock.Observe(g.r.machine.Last())
	g.r.counts[g.shard].Add(1)
	g.r.news.tell()
	return err
}

// isInstalling reports whether a snapshot was not installed to its end.
func (g *group) isInstalling(v *store.View) (bool, error) {
	_, found, err := v.Get(g.r.node, shardKey(keyInstalling, g.shard))
	return found, err
}

// cutLog takes a snapshot, so that the library removes what is before, once the log
// has grown enough. The half of it stays for replicas that were away: they get
// entries rather than all of the shard.
func (g *group) cutLog() {
	entries, size := g.count.Load(), g.size.Load()
	if entries < g.r.opts.SnapshotEntries && size < g.r.opts.SnapshotBytes {
		return
	}
	if !g.cutting.CompareAndSwap(false, true) {
		return
	}
	begun := g.r.begin(func() {
		defer g.cutting.Store(false)
		rs, err := g.r.host.RequestSnapshot(raftShard(g.shard), dragonboat.SnapshotOption{
			OverrideCompactionOverhead: true, CompactionOverhead: entries / 2,
		}, g.r.opts.Timeout)
		if err != nil {
			return // it is asked for again soon
		}
		select {
		case <-rs.AppliedC():
			g.count.Add(-entries)
			g.size.Add(-size)
		case <-g.r.closing:
		}
	})
	if !begun {
		g.cutting.Store(false)
	}
}

// leave removes all that the store has of a shard whose replica is gone.
func (r *Raft) leave(s ident.ShardID) error {
	g := r.groups[s]
	return r.hand(&portion{do: func() error {
		names, err := g.clear()
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := r.db.DropPartition(name); err != nil {
				return err
			}
		}
		if err := r.db.Sync(); err != nil {
			return err
		}
		return g.reload()
	}})
}
