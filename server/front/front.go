// Package front reads the requests that applications send all day, complete
// ones of POST /v1/api/sql in the plainest form of HTTP/1.1, and hands
// everything else to net/http: other paths and methods, upgrades, chunked and
// large bodies, Expect, and whatever is unusual in any byte of a head.
//
// It is no HTTP server of its own. It judges no request that it does not
// understand completely, answers none itself, and gives net/http the bytes
// that it has read, so that there is one place that decides what odd input
// means. Handlers see the same requests either way.
//
// Server owns a goroutine for each connection until it is handed over; Serve
// returns when all have ended.
package front

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Options configure New.
type Options struct {
	// Path is the path whose POST requests are read here.
	Path string
	// HTTP serves all else. Its Handler, ReadHeaderTimeout and IdleTimeout hold
	// for the requests that are read here too. The handler keeps nothing of a
	// request for Path after it has returned.
	HTTP *http.Server
	// Foreign tells by its header that a request is for net/http, as one whose
	// answer streams. nil is none.
	Foreign func(http.Header) bool
	Logger  *slog.Logger // nil discards
}

// Server serves one listener. Its methods are safe for concurrent use.
type Server struct {
	opts     Options
	ctx      context.Context // of all requests that are read here
	line     []byte          // the request line that is read here
	others   *handover
	stopping atomic.Bool

	conns sync.WaitGroup
	mu    struct {
		sync.Mutex
		listener net.Listener // nil until Serve
		open     map[*conn]struct{}
		none     chan struct{} // closed when open is empty, once somebody waits
	}
}

// New returns a Server that serves nothing yet. ctx is that of all requests
// that are read here.
func New(ctx context.Context, opts Options) *Server {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Foreign == nil {
		opts.Foreign = func(http.Header) bool { return false }
	}
	s := &Server{opts: opts, ctx: ctx, line: []byte("POST " + opts.Path + " HTTP/1.1\r\n")}
	s.mu.open = make(map[*conn]struct{})
	return s
}

// Serve accepts connections of l until Shutdown or Close, closes it, and
// returns http.ErrServerClosed then, and the listener's error otherwise. It
// returns when all connections that are read here have ended, and must be
// called once.
func (s *Server) Serve(l net.Listener) error {
	defer l.Close() // a listener that is closed twice tells an error that says nothing
	s.others = newHandover(l.Addr())
	s.mu.Lock()
	s.mu.listener = l
	stopped := s.stopping.Load()
	s.mu.Unlock()
	if stopped {
		return http.ErrServerClosed
	}
	served := make(chan error, 1)
	go func() { served <- s.opts.HTTP.Serve(s.others) }() // ends with s.others
	err := s.acceptAll(l)
	s.conns.Wait()
	if !s.stopping.Load() {
		err = errors.Join(err, s.opts.HTTP.Close())
	}
	if other := <-served; !errors.Is(other, http.ErrServerClosed) {
		err = errors.Join(err, other)
	}
	return err
}

func (s *Server) acceptAll(l net.Listener) error {
	const first, most = 5 * time.Millisecond, time.Second
	wait := first
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			wait = first
			s.start(c)
			continue
		case s.stopping.Load():
			return http.ErrServerClosed
		case !passing(err):
			return err
		}
		s.opts.Logger.Warn("accept a connection", "error", err, "again_in", wait)
		select {
		case <-time.After(wait):
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
		wait = min(2*wait, most)
	}
}

// passing reports whether an error of Accept may not come again.
func passing(err error) bool {
	for _, e := range []error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (s *Server) start(rwc net.Conn) {
	c := newConn(s, rwc)
	s.mu.Lock()
	stopped := s.stopping.Load()
	if !stopped {
		s.mu.open[c] = struct{}{}
	}
	s.mu.Unlock()
	if stopped { // stop has not seen it
		c.cancel()
		rwc.Close()
		return
	}
	s.conns.Go(func() {
		defer s.ended(c)
		c.serve()
	})
}

func (s *Server) ended(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mu.open, c)
	if len(s.mu.open) == 0 && s.mu.none != nil {
		close(s.mu.none)
		s.mu.none = nil
	}
}

// Shutdown stops accepting, closes connections on which no request has begun,
// waits for the others until ctx ends, and shuts net/http down. The error is
// that of ctx when something still runs.
func (s *Server) Shutdown(ctx context.Context) error {
	s.opts.HTTP.SetKeepAlivesEnabled(false) // it still takes what is handed over
	none := s.stop(func(c *conn) { c.closeIdle() })
	select {
	case <-none:
	case <-ctx.Done():
	}
	return errors.Join(s.opts.HTTP.Shutdown(ctx), ctx.Err())
}

// Close stops accepting and closes all connections at once.
func (s *Server) Close() error {
	s.stop(func(c *conn) { c.rwc.Close() }) // its reader finds out
	return s.opts.HTTP.Close()
}

// stop has no further connection begin, calls f with each that is open, and
// returns a channel that is closed once none is.
func (s *Server) stop(f func(*conn)) <-chan struct{} {
	s.stopping.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.listener != nil {
		s.mu.listener.Close() // Accept tells
	}
	for c := range s.mu.open {
		f(c)
	}
	none := s.mu.none
	if none == nil {
		none = make(chan struct{})
		s.mu.none = none
	}
	if len(s.mu.open) == 0 {
		close(none)
		s.mu.none = nil
	}
	return none
}
