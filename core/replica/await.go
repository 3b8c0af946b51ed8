package replica

import (
	"context"
	"sync"

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
