package engine_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cluster"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// nodes are the engines of a cluster in this process, over real sockets. Requests
// that belong on another node are sent there, as the server does.
type nodes struct {
	t       *testing.T
	mu      sync.Mutex
	open    map[ident.NodeID]*engine.Engine
	members map[ident.NodeID]*cluster.Member
	list    []cluster.Node
	dirs    map[ident.NodeID]string

	shards   int          // of users
	replicas int          // of a shard of users
	files    engine.Files // how files go between them
}

const clusterSecret = "a secret of a cluster of tests, 32 bytes"

func startNodes(t *testing.T, n int) *nodes { return startNodesWith(t, n, 3) }

func startNodesWith(t *testing.T, n, replicas int) *nodes {
	t.Helper()
	ns := newNodes(t, n)
	ns.replicas = replicas
	ns.each(func(id ident.NodeID) { ns.start(id, ns.list, false) })
	return ns
}

// newNodes returns n nodes that are not started, of which those that are open close
// with the test.
func newNodes(t *testing.T, n int) *nodes {
	t.Helper()
	ns := &nodes{
		t: t, open: map[ident.NodeID]*engine.Engine{}, members: map[ident.NodeID]*cluster.Member{},
		dirs: map[ident.NodeID]string{}, shards: 3, replicas: 3,
	}
	ns.files = wires(ns.engine)
	for i := 1; i <= n; i++ {
		ns.list = append(ns.list, ns.address(ident.NodeID(i)))
	}
	t.Cleanup(func() {
		var wg sync.WaitGroup
		for _, id := range slices.Collect(maps.Keys(ns.open)) { // stop deletes from it
			wg.Go(func() { ns.stop(id) })
		}
		wg.Wait()
	})
	return ns
}

// each calls f with all nodes at once.
func (ns *nodes) each(f func(ident.NodeID)) {
	ns.t.Helper()
	var wg sync.WaitGroup
	for _, n := range ns.list {
		wg.Go(func() { f(n.ID) })
	}
	wg.Wait()
	if ns.t.Failed() {
		ns.t.FailNow()
	}
}

func (ns *nodes) address(id ident.NodeID) cluster.Node {
	ns.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		ns.t.Fatal(err)
	}
	defer l.Close()
	ns.dirs[id] = ns.t.TempDir()
	return cluster.Node{ID: id, Raft: l.Addr().String(), API: fmt.Sprintf("127.0.0.1:%d", id)}
}

// start opens a node, as often as it is called.
func (ns *nodes) start(id ident.NodeID, list []cluster.Node, join bool) {
	credentials, err := cluster.FromSecret(clusterSecret, id, "127.0.0.1", time.Now())
	if err != nil {
		ns.t.Error(err)
		return
	}
	sealer, err := cluster.NewSealer(clusterSecret)
	if err != nil {
		ns.t.Error(err)
		return
	}
	e, err := engine.Open(ns.dirs[id], engine.Options{
		Shards: ns.shards, RootPassword: "root password", Cluster: &engine.Cluster{
			Node: id, Nodes: list, Join: join, Credentials: credentials, Sealer: sealer, Release: "test",
			Replicas:       ns.replicas,
			MaxClockOffset: time.Second, QuorumTimeout: 10 * time.Second, StartTimeout: time.Minute,
			Files: ns.files, Greet: ns.greet, Met: func(m *cluster.Member) {
				ns.mu.Lock()
				defer ns.mu.Unlock()
				ns.members[id] = m
			},
		},
	})
	if err != nil {
		ns.t.Errorf("node %d: %v", id, err)
		return
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	ns.open[id] = e
}

// engine returns a node that is open, nil when it is not.
func (ns *nodes) engine(id ident.NodeID) *engine.Engine {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return ns.open[id]
}

func (ns *nodes) greet(_ context.Context, to cluster.Node, mine cluster.Greeting) (
	cluster.Greeting, error,
) {
	ns.mu.Lock()
	m := ns.members[to.ID]
	ns.mu.Unlock()
	if m == nil {
		return cluster.Greeting{}, errors.New("it is not there")
	}
	answer, err := m.Answer(mine)
	if err != nil {
		err = &cluster.Refusal{Err: err}
	}
	return answer, err
}

func (ns *nodes) stop(id ident.NodeID) {
	ns.t.Helper()
	ns.mu.Lock()
	e := ns.open[id]
	delete(ns.open, id)
	delete(ns.members, id)
	ns.mu.Unlock()
	if err := e.Close(); err != nil {
		ns.t.Errorf("close node %d: %v", id, err)
	}
}

// leader returns the node that leads a shard, by what one that is open knows.
func (ns *nodes) leader(s ident.ShardID) ident.NodeID {
	ns.t.Helper()
	found := ident.NodeID(0)
	testkit.Eventually(ns.t, 30*time.Second, fmt.Sprintf("shard %d is led", s), func() bool {
		for id, e := range ns.open {
			if node, _ := e.Leader(s); node == id {
				found = id
			}
		}
		return found != 0
	})
	return found
}

// ask sends a statement to a node, and on to where it belongs.
func (ns *nodes) ask(at ident.NodeID, id engine.Identity, sql string) (string, error) {
	for deadline := time.Now().Add(20 * time.Second); ; {
		got, err := ns.open[at].Query(ns.t.Context(), id, sql)
		var to *replica.Elsewhere
		if !errors.As(err, &to) || time.Now().After(deadline) {
			return fmt.Sprint(rowsOf(got)), err
		}
		if to.Leader {
			at = ns.leader(to.Shard)
			continue
		}
		for _, n := range ns.open[at].Holders(to.Shard) {
			if e := ns.open[n.ID]; e != nil && e.Holds(to.Shard) {
				at = n.ID
			}
		}
	}
}

func rowsOf(t engine.Table) (lines []string) {
	for _, r := range t.Rows {
		line := ""
		for _, v := range r {
			line += v.Text() + " "
		}
		lines = append(lines, line)
	}
	return lines
}

func (ns *nodes) must(at ident.NodeID, id engine.Identity, sql string) string {
	ns.t.Helper()
	got, err := ns.ask(at, id, sql)
	if err != nil {
		ns.t.Fatalf("node %d, %s: %v", at, sql, err)
	}
	return got
}

// until asks a node until it answers as wanted.
func (ns *nodes) until(at ident.NodeID, id engine.Identity, sql, want string) {
	ns.t.Helper()
	ns.t.Cleanup(func() {
		if !ns.t.Failed() {
			return
		}
		for id, e := range ns.open {
			got, err := e.Query(context.Background(), root, "SELECT * FROM system.shards")
			ns.t.Logf("shards as node %d has them: %v %v", id, rowsOf(got), err)
		}
	})
	testkit.Eventually(ns.t, 2*time.Minute, sql+" is "+want, func() bool {
		got, err := ns.ask(at, id, sql)
		return err == nil && got == want
	})
}

// TestCluster_AnyNode has each statement see what another node has answered just
// before, whatever it was.
func TestCluster_AnyNode(t *testing.T) {
	ns := startNodes(t, 3)
	ns.must(1, root, "CREATE NAMESPACE app")
	ns.must(2, root, "CREATE TABLE app.t (id INT PRIMARY KEY, n INT)")
	ns.must(3, root, "CREATE SHARED TABLE app.s (id INT PRIMARY KEY, n INT) WITH (ACCESS = 'public')")
	alice := engine.Identity{Caller: "alice", Role: ident.RoleUser}
	for i := range 30 {
		at := ident.NodeID(1 + i%3)
		next := ident.NodeID(1 + (i+1)%3)
		ns.must(at, alice, fmt.Sprintf("INSERT INTO app.t (id, n) VALUES (%d, 0)", i))
		ns.must(next, alice, fmt.Sprintf("UPDATE app.t SET n = n + 1 WHERE id = %d", i))
		if got := ns.must(at, alice, fmt.Sprintf("SELECT n FROM app.t WHERE id = %d", i)); got != "[1 ]" {
			t.Fatalf("row %d is %s at node %d after an update at node %d", i, got, at, next)
		}
		ns.must(at, root, fmt.Sprintf("INSERT INTO app.s VALUES (%d, %[1]d)", i))
		join := fmt.Sprintf("SELECT s.n FROM app.t AS t JOIN app.s AS s ON s.id = t.id WHERE t.id = %d", i)
		if got := ns.must(next, alice, join); got != fmt.Sprintf("[%d ]", i) {
			t.Fatalf("a join finds %s of row %d", got, i)
		}
		ns.must(next, root, fmt.Sprintf("ALTER TABLE app.t ADD COLUMN c%d INT", i))
		ns.must(at, alice, fmt.Sprintf("UPDATE app.t SET c%d = 7 WHERE id = %[1]d", i))
	}
	ns.must(1, root, "CREATE USER carol WITH PASSWORD 'a long password' ROLE dba")
	for id, e := range ns.open {
		if _, err := e.Auth().Login(t.Context(), "carol", "a long password"); err != nil {
			t.Errorf("a login at node %d after the account was made: %v", id, err)
		}
	}
	ns.must(2, root, "DROP TABLE app.t")
	if _, err := ns.ask(3, alice, "SELECT * FROM app.t"); err == nil {
		t.Error("a table that was dropped elsewhere is read")
	}
}

// TestCluster_Members has a node join, lead a shard, and take the place of one that is
// dead, and another leave, while rows stay what they are.
func TestCluster_Members(t *testing.T) {
	ns := startNodes(t, 3)
	ns.must(1, root, "CREATE NAMESPACE app; CREATE TABLE app.t (id INT PRIMARY KEY, n INT)")
	alice := engine.Identity{Caller: "alice", Role: ident.RoleUser}
	for i := range 50 {
		ns.must(1, alice, fmt.Sprintf("INSERT INTO app.t VALUES (%d, %[1]d)", i))
	}
	ns.until(1, root, "SELECT COUNT(*) FROM system.shards WHERE state = 'ready'", "[5 ]")

	ns.must(2, root, "CLUSTER TRANSFER LEADER OF 2 TO 3")
	ns.until(1, root, "SELECT leader FROM system.shards WHERE shard = 2", "[3 ]")

	fourth := ns.address(4)
	text := fmt.Sprintf("4=%s/%s", fourth.Raft, fourth.API[len("127.0.0.1:"):])
	ns.stop(2) // for good
	ns.must(1, root, "CLUSTER REPLACE 2 WITH '"+text+"'")
	ns.start(4, []cluster.Node{ns.list[0], ns.list[2], fourth}, true)
	if t.Failed() {
		t.FailNow()
	}
	ns.until(1, root, "SELECT state FROM system.nodes ORDER BY node", "[member  gone  member  member ]")
	ns.until(4, root, "SELECT COUNT(*) FROM system.shards WHERE state = 'ready' AND held", "[5 ]")
	if got := ns.must(4, alice, "SELECT COUNT(*), SUM(n) FROM app.t"); got != "[50 1225 ]" {
		t.Errorf("the node that joined has %s", got)
	}

	ns.must(4, root, "CLUSTER LEAVE 3")
	ns.until(1, root, "SELECT state FROM system.nodes WHERE node = 3", "[gone ]")
	ns.stop(3)
	ns.must(4, alice, "INSERT INTO app.t VALUES (100, 0)")
	if got := ns.must(1, alice, "SELECT COUNT(*) FROM app.t"); got != "[51 ]" {
		t.Errorf("two nodes that are left have %s", got)
	}
}

// TestCluster_Handover has the leader of the system tables end while it has a job, which
// the next one takes up; live queries and accounts of others follow on every node.
func TestCluster_Handover(t *testing.T) {
	ns := startNodes(t, 3)
	ns.must(1, root, "CREATE NAMESPACE app; CREATE TABLE app.t (id INT PRIMARY KEY)")
	alice := engine.Identity{Caller: "alice", Role: ident.RoleUser}
	ns.must(2, alice, "INSERT INTO app.t VALUES (1)")
	led := ns.leader(ident.SystemShard)
	other := 1 + led%3
	sub, err := ns.open[other].Subscribe(t.Context(), alice,
		engine.Subscription{ID: "s", SQL: "SELECT * FROM app.t"})
	if err != nil {
		t.Fatal(err)
	}
	ns.must(led, root, "DROP TABLE app.t; CREATE TABLE app.t (id INT PRIMARY KEY)")
	testkit.Eventually(t, 20*time.Second, "a live query elsewhere ends with its table", func() bool {
		return len(ns.open[other].Hub().List()) == 0
	})
	sub.Close("")
	ns.must(other, alice, "INSERT INTO app.t VALUES (1), (2)")
	ns.stop(led)
	job := ""
	testkit.Eventually(t, 30*time.Second, "the next leader takes jobs", func() bool {
		job, err = ns.ask(other, root, "FLUSH TABLE app.t")
		return err == nil
	})
	ns.until(other, root, "SELECT status FROM system.jobs WHERE kind = 'flush'", "[completed ]")
	if got := ns.must(other, alice, "SELECT COUNT(*) FROM app.t"); got != "[2 ]" {
		t.Errorf("after job %s there are %s rows", job, got)
	}
}

// TestCluster_MoreNodesThanReplicas has tables made, changed and dropped by a leader that
// has not all of their shards, and statements run where their shard is.
func TestCluster_MoreNodesThanReplicas(t *testing.T) {
	ns := startNodesWith(t, 3, 1)
	ns.until(1, root, "SELECT COUNT(*) FROM system.shards WHERE state = 'moving'", "[0 ]")
	ns.must(1, root, "CREATE NAMESPACE app")
	ns.must(2, root, "CREATE TABLE app.t (id INT PRIMARY KEY, n INT)")
	for i := range 9 {
		user := engine.Identity{Caller: ident.UserID(fmt.Sprintf("u%d", i)), Role: ident.RoleUser}
		ns.must(ident.NodeID(1+i%3), user, "INSERT INTO app.t VALUES (1, 1)")
	}
	ns.must(3, root, "ALTER TABLE app.t ADD COLUMN m INT")
	for i := range 9 {
		user := engine.Identity{Caller: ident.UserID(fmt.Sprintf("u%d", i)), Role: ident.RoleUser}
		ns.must(ident.NodeID(1+i%3), user, "UPDATE app.t SET m = 2 WHERE id = 1")
		if got := ns.must(ident.NodeID(1+(i+1)%3), user, "SELECT n, m FROM app.t"); got != "[1 2 ]" {
			t.Errorf("user %d has %s", i, got)
		}
	}
	for _, sql := range []string{"CREATE INDEX i ON app.t (n)", "FLUSH TABLE app.t"} {
		if _, err := ns.ask(1, root, sql); !fault.Is(err, fault.Unsupported) {
			t.Errorf("%s where no node has all shards: %v", sql, err)
		}
	}
	ns.must(1, root, "DROP TABLE app.t")
}
