package front

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// states of a connection.
const (
	idle   int32 = iota // no byte of a further request has come
	active              // a request has begun, and is not answered yet
	ended
)

// firstBuffer holds the requests of most applications. It is what a connection
// keeps while it is idle.
const firstBuffer = 4 << 10

// conn is a connection whose requests are read here. One goroutine serves it;
// watch says when there is another.
type conn struct {
	server *Server
	rwc    net.Conn
	state  atomic.Int32

	ctx     context.Context // of all its requests
	cancel  context.CancelFunc
	request *http.Request // the same for all, filled anew for each

	behind bool // an answered request, and it is not known that another one begins

	buf  []byte // what was read; of it
	used int    // was taken by the present request
	head head
	body body
	res  response

	since    time.Time     // begin of what the peer has
	patience time.Duration // for, 0 for ever
	deadline time.Time     // of reads, as it is set; zero for none
	watch    watch
}

func newConn(s *Server, rwc net.Conn) *conn {
	c := &conn{server: s, rwc: rwc, buf: make([]byte, 0, firstBuffer)}
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	r := &http.Request{
		Method: http.MethodPost, URL: &url.URL{Path: s.opts.Path}, RequestURI: s.opts.Path,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, RemoteAddr: rwc.RemoteAddr().String(),
		Body: &c.body,
	}
	c.request = r.WithContext(c.ctx)
	c.body.conn, c.res.conn, c.watch.conn = c, c, c
	c.res.header = make(http.Header)
	c.since, c.patience = time.Now(), s.opts.HTTP.ReadHeaderTimeout
	return c
}

// serve reads and answers requests until the connection ends or one comes that
// is for net/http.
func (c *conn) serve() {
	defer c.cancel()
	for {
		v, err := c.next()
		if err == nil && v == foreign {
			c.giveAway()
			return
		}
		if err != nil || !c.answer() || !c.rest() {
			c.rwc.Close() // nobody is there to be told of an error
			return
		}
	}
}

// next reads until a head is there, or something for net/http. An error says
// that the peer is gone or took too long.
func (c *conn) next() (verdict, error) {
	for {
		if c.begun() {
			if err := c.begin(); err != nil {
				return foreign, err
			}
			v := c.head.read(c.buf, c.server.line)
			if v == complete && c.server.opts.Foreign(c.head.header) {
				v = foreign
			}
			if v != incomplete {
				return v, nil
			}
		}
		err := c.fill()
		if err == io.EOF && c.begun() {
			return foreign, nil // net/http knows what to say of a head that is cut
		}
		if err != nil {
			return foreign, err
		}
	}
}

// nextBegins is how many bytes net/http takes for the beginning of a request behind
// another. Fewer before the connection ends are not answered.
const nextBegins = 4

// begun reports whether what was read begins a request. Behind another there may
// be ends of lines, which net/http forgives old clients.
func (c *conn) begun() bool {
	if c.behind && len(c.buf) >= nextBegins {
		n := 0
		for n < nextBegins && (c.buf[n] == '\r' || c.buf[n] == '\n') {
			n++
		}
		c.buf = append(c.buf[:0], c.buf[n:]...)
		c.behind = false
	}
	return len(c.buf) > 0 && !c.behind
}

// begin notes that a request has begun to come. Its head has a time of its own.
func (c *conn) begin() error {
	switch {
	case c.state.Load() == active:
	case !c.state.CompareAndSwap(idle, active):
		return net.ErrClosed
	default:
		c.since, c.patience = time.Now(), c.server.opts.HTTP.ReadHeaderTimeout
	}
	return nil
}

// rest makes ready for the next request. It returns false when there is to be
// none.
func (c *conn) rest() bool {
	c.behind = true
	left := copy(c.buf, c.buf[c.used:])
	c.buf, c.used = c.buf[:left], 0
	if left == 0 && cap(c.buf) > firstBuffer {
		c.buf = make([]byte, 0, firstBuffer)
	}
	c.since, c.patience = time.Now(), c.server.opts.HTTP.IdleTimeout
	c.state.Store(idle)
	return !c.server.stopping.Load() // who stops later finds the connection idle
}

// closeIdle closes the connection unless a request has begun.
func (c *conn) closeIdle() {
	if c.state.CompareAndSwap(idle, ended) {
		c.rwc.Close() // its reader finds out
	}
}

// giveAway hands the connection to net/http, with what was read of it.
func (c *conn) giveAway() {
	if c.limitReads(time.Time{}) != nil {
		c.rwc.Close()
		return
	}
	c.server.others.give(&begun{Conn: c.rwc, read: c.buf})
}

// fill reads what comes next into the buffer.
func (c *conn) fill() error {
	if len(c.buf) == cap(c.buf) {
		c.buf = append(c.buf, 0)[:len(c.buf)]
	}
	for {
		if err := c.bound(); err != nil {
			return err
		}
		n, err := c.rwc.Read(c.buf[len(c.buf):cap(c.buf)])
		c.buf = c.buf[:len(c.buf)+n]
		switch {
		case n > 0:
			return nil
		case !errors.Is(err, os.ErrDeadlineExceeded) || !time.Now().Before(c.until()):
			return err
		}
		c.deadline = time.Time{} // it was that of an earlier wait
	}
}

// until is when the peer's time is over, if its patience is bounded.
func (c *conn) until() time.Time { return c.since.Add(c.patience) }

// bound makes sure that a read ends in time. A deadline that is too early is
// left: to find that out when it passes costs less than to set one for each
// request.
func (c *conn) bound() error {
	until := c.until()
	switch {
	case c.patience <= 0:
		return c.limitReads(time.Time{})
	case c.deadline.IsZero() || until.Before(c.deadline):
		return c.limitReads(until)
	}
	return nil
}

// limitReads sets the deadline of reads.
func (c *conn) limitReads(t time.Time) error {
	if c.deadline.Equal(t) {
		return nil
	}
	c.deadline = t
	return c.rwc.SetReadDeadline(t)
}

// answer has the handler answer the request whose head was read. It returns
// false when the connection is to be closed.
func (c *conn) answer() (keep bool) {
	h, r := &c.head, c.request
	c.used, c.body.left, c.body.err = h.size, h.length, nil
	r.Host, r.Header, r.ContentLength = h.host, h.header, int64(h.length)
	c.res.reset()
	c.body.ended()
	defer c.watch.stop()
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				c.server.opts.Logger.Error("panic in a request", "path", r.URL.Path,
					"panic", p, "stack", string(debug.Stack()))
			}
			keep = false
		}
	}()
	c.server.opts.HTTP.Handler.ServeHTTP(&c.res, r)
	return c.res.finish()
}
