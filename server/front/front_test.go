package front_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/server/front"
)

// peer is a client that writes raw bytes.
type peer struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

func dial(t testing.TB, addr string) *peer {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &peer{c, t, bufio.NewReader(c)}
}

func (p *peer) send(raw string) {
	p.t.Helper()
	if _, err := io.WriteString(p.Conn, raw); err != nil {
		p.t.Fatal(err)
	}
}

// answer reads an answer with its body.
func (p *peer) answer() (*http.Response, string) {
	p.t.Helper()
	res, err := http.ReadResponse(p.r, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return res, string(body)
}

// closed waits until the server closes, and returns what came before.
func (p *peer) closed() string {
	p.t.Helper()
	rest, err := io.ReadAll(p.r)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		p.t.Fatal(err)
	}
	return string(rest)
}

// start serves h and returns the server and its address; change may be nil.
func start(t *testing.T, h http.HandlerFunc, change func(*http.Server)) (*front.Server, string) {
	t.Helper()
	other := newServer(h)
	if change != nil {
		change(other)
	}
	s := front.New(t.Context(), front.Options{Path: path, HTTP: other})
	return s, serve(t, s)
}

func post(body string) string {
	return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", head, len(body), body)
}

// mirror answers with the body of the request.
func mirror(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
	if _, err := io.Copy(w, r.Body); err != nil {
		panic(http.ErrAbortHandler)
	}
}

func TestServer_ManyClientsAtOnce(t *testing.T) {
	_, addr := start(t, mirror, nil)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			p := dial(t, addr)
			for n := range 100 {
				want := strings.Repeat(string(rune('a'+i)), (i*n*37)%9000)
				p.send(post(want))
				if _, got := p.answer(); got != want {
					t.Errorf("client %d got %d bytes, want %d", i, len(got), len(want))
				}
			}
		})
	}
	wg.Wait()
}

func TestServer_SlowHeadIsCutOff(t *testing.T) {
	const limit = 50 * time.Millisecond
	_, addr := start(t, mirror, func(s *http.Server) { s.ReadHeaderTimeout = limit })
	for name, begin := range map[string]string{
		"says nothing": "", "a part of the line": "POST /v1", "a part of the head": head + "X-A: 1",
		"behind a request": post("x") + head,
	} {
		t.Run(name, func(t *testing.T) {
			from := time.Now()
			p := dial(t, addr)
			p.send(begin)
			rest := p.closed()
			if strings.HasPrefix(begin, post("x")) != strings.HasPrefix(rest, "HTTP/1.1 200") ||
				strings.Count(rest, "HTTP/1.1") > 1 {
				t.Errorf("the server says %q", rest)
			}
			if took := time.Since(from); took < limit {
				t.Errorf("cut off after %v", took)
			}
		})
	}
}

func TestServer_IdleTimeCountsFromTheLastAnswer(t *testing.T) {
	const limit = 150 * time.Millisecond
	_, addr := start(t, mirror, func(s *http.Server) { s.IdleTimeout = limit })
	p := dial(t, addr)
	tick := time.NewTicker(limit / 3)
	defer tick.Stop()
	last := time.Now()
	for range 10 { // longer than the limit
		last = time.Now()
		p.send(post("x"))
		if _, got := p.answer(); got != "x" {
			t.Fatalf("got %q", got)
		}
		<-tick.C
	}
	p.closed()
	if quiet := time.Since(last); quiet < limit {
		t.Errorf("closed after %v without a request", quiet)
	}
}

// waiting is a handler whose requests run until they are let go.
type waiting struct {
	begun chan *http.Request
	ended chan error // why a request's context ended, nil for let go
	free  chan struct{}
}

func newWaiting() *waiting {
	return &waiting{make(chan *http.Request, 9), make(chan error, 9), make(chan struct{})}
}

func (h *waiting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		h.ended <- err
		return
	}
	h.begun <- r
	select {
	case <-r.Context().Done():
		h.ended <- r.Context().Err()
	case <-h.free:
		h.ended <- nil
		fmt.Fprintf(w, "done %s", body)
	}
}

func TestServer_ClientThatGoesEndsItsRequest(t *testing.T) {
	h := newWaiting()
	_, addr := start(t, h.ServeHTTP, nil)
	for name, leave := range map[string]func(*peer) error{
		"closes":       func(p *peer) error { return p.Close() },
		"says no more": func(p *peer) error { return p.Conn.(*net.TCPConn).CloseWrite() },
	} {
		t.Run(name, func(t *testing.T) {
			p := dial(t, addr)
			p.send(post("x"))
			<-h.begun
			if err := leave(p); err != nil {
				t.Fatal(err)
			}
			if err := <-h.ended; !errors.Is(err, context.Canceled) {
				t.Errorf("the request ended with %v", err)
			}
		})
	}
}

// TestServer_RequestBehindALongOne sends the second request in parts, while the
// peer is watched and before.
func TestServer_RequestBehindALongOne(t *testing.T) {
	h := newWaiting()
	_, addr := start(t, h.ServeHTTP, nil)
	for cut := range 3 {
		p := dial(t, addr)
		p.send(post("one"))
		<-h.begun
		second := post("two")
		p.send(second[:cut])
		pause(t, 2*front.WatchAfter)
		p.send(second[cut:])
		for _, want := range []string{"done one", "done two"} {
			h.free <- struct{}{}
			if err := <-h.ended; err != nil {
				t.Fatal(err)
			}
			if _, got := p.answer(); got != want {
				t.Errorf("cut at %d: got %q, want %q", cut, got, want)
			}
		}
		<-h.begun
	}
}

// pause lets time pass in which the server is to do something on its own that
// nothing tells.
func pause(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	<-ctx.Done()
}

func TestServer_ShutdownWaitsForRequests(t *testing.T) {
	h := newWaiting()
	s, addr := start(t, h.ServeHTTP, nil)
	quiet, busy, other := dial(t, addr), dial(t, addr), dial(t, addr)
	quiet.send(post("x"))
	<-h.begun
	h.free <- struct{}{}
	<-h.ended
	quiet.answer()
	busy.send(post("long"))
	other.send(strings.Replace(post("long"), path, "/other", 1)) // for net/http
	<-h.begun
	<-h.begun
	stopped := make(chan error, 1)
	go func() { stopped <- s.Shutdown(t.Context()) }()
	if rest := quiet.closed(); rest != "" {
		t.Errorf("the idle connection got %q", rest)
	}
	select {
	case err := <-stopped:
		t.Fatalf("Shutdown returned with a request in flight: %v", err)
	default:
	}
	for range 2 {
		h.free <- struct{}{}
		<-h.ended
	}
	for _, p := range []*peer{busy, other} {
		if res, body := p.answer(); !res.Close || body != "done long" {
			t.Errorf("got %q, close %v", body, res.Close)
		}
		p.closed()
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("a stopped server accepts connections")
	}
}

func TestServer_CloseCutsOffWhatShutdownDidNot(t *testing.T) {
	h, come := newWaiting(), make(chan struct{}, 2)
	s, addr := start(t, func(w http.ResponseWriter, r *http.Request) {
		come <- struct{}{}
		h.ServeHTTP(w, r)
	}, nil)
	half, long := dial(t, addr), dial(t, addr)
	half.send(head + "Content-Length: 10\r\n\r\nabc") // the rest never comes
	long.send(post("long"))
	<-come
	<-come
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown returned %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := <-h.ended; err == nil {
			t.Error("a request that was cut off ended well")
		}
	}
	half.closed()
	long.closed()
}

func TestServer_StopsBeforeItServes(t *testing.T) {
	s := front.New(t.Context(), front.Options{Path: path, HTTP: newServer(http.HandlerFunc(mirror))})
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(l); err != http.ErrServerClosed {
		t.Error(err)
	}
}

func TestServer_PanicEndsOneConnection(t *testing.T) {
	_, addr := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 0 {
			panic("a mistake")
		}
		mirror(w, r)
	}, nil)
	bad, good := dial(t, addr), dial(t, addr)
	bad.send(post(""))
	if rest := bad.closed(); rest != "" {
		t.Errorf("got %q", rest)
	}
	good.send(post("x"))
	if _, got := good.answer(); got != "x" {
		t.Errorf("got %q", got)
	}
}

func TestServer_ForeignIsForNetHTTP(t *testing.T) {
	other := newServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, chunks := w.(http.Flusher)
		fmt.Fprintf(w, "flushes %v", chunks)
	}))
	addr := serve(t, front.New(t.Context(), front.Options{Path: path, HTTP: other,
		Foreign: func(h http.Header) bool { return h.Get("Accept") == "text/csv" }}))
	p := dial(t, addr)
	for _, accept := range []string{"*/*", "text/csv"} {
		p.send(head + "Accept: " + accept + "\r\nContent-Length: 0\r\n\r\n")
		if _, got := p.answer(); got != fmt.Sprintf("flushes %v", accept == "text/csv") {
			t.Errorf("Accept %s: %s", accept, got)
		}
	}
}

// failing is a listener whose first Accepts fail.
type failing struct {
	net.Listener
	errs []error
}

func (l *failing) Accept() (net.Conn, error) {
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return nil, err
	}
	return l.Listener.Accept()
}

func TestServer_AcceptsAgainAfterAPassingError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	s := front.New(t.Context(), front.Options{Path: path, HTTP: newServer(http.HandlerFunc(mirror))})
	served := make(chan error, 1)
	bad := &failing{l, []error{&net.OpError{Op: "accept", Err: syscall.EMFILE}}}
	go func() { served <- s.Serve(bad) }()
	p := dial(t, l.Addr().String())
	p.send(post("x"))
	if _, got := p.answer(); got != "x" {
		t.Errorf("got %q", got)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; err != http.ErrServerClosed {
		t.Error(err)
	}
	if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	s = front.New(t.Context(), front.Options{Path: path, HTTP: newServer(http.HandlerFunc(mirror))})
	if err := s.Serve(&failing{l, []error{broken}}); !errors.Is(err, broken) {
		t.Errorf("Serve returned %v", err)
	}
}

func BenchmarkServer(b *testing.B) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = []string{"application/json"}
		w.Header()["Content-Length"] = []string{"2"}
		_, _ = io.WriteString(w, "{}") // the client tells
	})
	plain, fronted := both(b, h)
	for name, addr := range map[string]string{"net-http": plain, "front": fronted} {
		b.Run(name, func(b *testing.B) {
			p := dial(b, addr)
			if err := p.SetDeadline(time.Time{}); err != nil {
				b.Fatal(err)
			}
			raw := head + "Authorization: Bearer " + strings.Repeat("x", 150) +
				"\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
			answer := make([]byte, 4096)
			b.ReportAllocs()
			for b.Loop() {
				p.send(raw)
				if _, err := p.Read(answer); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
