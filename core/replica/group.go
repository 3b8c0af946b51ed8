package replica

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/lni/dragonboat/v4/client"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store"
)

// group is what a node knows of one shard's Raft group, whether it has a replica of
// it or not.
type group struct {
	r       *Raft
	shard   ident.ShardID
	part    store.Partition
	held    atomic.Bool   // a replica is here and readers may read it
	replica atomic.Uint64 // its ReplicaID

	// The proposer. Only its goroutine gives numbers.
	queue   chan *proposal
	room    chan struct{} // has a token for each entry on the way
	session *client.Session
	number  uint64
	mu      sync.Mutex
	onWay   map[uint64]*carriage // by number; guarded by mu

	readers readers

	leadership // guarded by its own mutex

	machineState
}

// entriesOnWay bounds the entries of a group that are proposed and not applied.
const entriesOnWay = 4

func newGroup(r *Raft, s ident.ShardID) (*group, error) {
	part, err := r.machine.Partition(s)
	if err != nil {
		return nil, err
	}
	return &group{
		r: r, shard: s, part: part, queue: make(chan *proposal, r.opts.Queue),
		room:  make(chan struct{}, entriesOnWay),
		onWay: make(map[uint64]*carriage), leadership: leadership{told: true},
	}, nil
}

// raftShard is the number that the library knows a shard by: it has none with 0.
func raftShard(s ident.ShardID) uint64 { return uint64(s) + 1 }

// group returns the group of a shard, nil when there is no such shard.
func (r *Raft) group(s ident.ShardID) *group {
	if int(s) >= len(r.groups) {
		return nil
	}
	return r.groups[s]
}

// Holds implements Log. A reader that asks after it has taken its view knows that
// the view is not one of a snapshot that was half installed.
func (r *Raft) Holds(s ident.ShardID) bool {
	g := r.group(s)
	return g != nil && g.held.Load()
}

// retryPause is how long is waited before what failed for now is tried again.
const retryPause = 20 * time.Millisecond
