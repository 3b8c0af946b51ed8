package replica_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/apply"
	certs "github.com/kalamdb/kalamdb-go/core/cluster"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/pebblekv"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// cluster is nodes in this process, on real sockets and disks.
type cluster struct {
	t       testing.TB
	dir     string
	members replica.Members
	options func(*replica.RaftOptions) // nil for the test's own
	nodes   map[ident.NodeID]*node
	shards  int                             // of users
	engine  func(ident.NodeID) store.Engine // nil for pebble
}

type node struct {
	c     *cluster
	id    ident.NodeID
	db    *store.DB
	m     *apply.Machine
	log   *replica.Raft
	clock *clock.Clock

	mu        sync.Mutex
	published map[ident.ShardID][]live.Change
}

const testShards = 2 // of users; groups 0 to 3

// freeAddress returns an address of this machine that nobody listens at.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	check(t, l.Close())
	return l.Addr().String()
}

func newCluster(t testing.TB, nodes int) *cluster {
	c := &cluster{t: t, dir: t.TempDir(), members: replica.Members{}, nodes: map[ident.NodeID]*node{},
		shards: testShards}
	for i := range nodes {
		c.members[ident.NodeID(i+1)] = freeAddress(t)
	}
	t.Cleanup(c.stop)
	return c
}

func startCluster(t testing.TB, nodes int) *cluster {
	c := newCluster(t, nodes)
	for n := range c.members {
		c.start(n, c.members)
	}
	for s := range ident.ShardID(testShards + 2) {
		check(t, c.any().propose(&command.Command{Shard: s, Fences: []command.Fence{c.fence(s)}}).Err)
	}
	return c
}

func fenceOf(c *cluster, s ident.ShardID) *command.Command {
	return &command.Command{Shard: s, Fences: []command.Fence{c.fence(s)}}
}

func (c *cluster) fence(s ident.ShardID) command.Fence {
	return command.Fence{Table: tableID, Partition: rowsOf(s), Min: 1}
}

func (c *cluster) any() *node {
	for _, n := range c.nodes {
		return n
	}
	c.t.Fatal("no node runs")
	return nil
}

// start starts a node, which takes part in new groups of all shards.
func (c *cluster) start(id ident.NodeID, members replica.Members) *node {
	c.t.Helper()
	n, err := c.open(id, members)
	check(c.t, err)
	c.nodes[id] = n
	return n
}

func (c *cluster) open(id ident.NodeID, members replica.Members) (*node, error) {
	c.t.Helper()
	n := &node{c: c, id: id, published: map[ident.ShardID][]live.Change{}}
	dir := filepath.Join(c.dir, fmt.Sprint(id))
	data, o := filepath.Join(dir, "data"), store.Options{
		Engine: "pebble", Shards: c.shards,
		OpenEngine: pebblekv.Opener(pebblekv.Options{CacheBytes: 1 << 20}),
	}
	if c.engine != nil {
		data, o.Engine = "", store.Memory
		o.OpenEngine = func(string) (store.Engine, error) { return c.engine(id), nil }
	}
	var err error
	n.db, err = store.Open(data, o)
	check(c.t, err)
	n.m, err = apply.Open(n.db)
	check(c.t, err)
	n.clock, err = replica.NewClock(n.db, time.Now)
	check(c.t, err)
	raft := replica.RaftOptions{
		Node: id, Advertise: c.members[id], Dir: filepath.Join(dir, "raft"),
		RTT: 20 * time.Millisecond, Logger: testLogger(c.t),
		Publish: func(s ident.ShardID, _ clock.Seq, changes []live.Change) {
			n.mu.Lock()
			defer n.mu.Unlock()
			n.published[s] = append(n.published[s], changes...)
		},
	}
	if members != nil {
		raft.Groups = map[ident.ShardID]replica.Members{}
		for s := range ident.ShardID(c.shards + 2) {
			raft.Groups[s] = members
		}
	}
	if c.options != nil {
		c.options(&raft)
	}
	n.log, err = replica.OpenRaft(context.Background(), n.db, n.m, n.clock, raft)
	if err != nil {
		return nil, errors.Join(err, n.db.Close())
	}
	return n, nil
}

// testLogger logs to the test what is worth a warning.
func testLogger(t testing.TB) *slog.Logger {
	if !testing.Verbose() {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func (n *node) close() {
	n.c.t.Helper()
	delete(n.c.nodes, n.id)
	check(n.c.t, errors.Join(n.log.Close(), n.db.Close()))
}

// restart closes a node and returns its number for the start.
func (c *cluster) restart(id ident.NodeID) ident.NodeID {
	c.nodes[id].close()
	return id
}

func (c *cluster) stop() {
	for _, n := range c.nodes {
		n.close()
	}
}

// propose repeats what was not done for lack of a leader.
func (n *node) propose(cmd *command.Command) apply.Outcome {
	n.c.t.Helper()
	cmd.Clock = n.clock.Now()
	deadline := time.Now().Add(30 * time.Second)
	for {
		out, err := n.log.Propose(context.Background(), cmd)
		if err == nil {
			return out
		}
		if !fault.Is(err, fault.NoQuorum) || time.Now().After(deadline) {
			n.c.t.Fatal(err)
		}
	}
}

// barrier repeats what failed for lack of a leader.
func (n *node) barrier(s ident.ShardID) {
	n.c.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := n.log.Barrier(context.Background(), s)
		if err == nil {
			return
		}
		if !fault.Is(err, fault.NoQuorum) || time.Now().After(deadline) {
			n.c.t.Fatalf("a barrier of shard %d on node %d: %v; %+v", s, n.id, err, n.log.Figures(s))
		}
	}
}

func (n *node) read(s ident.ShardID, user, pk string) (row.Record, bool) {
	n.c.t.Helper()
	n.barrier(s)
	v := n.db.View()
	defer v.Release()
	p, ok := n.db.Partition(rowsOf(s))
	if !ok {
		n.c.t.Fatalf("node %d has no partition of shard %d", n.id, s)
	}
	rec, found, err := table.Table{Part: p}.Get(
		context.Background(), v, ident.UserID(user), []byte(pk))
	check(n.c.t, err)
	return rec, found && !rec.Deleted
}

func on(s ident.ShardID, w ...command.Write) *command.Command {
	return &command.Command{Shard: s, Writes: w}
}

func TestRaft_WritesAreSeenOnAllNodes(t *testing.T) {
	c := startCluster(t, 3)
	for id, n := range c.nodes {
		for s := range ident.ShardID(testShards + 2) {
			pk := fmt.Sprint(id)
			check(t, n.propose(on(s, write(row.Insert, "a", pk, "x"+pk, 0))).Err)
			for _, other := range c.nodes {
				rec, found := other.read(s, "a", pk)
				if !found || string(rec.Payload) != "x"+pk {
					t.Errorf("node %d reads %+v %v on shard %d", other.id, rec, found, s)
				}
			}
			again := n.propose(on(s, write(row.Insert, "a", pk, "y", 0)))
			if !fault.Is(again.Err, fault.DuplicateKey) {
				t.Errorf("a second insert gave %+v", again)
			}
		}
	}
	leader, term := c.nodes[1].log.Leader(1)
	if leader == 0 || term == 0 {
		t.Errorf("node %d leads in term %d", leader, term)
	}
}

func TestRaft_RestartOfAllNodes(t *testing.T) {
	c := startCluster(t, 3)
	first := c.nodes[1].propose(on(1, write(row.Insert, "a", "1", "x", 0)))
	check(t, first.Err)
	c.stop()
	for id := range c.members {
		c.start(id, nil)
	}
	if rec, found := c.nodes[2].read(1, "a", "1"); !found || rec.Seq != first.Seq {
		t.Fatalf("after a restart the row is %+v %v", rec, found)
	}
	after := c.nodes[3].propose(on(1, write(row.Update, "a", "1", "y", first.Seq)))
	check(t, after.Err)
	if after.Seq <= first.Seq {
		t.Errorf("seq %d is not above %d", after.Seq, first.Seq)
	}
}

func TestRaft_TheMachineGetsAnotherName(t *testing.T) {
	c := startCluster(t, 1)
	check(t, c.nodes[1].propose(on(1, write(row.Insert, "a", "1", "x", 0))).Err)
	dir := filepath.Join(c.dir, "1", "raft")
	c.stop()
	check(t, replica.RenameHost(dir, "elsewhere"))
	if _, err := os.Stat(filepath.Join(dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	if _, found := c.start(1, nil).read(1, "a", "1"); !found {
		t.Error("the row is gone with the name")
	}
	c.stop()
	label := filepath.Join(dir, "dragonboat.ds")
	raw, err := os.ReadFile(label)
	check(t, err)
	raw[len(raw)/2] ^= 1
	check(t, os.WriteFile(label, raw, 0o600))
	if _, err := c.open(1, nil); !fault.Is(err, fault.Corruption) {
		t.Errorf("a damaged label gave %v", err)
	}
}

func TestRaft_Fresh(t *testing.T) {
	c := startCluster(t, 3)
	n := c.start(c.restart(2), nil)
	if n.log.Fresh(1, time.Hour) {
		t.Error("a shard of which nothing was heard is fresh")
	}
	testkit.Eventually(t, 10*time.Second, "who asks finds it fresh later", func() bool {
		return n.log.Fresh(1, time.Hour)
	})
	if n.log.Fresh(1, 0) || n.log.Fresh(99, time.Hour) {
		t.Error("no age and no shard are fresh")
	}
	d := n.digest(1)
	n.fill(1, 0, 1)
	if n.digest(1) == d {
		t.Error("a row more has the same digest")
	}
}

func TestRaft_OnLeader(t *testing.T) {
	c := newCluster(t, 3)
	type turn struct {
		node ident.NodeID
		term uint64
	}
	turns := make(chan turn, 1000)
	c.options = func(o *replica.RaftOptions) {
		if o.Node == 1 {
			o.OnLeader = func(s ident.ShardID, n ident.NodeID, term uint64) {
				if s == 1 {
					turns <- turn{n, term}
				}
			}
		}
	}
	for id := range c.members {
		c.start(id, c.members)
	}
	check(t, c.nodes[1].propose(fenceOf(c, 1)).Err)
	old, before := c.nodes[1].log.Leader(1)
	next := 1 + old%3
	testkit.Eventually(t, 20*time.Second, "the next node leads", func() bool {
		return c.nodes[1].log.TransferLeader(context.Background(), 1, next) == nil
	})
	late := time.NewTimer(20 * time.Second)
	defer late.Stop()
	for {
		select {
		case got := <-turns:
			if got.node == next && got.term > before {
				return
			}
		case <-late.C:
			t.Fatal("nobody was told of the next leader")
		}
	}
}

func TestRaft_NodesTrustOneSecret(t *testing.T) {
	c := newCluster(t, 3)
	secret := "a secret that all nodes of the cluster have in their configuration"
	c.options = func(o *replica.RaftOptions) {
		of := secret
		if o.Node == 3 {
			of += ", and this one has not"
		}
		cred, err := certs.FromSecret(of, o.Node, "127.0.0.1", time.Now())
		check(t, err)
		dir := filepath.Join(c.dir, fmt.Sprint("tls", o.Node))
		check(t, os.MkdirAll(dir, 0o700))
		files, err := cred.Write(dir)
		check(t, err)
		o.TLS = replica.RaftTLS(files)
	}
	for id := range c.members {
		c.start(id, c.members)
	}
	check(t, c.nodes[1].propose(fenceOf(c, 1)).Err)
	c.nodes[2].barrier(1)
	_, err := c.nodes[3].log.Propose(context.Background(), fenceOf(c, 1))
	if !fault.Is(err, fault.NoQuorum) {
		t.Errorf("a node with another secret got %v", err)
	}
}

// full is an engine that can be told that its disk is full.
type full struct {
	store.Engine
	now  atomic.Bool
	last atomic.Int64 // batches that still fit
}

func (f *full) Apply(b *store.Batch, sync bool) error {
	if f.now.Load() && f.last.Add(-1) < 0 {
		return fault.New(fault.StorageFull, "no space left")
	}
	return f.Engine.Apply(b, sync)
}

func TestRaft_ANodeWhoseDiskIsFullStopsAndTheOthersGoOn(t *testing.T) {
	c := newCluster(t, 3)
	engines, failed := map[ident.NodeID]*full{}, make(chan error, 1)
	for id := range c.members {
		engines[id] = &full{Engine: newLossy(t)}
	}
	c.engine = func(id ident.NodeID) store.Engine { return engines[id] }
	c.options = func(o *replica.RaftOptions) {
		if o.Node == 1 {
			o.OnFailed = func(err error) { failed <- err }
		}
	}
	for id := range c.members {
		c.start(id, c.members)
	}
	check(t, c.nodes[1].propose(fenceOf(c, 1)).Err)
	engines[1].now.Store(true)
	check(t, c.nodes[2].propose(on(1, write(row.Insert, "a", "1", "x", 0))).Err)
	if err := <-failed; !fault.Is(err, fault.StorageFull) {
		t.Errorf("the node was told to fail by %v", err)
	}
	var elsewhere *replica.Elsewhere
	_, err := c.nodes[1].log.Propose(context.Background(), fenceOf(c, 1))
	if !errors.As(err, &elsewhere) || c.nodes[1].log.Holds(1) {
		t.Errorf("a write on the node that failed gave %v", err)
	}
	one := c.nodes[1]
	delete(c.nodes, 1)
	if err := one.log.Close(); !fault.Is(err, fault.StorageFull) {
		t.Errorf("Close hid the failure: %v", err)
	}
	check(t, one.db.Close())
	check(t, c.nodes[3].propose(on(1, write(row.Insert, "a", "2", "x", 0))).Err)
	engines[1].now.Store(false)
	if _, found := c.start(1, nil).read(1, "a", "1"); !found {
		t.Error("the node that failed has not caught up")
	}
	c.same(1)
}

func TestRaft_WithoutQuorum(t *testing.T) {
	c := newCluster(t, 3)
	c.options = func(o *replica.RaftOptions) { o.Timeout = 500 * time.Millisecond }
	n := c.start(1, c.members)
	_, err := n.log.Propose(context.Background(), on(1, write(row.Insert, "a", "1", "x", 0)))
	if !fault.Is(err, fault.NoQuorum) {
		t.Errorf("a write gave %v", err)
	}
	if err := n.log.Barrier(context.Background(), 1); !fault.Is(err, fault.NoQuorum) {
		t.Errorf("a barrier gave %v", err)
	}
	var elsewhere *replica.Elsewhere
	if err := n.log.Barrier(context.Background(), 99); !errors.As(err, &elsewhere) {
		t.Errorf("a barrier on a shard that is not here gave %v", err)
	}
}

func TestRaft_TheOthersGoOnWithoutTheLeader(t *testing.T) {
	c := startCluster(t, 3)
	check(t, c.any().propose(on(1, write(row.Insert, "a", "1", "x", 0))).Err)
	leader, _ := c.any().log.Leader(1)
	c.nodes[leader].close()
	n := c.any()
	check(t, n.propose(on(1, write(row.Insert, "a", "2", "x", 0))).Err)
	back := c.start(leader, nil)
	if _, found := back.read(1, "a", "2"); !found {
		t.Error("the node that was away has not what was written meanwhile")
	}
	testkit.Eventually(t, 10*time.Second, "another leader", func() bool {
		now, _ := n.log.Leader(1)
		return now != 0
	})
}

func rowsOf(s ident.ShardID) keyspace.Name {
	return keyspace.User("chat", "messages", tableID, s)
}
