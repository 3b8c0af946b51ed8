package e2e_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// network is a real server behind a proxy that breaks connections.
type network struct {
	t      *testing.T
	server *testkit.Server
	proxy  *blackbox.Proxy
	ns     string
	direct *blackbox.Client // alice, past the proxy
	rnd    *rand.Rand
}

func newNetwork(t *testing.T) *network {
	s := testkit.Start(t)
	s.Process(t) // the token below is signed with its secret
	p, err := blackbox.NewProxy(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	n := &network{t: t, server: s, proxy: p, ns: s.Namespace(t), direct: s.User(t, "alice"),
		rnd: rand.New(rand.NewPCG(seed, 0))}
	testkit.Must(t, s.Root(), "CREATE USER TABLE "+n.ns+".t "+
		"(id BIGINT PRIMARY KEY, grp INT NOT NULL, n BIGINT NOT NULL, text TEXT)")
	return n
}

// client connects as alice through the proxy.
func (n *network) client(change func(*client.Options)) *client.Client {
	n.t.Helper()
	o := client.Options{URL: n.proxy.URL, MinBackoff: time.Millisecond,
		MaxBackoff: 50 * time.Millisecond, MaxAttempts: 100,
		TokenSource: func(context.Context, string) (string, error) {
			return blackbox.Sign(blackbox.AccessClaims("alice", time.Now()), blackbox.JWTSecret), nil
		}}
	if change != nil {
		change(&o)
	}
	c, err := client.New(o)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { c.Close() })
	return c
}

// harm does one thing that happens to connections.
func (n *network) harm() {
	switch n.rnd.IntN(3) {
	case 0:
		n.proxy.Cut()
	case 1:
		n.proxy.CutAfter(1 + n.rnd.IntN(2000))
	case 2:
		n.proxy.Stall(true)
		n.proxy.CutAfter(1 + n.rnd.IntN(2000))
		n.proxy.Stall(false)
	}
}

// write runs one statement of several kinds, mostly of several rows.
func (n *network) write(ctx context.Context, c *client.Client, i int) error {
	id := n.rnd.IntN(60)
	statements := []string{
		fmt.Sprintf("INSERT INTO %s.t (id, grp, n, text) VALUES (%d, 0, %d, 'a'), "+
			"(%[4]d, 1, %[3]d, 'b'), (%[5]d, 2, %[3]d, NULL) ON CONFLICT (id) DO UPDATE SET grp = excluded.grp, n = excluded.n",
			n.ns, id, i, id+1, id+2),
		fmt.Sprintf("UPDATE %s.t SET grp = (grp + 1) %% 3, n = %d WHERE id BETWEEN %d AND %d",
			n.ns, i, id, id+5),
		fmt.Sprintf("UPDATE %s.t SET text = 'grüße %d', n = %[2]d WHERE id = %d", n.ns, i, id),
		fmt.Sprintf("UPDATE %s.t SET text = CONCAT(text, ' – %d') WHERE id = %d", n.ns, i, id),
		fmt.Sprintf("DELETE FROM %s.t WHERE id BETWEEN %d AND %d", n.ns, id, id+2),
	}
	_, err := c.Exec(ctx, statements[n.rnd.IntN(len(statements))])
	return err
}

// sameAs waits until the view shows what the query gives.
func (n *network) sameAs(v *client.View) {
	n.t.Helper()
	want := testkit.Must(n.t, n.direct, v.SQL()).Strings()
	var got [][]string
	show := func() bool {
		got = nil
		for _, r := range v.State().Rows {
			var row []string
			for i := range width(want) {
				row = append(row, shownAs(r, i))
			}
			got = append(got, row)
		}
		if strings.Contains(v.SQL(), "JOIN") || strings.Contains(v.SQL(), "GROUP BY") { // have no order
			slices.SortFunc(got, slices.Compare)
			slices.SortFunc(want, slices.Compare)
		}
		return len(got) == len(want) && slices.EqualFunc(got, want, slices.Equal)
	}
	for deadline := time.Now().Add(patience); !show(); {
		if time.Now().After(deadline) || v.Err() != nil {
			n.t.Fatalf("%s (%v): the view has\n%v\nthe table\n%v", v.SQL(), v.Err(), got, want)
		}
		ctx, cancel := context.WithTimeout(n.t.Context(), 100*time.Millisecond)
		_, _ = v.Next(ctx) // an error means that nothing came in time
		cancel()
	}
}

func width(rows [][]string) int {
	if len(rows) == 0 {
		return 0
	}
	return len(rows[0])
}

func shownAs(r client.Row, i int) string {
	if string(r.Raw(i)) == "null" {
		return "NULL"
	}
	return r.Text(i)
}

// The client's view is what the table is, whatever happened to its sockets and
// to the server, and writes that were sent again are applied once.
func TestClient_view_survives_a_bad_network(t *testing.T) {
	n := newNetwork(t)
	c := n.client(nil)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var views []*client.View
	for _, q := range [][2]string{{"*", ""}, {"*", " WHERE grp = 1"},
		{"*", " WHERE grp <> 0 AND n % 2 = 0"}, {"*", " WHERE text LIKE 'gr%'"}, {"id, text, _seq", ""}} {
		v, err := c.Live(ctx, "SELECT "+q[0]+" FROM "+n.ns+".t"+q[1], client.LiveOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		views = append(views, v)
	}
	for i := range 400 {
		if err := n.write(ctx, c, i); err != nil {
			t.Fatalf("write %d: %v", i, err)
		}
		if n.rnd.IntN(8) == 0 {
			n.harm()
		}
		if i%150 == 149 {
			n.server.CrashAndRestart(t)
		}
	}
	for _, v := range views {
		n.sameAs(v)
	}
	if n.proxy.Cuts() < 20 {
		t.Errorf("only %d connections were broken", n.proxy.Cuts())
	}
}

// Text that is appended comes as what was appended, and is put in its place.
func TestClient_appended_text(t *testing.T) {
	n := newNetwork(t)
	c := n.client(nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	testkit.Must(t, n.direct, "INSERT INTO "+n.ns+".t (id, grp, n, text) VALUES (1, 0, 0, 'grüße')")
	v, err := c.Live(ctx, "SELECT * FROM "+n.ns+".t", client.LiveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	sub, err := c.Subscribe(ctx, "SELECT id, text FROM "+n.ns+".t", client.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		testkit.Must(t, n.direct, fmt.Sprintf(
			"UPDATE %s.t SET text = CONCAT(text, ' 😀%d') WHERE id = 1", n.ns, i))
		if i%10 == 9 {
			n.proxy.Cut()
		}
	}
	n.sameAs(v)
	pieces, text := 0, "grüße"
	for pieces < 50 {
		e, err := sub.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if e.Kind != client.Update {
			continue
		}
		if e.Append == nil || e.Append.Offset != len(text) {
			t.Fatalf("event %+v behind %q", e, text)
		}
		text += e.Append.Text
		pieces++
	}
	testkit.WantRows(t, n.direct, "SELECT text FROM "+n.ns+".t", []string{text})
}

// Every event of a subscription comes once and in order.
func TestClient_events_come_once_over_broken_sockets(t *testing.T) {
	n := newNetwork(t)
	c := n.client(func(o *client.Options) { o.QueueSize = 8 })
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	sub, err := c.Subscribe(ctx, "SELECT id FROM "+n.ns+".t", client.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const most = 600
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for i := 0; i < most; i += 2 {
			_, err := n.direct.SQL(ctx, fmt.Sprintf(
				"INSERT INTO %s.t (id, grp, n) VALUES (%d, 0, 0), (%d, 0, 0)", n.ns, i, i+1))
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	next := int64(0)
	for e, err := range sub.Events(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range e.Rows {
			if id, err := r.Int64("id"); err != nil || id != next {
				t.Fatalf("event of row %d, %v; want %d", id, err, next)
			}
			next++
		}
		if next == most {
			break
		}
		if n.rnd.IntN(12) == 0 {
			n.harm()
		}
	}
}

// A token that ends while the socket is open is replaced in place: the
// subscriptions stay, and so do those who use the same login.
func TestClient_renews_its_login_on_an_open_socket(t *testing.T) {
	s := testkit.Start(t, "KALAMDB_AUTH_ACCESS_TTL=2s")
	s.Process(t)
	ns := s.Namespace(t)
	testkit.Must(t, s.Root(), "CREATE USER TABLE "+ns+".t (id BIGINT PRIMARY KEY)")
	testkit.Must(t, s.Root(), "CREATE USER 'carol' WITH PASSWORD 'a-password-of-tests' ROLE user")
	c, err := client.New(client.Options{URL: s.URL, User: "carol", Password: "a-password-of-tests"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	sub, err := c.Subscribe(ctx, "SELECT id FROM "+ns+".t", client.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for i := 0; time.Since(start) < 5*time.Second; i++ {
		if _, err := c.Exec(ctx, "INSERT INTO "+ns+".t (id) VALUES ($1)", i); err != nil {
			t.Fatal(err)
		}
		for {
			e, err := sub.Next(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if e.Kind == client.Insert {
				break
			}
		}
	}
	sockets := testkit.Must(t, s.Root(), "SELECT id FROM system.live_queries WHERE query LIKE '%"+ns+"%'")
	if len(sockets.Rows) != 1 {
		t.Errorf("live queries %v", sockets.Strings())
	}
}
