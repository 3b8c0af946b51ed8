package command

import "github.com/kalamdb/kalamdb-go/commons/fault"

// Version is a format of commands. A command is written in the oldest one that
// can hold it, so that nodes of an older build read all that their build knows.
//
// The nodes of a cluster agree on the newest format that may be proposed, the
// barrier. It is kept by the system group and only ever goes up: a node proposes
// nothing newer (see Allow), and it is raised by a command, once every node has a
// build that reads more. A node that meets a newer format all the same stops the
// group: it can't know what the others made of the command.
type Version uint8

// The formats.
const (
	plain     Version = 1 // fences without TTL
	unindexed Version = 2 // no indexes, no entries
	hot       Version = 3 // nothing of cold rows
	unkept    Version = 4 // trims keep no tombstones
	alone     Version = 5 // nothing of a cluster, no erasures

	// Newest is what this build reads and writes.
	Newest Version = 6
	// First is the barrier of a cluster that never raised it: clusters began with
	// this format.
	First Version = 6
)

// Version returns the oldest format that can hold c.
func (c *Command) Version() Version {
	if c.Erase != nil || c.Epoch > 0 || c.Barrier > 0 ||
		c.Prepare != nil || c.Resolve != nil || c.Decide != nil {
		return Newest
	}
	for i := range c.Fences {
		if c.Fences[i].Emptied {
			return Newest
		}
	}
	return alone
}

// Allow refuses a command that is newer than the barrier.
func (barrier Version) Allow(c *Command) error {
	if v := c.Version(); v > barrier {
		return fault.New(fault.Unsupported, "this needs commands of format %d, and the cluster "+
			"takes up to %d; upgrade all nodes, then run it again", v, barrier)
	}
	return nil
}

// errNewer is what Parse says of a whole command that a newer build has written.
func errNewer(v Version) error {
	return fault.New(fault.Unsupported, "a command has format %d, and this build reads up to %d; "+
		"upgrade this node, it can't go on without", v, Newest)
}
