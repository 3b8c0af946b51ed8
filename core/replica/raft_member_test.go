package replica_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/pebblekv"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// admit gives a running node a replica of a shard.
func (c *cluster) admit(s ident.ShardID, n *node, votes bool) {
	c.t.Helper()
	from := c.nodes[1]
	add := from.log.AddNonVoting
	if votes {
		add = from.log.AddReplica
	}
	id, err := add(context.Background(), s, n.id, c.members[n.id])
	check(c.t, err)
	check(c.t, n.log.StartGroup(s, id, votes))
}

func (n *node) digest(s ident.ShardID) replica.Digest {
	n.c.t.Helper()
	n.barrier(s)
	v := n.db.View()
	defer v.Release()
	m, err := apply.Open(n.db)
	check(n.c.t, err)
	d, err := replica.DigestOf(n.db, m, v, s)
	check(n.c.t, err)
	return d
}

// same checks that all nodes have the same rows of a shard.
func (c *cluster) same(s ident.ShardID) {
	c.t.Helper()
	want := c.any().digest(s)
	for _, n := range c.nodes {
		if got := n.digest(s); got != want {
			c.t.Errorf("node %d has other rows of shard %d", n.id, s)
		}
	}
	if want == (replica.Digest{}) {
		c.t.Errorf("shard %d has no digest", s)
	}
}

func (n *node) fill(s ident.ShardID, from, to int) {
	n.c.t.Helper()
	for i := from; i < to; i++ {
		w := write(row.Insert, "a", fmt.Sprint(i), fmt.Sprint("row ", i), 0)
		check(n.c.t, n.propose(on(s, w)).Err)
	}
}

func TestRaft_ANodeJoinsAndLeavesAndJoinsAgain(t *testing.T) {
	c := newCluster(t, 2)
	installed := make(chan ident.ShardID, 16)
	c.options = func(o *replica.RaftOptions) {
		o.SnapshotEntries = 20
		if o.Node == 2 {
			o.OnInstalled = func(s ident.ShardID) { installed <- s }
		}
	}
	first := c.start(1, replica.Members{1: c.members[1]})
	second := c.start(2, nil)
	check(t, first.propose(&command.Command{Shard: 1, Fences: []command.Fence{c.fence(1)}}).Err)
	first.fill(1, 0, 100) // so that the log is cut
	testkit.Eventually(t, 10*time.Second, "the log is cut", func() bool {
		f := first.log.Figures(1)
		return f.Entries < 60
	})
	if second.log.Holds(1) {
		t.Error("a node that is no member holds the shard")
	}
	c.admit(1, second, false)
	if got := <-installed; got != 1 {
		t.Fatalf("shard %d was installed", got)
	}
	if rec, found := second.read(1, "a", "99"); !found || string(rec.Payload) != "row 99" {
		t.Errorf("the new node reads %+v %v", rec, found)
	}
	c.same(1)
	c.admit(1, second, true) // it gets a vote
	second.fill(1, 100, 110)
	c.same(1)

	check(t, first.log.TransferLeader(context.Background(), 1, 2))
	if leader, _ := first.log.Leader(1); leader != 2 {
		t.Errorf("node %d leads", leader)
	}
	check(t, second.log.TransferLeader(context.Background(), 1, 1))
	check(t, first.log.RemoveReplica(context.Background(), 1, 2))
	check(t, second.log.StopGroup(context.Background(), 1))
	if second.log.Holds(1) {
		t.Error("a node that has left holds the shard")
	}
	if _, ok := second.db.Partition(rowsOf(1)); ok {
		t.Error("a node that has left keeps its rows")
	}
	first.fill(1, 110, 120)
	c.admit(1, second, true)
	m, err := first.log.Members(context.Background(), 1)
	check(t, err)
	if id := m.Replica(2); id == replica.FirstReplica(2) || len(m.Voting) != 2 {
		t.Errorf("the members are %+v", m)
	}
	second.fill(1, 120, 125)
	c.same(1)
	second.close()
	second = c.start(2, nil)
	second.fill(1, 125, 130)
	c.same(1)
	err = first.log.RemoveReplica(context.Background(), 2, 1)
	if !fault.Is(err, fault.InvalidParameter) {
		t.Errorf("the only replica was removed: %v", err)
	}
}

// alone opens the log of one machine over the data of a node.
func (c *cluster) alone(id ident.NodeID, use func(*replica.Local, *store.DB)) {
	c.t.Helper()
	db, err := store.Open(filepath.Join(c.dir, fmt.Sprint(id), "data"), store.Options{
		Engine: "pebble", Shards: testShards,
		OpenEngine: pebblekv.Opener(pebblekv.Options{CacheBytes: 1 << 20}),
	})
	check(c.t, err)
	m, err := apply.Open(db)
	check(c.t, err)
	ck, err := replica.NewClock(db, time.Now)
	check(c.t, err)
	l, err := replica.NewLocal(db, m, ck, replica.Options{})
	check(c.t, err)
	use(l, db)
	check(c.t, l.Close())
	check(c.t, db.Close())
}

func TestRaft_ADataDirectoryOfOneMachineBecomesACluster(t *testing.T) {
	c := newCluster(t, 3)
	var before apply.Outcome
	c.alone(1, func(l *replica.Local, _ *store.DB) {
		for s := range ident.ShardID(testShards + 2) {
			cmd := on(s, write(row.Insert, "a", "1", "from one machine", 0))
			cmd.Fences = nil
			_, err := l.Propose(context.Background(),
				&command.Command{Shard: s, Fences: []command.Fence{c.fence(s)}})
			check(t, err)
			before, err = l.Propose(context.Background(), cmd)
			check(t, err)
			check(t, before.Err)
		}
	})
	first := c.start(1, replica.Members{1: c.members[1]})
	for id := ident.NodeID(2); id <= 3; id++ {
		n := c.start(id, nil)
		for s := range ident.ShardID(testShards + 2) {
			c.admit(s, n, true)
			if rec, found := n.read(s, "a", "1"); !found || string(rec.Payload) != "from one machine" {
				t.Fatalf("node %d reads %+v %v of shard %d", id, rec, found, s)
			}
		}
	}
	after := first.propose(on(testShards+1, write(row.Update, "a", "1", "y", before.Seq)))
	check(t, after.Err)
	c.stop()
	for id := range c.members {
		c.start(id, nil)
	}
	for s := range ident.ShardID(testShards + 2) {
		c.same(s)
	}
}

func TestRaft_DataThatIsNotOfTheClusterIsRefused(t *testing.T) {
	c := newCluster(t, 3)
	c.alone(1, func(l *replica.Local, _ *store.DB) {
		_, err := l.Propose(context.Background(),
			&command.Command{Shard: 1, Fences: []command.Fence{c.fence(1)}})
		check(t, err)
	})
	c.members = replica.Members{1: c.members[1], 2: c.members[2]}
	if _, err := c.open(1, c.members); !fault.Is(err, fault.InvalidParameter) {
		t.Errorf("a new group of two with data of one gave %v", err)
	}
	c.start(2, replica.Members{2: c.members[2]})
	n := c.start(1, nil)
	id, err := c.nodes[2].log.AddNonVoting(context.Background(), 1, 1, c.members[1])
	check(t, err)
	if err := n.log.StartGroup(1, id, false); !fault.Is(err, fault.NotEmpty) {
		t.Errorf("joining with data gave %v", err)
	}
}

// TestRaft_ASnapshotThatIsHalfInstalled fails the store of a node at each step of that,
// and starts the node again.
func TestRaft_ASnapshotThatIsHalfInstalled(t *testing.T) {
	for step := range int64(6) { // mark, empty, a partition, its rows, the state, done
		t.Run(fmt.Sprint("after batch ", step), func(t *testing.T) { failInInstall(t, step) })
	}
}

func failInInstall(t *testing.T, step int64) {
	c := newCluster(t, 2)
	engines := map[ident.NodeID]*full{1: {Engine: newLossy(t)}, 2: {Engine: newLossy(t)}}
	c.engine = func(id ident.NodeID) store.Engine { return engines[id] }
	failed := make(chan error, 1)
	c.options = func(o *replica.RaftOptions) {
		o.SnapshotEntries = 20
		o.OnFailed = func(err error) { failed <- err }
	}
	first := c.start(1, replica.Members{1: c.members[1]})
	second := c.start(2, nil)
	check(t, first.propose(fenceOf(c, 1)).Err)
	first.fill(1, 0, 60)
	testkit.Eventually(t, 10*time.Second, "the log is cut", func() bool {
		return first.log.Figures(1).Entries < 58
	})
	engines[2].last.Store(step)
	engines[2].now.Store(true)
	c.admit(1, second, true)
	if err := <-failed; !fault.Is(err, fault.StorageFull) {
		t.Fatal(err)
	}
	delete(c.nodes, 2)
	if err := second.log.Close(); !fault.Is(err, fault.StorageFull) {
		t.Errorf("Close hid the failure: %v", err)
	}
	check(t, second.db.Close())
	if step > 0 { // else nothing is installed at the start
		engines[2].last.Store(1) // the number of the start
		if _, err := c.open(2, nil); !fault.Is(err, fault.StorageFull) {
			t.Fatalf("a start in which it fails again gave %v", err)
		}
		<-failed
	}
	engines[2].now.Store(false)
	second = c.start(2, nil)
	if rec, found := second.read(1, "a", "59"); !found || string(rec.Payload) != "row 59" {
		t.Errorf("the node that was started again reads %+v %v", rec, found)
	}
	c.same(1)
}
