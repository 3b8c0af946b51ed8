package replica

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/lni/dragonboat/v4"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// readers are those who wait for a barrier of a group. One round is on the way; who
// comes meanwhile waits for the next, which begins after they came.
type readers struct {
	mu      sync.Mutex
	next    *round // nil when nobody waits for it
	running bool
	asked   time.Time // when the last round that was answered began
}

type round struct {
	done chan struct{}
	err  error
}

// Barrier implements Log by ReadIndex.
func (r *Raft) Barrier(ctx context.Context, shards ...ident.ShardID) error {
	rounds := make([]*round, len(shards))
	for i, s := range shards {
		if !r.Holds(s) {
			return &Elsewhere{Shard: s}
		}
		if rounds[i] = r.groups[s].join(); rounds[i] == nil {
			return errClosing
		}
	}
	for _, w := range rounds {
		select {
		case <-w.done:
			if w.err != nil {
				return w.err
			}
		case <-ctx.Done():
			return fault.From(ctx.Err())
		}
	}
	return nil
}

// Fresh implements Log by the last barrier. Where that is older than half of age,
// another one is begun, so that a reader who comes again finds a fresh one.
func (r *Raft) Fresh(s ident.ShardID, age time.Duration) bool {
	if !r.Holds(s) {
		return false
	}
	g := r.groups[s]
	g.readers.mu.Lock()
	since := time.Since(g.readers.asked)
	g.readers.mu.Unlock()
	if since > age/2 {
		g.join()
	}
	return since <= age
}

// join returns the round that begins next, nil once the log is closed.
func (g *group) join() *round {
	g.readers.mu.Lock()
	defer g.readers.mu.Unlock()
	if g.readers.next == nil {
		g.readers.next = &round{done: make(chan struct{})}
	}
	w := g.readers.next
	if !g.readers.running {
		if !g.r.begin(g.runRounds) {
			g.readers.next = nil
			return nil
		}
		g.readers.running = true
	}
	return w
}

func (g *group) runRounds() {
	for {
		g.readers.mu.Lock()
		w := g.readers.next
		if g.readers.next = nil; w == nil {
			g.readers.running = false
			g.readers.mu.Unlock()
			return
		}
		g.readers.mu.Unlock()
		w.err = g.readIndex()
		close(w.done)
	}
}

// readAttempt is for how long an answer is waited for before it is asked again.
const readAttempt = time.Second

// readIndex returns once readers here see what the group had answered when it was
// called.
func (g *group) readIndex() error {
	deadline := time.Now().Add(g.r.opts.Timeout)
	for {
		changed := g.changed()
		began := time.Now()
		rs, err := g.r.host.ReadIndex(raftShard(g.shard), readAttempt)
		var result <-chan dragonboat.RequestResult
		again := time.NewTimer(readAttempt)
		switch {
		case err == nil:
			result = rs.AppliedC()
		case errors.Is(err, dragonboat.ErrShardNotFound):
			g.held.Store(false)
			return &Elsewhere{Shard: g.shard}
		default:
			again.Reset(retryPause)
		}
		select {
		case res := <-result:
			if res.Completed() {
				rs.Release()
				g.readers.mu.Lock()
				g.readers.asked = began
				g.readers.mu.Unlock()
				return nil
			}
			again.Reset(retryPause)
			<-again.C
		case <-changed:
		case <-again.C:
		case <-g.r.closing:
			return errClosing
		}
		if time.Now().After(deadline) {
			return fault.New(fault.NoQuorum,
				"too few nodes of shard %d answer, so that what it has is not known; try again later", g.shard)
		}
	}
}
