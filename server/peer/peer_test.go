package peer_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cluster"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/server/peer"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const secret = "a secret that the nodes share"

func credentials(t *testing.T, node ident.NodeID) *cluster.Credentials {
	t.Helper()
	c, err := cluster.FromSecret(secret, node, "127.0.0.1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// places are nodes 1, which asks, 2 and 3, which hold all shards.
type places struct {
	nodes  []cluster.Node
	leader ident.NodeID
}

func (p *places) NodeID() ident.NodeID                        { return 1 }
func (p *places) Leader(ident.ShardID) (ident.NodeID, uint64) { return p.leader, 1 }
func (p *places) Holders(ident.ShardID) []cluster.Node        { return p.nodes }
func (p *places) Answer(g cluster.Greeting) (cluster.Greeting, error) {
	if g.Shards != 10 {
		return g, fault.New(fault.InvalidParameter, "wrong shards")
	}
	return cluster.Greeting{Node: 2, Shards: 10}, nil
}

// serve starts the listener of a node and returns its address.
func serve(t *testing.T, node ident.NodeID, h http.Handler) cluster.Node {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", credentials(t, node).Server())
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l) // ended below
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return cluster.Node{ID: node, API: l.Addr().String()}
}

// forwarder is of node 1, with the API of node 2 and an address of node 3 where nobody is.
func forwarder(t *testing.T, api http.HandlerFunc) (*peer.Forwarder, *places) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	p := &places{leader: 3}
	p.nodes = []cluster.Node{
		{ID: 1}, serve(t, 2, peer.Handler(func() peer.Member { return p }, api)),
		{ID: 3, API: l.Addr().String()},
	}
	clients := peer.NewClients(credentials(t, 1))
	t.Cleanup(clients.Close)
	return peer.NewForwarder(p, clients, time.Second), p
}

func message(repeatable bool) *peer.Message {
	return &peer.Message{
		Method: http.MethodPost, URI: "/v1/api/sql?x=1", Body: []byte("body"),
		Header: http.Header{"Authorization": {"Bearer x"}, "X-Min-Seq": {"3:1"}, "X-User-Id": {"eve"}},
		Origin: peer.Origin{
			Identity: session.Identity{Caller: "alice", Role: ident.RoleUser}, Remote: "10.1.1.1",
		},
		Repeatable: func() bool { return repeatable },
	}
}

func elsewhere(leader bool) func() error {
	return func() error { return &replica.Elsewhere{Shard: 4, Leader: leader} }
}

func TestForwarder_SendsTheRequestAsItCame(t *testing.T) {
	f, _ := forwarder(t, func(w http.ResponseWriter, r *http.Request) {
		o, ok := peer.OriginOf(r.Context())
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Answer", "kept")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%t %s %s %s %s %q %q", ok, o.Identity.Caller, o.Remote, r.URL, body,
			r.Header.Get("X-Min-Seq"), r.Header.Get("Authorization")+r.Header.Get("X-User-Id"))
	})
	var got string
	err := f.Run(t.Context(), message(false), elsewhere(false), func(res *http.Response) error {
		h := http.Header{}
		peer.PassHeader(h, res)
		body, err := io.ReadAll(res.Body)
		got = fmt.Sprint(res.StatusCode, " ", h.Get("X-Answer"), " ", string(body))
		return err
	})
	const want = `418 kept true alice 10.1.1.1 /v1/api/sql?x=1 body "3:1" ""`
	if err != nil || got != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

func TestForwarder_RunsHereAsSoonAsItCan(t *testing.T) {
	f, _ := forwarder(t, func(w http.ResponseWriter, r *http.Request) { peer.Unrun(w, r) })
	calls := 0
	err := f.Run(t.Context(), message(false), func() error {
		if calls++; calls < 3 {
			return elsewhere(false)()
		}
		return nil
	}, func(*http.Response) error { return errors.New("an answer of a node that did nothing") })
	if err != nil || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestForwarder_GivesUp(t *testing.T) {
	unrun := func(w http.ResponseWriter, r *http.Request) { peer.Unrun(w, r) }
	dies := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	tests := []struct {
		name       string
		leader     ident.NodeID
		toLeader   bool
		api        http.HandlerFunc
		repeatable bool
		code       fault.Code
		want       string
	}{
		{"when nobody leads", 0, true, unrun, true, fault.NoQuorum, "shard 4"},
		{"when the leader says that it is none", 2, true, unrun, true, fault.NotLeader, "node 2"},
		{"when the leader is away", 3, true, unrun, true, fault.ForwardFailed, "refused"},
		{"at once on a write that a node died with", 2, false, dies, false, fault.ForwardFailed,
			"may have happened"},
		{"in the end on a read that a node died with", 2, true, dies, true, fault.ForwardFailed,
			"no node that has shard 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, p := forwarder(t, tt.api)
			p.leader = tt.leader
			err := f.Run(t.Context(), message(tt.repeatable), elsewhere(tt.toLeader),
				func(*http.Response) error { return nil })
			if !fault.Is(err, tt.code) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want %s with %q", err, tt.code, tt.want)
			}
		})
	}
	f, _ := forwarder(t, unrun)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Run(ctx, message(true), elsewhere(false), nil); !fault.Is(err, fault.Cancelled) {
		t.Errorf("after the client went away: %v", err)
	}
}

func TestHandler_TakesNodesOnly(t *testing.T) {
	_, p := forwarder(t, func(http.ResponseWriter, *http.Request) { t.Error("served") })
	transport := &http.Transport{TLSClientConfig: credentials(t, 1).Client(2)}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Get("https://" + p.nodes[1].API + "/v1/api/sql")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("a request without an origin: %d", res.StatusCode)
	}
	if _, ok := peer.OriginOf(t.Context()); ok {
		t.Error("a request of a client has an origin")
	}
}

func TestClients_Greet(t *testing.T) {
	_, p := forwarder(t, http.NotFound)
	clients := peer.NewClients(credentials(t, 1))
	defer clients.Close()
	got, err := clients.Greet(t.Context(), p.nodes[1], cluster.Greeting{Node: 1, Shards: 10})
	if err != nil || got.Node != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	var refused *cluster.Refusal
	_, err = clients.Greet(t.Context(), p.nodes[1], cluster.Greeting{Node: 1, Shards: 5})
	if !errors.As(err, &refused) || !fault.Is(refused.Err, fault.InvalidParameter) {
		t.Errorf("another number of shards: %v", err)
	}
	_, err = clients.Greet(t.Context(), p.nodes[1], cluster.Greeting{Node: 3, Shards: 10})
	if err == nil || errors.As(err, &refused) {
		t.Errorf("a greeting of another's number: %v", err)
	}
	if _, err = clients.Greet(t.Context(), p.nodes[2], cluster.Greeting{Node: 1}); err == nil {
		t.Error("nobody answered a greeting")
	}
}

func TestRepeatable(t *testing.T) {
	for sql, want := range map[string]bool{
		"SELECT 1": true, "SELECT 1; SELECT 2": true, "INSERT INTO t VALUES (1)": false,
		"SELECT 1; DELETE FROM t": false, "nonsense": false,
	} {
		if got := peer.Repeatable(sql, ""); got != want {
			t.Errorf("%s: %t", sql, got)
		}
	}
	if !peer.Repeatable("DELETE FROM t", "id") {
		t.Error("a request id makes any request repeatable")
	}
}
