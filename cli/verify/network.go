package verify

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// errCut is what a connection says that was broken on purpose.
var errCut = errors.New("verify: the connection was cut")

// network is the connections of one client, to be broken and stalled. It is
// safe for concurrent use.
type network struct {
	client *http.Client

	mu    sync.Mutex
	conns map[*conn]struct{}
	hold  time.Time // reads wait until then
	left  time.Time // since when nothing was done to the connections
}

func newNetwork() *network {
	n := &network{conns: map[*conn]struct{}{}}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	n.client = &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 4,
		DialContext: func(ctx context.Context, kind, address string) (net.Conn, error) {
			c, err := dialer.DialContext(ctx, kind, address)
			if err != nil {
				return nil, err
			}
			return n.join(c), nil
		},
	}}
	return n
}

// conn is a connection that can be cut after some more bytes.
type conn struct {
	net.Conn
	n    *network
	left int // bytes that may still be read; -1 for all. Guarded by network.mu
}

func (n *network) join(c net.Conn) *conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	mine := &conn{Conn: c, n: n, left: -1}
	n.conns[mine] = struct{}{}
	return mine
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	got, err := c.Conn.Read(b)
	c.n.mu.Lock()
	wait := time.Until(c.n.hold)
	cut := c.left >= 0 && got >= c.left
	if c.left >= 0 {
		got = min(got, c.left)
		c.left -= got
	}
	c.n.mu.Unlock()
	if wait > 0 {
		time.Sleep(wait) // a reader that does not read; bounded by stall
	}
	if cut && err == nil {
		err = errors.Join(errCut, c.Close())
	}
	return got, err
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.n.mu.Lock()
	delete(c.n.conns, c)
	c.n.mu.Unlock()
	return c.Conn.Close()
}

// cut breaks all connections: now, or in the middle of what comes next. It
// tells how many there were.
func (n *network) cut(rnd *rand.Rand) int {
	n.mu.Lock()
	n.left = time.Now()
	var now []*conn
	count := len(n.conns)
	for c := range n.conns {
		if rnd.IntN(2) == 0 {
			now = append(now, c)
		} else {
			c.left = 1 + rnd.IntN(600)
		}
	}
	n.mu.Unlock()
	for _, c := range now {
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, as of a network that is gone
		}
		_ = c.Close() // breaking it is the point
	}
	return count
}

// stall keeps readers from reading for a time.
func (n *network) stall(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hold = time.Now().Add(d)
	n.left = n.hold
}

// since returns when something was last done to the connections; it may be in
// the future.
func (n *network) since() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.left
}

func (n *network) close() { n.client.CloseIdleConnections() }
