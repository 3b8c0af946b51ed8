package ws

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/live"
)

// Bounds of the inbox. A message is larger than the bytes at times: then it is
// alone in there.
const (
	maxInbox      = 64
	maxInboxBytes = 64 << 10
)

// lingerTime is how long a connection that was sent its close frame may take
// to answer it.
const lingerTime = time.Second

// conn is one connection.
type conn struct {
	srv      *Server
	net      net.Conn
	in       *bufio.Reader
	ctx      context.Context // ends with the connection
	cancel   context.CancelFunc
	opened   time.Time
	lastRead atomic.Int64 // unix nanoseconds of the last complete frame
	blocked  atomic.Int64 // unix nanoseconds when the present write began, 0 for none
	budget   *live.Budget // of the changes that wait for it
	peer     string       // the client's address and port

	namespace ident.NamespaceID // of the last USE; the worker's
	session   *engine.Session   // of its queries, nil before the first; the worker's
	// onDisconnect is run when the client has left; the worker's.
	onDisconnect []string

	mu       sync.Mutex
	changed  sync.Cond // any of the following; L is mu
	id       session.Identity
	known    bool      // id is set
	revoked  bool      // id is void
	warnAt   time.Time // when to send auth_expiring, zero for never
	lastPing time.Time

	inbox      [][]byte
	inboxBytes int
	working    bool // the worker runs

	outbox   []byte // complete frames
	writing  bool   // the writer runs
	ready    []*sub // have something to tell, oldest first
	progress bool   // cursors are to be moved
	subs     map[string]*sub

	farewell []byte // the last frame; nothing follows it. nil while open
	gone     bool   // nothing can be written any more
	broken   bool   // the socket is closed
}

// sub is a live query of a connection.
type sub struct {
	id   string
	spec engine.Subscription // as it was opened
	// Guarded by conn.mu.
	live   *live.Subscription // nil while it is being opened
	queued bool               // stands in conn.ready
}

func newConn(s *Server, c net.Conn, leftover []byte) *conn {
	n := &conn{srv: s, net: c, in: newReader(c, leftover), opened: time.Now()}
	n.peer = c.RemoteAddr().String()
	n.budget = live.NewBudget(s.opts.MaxOutboxBytes)
	n.ctx, n.cancel = context.WithCancel(s.ctx)
	n.changed.L = &n.mu
	n.lastPing = n.opened
	n.lastRead.Store(n.opened.UnixNano())
	return n
}

// serve waits until the client says something, takes that, and leaves the wait
// for what follows to a goroutine of its own: reading has made the stack of this
// one larger than an idle connection should keep. At the connection's end it
// takes everything down that belongs to it.
func (c *conn) serve() {
	if _, err := c.in.Peek(1); err != nil {
		c.end(headerError(err))
		return
	}
	if err := c.readMessages(); err != nil {
		c.end(err)
		return
	}
	c.srv.wg.Go(c.serve)
}

// end takes the connection down after err.
func (c *conn) end(err error) {
	if errors.Is(err, errClosed) {
		err = nil
	}
	c.close(err)
	c.finish(err)
	c.srv.forget(c)
}

// finish waits for worker and writer and releases what the connection holds.
func (c *conn) finish(err error) {
	if errors.Is(err, errBroken) {
		c.cut()
	}
	c.cancel()
	c.mu.Lock()
	open := c.takeSubsLocked()
	c.mu.Unlock()
	for _, source := range open {
		source.Close(live.Unsubscribed)
	}
	c.mu.Lock()
	for c.working || c.writing {
		c.changed.Wait()
	}
	c.srv.opts.Total.Add(-len(c.outbox))
	c.outbox = nil
	c.mu.Unlock()
	c.depart(c.id) // nobody else is left who uses it
	if err != nil && !errors.Is(err, errBroken) {
		c.linger()
	}
	c.cut()
}

// takeSubsLocked empties the table of subscriptions and returns those in it.
// One that is being opened is closed by the worker that opens it.
func (c *conn) takeSubsLocked() []*live.Subscription {
	var open []*live.Subscription
	for _, s := range c.subs {
		if s.live != nil {
			open = append(open, s.live)
		}
	}
	c.subs = nil
	return open
}

// linger reads on for a moment: closing a socket that has unread data would
// take back the close frame that was sent.
func (c *conn) linger() {
	if err := c.net.SetReadDeadline(time.Now().Add(lingerTime)); err != nil {
		return
	}
	n, err := io.Copy(io.Discard, c.in)
	c.srv.opts.Logger.Debug("websocket drained", "bytes", n, "error", err)
}

// close ends the connection: what waits in the outbox is written, then a close
// frame with the code and reason of err. Only the first call has an effect.
func (c *conn) close(err error) {
	status, reason := wire.CloseOf(err)
	if p, ok := err.(*protocolError); ok {
		status, reason = p.status, p.reason()
	}
	frame := appendFrame(nil, ws.OpClose, ws.NewCloseFrameBody(ws.StatusCode(status), reason))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.farewell != nil {
		return
	}
	c.farewell = frame
	c.ready, c.progress = nil, false
	c.changed.Broadcast()
	c.startWriterLocked()
}

// cut breaks the connection off.
func (c *conn) cut() {
	c.mu.Lock()
	first := !c.broken
	c.gone, c.broken = true, true
	if c.farewell == nil {
		c.farewell = []byte{}
	}
	c.changed.Broadcast()
	c.mu.Unlock()
	c.cancel()
	if !first {
		return
	}
	if err := c.net.Close(); err != nil {
		c.srv.opts.Logger.Debug("close socket", "error", err)
	}
}

// openLocked reports whether messages are still to be handled.
func (c *conn) openLocked() bool { return c.farewell == nil }

// receive puts a message into the inbox, waiting while that is full.
func (c *conn) receive(msg []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.openLocked() && len(c.inbox) > 0 &&
		(len(c.inbox) >= maxInbox || c.inboxBytes+len(msg) > maxInboxBytes) {
		c.changed.Wait()
	}
	if !c.openLocked() {
		return
	}
	c.inbox = append(c.inbox, msg)
	c.inboxBytes += len(msg)
	if !c.working {
		c.working = true
		go c.work() // finish waits for it
	}
}

// work handles the inbox until it is empty.
func (c *conn) work() {
	for {
		c.mu.Lock()
		if len(c.inbox) == 0 || !c.openLocked() {
			c.inbox, c.working = nil, false
			c.changed.Broadcast()
			c.mu.Unlock()
			return
		}
		msg := c.inbox[0]
		c.inbox[0] = nil
		c.inbox = c.inbox[1:]
		c.inboxBytes -= len(msg)
		c.changed.Broadcast()
		c.mu.Unlock()
		c.handleSafely(msg)
	}
}

// send puts a text message into the outbox, waiting while that is full. What
// is sent after close is dropped.
func (c *conn) send(payload []byte) { c.sendFrame(ws.OpText, payload) }

func (c *conn) sendFrame(op ws.OpCode, payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.openLocked() && len(c.outbox) > 0 &&
		len(c.outbox)+len(payload) > c.srv.opts.MaxOutboxBytes {
		c.changed.Wait()
	}
	c.queueLocked(op, payload)
}

// queueLocked puts a frame into the outbox, however full.
func (c *conn) queueLocked(op ws.OpCode, payload []byte) {
	if !c.openLocked() {
		return
	}
	if c.outbox == nil {
		c.outbox = getBuffer()
	}
	before := len(c.outbox)
	c.outbox = appendFrame(c.outbox, op, payload)
	c.srv.opts.Total.Add(len(c.outbox) - before)
	c.startWriterLocked()
}

// wake has the writer poll s. It does not block: it is called by committers.
func (c *conn) wake(s *sub) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wakeLocked(s)
}

func (c *conn) wakeLocked(s *sub) {
	if s.live == nil || s.queued || !c.openLocked() {
		return
	}
	s.queued = true
	c.ready = append(c.ready, s)
	c.startWriterLocked()
}

func (c *conn) startWriterLocked() {
	if !c.writing && !c.gone {
		c.writing = true
		go c.write() // finish waits for it
	}
}

// identity returns who the client is; an AUTH_REQUIRED error until it said so.
func (c *conn) identity() (session.Identity, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !c.known:
		return session.Identity{}, fault.New(fault.AuthRequired,
			"send an authenticate message first")
	case c.revoked:
		return session.Identity{}, errRevoked
	}
	return c.id, nil
}

var errRevoked = fault.New(fault.InvalidCredentials,
	"the account has changed, and credentials from before are void; log in again")

// confirm looks whether the identity that was just set, on a connection that
// Revoke finds, has become void since it was checked.
func (c *conn) confirm() {
	id, err := c.identity()
	if err != nil {
		return
	}
	if err := c.srv.opts.Callers.Auth.Current(id); err != nil {
		c.close(err)
	}
}

// revoke makes the identity void if it is a user's, or acts for the user and
// may not any more. The keeper closes the connection, so that what runs can
// answer.
func (c *conn) revoke(u ident.UserID) {
	id, err := c.identity()
	if err != nil || id.Caller != u && (id.As != u || c.srv.opts.Callers.Auth.Current(id) == nil) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.id.Caller == id.Caller && c.id.Epoch == id.Epoch {
		c.revoked = true
	}
}
