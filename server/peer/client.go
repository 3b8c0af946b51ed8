package peer

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cluster"
)

// Times and sizes of connections to a node.
const (
	dialTime = time.Second // a node that is away is given up after it
	idleTime = time.Minute
	idleMost = 64 // connections to a node that are kept
)

// Clients sends requests to nodes. It is safe for concurrent use.
type Clients struct {
	credentials *cluster.Credentials

	mu    sync.Mutex
	nodes map[ident.NodeID]*http.Transport
}

// NewClients returns Clients that say who they are by the credentials.
func NewClients(c *cluster.Credentials) *Clients {
	return &Clients{credentials: c, nodes: make(map[ident.NodeID]*http.Transport)}
}

// to returns what sends requests to a node.
func (c *Clients) to(node ident.NodeID) *http.Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.nodes[node]
	if !ok {
		t = &http.Transport{
			DialContext:         (&net.Dialer{Timeout: dialTime}).DialContext,
			TLSClientConfig:     c.credentials.Client(node),
			TLSHandshakeTimeout: dialTime, IdleConnTimeout: idleTime,
			MaxIdleConnsPerHost: idleMost, DisableCompression: true,
		}
		c.nodes[node] = t
	}
	return t
}

// Close lets go of idle connections.
func (c *Clients) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.nodes {
		t.CloseIdleConnections()
	}
}

// Greet implements cluster.Greet.
func (c *Clients) Greet(ctx context.Context, to cluster.Node, mine cluster.Greeting) (
	cluster.Greeting, error,
) {
	none := cluster.Greeting{}
	body, err := json.Marshal(mine)
	if err != nil {
		return none, fault.Wrap(fault.Internal, err, "greet node %d", to.ID)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+to.API+PathGreeting,
		bytes.NewReader(body))
	if err != nil {
		return none, fault.Wrap(fault.Internal, err, "greet node %d", to.ID)
	}
	res, err := c.to(to.ID).RoundTrip(r)
	if err != nil {
		return none, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxGreeting))
	if err != nil {
		return none, err
	}
	var a greetingAnswer
	err = json.Unmarshal(raw, &a)
	switch {
	case err == nil && a.Refused != nil:
		return none, &cluster.Refusal{Err: a.Refused.Fault()}
	case err != nil || a.Greeting == nil:
		return none, fault.New(fault.StorageUnavailable, "it is starting")
	}
	return *a.Greeting, nil
}
