package ws

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/server/caller"
	"github.com/kalamdb/kalamdb-go/server/peer"
	"github.com/kalamdb/kalamdb-go/server/reply"
)

// Engine runs statements and live queries. core/engine.Engine is one.
type Engine interface {
	// Execute runs the statements of req and gives each result to sink.
	Execute(ctx context.Context, id session.Identity, req engine.Request, sink engine.Sink) error
	// NewSession returns what keeps a transaction open between queries.
	NewSession() *engine.Session
	// Subscribe opens a live query.
	Subscribe(ctx context.Context, id session.Identity, sub engine.Subscription) (
		*live.Subscription, error)
}

// Options configure a Server. Engine and Callers are required; 0 means the
// default elsewhere.
type Options struct {
	Engine  Engine
	Callers *caller.Resolver
	Forward *peer.Forwarder // sends queries to other nodes; nil for a server alone
	Logger  *slog.Logger    // nil discards

	IncludeTook            bool          // answers to queries carry their time
	MaxMessageBytes        int           // of a message from the client; 1 MiB
	MaxResultBytes         int           // of the results of a query; 64 MiB
	MaxOutboxBytes         int           // that wait for one connection; 4 MiB
	Total                  *live.Budget  // of what waits for all; nil for no limit
	SubscriptionsPerSocket int           // 100
	WriteTimeout           time.Duration // without a byte taken; 10 s
	PingInterval           time.Duration // 30 s
	AuthTimeout            time.Duration // until the first credentials; 10 s
}

func (o Options) withDefaults() Options {
	number := func(p *int, def int) {
		if *p <= 0 {
			*p = def
		}
	}
	number(&o.MaxMessageBytes, 1<<20)
	number(&o.MaxResultBytes, 64<<20)
	number(&o.MaxOutboxBytes, 4<<20)
	number(&o.SubscriptionsPerSocket, 100)
	span := func(p *time.Duration, def time.Duration) {
		if *p <= 0 {
			*p = def
		}
	}
	span(&o.WriteTimeout, 10*time.Second)
	span(&o.PingInterval, 30*time.Second)
	span(&o.AuthTimeout, 10*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Server upgrades requests and serves the connections until Close. It is safe
// for concurrent use.
type Server struct {
	opts    Options
	ctx     context.Context // of everything that connections do
	cancel  context.CancelFunc
	stopped chan struct{}  // closed by shut: ends the keeper
	wg      sync.WaitGroup // the keeper and the readers

	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed bool
}

// New returns a Server and starts its keeper. Close must be called. The end of
// ctx cancels whatever connections do.
func New(ctx context.Context, opts Options) *Server {
	s := &Server{opts: opts.withDefaults(), conns: make(map[*conn]struct{})}
	s.stopped = make(chan struct{})
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.wg.Go(s.keep)
	return s
}

// Close asks every client to connect again later and waits until the
// connections have ended. When ctx ends first, those that are left are cut,
// and their number is returned.
func (s *Server) Close(ctx context.Context) (cut int) {
	for _, c := range s.shut() {
		c.close(fault.New(fault.ShuttingDown, "the server is stopping; connect again"))
	}
	drained := make(chan struct{})
	go func() { // ends with the readers, which are waited for below
		defer close(drained)
		s.wg.Wait()
	}()
	select {
	case <-drained:
	case <-ctx.Done():
		cut = s.cutAll()
		<-drained
	}
	s.cancel()
	return cut
}

// shut refuses further connections and stops the keeper.
func (s *Server) shut() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.stopped)
	}
	return s.listLocked()
}

func (s *Server) cutAll() int {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.cut()
	}
	return len(s.conns)
}

func (s *Server) listLocked() []*conn {
	list := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		list = append(list, c)
	}
	return list
}

// Connections returns the number of open connections.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// ServeHTTP upgrades the request. Credentials that stand in its headers are
// checked first, so that a client that sent bad ones gets a plain answer;
// those of the sub-protocol are answered on the socket, since browsers do not
// show their pages why an upgrade was refused.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, login, err := s.admit(r)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	up := ws.HTTPUpgrader{Timeout: s.opts.WriteTimeout, Protocol: isOurs}
	netConn, rw, shake, err := up.Upgrade(r, w)
	if err != nil {
		s.opts.Logger.Debug("websocket upgrade failed", "peer", r.RemoteAddr, "error", err)
		if netConn != nil {
			netConn.Close()
		}
		return
	}
	if err := boundUnsent(netConn); err != nil {
		s.opts.Logger.Debug("bound what is unsent", "peer", r.RemoteAddr, "error", err)
	}
	c := newConn(s, netConn, leftover(rw.Reader))
	if token, offered := strings.CutPrefix(shake.Protocol, wire.Subprotocol); offered {
		login = true
		id, err = s.opts.Callers.Auth.Verify(r.Context(), token)
	}
	if login {
		c.welcome(id, err)
	}
	s.start(c)
}

// admit checks what can be checked before the upgrade. login is whether the
// headers say who is asking.
func (s *Server) admit(r *http.Request) (id session.Identity, login bool, err error) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return id, false, errUpgrade
	}
	if err := s.opts.Callers.CheckOrigin(r); err != nil {
		return id, false, err
	}
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if closed {
		return id, false, fault.New(fault.ShuttingDown, "the server is stopping; connect again")
	}
	if offersToken(r) || !s.opts.Callers.HasCredentials(r) {
		return id, false, nil
	}
	id, err = s.opts.Callers.Identify(r)
	return id, err == nil, err
}

var errUpgrade = fault.New(fault.MalformedRequest,
	"this is a WebSocket; send an upgrade request, or use POST %s", wire.PathSQL)

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	status := reply.Headers(w, err)
	if err == errUpgrade {
		status = http.StatusUpgradeRequired
		w.Header().Set("Upgrade", "websocket")
	}
	if err := reply.ErrorStatus(w, status, err, reply.NoTook); err != nil {
		s.opts.Logger.Debug("answer not sent", "peer", r.RemoteAddr, "error", err)
	}
}

func isOurs(protocol string) bool { return strings.HasPrefix(protocol, wire.Subprotocol) }

func offersToken(r *http.Request) bool {
	for _, list := range r.Header.Values("Sec-Websocket-Protocol") {
		for protocol := range strings.SplitSeq(list, ",") {
			if isOurs(strings.TrimSpace(protocol)) {
				return true
			}
		}
	}
	return false
}

// leftover returns what the client sent right behind its request.
func leftover(r *bufio.Reader) []byte {
	n := r.Buffered()
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	n, _ = r.Read(b) // reads the buffer only, which does not fail
	return b[:n]
}

// Revoke ends the connections of a user, and those that act for the user,
// within a second: what they were told is void. They do nothing from now on.
func (s *Server) Revoke(u ident.UserID) {
	s.mu.Lock()
	conns := s.listLocked()
	s.mu.Unlock()
	for _, c := range conns {
		c.revoke(u)
	}
}

// start serves c until it ends.
func (s *Server) start(c *conn) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		c.finish(errBroken)
		return
	}
	s.conns[c] = struct{}{}
	s.wg.Go(c.serve)
	s.mu.Unlock()
	c.confirm()
}

// forget takes a connection that has ended out of the list.
func (s *Server) forget(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// newReader returns a small reader of what is left over and then of the
// connection.
func newReader(c net.Conn, leftover []byte) *bufio.Reader {
	if len(leftover) == 0 {
		return bufio.NewReaderSize(c, readBuffer)
	}
	return bufio.NewReaderSize(&prefixed{leftover, c}, readBuffer)
}

// readBuffer is what an idle connection keeps for reading, in bytes.
const readBuffer = 256

// prefixed reads a prefix and then the connection.
type prefixed struct {
	prefix []byte
	net.Conn
}

// Read implements io.Reader.
func (p *prefixed) Read(b []byte) (int, error) {
	if len(p.prefix) == 0 {
		return p.Conn.Read(b)
	}
	n := copy(b, p.prefix)
	if p.prefix = p.prefix[n:]; len(p.prefix) == 0 {
		p.prefix = nil
	}
	return n, nil
}
