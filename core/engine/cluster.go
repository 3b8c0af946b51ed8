package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"hash/fnv"
	"path/filepath"
	"slices"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/cluster"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/exec"
	"github.com/kalamdb/kalamdb-go/core/member"
	"github.com/kalamdb/kalamdb-go/core/replica"
)

// Cluster has an Engine be a node of a cluster.
type Cluster struct {
	Node        ident.NodeID
	Nodes       []cluster.Node // all that are configured, this one among them
	Join        bool
	Listen      string // address of the log; "" for that of the node
	Credentials *cluster.Credentials
	Sealer      *cluster.Sealer // of the secrets in the system group; nil when all are configured
	Release     string          // for messages

	// Replicas is how many nodes have a shard of users, where there are as many; 0
	// means 3.
	Replicas int

	MaxClockOffset, QuorumTimeout time.Duration
	// StartTimeout bounds the wait of Open for other nodes, and Stop ends it.
	StartTimeout time.Duration
	Stop         <-chan struct{}

	// Greet sends greetings. Met is given what answers those of others, before this
	// node sends any.
	Greet cluster.Greet
	Met   func(*cluster.Member)

	// Failed is told, once, why this node can't go on: its store takes no writes. The
	// process is to end, and must not block here. nil tells nobody.
	Failed func(error)

	// Files sends files of the cold tier in storages that each node has for itself.
	// Without it, rows that would lie there stay hot where there are other nodes.
	Files Files
}

// How often a start that waits looks, and tells.
const (
	startLook = 50 * time.Millisecond
	startTell = 5 * time.Second
)

// clusterDir is the folder of a node's log and certificates in its data directory.
const clusterDir = "cluster"

// starting returns a context that ends when the start has waited long enough.
func (c *Cluster) starting() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), c.StartTimeout)
	if c.Stop == nil {
		return ctx, cancel
	}
	stopped := make(chan struct{})
	go func() { // ends with the cancel that is returned
		defer close(stopped)
		select {
		case <-c.Stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel()
		<-stopped
	}
}

// meet finds out whether this node belongs to its cluster.
func (e *Engine) meet(ctx context.Context) (err error) {
	c := e.opts.Cluster
	used := e.hasData()
	e.member, err = cluster.NewMember(cluster.Setup{
		Dir: e.db.Dir(), Directory: e.db.ID(), Used: used, Node: c.Node, Nodes: c.Nodes,
		Join: c.Join, Shards: e.db.Shards(), Release: c.Release,
		Commands: int(command.Newest), Barrier: int(command.First),
		MaxClockOffset: c.MaxClockOffset, Now: e.opts.Now, NewID: newClusterID,
		Logger: e.opts.Logger,
	})
	if err != nil {
		return err
	}
	if c.Met != nil {
		c.Met(e.member)
	}
	return e.member.Meet(ctx, c.Greet)
}

// hasData reports whether the store held anything before this start.
func (e *Engine) hasData() bool { return len(e.db.Partitions()) > 0 }

func newClusterID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, by its documentation
	return hex.EncodeToString(b[:])
}

// openRaft starts the log of a node.
func (e *Engine) openRaft(ctx context.Context) (*replica.Raft, error) {
	c := e.opts.Cluster
	self, ok := cluster.Find(c.Nodes, c.Node)
	if !ok {
		return nil, fault.New(fault.InvalidParameter, "node %d is not among the nodes", c.Node)
	}
	dir := filepath.Join(e.db.Dir(), clusterDir)
	files, err := c.Credentials.Write(dir)
	if err != nil {
		return nil, err
	}
	members := make(replica.Members, len(c.Nodes))
	for _, n := range c.Nodes {
		members[n.ID] = n.Raft
	}
	groups := make(map[ident.ShardID]replica.Members)
	for s := ident.SystemShard; !c.Join && s <= keyspace.SharedShard(e.db.Shards()); s++ {
		groups[s] = members
	}
	e.expectOthers()
	return replica.OpenRaft(ctx, e.db, e.machine, e.clock, replica.RaftOptions{
		Node: c.Node, Cluster: deployment(e.member.ID()), Listen: c.Listen, Advertise: self.Raft,
		Dir:     filepath.Join(dir, "log"),
		TLS:     replica.RaftTLS{CA: files.CA, Cert: files.Cert, Key: files.Key},
		Timeout: c.QuorumTimeout, Groups: groups, Publish: e.publish,
		OnInstalled: e.installed, OnLeader: e.leaderChanged, OnFailed: c.Failed,
		Logger: e.opts.Logger,
	})
}

// deployment is the number by which the logs of clusters are told apart.
func deployment(id string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(id)) // never fails
	return h.Sum64() >> 1
}

// awaitSystem waits until this node has all that the system group has answered, and
// tells the log meanwhile what it waits for.
func (e *Engine) awaitSystem(ctx context.Context) error {
	told := time.Now()
	for {
		err := e.log.Barrier(ctx, ident.SystemShard)
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return fault.New(fault.NoQuorum, "the system tables have no leader within "+
				"cluster.start_timeout; start more nodes, or set it higher")
		case !fault.Is(err, fault.NoQuorum):
			return err
		}
		if time.Since(told) >= startTell {
			told = time.Now()
			leader, _ := e.log.Leader(ident.SystemShard)
			e.opts.Logger.Info("waiting for a majority of the system group", "leader", leader,
				"nodes", len(e.opts.Cluster.Nodes))
		}
		pauseStart(ctx)
	}
}

func pauseStart(ctx context.Context) {
	select {
	case <-time.After(startLook):
	case <-ctx.Done():
	}
}

// openMembers opens what is kept of the nodes and their shards.
func (e *Engine) openMembers(keeper *exec.Keeper) {
	c := e.opts.Cluster
	if c == nil {
		return
	}
	e.members = &member.Book{DB: e.db, Write: keeper.Write, Replicas: c.Replicas, Now: e.opts.Now}
	if e.members.Replicas == 0 {
		e.members.Replicas = usualReplicas
	}
}

// usualReplicas is how many nodes have a shard when the configuration says nothing.
const usualReplicas = 3

// agent returns what has the groups of this node come to be as the system tables say;
// nil where the log has none.
func (e *Engine) agent() *member.Agent {
	groups, ok := e.log.(member.Groups)
	if !ok || e.members == nil {
		return nil
	}
	a := &member.Agent{Book: e.members, Groups: groups, Logger: e.opts.Logger}
	if !e.opts.Cluster.Join {
		for _, n := range e.opts.Cluster.Nodes {
			a.Founders = append(a.Founders, member.Node{ID: n.ID, Raft: n.Raft, API: n.API})
		}
	}
	return a
}

// joinSystem starts the replica of the system group of a node that joins.
func (e *Engine) joinSystem(raft *replica.Raft) error {
	if !e.opts.Cluster.Join || raft.Figures(ident.SystemShard).Replica != 0 {
		return nil
	}
	return raft.StartGroup(ident.SystemShard, replica.FirstReplica(e.opts.Cluster.Node), false)
}

// Leads reports whether this node leads a shard, as far as it knows. A server alone
// leads all. Work in the background that one node does at a time belongs to the
// leader of the system group.
func (e *Engine) Leads(s ident.ShardID) bool {
	node, _ := e.log.Leader(s)
	return node == e.log.Node()
}

// OnLeader has f told, until cancel is called, when another node leads a shard. f is
// not to block.
func (e *Engine) OnLeader(f func(s ident.ShardID, node ident.NodeID, term uint64)) (
	cancel func(),
) {
	e.leading.Lock()
	defer e.leading.Unlock()
	e.leading.next++
	key := e.leading.next
	if e.leading.told == nil {
		e.leading.told = make(map[int]func(ident.ShardID, ident.NodeID, uint64))
	}
	e.leading.told[key] = f
	return func() {
		e.leading.Lock()
		defer e.leading.Unlock()
		delete(e.leading.told, key)
	}
}

func (e *Engine) leaderChanged(s ident.ShardID, node ident.NodeID, term uint64) {
	e.leading.Lock()
	told := make([]func(ident.ShardID, ident.NodeID, uint64), 0, len(e.leading.told))
	for _, f := range e.leading.told {
		told = append(told, f)
	}
	e.leading.Unlock()
	if s == ident.SystemShard {
		e.opts.Logger.Info("the system group has a leader", "node", node, "term", term)
	}
	for _, f := range told {
		f(s, node, term)
	}
}

// InCluster reports whether the engine is a node of a cluster.
func (e *Engine) InCluster() bool { return e.opts.Cluster != nil }

// ClusterID returns the id of the cluster, "" for a server alone.
func (e *Engine) ClusterID() string {
	if e.member == nil {
		return ""
	}
	return e.member.ID()
}

// NodeID returns the number of this node.
func (e *Engine) NodeID() ident.NodeID { return e.log.Node() }

// Leader returns the node that leads a shard and the term of that, 0 for unknown.
func (e *Engine) Leader(s ident.ShardID) (ident.NodeID, uint64) { return e.log.Leader(s) }

// Holds reports whether this node has a replica of a shard.
func (e *Engine) Holds(s ident.ShardID) bool { return e.log.Holds(s) }

// Holders returns the nodes that have a replica of a shard.
func (e *Engine) Holders(s ident.ShardID) []cluster.Node {
	if e.opts.Cluster == nil {
		return nil
	}
	holders, err := e.members.Holders(s)
	if err != nil || len(holders) == 0 { // before the members are known
		return slices.Clone(e.opts.Cluster.Nodes)
	}
	list := make([]cluster.Node, len(holders))
	for i, n := range holders {
		list[i] = cluster.Node{ID: n.ID, Raft: n.Raft, API: n.API}
	}
	return list
}

// LastShard returns the highest shard, that of shared tables. The first is the system
// group's.
func (e *Engine) LastShard() ident.ShardID { return keyspace.SharedShard(e.db.Shards()) }

// CaughtUp reports whether this node has heard of the leader of the system group within
// the time that a statement waits for one; a server alone always has.
func (e *Engine) CaughtUp() bool {
	return e.opts.Cluster == nil || e.log.Fresh(ident.SystemShard, e.opts.Cluster.QuorumTimeout)
}
