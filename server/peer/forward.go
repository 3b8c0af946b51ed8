package peer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"slices"
	"sync/atomic"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cluster"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

// againAfter is the pause before all nodes are tried again that may run a request.
const againAfter = 100 * time.Millisecond

// Places tells where shards are. core/engine.Engine is one.
type Places interface {
	// NodeID is this node.
	NodeID() ident.NodeID
	// Leader returns the node that leads a shard, 0 for unknown.
	Leader(s ident.ShardID) (ident.NodeID, uint64)
	// Holders returns the nodes that have a replica of a shard.
	Holders(s ident.ShardID) []cluster.Node
}

// Forwarder sends requests to the nodes that can run them. It is safe for concurrent
// use.
type Forwarder struct {
	places  Places
	clients *Clients
	timeout time.Duration
}

// NewForwarder returns a Forwarder that gives up on a request after timeout.
func NewForwarder(p Places, c *Clients, timeout time.Duration) *Forwarder {
	return &Forwarder{places: p, clients: c, timeout: timeout}
}

// Message is a request as it came, without its credentials.
type Message struct {
	Method, URI string
	Header      http.Header
	Body        []byte
	Origin      Origin
	// Repeatable says that it does no harm to run it twice: it reads, or has a
	// request id. It is asked only when it matters.
	Repeatable func() bool
}

// Run runs a request where it can be run: here, as long as local does not return a
// *replica.Elsewhere, else on another node, whose answer goes to take. Local errors
// and those of take end it.
//
// A request that a node has got is sent to another one only when that one has said
// that it did nothing, or the request may run twice.
func (f *Forwarder) Run(
	ctx context.Context, m *Message, local func() error, take func(*http.Response) error,
) error {
	until := time.Now().Add(f.timeout)
	var last error
	for {
		err := local()
		var e *replica.Elsewhere
		if !errors.As(err, &e) {
			return err
		}
		res, err := f.tryAll(ctx, m, e)
		if res != nil {
			defer res.Body.Close()
			return take(res)
		}
		var stop *finalError
		switch {
		case errors.As(err, &stop):
			return stop.fault
		case err != nil:
			last = err
		}
		select {
		case <-ctx.Done():
			return fault.From(ctx.Err())
		case <-time.After(againAfter):
		}
		if time.Now().After(until) {
			return f.gaveUp(e, last)
		}
	}
}

func (f *Forwarder) gaveUp(e *replica.Elsewhere, last error) error {
	leader, _ := f.places.Leader(e.Shard)
	switch {
	case leader == 0:
		return fault.New(fault.NoQuorum, "no node is known to lead shard %d after %s; "+
			"start the nodes that are away, and send the request again", e.Shard, f.timeout)
	case last == nil:
		return fault.New(fault.NotLeader, "the leader of shard %d, node %d, did not take the "+
			"request in %s; send it again", e.Shard, leader, f.timeout)
	}
	return fault.New(fault.ForwardFailed, "no node that has shard %d took the request in %s (%v); "+
		"send it again", e.Shard, f.timeout, last)
}

// finalError ends the tries of a request.
type finalError struct{ fault error }

// Error implements error.
func (e *finalError) Error() string { return e.fault.Error() }

// tryAll tries the nodes that may run a request, one after another. It returns an
// answer, or no answer and why the last one gave none.
func (f *Forwarder) tryAll(ctx context.Context, m *Message, e *replica.Elsewhere) (
	*http.Response, error,
) {
	var last error
	for _, n := range f.candidates(e) {
		res, written, err := f.send(ctx, m, n)
		switch {
		case err == nil && res.Header.Get(headerUnrun) == "":
			return res, nil
		case err == nil:
			err = unrun(res)
		case ctx.Err() != nil:
			return nil, &finalError{fault.From(ctx.Err())}
		case written && !m.Repeatable():
			return nil, &finalError{fault.New(fault.ForwardFailed, "node %d went away with the request "+
				"(%v), which may have happened; send writes with a request_id, which makes it safe to "+
				"send them again", n.ID, err)}
		}
		last = err
	}
	return nil, last
}

// unrun reads why a node did nothing, so that its connection is used again.
func unrun(res *http.Response) error {
	defer res.Body.Close()
	const most = 4 << 10
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, most)); err != nil {
		return err
	}
	return nil
}

// candidates returns the nodes that may run a request, the most likely first.
func (f *Forwarder) candidates(e *replica.Elsewhere) []cluster.Node {
	leader, _ := f.places.Leader(e.Shard)
	nodes := slices.DeleteFunc(slices.Clone(f.places.Holders(e.Shard)), func(n cluster.Node) bool {
		return n.ID == f.places.NodeID() || e.Leader && n.ID != leader
	})
	slices.SortStableFunc(nodes, func(a, b cluster.Node) int {
		switch {
		case a.ID == leader:
			return -1
		case b.ID == leader:
			return 1
		}
		return 0
	})
	return nodes
}

// send sends a request to a node. written reports whether the node may have seen it.
func (f *Forwarder) send(ctx context.Context, m *Message, n cluster.Node) (
	res *http.Response, written bool, err error,
) {
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { wrote.Store(true) },
	})
	r, err := http.NewRequestWithContext(ctx, m.Method, "https://"+n.API+m.URI,
		bytes.NewReader(m.Body))
	if err != nil {
		return nil, false, fault.Wrap(fault.Internal, err, "send a request to node %d", n.ID)
	}
	r.Header = passed(m.Header)
	origin, err := m.Origin.header()
	if err != nil {
		return nil, false, err
	}
	r.Header.Set(headerOrigin, origin)
	res, err = f.clients.to(n.ID).RoundTrip(r)
	return res, wrote.Load(), err
}

// notPassed are headers that belong to one connection, or that the first node has
// judged already.
var notPassed = []string{
	"Authorization", "Connection", "Content-Length", "Expect", "Keep-Alive", "Origin",
	"Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Sec-Websocket-Extensions",
	"Sec-Websocket-Key", "Sec-Websocket-Protocol", "Sec-Websocket-Version", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "X-User-Id", headerOrigin, headerUnrun,
}

func passed(h http.Header) http.Header {
	h = h.Clone()
	if h == nil {
		h = make(http.Header)
	}
	for _, name := range notPassed {
		h.Del(name)
	}
	return h
}

// PassHeader copies the headers of another node's answer.
func PassHeader(to http.Header, res *http.Response) {
	for name, values := range passed(res.Header) {
		to[name] = values
	}
}

// Repeatable reports whether statements do no harm when they are run twice.
func Repeatable(sql, requestID string) bool {
	if requestID != "" {
		return true
	}
	stmts, err := dialect.Parse(sql, dialect.Limits{})
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(stmts, func(st dialect.Statement) bool {
		return st.Kind.Info().Class != dialect.Read
	})
}
