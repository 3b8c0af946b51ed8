package replica

import (
	"context"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
)

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
func (l *Local) Changes(s ident.ShardID) uint64 { return l.counts[s].Load() }

// Barrier implements Log: what was answered is visible.
func (l *Local) Barrier(context.Context, ...ident.ShardID) error { return nil }

// Fresh implements Log.
func (l *Local) Fresh(ident.ShardID, time.Duration) bool { return true }

// Holds implements Log.
func (l *Local) Holds(ident.ShardID) bool { return true }

// Leader implements Log.
func (l *Local) Leader(ident.ShardID) (ident.NodeID, uint64) { return ident.SingleNode, 1 }

// Node implements Log.
func (l *Local) Node() ident.NodeID { return ident.SingleNode }

// Await implements Log.
func (l *Local) Await(ctx context.Context, s ident.ShardID, seq clock.Seq) error {
	part, err := l.machine.Partition(s)
	if err != nil {
		return err
	}
	for {
		changed := l.news.wait()
		v := l.db.View()
		applied, err := apply.AppliedSeq(v, part)
		v.Release()
		if err != nil || applied >= seq {
			return err
		}
		select {
		case <-changed:
		case <-l.closing:
			return errClosing
		case <-ctx.Done():
			return fault.From(ctx.Err())
		}
	}
}
