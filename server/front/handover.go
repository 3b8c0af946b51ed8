package front

import (
	"net"
	"sync"
)

// handover is the listener from which net/http gets its connections.
type handover struct {
	addr   net.Addr
	conns  chan net.Conn // without room: whoever hands over waits for Accept
	closed chan struct{}
	once   sync.Once
}

func newHandover(addr net.Addr) *handover {
	return &handover{addr: addr, conns: make(chan net.Conn), closed: make(chan struct{})}
}

// give hands a connection over. It closes it when nobody takes it any more.
func (h *handover) give(c net.Conn) {
	select {
	case h.conns <- c:
	case <-h.closed:
		c.Close() // nothing was answered, so nothing is lost that was promised
	}
}

// Accept implements net.Listener.
func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

// Addr implements net.Listener.
func (h *handover) Addr() net.Addr { return h.addr }

// begun is a connection of which some bytes were read already.
type begun struct {
	net.Conn
	read []byte // what is given out first
}

var _ interface{ NetConn() net.Conn } = (*begun)(nil) // package ws looks for it

// NetConn returns the connection below, for those who set options of it: it
// lacks what was read already.
func (c *begun) NetConn() net.Conn { return c.Conn }

// Read implements net.Conn.
func (c *begun) Read(p []byte) (int, error) {
	if len(c.read) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.read)
	if c.read = c.read[n:]; len(c.read) == 0 {
		c.read = nil
	}
	return n, nil
}
