package replica

import (
	"io"
	"maps"
	"slices"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
)

// Patience is how long Recover waits.
const Patience = patience

// RecoverBy makes Recover tell the time by now.
func (c *Coordinator) RecoverBy(now func() time.Time) { c.standing.now = now }

// AgainAfter makes a log propose an entry again that is not applied after d.
func (o *RaftOptions) AgainAfter(d time.Duration) { o.again = d }

// What the library is told.
var (
	HostConfig  = hostConfig
	GroupConfig = groupConfig
)

// AppendEntry writes an entry.
func AppendEntry(dst []byte, t apply.Ticket, list []*command.Command) []byte {
	e := entry{Ticket: t, commands: list}
	return e.append(dst)
}

// ParseEntry reads an entry.
func ParseEntry(b []byte) (apply.Ticket, []*command.Command, error) {
	e, err := parseEntry(b)
	if err != nil {
		return apply.Ticket{}, nil, err
	}
	return e.Ticket, e.commands, nil
}

// Sink takes what a snapshot has.
type Sink interface {
	Partition(keyspace.Name) error
	Pair(key, value []byte) error
}

type sinkOf struct{ Sink }

func (s sinkOf) partition(n keyspace.Name) error { return s.Partition(n) }
func (s sinkOf) pair(key, value []byte) error    { return s.Pair(key, value) }

// ReadSnapshot reads a snapshot.
func ReadSnapshot(r io.Reader, s ident.ShardID, to Sink) error {
	return readSnapshot(r, s, sinkOf{to})
}

// WriteSnapshot writes the snapshot of a shard with one partition.
func WriteSnapshot(w io.Writer, s ident.ShardID, name keyspace.Name, pairs map[string]string) error {
	out := &snapshotWriter{w: w}
	out.begin(s)
	out.frame(framePartition, []byte(name))
	for _, k := range slices.Sorted(maps.Keys(pairs)) {
		out.pair([]byte(k), []byte(pairs[k]))
	}
	out.flush()
	out.end()
	return out.err
}

// RenameHost makes a log in a folder the one of another machine.
var RenameHost = renameHost

// Vanish is Close without a word to the other nodes.
func (r *Raft) Vanish() {
	for _, g := range r.groups {
		g.held.Store(false) // it hands nothing over
	}
	_ = r.Close()
}
