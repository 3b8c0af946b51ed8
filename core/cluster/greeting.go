package cluster

import (
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// Greeting is what a node says of itself before it shares data with another. It is
// sent as JSON; see docs/format/cluster.md.
type Greeting struct {
	Cluster   string       `json:"cluster,omitempty"` // id; "" before it belongs to one
	Node      ident.NodeID `json:"node"`
	Directory string       `json:"directory"` // id of its data directory
	Shards    int          `json:"shards"`    // of users
	Release   string       `json:"release"`   // for messages
	Commands  int          `json:"commands"`  // newest version of commands that it reads
	Barrier   int          `json:"barrier"`   // newest version that may be in the log
	Clock     time.Time    `json:"clock"`     // when it was said
}

// fits returns why a node can't share data with another, as the one that has no
// cluster yet, or else the first, is to be told. clocks is how far theirs is ahead of
// mine, with what the way has taken away.
func (mine *Greeting) fits(theirs *Greeting, clocks, most time.Duration) error {
	switch {
	case theirs.Node == mine.Node:
		return inUse(mine.Node)
	case mine.Cluster != "" && theirs.Cluster != "" && mine.Cluster != theirs.Cluster:
		return fault.New(fault.InvalidParameter, "the data directory of node %d belongs to another "+
			"cluster (%s) than that of node %d (%s); start it with its own nodes, or on an empty folder",
			mine.Node, mine.Cluster, theirs.Node, theirs.Cluster)
	case mine.Shards != theirs.Shards:
		return fault.New(fault.InvalidParameter, "node %d has %d shards and node %d has %d; set "+
			"storage.shards to the same on all, before the first start",
			mine.Node, mine.Shards, theirs.Node, theirs.Shards)
	case mine.Commands < theirs.Barrier:
		return tooOld(mine, theirs)
	case theirs.Commands < mine.Barrier:
		return tooOld(theirs, mine)
	case clocks > most || -clocks > most:
		return fault.New(fault.InvalidParameter, "the clock of node %d is %s off that of node %d, and "+
			"cluster.max_clock_offset is %s; set the clocks by a time service",
			theirs.Node, clocks.Abs().Round(time.Millisecond), mine.Node, most)
	}
	return nil
}

func inUse(node ident.NodeID) error {
	return fault.New(fault.InUse, "node number %d is in use by another data directory; a number is "+
		"never used again: give this node a new one and let it join in place of the old, with "+
		"CLUSTER REPLACE", node)
}

func tooOld(old, other *Greeting) error {
	return fault.New(fault.InvalidParameter, "node %d runs release %s, which reads commands up to "+
		"version %d, and the cluster of node %d uses version %d; upgrade it",
		old.Node, old.Release, old.Commands, other.Node, other.Barrier)
}

// ahead returns how far a clock is ahead of mine that was read between two readings
// of mine, less what the way may account for.
func ahead(theirs, before, after time.Time) time.Duration {
	switch {
	case theirs.Before(before):
		return theirs.Sub(before)
	case theirs.After(after):
		return theirs.Sub(after)
	}
	return 0
}
