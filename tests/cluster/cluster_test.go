package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/tests/cluster"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// patience bounds waits for what takes a moment.
const patience = 20 * time.Second

// TestCluster is what three servers with a config of five lines each promise. Its parts
// share one cluster, one after another.
func TestCluster(t *testing.T) {
	c := cluster.Start(t, 3)
	t.Run("any node takes any request", func(t *testing.T) { anyRequest(t, c) })
	t.Run("queries and live queries on any socket", func(t *testing.T) { socketQueries(t, c) })
	t.Run("logins of one node are good at all", func(t *testing.T) { logins(t, c) })
	t.Run("health tells of all shards", func(t *testing.T) { health(t, c) })
	t.Run("each node may die under load", func(t *testing.T) { killEach(t, c) })
	t.Run("a stranger is refused", func(t *testing.T) { strangers(t, c) })
}

func anyRequest(t *testing.T, c *cluster.Cluster) {
	ids := []int{1, 2, 3}
	for _, id := range ids {
		ns := fmt.Sprintf("any%d", id)
		root := c.Root(id)
		testkit.Must(t, root, "CREATE NAMESPACE "+ns)
		testkit.Must(t, root, "CREATE USER TABLE "+ns+".t (id BIGINT PRIMARY KEY, body TEXT)")
		testkit.Must(t, root, "CREATE SHARED TABLE "+ns+".s (id BIGINT PRIMARY KEY) "+
			"WITH (ACCESS = 'public')")
		testkit.Must(t, root, "ALTER TABLE "+ns+".t ADD COLUMN more INT DEFAULT 7")
		testkit.Must(t, root, "CREATE USER '"+ns+"' WITH PASSWORD 'a-password-of-tests' ROLE user")
		for _, other := range ids { // each sees at once what any has answered
			alice := c.User(other, "alice")
			testkit.Must(t, alice, fmt.Sprintf("INSERT INTO %s.t (id, body) VALUES (%d, 'x')", ns, other))
			testkit.Must(t, alice, fmt.Sprintf("UPDATE %s.t SET body = 'y%[2]d' WHERE id = %[2]d",
				ns, other))
			testkit.Must(t, c.Root(other), fmt.Sprintf("INSERT INTO %s.s VALUES (%d)", ns, other))
		}
		for _, other := range ids {
			testkit.WantRows(t, c.User(other, "alice"), "SELECT id, body, more FROM "+ns+".t",
				[]string{"1", "y1", "7"}, []string{"2", "y2", "7"}, []string{"3", "y3", "7"})
			testkit.WantRows(t, c.Root(other), "SELECT COUNT(*) FROM "+ns+".s", []string{"3"})
		}
		testkit.WantCode(t, c.Root(id), "CREATE NAMESPACE "+ns, "ALREADY_EXISTS")
		testkit.Must(t, root, "DROP TABLE "+ns+".s")
		for _, other := range ids {
			testkit.WantCode(t, c.Root(other), "SELECT * FROM "+ns+".s", "TABLE_NOT_FOUND")
		}
	}
}

// socketQueries sends queries of all classes over the WebSocket of each node, and has a
// live query of each told what the others write.
func socketQueries(t *testing.T, c *cluster.Cluster) {
	testkit.Must(t, c.Root(1), "CREATE NAMESPACE sock")
	testkit.Must(t, c.Root(1), "CREATE USER TABLE sock.t (id BIGINT PRIMARY KEY)")
	for _, n := range c.Nodes {
		s := testkit.Dial(t, c.User(n.ID, "alice"))
		for i, sql := range []string{
			fmt.Sprintf("CREATE USER TABLE sock.n%d (id BIGINT PRIMARY KEY)", n.ID),
			fmt.Sprintf("INSERT INTO sock.n%d VALUES (1)", n.ID),
			fmt.Sprintf("SELECT * FROM sock.n%d", n.ID),
		} {
			id := fmt.Sprint("q", i)
			if err := s.Send(map[string]any{"type": "query", "id": id, "sql": sql}); err != nil {
				t.Fatal(err)
			}
			if m := next(t, s); m.Type != "result" || m.ID != id || m.Status != "success" {
				t.Fatalf("node %d: %s: %s", n.ID, sql, m.Raw)
			}
		}
		err := s.Send(map[string]any{"type": "subscribe",
			"subscription": map[string]any{"id": "s", "sql": "SELECT id FROM sock.t"}})
		if err != nil {
			t.Fatal(err)
		}
		for m := next(t, s); m.Type != "initial_data_batch"; m = next(t, s) {
		}
		for _, other := range c.Nodes {
			id := fmt.Sprint(10*n.ID + other.ID)
			testkit.Must(t, c.User(other.ID, "alice"), "INSERT INTO sock.t VALUES ("+id+")")
			if m := next(t, s); m.Type != "change" || len(m.Rows) != 1 || fmt.Sprint(m.Rows[0]["id"]) != id {
				t.Fatalf("node %d told of row %s of node %d: %s", n.ID, id, other.ID, m.Raw)
			}
		}
	}
}

// next returns the next message that tells something.
func next(t *testing.T, s *blackbox.Socket) *blackbox.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		m, err := s.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if m.Type != "progress" && m.Type != "auth_success" {
			return m
		}
	}
}

// logins has tokens of one node used at the others: the secret that signs them is shared.
func logins(t *testing.T, c *cluster.Cluster) {
	body := strings.NewReader(`{"user": "any2", "password": "a-password-of-tests"}`)
	resp, err := http.Post(c.Node(1).URL+"/v1/api/auth/login", "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&tokens); err != nil || tokens.AccessToken == "" {
		t.Fatalf("login: %d, %v", resp.StatusCode, err)
	}
	for _, n := range c.Nodes {
		any2 := &blackbox.Client{URL: n.URL, Authorization: "Bearer " + tokens.AccessToken}
		testkit.WantRows(t, any2, "SELECT CURRENT_USER_ID()", []string{"any2"})
		testkit.WantCode(t, any2, "CREATE NAMESPACE mine", "PERMISSION_DENIED")
	}
}

func health(t *testing.T, c *cluster.Cluster) {
	for _, n := range c.Nodes {
		var h struct {
			Status string
			Node   int
			Nodes  []any
			Shards []struct{ Leader int }
		}
		resp, err := http.Get(n.URL + "/v1/api/cluster/health")
		if err != nil {
			t.Fatal(err)
		}
		err = json.NewDecoder(resp.Body).Decode(&h)
		resp.Body.Close()
		if err != nil || h.Status != "healthy" || h.Node != n.ID || len(h.Nodes) != 3 ||
			len(h.Shards) != 12 {
			t.Errorf("node %d: %+v, %v", n.ID, h, err)
		}
	}
}

// killEach kills each node in turn while a client writes and another follows. No write
// that was answered may be lost, and each must be told once, in order.
func killEach(t *testing.T, c *cluster.Cluster) {
	testkit.Must(t, c.Root(1), "CREATE NAMESPACE kill")
	testkit.Must(t, c.Root(2), "CREATE USER TABLE kill.t (id BIGINT PRIMARY KEY)")
	var clients []*blackbox.Client
	for _, n := range c.Nodes {
		clients = append(clients, c.User(n.ID, "alice"))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	stop := make(chan struct{})
	written := make(chan int, 1)
	go func() { // ends with stop, which is closed below
		n := 0
		for ; ; n++ {
			select {
			case <-stop:
				written <- n
				return
			default:
			}
			sql := fmt.Sprintf("INSERT INTO kill.t VALUES (%d)", n)
			order := append(slices.Clone(clients[n%3:]), clients[:n%3]...)
			if !cluster.Write(ctx, t, order, fmt.Sprintf("kill-%d", n), sql) {
				written <- n
				return
			}
		}
	}()
	total := -1 // set before the follower is asked to end
	ended := make(chan struct{})
	f := &cluster.Follower{Clients: clients, SQL: "SELECT id FROM kill.t",
		Until: func(f *cluster.Follower) bool {
			select {
			case <-ended:
				return len(f.Keys) >= total
			default:
				return false
			}
		}}
	followed := make(chan error, 1)
	go func() { followed <- f.Run(ctx) }()
	for _, n := range c.Nodes {
		n.Kill()
		testkit.Must(t, c.User(n.ID%3+1, "alice"), "SELECT COUNT(*) FROM kill.t")
		c.Restart(n.ID)
	}
	close(stop)
	total = <-written
	close(ended)
	// One more, so that the follower looks.
	cluster.Write(ctx, t, clients, "kill-last", fmt.Sprintf("INSERT INTO kill.t VALUES (%d)", total))
	if err := <-followed; err != nil {
		t.Fatal(err)
	}
	t.Logf("%d writes, the live query went on elsewhere %d times", total, f.Resumed)
	if total < 10 || f.Resumed < 1 {
		t.Errorf("%d writes and %d resumes prove nothing", total, f.Resumed)
	}
	for i, key := range f.Keys {
		if key != fmt.Sprint(i) {
			t.Fatalf("event %d tells of row %s", i, key)
		}
	}
	for _, client := range clients {
		testkit.WantRows(t, client, "SELECT COUNT(*), MAX(id) FROM kill.t",
			[]string{fmt.Sprint(total + 1), fmt.Sprint(total)})
	}
}

// TestMove makes a cluster of three from the data directory of a server alone, with one
// restart: the others join it and get all there is.
func TestMove(t *testing.T) {
	c := cluster.New(t, 3)
	one := c.Node(1)
	lines := one.Config(t)
	one.Configure(t, lines[:2]...)
	if err := one.Launch(t, testkit.Binary(t, "kalamdb-server")); err != nil {
		t.Fatal(err)
	}
	testkit.Must(t, c.Root(1), "CREATE NAMESPACE moved")
	testkit.Must(t, c.Root(1), "CREATE USER TABLE moved.t (id BIGINT PRIMARY KEY)")
	testkit.Must(t, c.User(1, "alice"), "INSERT INTO moved.t VALUES (1), (2)")
	if err := one.Stop(); err != nil {
		t.Fatal(err)
	}
	address := func(n *cluster.Node) string {
		return fmt.Sprintf("%d=localhost:%d/%d", n.ID, n.Raft, n.API)
	}
	alone := slices.Clone(lines)
	alone[3] = fmt.Sprintf("cluster.nodes = [%q]", address(one))
	one.Configure(t, alone...)
	c.Restart(1)
	testkit.WantRows(t, c.User(1, "alice"), "SELECT COUNT(*) FROM moved.t", []string{"2"})
	for _, n := range c.Nodes[1:] {
		joins := n.Config(t)
		joins[3] = fmt.Sprintf("cluster.nodes = [%q, %q]", address(one), address(n))
		n.Configure(t, append(joins, "cluster.join = true")...)
		testkit.Must(t, c.Root(1), "CLUSTER JOIN '"+address(n)+"'")
	}
	c.Begin()
	testkit.Eventually(t, 2*patience, "three nodes with all shards", func() bool {
		r := testkit.Must(t, c.Root(1), "SELECT COUNT(*) FROM system.nodes WHERE replicas = 12")
		return r.Strings()[0][0] == "3"
	})
	for _, n := range c.Nodes { // by the password from before
		testkit.WantRows(t, c.User(n.ID, "alice"), "SELECT COUNT(*) FROM moved.t", []string{"2"})
		testkit.Must(t, c.Root(n.ID), fmt.Sprintf("CREATE NAMESPACE of%d", n.ID))
	}
}

// strangers tries to start nodes that don't belong: each says why and ends.
func strangers(t *testing.T, c *cluster.Cluster) {
	third := c.Node(3)
	own := third.Config(t)
	if err := third.Stop(); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, line, want string }{
		{"an empty data directory", `storage.data_dir = "empty"`,
			"node number 3 is in use by another data directory"},
		{"another number of shards", "storage.data_dir = \"fewer\"\nstorage.shards = 3",
			"set storage.shards to the same on all"},
		{"another's data directory",
			fmt.Sprintf("storage.data_dir = %q\nstorage.shards = 10", third.DataDir()+"-copy"),
			"is that of node 3, not 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lines := slices.Clone(own)
			lines[1] = tt.line
			if strings.Contains(tt.want, "not 2") {
				if err := os.CopyFS(third.DataDir()+"-copy", os.DirFS(third.DataDir())); err != nil {
					t.Fatal(err)
				}
				lines[2] = "cluster.node = 2"
				lines[3] = strings.NewReplacer(`"2=`, `"3=`, `"3=`, `"2=`).Replace(lines[3])
			}
			third.Configure(t, lines...)
			err := third.Launch(t, testkit.Binary(t, "kalamdb-server"))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want it to say %q", err, tt.want)
			}
		})
	}
	third.Configure(t, own...)
	c.Restart(3)
	testkit.Must(t, c.User(3, "alice"), "SELECT COUNT(*) FROM kill.t")
}
