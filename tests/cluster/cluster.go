// Package cluster starts real servers that form a cluster, from a config file of five
// lines each, and kills, pauses and restarts them. Suites over clusters are built on
// it.
//
// Its functions fail the test themselves and clean up through it.
package cluster

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// Secret is the secret of the clusters that New makes.
const Secret = "a-secret-of-the-nodes-of-a-test"

// Node is a server of a cluster: a process, and what it is configured with.
type Node struct {
	*blackbox.Process     // nil until it is started
	ID                int // from 1
	Dir               string
	Port, Raft, API   int
	config            string
}

// Cluster is some nodes. Its methods are for the test's goroutine.
type Cluster struct {
	Nodes []*Node // by number from 1, in order
	t     testing.TB
	root  string // Authorization of root
}

// New writes the config of n nodes and starts none. more are further lines of each
// config.
func New(t testing.TB, n int, more ...string) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	dir := t.TempDir()
	ports := freePorts(t, 3*n)
	var list []string
	for i := range n {
		node := &Node{
			ID: i + 1, Dir: filepath.Join(dir, fmt.Sprintf("node%d", i+1)),
			Port: ports[3*i], Raft: ports[3*i+1], API: ports[3*i+2],
		}
		list = append(list, fmt.Sprintf("%q", node.address()))
		c.Nodes = append(c.Nodes, node)
	}
	for _, node := range c.Nodes {
		node.write(t, append([]string{
			fmt.Sprintf("server.port = %d", node.Port),
			"storage.data_dir = \"data\"",
			fmt.Sprintf("cluster.node = %d", node.ID),
			"cluster.nodes = [" + strings.Join(list, ", ") + "]",
			fmt.Sprintf("cluster.secret = %q", Secret),
		}, more...))
	}
	t.Cleanup(c.stop)
	return c
}

// Start is New, and starts all nodes at once.
func Start(t testing.TB, n int, more ...string) *Cluster {
	t.Helper()
	c := New(t, n, more...)
	c.Begin()
	return c
}

func (n *Node) address() string {
	return fmt.Sprintf("%d=localhost:%d/%d", n.ID, n.Raft, n.API)
}

// Configure replaces the config of the node's next start by these lines.
func (n *Node) Configure(t testing.TB, lines ...string) {
	t.Helper()
	n.write(t, lines)
}

func (n *Node) write(t testing.TB, lines []string) {
	t.Helper()
	if err := os.MkdirAll(n.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	n.config = filepath.Join(n.Dir, "kalamdb.toml")
	text := strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(n.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Config returns the lines of the node's config.
func (n *Node) Config(t testing.TB) []string {
	t.Helper()
	raw, err := os.ReadFile(n.config)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(raw)), "\n")
}

// DataDir is the node's data directory.
func (n *Node) DataDir() string { return filepath.Join(n.Dir, "data") }

// Launch starts the node and waits until it serves statements. It may be called from
// several goroutines for several nodes.
func (n *Node) Launch(t testing.TB, binary string) error {
	if n.Process != nil {
		return n.Process.Restart(t.Context())
	}
	p, err := blackbox.Start(t.Context(), blackbox.Options{
		Binary: binary, DataDir: n.DataDir(), Config: n.config, Port: n.Port,
	})
	if err == nil {
		n.Process = p
	}
	return err
}

// Begin starts all nodes that do not run, at once, and fails the test when one does not
// start.
func (c *Cluster) Begin() {
	c.t.Helper()
	binary := testkit.Binary(c.t, "kalamdb-server")
	errs := make([]error, len(c.Nodes))
	var wg sync.WaitGroup
	for i, n := range c.Nodes {
		if n.Process == nil || !n.Alive() {
			wg.Go(func() { errs[i] = n.Launch(c.t, binary) })
		}
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			c.t.Fatalf("start node %d: %v", i+1, err)
		}
	}
}

// Node returns the node of a number.
func (c *Cluster) Node(id int) *Node { return c.Nodes[id-1] }

// Restart starts a node again that was killed or stopped.
func (c *Cluster) Restart(id int) {
	c.t.Helper()
	if err := c.Node(id).Restart(c.t.Context()); err != nil {
		c.t.Fatalf("start node %d again: %v", id, err)
	}
}

// Root returns a client of root at a node, by the password that the cluster made.
func (c *Cluster) Root(id int) *blackbox.Client {
	c.t.Helper()
	if c.root == "" {
		c.root = blackbox.Basic(blackbox.RootUser, c.password())
	}
	return &blackbox.Client{URL: c.Node(id).URL, Authorization: c.root}
}

// User returns a client that acts for a user at a node.
func (c *Cluster) User(id int, user string) *blackbox.Client {
	c.t.Helper()
	return c.Root(id).WithUser(user)
}

// password is that of root, which stands at one of the nodes.
func (c *Cluster) password() string {
	c.t.Helper()
	var found []string
	for _, n := range c.Nodes {
		raw, err := os.ReadFile(filepath.Join(n.DataDir(), "root_password"))
		if err == nil {
			found = append(found, strings.TrimSpace(string(raw)))
		}
	}
	if len(found) != 1 {
		c.t.Fatalf("%d nodes have a password of root that was generated, want one", len(found))
	}
	return found[0]
}

// stop ends all nodes and tells their last lines when the test has failed.
func (c *Cluster) stop() {
	for _, n := range c.Nodes {
		if n.Process == nil || !n.Alive() {
			continue
		}
		_ = n.Resume() // it may be paused; an error means that it has ended
	}
	var wg sync.WaitGroup
	for _, n := range c.Nodes {
		if n.Process == nil {
			continue
		}
		wg.Go(func() {
			if err := n.Stop(); err != nil {
				c.t.Errorf("stop node %d: %v", n.ID, err)
			}
		})
	}
	wg.Wait()
	for _, n := range c.Nodes {
		if c.t.Failed() && n.Process != nil {
			c.t.Logf("the last lines of node %d:\n%s", n.ID, n.Told(30))
		}
	}
}

// Told returns the last lines of what the node printed, but for what the library of the
// log says.
func (n *Node) Told(lines int) string {
	const all = 1 << 20
	kept := slices.DeleteFunc(strings.Split(n.Tail(all), "\n"), func(line string) bool {
		return strings.Contains(line, "the Raft library says")
	})
	return strings.Join(kept[max(0, len(kept)-lines):], "\n")
}

// freePorts returns ports of this host that nobody uses now.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // after all are known, so that none is given twice
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports
}
