package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// meetEvery is how often a node that may not begin yet greets the others again.
const meetEvery = 500 * time.Millisecond

// greetTime bounds one greeting.
const greetTime = 2 * time.Second

// Greet sends a greeting to a node and returns its answer; a refusal is an error
// that Refused knows.
type Greet func(ctx context.Context, to Node, mine Greeting) (Greeting, error)

// Refusal is an error of Greet: the other node was there and said no.
type Refusal struct{ Err error }

// Error implements error.
func (r *Refusal) Error() string { return r.Err.Error() }

// Unwrap returns what the other node said.
func (r *Refusal) Unwrap() error { return r.Err }

// Setup is a Member to be.
type Setup struct {
	Dir       string // the data directory
	Directory string // its id
	// Used says that the data directory holds data of a server without a cluster
	// when it has no record.
	Used           bool
	Node           ident.NodeID
	Nodes          []Node // as they are configured, this one among them
	Join           bool   // it is no founder
	Shards         int
	Release        string
	Commands       int // newest version of commands that this program reads
	Barrier        int // newest version that may be in the log
	MaxClockOffset time.Duration
	Now            func() time.Time
	NewID          func() string // of a cluster that this node founds
	Logger         *slog.Logger
}

// Member is this node's belonging to a cluster. It is safe for concurrent use.
//
// The founder is the first of the configured nodes by number. It gives the
// cluster its id once it has heard more than half of the nodes, none of which
// belongs to a cluster: so a founder that lost its data directory can't found a
// second cluster beside the first. The others wait until they hear of an id. A
// number stays with the data directory that it was met with first.
type Member struct {
	setup Setup

	mu     sync.Mutex
	record Record
}

// NewMember reads what the data directory remembers.
func NewMember(s Setup) (*Member, error) {
	record, err := ReadRecord(s.Dir)
	if err != nil {
		return nil, err
	}
	if record.Node != 0 && record.Node != s.Node {
		return nil, fault.New(fault.InvalidParameter,
			"the data directory %s is that of node %d, not %d; set cluster.node to %d or name "+
				"another folder", s.Dir, record.Node, s.Node, record.Node)
	}
	m := &Member{setup: s, record: record.clone()}
	if record.Cluster == "" && s.Used && !m.founder() {
		return nil, fault.New(fault.InvalidParameter,
			"the data directory %s holds data already; only the first of a new cluster's nodes "+
				"may bring data: start node %d on it, and this one on an empty folder",
			s.Dir, s.Nodes[0].ID)
	}
	m.record.Node = s.Node
	return m, nil
}

func (m *Member) founder() bool { return !m.setup.Join && m.setup.Nodes[0].ID == m.setup.Node }

// Founder reports whether this node has founded the cluster or is to do so.
func (m *Member) Founder() bool { return m.founder() }

// ID returns the id of the cluster, "" before it is known.
func (m *Member) ID() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.record.Cluster
}

// Greeting returns what this node says of itself now.
func (m *Member) Greeting() Greeting {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.greetingLocked()
}

func (m *Member) greetingLocked() Greeting {
	s := &m.setup
	return Greeting{
		Cluster: m.record.Cluster, Node: s.Node, Directory: s.Directory, Shards: s.Shards,
		Release: s.Release, Commands: s.Commands, Barrier: s.Barrier, Clock: s.Now(),
	}
}

// Answer takes the greeting of another node and returns this one's, or why it may
// not take part.
func (m *Member) Answer(theirs Greeting) (Greeting, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	mine := m.greetingLocked()
	// Clocks are judged by the greeter, who knows how long the way took.
	if err := mine.fits(&theirs, 0, m.setup.MaxClockOffset); err != nil {
		return mine, err
	}
	return mine, m.rememberLocked(&theirs)
}

// rememberLocked ties the number of a node to its data directory.
func (m *Member) rememberLocked(theirs *Greeting) error {
	switch m.record.Peers[theirs.Node] {
	case theirs.Directory:
		return nil
	case "":
		m.record.Peers[theirs.Node] = theirs.Directory
		return m.record.write(m.setup.Dir)
	}
	return inUse(theirs.Node)
}

// Meet greets the other nodes until this one may take part, and returns an error
// when it may not, or when ctx ends before that is known. A node that belongs to
// the cluster already starts whoever answers.
func (m *Member) Meet(ctx context.Context, greet Greet) error {
	for {
		heard, missing, err := m.round(ctx, greet)
		if err != nil {
			return err
		}
		if done, err := m.decide(heard); done || err != nil {
			return err
		}
		m.setup.Logger.Info("waiting for the other nodes of the cluster", "node", m.setup.Node,
			"heard", heard.count, "missing", strings.Join(missing, "; "))
		select {
		case <-time.After(meetEvery):
		case <-ctx.Done():
			return fault.New(fault.NoQuorum, "too few nodes of the cluster answer to begin: %s; "+
				"start them, or set cluster.start_timeout higher", strings.Join(missing, "; "))
		}
	}
}

// heard is who answered a round of greetings.
type heard struct {
	count   int
	cluster string // id of theirs, "" for none
}

// round greets all others at once. The error is a refusal, by them or by this node.
func (m *Member) round(ctx context.Context, greet Greet) (h heard, missing []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, greetTime)
	defer cancel()
	type answer struct {
		node          Node
		theirs        Greeting
		before, after time.Time
		err           error
	}
	answers := make(chan answer, len(m.setup.Nodes))
	asked := 0
	for _, n := range m.setup.Nodes {
		if n.ID == m.setup.Node {
			continue
		}
		asked++
		go func() { // ends with ctx; all are received below
			a := answer{node: n, before: m.setup.Now()}
			a.theirs, a.err = greet(ctx, n, m.Greeting())
			a.after = m.setup.Now()
			answers <- a
		}()
	}
	for range asked {
		a := <-answers
		var refused *Refusal
		switch {
		case errors.As(a.err, &refused):
			err = errors.Join(err, fault.New(fault.CodeOf(refused.Err),
				"node %d refuses this node: %v", a.node.ID, message(refused.Err)))
			continue
		case a.err != nil:
			missing = append(missing, fmt.Sprintf("node %d at %s: %v", a.node.ID, a.node.API,
				message(a.err)))
			continue
		}
		if bad := m.take(a.node, &a.theirs, ahead(a.theirs.Clock, a.before, a.after)); bad != nil {
			err = errors.Join(err, bad)
			continue
		}
		h.count++
		if a.theirs.Cluster != "" {
			h.cluster = a.theirs.Cluster
		}
	}
	return h, missing, first(err)
}

// first returns the first of joined errors, so that it keeps its code.
func first(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return first(joined.Unwrap()[0])
	}
	return err
}

func message(err error) string {
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Message
	}
	return err.Error()
}

func (m *Member) take(n Node, theirs *Greeting, clocks time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	mine := m.greetingLocked()
	if theirs.Node != n.ID {
		return fault.New(fault.InvalidParameter, "at %s answers node %d, not node %d; mend "+
			"cluster.nodes", n.API, theirs.Node, n.ID)
	}
	if err := mine.fits(theirs, clocks, m.setup.MaxClockOffset); err != nil {
		return err
	}
	return m.rememberLocked(theirs)
}

// decide reports whether the node may begin with those who were heard.
func (m *Member) decide(h heard) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.record.Cluster != "":
		return true, nil
	case h.cluster != "" && m.setup.Used:
		return false, fault.New(fault.InvalidParameter, "the nodes belong to cluster %s, and the data "+
			"directory %s holds data of its own; name an empty folder", h.cluster, m.setup.Dir)
	case h.cluster != "":
		m.record.Cluster = h.cluster
	case m.founder() && 2*(h.count+1) > len(m.setup.Nodes):
		m.record.Cluster = m.setup.NewID()
	default:
		return false, nil
	}
	return true, m.record.write(m.setup.Dir)
}
