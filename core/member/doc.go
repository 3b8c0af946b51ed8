// Package member keeps which nodes belong to a cluster and which of them have which
// shards: as documents of the system tables, which statements change, and by an
// Agent on each node, which has the groups come to be as the documents say.
//
// A replica moves in the order add, catch up, remove, so that a group never has
// fewer who keep its rows than before. Whoever leads a group adds and removes its
// members; whoever is added starts its replica and says when that has caught up. Each
// step follows from the documents and from what the group says of itself, so one that
// was interrupted is done again.
//
// A Book is safe for concurrent use. An Agent has no goroutine of its own; its owner
// runs Serve.
package member

import (
	"slices"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/placement"
)

// State is where a node is in its life as a member.
type State string

// The states of a node.
const (
	Present State = "member"
	Leaving State = "leaving" // its replicas move to others
	Gone    State = "gone"    // its number is never used again
)

// Node is a member of the cluster as it is stored. Fields are only added.
type Node struct {
	ID       ident.NodeID `json:"node"`
	Raft     string       `json:"raft"` // host:port of the log
	API      string       `json:"api"`  // host:port of the requests of nodes
	State    State        `json:"state"`
	Replaces ident.NodeID `json:"replaces,omitempty"`
	Since    time.Time    `json:"since"` // of the state
}

// Shard is where a shard is and is to be, as it is stored. Fields are only added.
type Shard struct {
	ID     ident.ShardID  `json:"shard"`
	Wanted []ident.NodeID `json:"wanted"`
	Leader ident.NodeID   `json:"leader"` // that is wanted
	// Has are the nodes with a vote in the group, as its leader last saw.
	Has []ident.NodeID `json:"has,omitempty"`
	// Replicas are the numbers under which the group took up nodes that are to catch
	// up, and Ready those of the nodes that have.
	Replicas map[ident.NodeID]uint64 `json:"replicas,omitempty"`
	Ready    []ident.NodeID          `json:"ready,omitempty"`
}

func (s *Shard) wants(n ident.NodeID) bool { return slices.Contains(s.Wanted, n) }
func (s *Shard) has(n ident.NodeID) bool   { return slices.Contains(s.Has, n) }

// replan gives shards the places that a plan has for the nodes that stay.
func replan(nodes []Node, shards []Shard, replicas int) {
	var stay []ident.NodeID
	for _, n := range nodes {
		if n.State == Present {
			stay = append(stay, n.ID)
		}
	}
	list := make([]placement.Shard, len(shards))
	for i, s := range shards {
		list[i] = placement.Shard{
			ID: s.ID, Everywhere: i == 0 || i == len(shards)-1, Replicas: s.Wanted, Leader: s.Leader,
		}
	}
	for i, p := range placement.Plan(stay, replicas, list) {
		shards[i].Wanted, shards[i].Leader = p.Replicas, p.Leader
	}
}
