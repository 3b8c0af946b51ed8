package blackbox

import (
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"
)

// Proxy passes TCP connections on to a server and does to them what networks
// do: breaks them, also in the middle of a message, and stalls them. Its
// methods are safe for concurrent use. It owns two goroutines for each
// connection and one that accepts; Close ends them and waits.
type Proxy struct {
	URL string // "http://127.0.0.1:port"

	listener net.Listener
	target   string
	wg       sync.WaitGroup

	mu      sync.Mutex
	flow    sync.Cond // stalled or closed changed; L is mu
	stalled bool
	refuses bool
	upload  int // bytes of a client that pass on each connection; -1 for all
	rate    int // bytes a second and direction of a connection; 0 for all
	closed  bool
	pairs   map[*pair]struct{}
	cuts    int
}

// pair is a connection of a client and the one to the server.
type pair struct {
	client, server net.Conn
	left           int // bytes of the server that still pass; -1 for all
	sent           int // bytes of the client that have passed
}

// NewProxy listens on a free port for the server at base.
func NewProxy(base string) (*Proxy, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the proxy: %w", err)
	}
	p := &Proxy{URL: "http://" + l.Addr().String(), listener: l, target: u.Host, upload: -1,
		pairs: map[*pair]struct{}{}}
	p.flow.L = &p.mu
	p.wg.Go(p.accept)
	return p, nil
}

// Cut breaks all connections now.
func (p *Proxy) Cut() { p.CutAfter(0) }

// CutAfter breaks each connection that is open now once n more bytes of the
// server have passed: most often in the middle of a message.
func (p *Proxy) CutAfter(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for pr := range p.pairs {
		pr.left = n
		if n == 0 {
			p.breakLocked(pr)
		}
	}
}

// Stall holds back what the server sends, until it is called with false.
func (p *Proxy) Stall(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stalled = on
	p.flow.Broadcast()
}

// CutUploadsAfter breaks each connection, also those to come, once n bytes of its
// client have passed; -1 lets all pass.
func (p *Proxy) CutUploadsAfter(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.upload = n
}

// Refuse breaks all connections, and each new one at once, until it is called
// with false.
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refuses = on; on {
		for pr := range p.pairs {
			p.breakLocked(pr)
		}
	}
}

// Slow lets so many bytes a second pass in each direction of a connection; 0 is
// as fast as can be.
func (p *Proxy) Slow(bytesPerSecond int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rate = bytesPerSecond
}

// Cuts returns how many connections were broken.
func (p *Proxy) Cuts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cuts
}

// Close breaks all connections and stops listening.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.flow.Broadcast()
	_ = p.listener.Close() // it only listens
	for pr := range p.pairs {
		p.breakLocked(pr)
	}
	p.mu.Unlock()
	p.wg.Wait()
}

func (p *Proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		s, err := net.Dial("tcp", p.target)
		if err != nil { // the server is down: so is the proxy's connection
			_ = c.Close()
			continue
		}
		pr := &pair{client: c, server: s, left: -1}
		p.mu.Lock()
		p.pairs[pr] = struct{}{}
		if p.closed || p.refuses {
			p.breakLocked(pr)
		}
		p.mu.Unlock()
		p.wg.Go(func() { p.copy(pr, pr.server, pr.client, false) })
		p.wg.Go(func() { p.copy(pr, pr.client, pr.server, true) })
	}
}

// copy passes bytes on until the connection breaks.
func (p *Proxy) copy(pr *pair, to, from net.Conn, fromServer bool) {
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		last := false
		if fromServer {
			n, last = p.pass(pr, n)
		} else {
			n, last = p.passUpload(pr, n)
		}
		p.wait(n)
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				err = werr
			}
		}
		if err != nil || last {
			p.mu.Lock()
			p.breakLocked(pr)
			p.mu.Unlock()
			return
		}
	}
}

// pass waits while the proxy stalls, and returns how many of n bytes may pass
// and whether they are the last.
func (p *Proxy) pass(pr *pair, n int) (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.stalled && !p.closed {
		p.flow.Wait()
	}
	if pr.left < 0 {
		return n, false
	}
	n = min(n, pr.left)
	pr.left -= n
	return n, pr.left == 0
}

// passUpload is pass for what a client sends.
func (p *Proxy) passUpload(pr *pair, n int) (int, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.upload < 0 {
		return n, false
	}
	n = max(0, min(n, p.upload-pr.sent))
	pr.sent += n
	return n, pr.sent >= p.upload
}

// wait takes as long as n bytes may take.
func (p *Proxy) wait(n int) {
	p.mu.Lock()
	rate := p.rate
	p.mu.Unlock()
	if rate > 0 {
		time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
	}
}

func (p *Proxy) breakLocked(pr *pair) {
	if _, open := p.pairs[pr]; !open {
		return
	}
	delete(p.pairs, pr)
	p.cuts++
	for _, c := range []net.Conn{pr.client, pr.server} {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset, as of a network that is gone
		}
		_ = c.Close() // breaking it is the point
	}
}
