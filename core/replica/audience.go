package replica

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/store"
)

// audience is who hears of a batch that has become visible: those who wait for a
// seq, and live queries. One goroutine tells it.
type audience struct {
	db      *store.DB
	publish func(ident.ShardID, clock.Seq, []live.Change)
	news    news
	counts  []atomic.Uint64 // of Changes, by shard
	changed shardChanges    // used by who tells only
}

func newAudience(
	db *store.DB, publish func(ident.ShardID, clock.Seq, []live.Change),
) audience {
	return audience{
		db: db, publish: publish,
		counts: make([]atomic.Uint64, keyspace.SharedShard(db.Shards())+1),
	}
}

// news tells those who wait that a batch has become visible.
type news struct {
	mu   sync.Mutex
	next chan struct{} // closed by the next batch; nil when nobody waits
}

func (n *news) wait() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next == nil {
		n.next = make(chan struct{})
	}
	return n.next
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next != nil {
		close(n.next)
		n.next = nil
	}
}

// Changes implements Log.
func (a *audience) Changes(s ident.ShardID) uint64 { return a.counts[s].Load() }

func (a *audience) await(
	ctx context.Context, m *apply.Machine, s ident.ShardID, seq clock.Seq, closing <-chan struct{},
) error {
	part, err := m.Partition(s)
	if err != nil {
		return err
	}
	for {
		changed := a.news.wait()
		v := a.db.View()
		applied, err := apply.AppliedSeq(v, part)
		v.Release()
		if err != nil || applied >= seq {
			return err
		}
		select {
		case <-changed:
		case <-closing:
			return errClosing
		case <-ctx.Done():
			return fault.From(ctx.Err())
		}
	}
}

// shardChanges gathers what a batch changed, by shard in the batch's order.
type shardChanges struct {
	list []shardChange
	at   map[ident.ShardID]int // index into list
}

type shardChange struct {
	shard   ident.ShardID
	last    clock.Seq
	changes []live.Change
}

func (s *shardChanges) add(id ident.ShardID, last clock.Seq, changes []live.Change) {
	i, ok := s.at[id]
	if !ok {
		if s.at == nil {
			s.at = make(map[ident.ShardID]int)
		}
		i = len(s.list)
		s.at[id] = i
		s.list = append(s.list, shardChange{shard: id})
	}
	c := &s.list[i]
	c.changes, c.last = append(c.changes, changes...), last
}

func (s *shardChanges) reset() {
	clear(s.list)
	s.list = s.list[:0]
	clear(s.at)
}

// heard gathers what commands of the batch changed, in the order of the batch.
func (a *audience) heard(cs []*command.Command, outs []apply.Outcome) {
	for i, out := range outs {
		if len(out.Changes) > 0 {
			a.changed.add(cs[i].Shard, out.Seq, out.Changes)
		}
	}
}

// tell tells what was heard, shard by shard, after the batch has become visible.
func (a *audience) tell() {
	defer a.changed.reset()
	a.news.tell()
	for _, c := range a.changed.list {
		a.counts[c.shard].Add(1)
		a.publish(c.shard, c.last, c.changes)
	}
}
