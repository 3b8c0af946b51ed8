package replica

import (
	"context"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

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
	return l.await(ctx, l.machine, s, seq, l.closing)
}
