// Package replica carries commands to the state machine: a Log takes a
// command, makes it durable and applies it. Handlers don't know which Log they
// have; Local is the one of a single node.
package replica

import (
	"context"
	"fmt"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
)

// Log is the one way to change data.
type Log interface {
	// Propose returns once c is applied and, with sync durability, on stable
	// storage and visible to readers; or once it is refused, which Outcome.Err
	// tells. It blocks while the log's queue is full. When ctx ends while c is
	// still queued it is withdrawn; once its batch has begun Propose waits for
	// the outcome, so that an answer never leaves it open whether a write
	// happened.
	Propose(ctx context.Context, c *command.Command) (apply.Outcome, error)
	// ProposeAll is Propose for commands that happen together or not at all,
	// one a shard. The outcomes stand in their order; when one is refused, so
	// are all. One that is Locked met a transaction over several shards that is in the
	// middle: the package's Propose and ProposeAll try again.
	ProposeAll(ctx context.Context, cs []*command.Command) ([]apply.Outcome, error)
	// Await returns once readers see all that shard s has applied up to seq. When
	// ctx ends before, it returns its error.
	Await(ctx context.Context, s ident.ShardID, seq clock.Seq) error
	// Changes returns a number that grows with each batch that changes rows of a
	// shard: after readers see it, and before it is answered. What was read since
	// the number was taken is what an answered write has left while it stays.
	Changes(s ident.ShardID) uint64
	// Barrier returns once readers on this node see all that was answered, by
	// whatever node, before the call on the shards. It fails with NO_QUORUM when
	// that can't be known within a bound, and with Elsewhere for a shard that has no
	// replica here.
	Barrier(ctx context.Context, shards ...ident.ShardID) error
	// Fresh reports whether what readers on this node see of a shard is at most age
	// old. It does not block.
	Fresh(s ident.ShardID, age time.Duration) bool
	// Holds reports whether readers on this node see shard s.
	Holds(s ident.ShardID) bool
	// Leader returns the node that leads a shard and the term of that, as far as
	// this node knows; 0 for unknown.
	Leader(s ident.ShardID) (node ident.NodeID, term uint64)
	// Node is this node.
	Node() ident.NodeID
	// Close refuses further commands, finishes those that are queued and
	// returns when all is durable.
	Close() error
}

// Elsewhere says that a request is to be run on another node, unchanged and with the
// credentials of its sender. Nothing of it was done here.
type Elsewhere struct {
	Shard ident.ShardID
	// Leader asks for the shard's leader; else any node will do that holds the
	// shard.
	Leader bool
}

// Error implements error.
func (e *Elsewhere) Error() string {
	if e.Leader {
		return fmt.Sprintf("the leader of shard %d is another node", e.Shard)
	}
	return fmt.Sprintf("shard %d is on other nodes", e.Shard)
}
