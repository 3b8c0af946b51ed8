package front

import (
	"io"
	"time"
)

// body is the body of the present request: what is in the buffer, and what is
// still to come behind it.
type body struct {
	conn *conn
	left int   // bytes that were not read yet
	err  error // why the rest did not come
}

// Read implements io.Reader. The body has no time of its own, as in net/http:
// its size is bounded, and so is the number of connections.
func (b *body) Read(p []byte) (int, error) {
	switch {
	case b.left == 0:
		return 0, io.EOF
	case b.err != nil:
		return 0, b.err
	}
	c := b.conn
	p = p[:min(len(p), b.left)]
	n := copy(p, c.buf[c.used:])
	c.used += n
	if n == 0 && len(p) > 0 {
		if n, b.err = b.receive(p); b.err != nil {
			return n, b.err
		}
	}
	b.left -= n
	b.ended()
	if b.left == 0 {
		return n, io.EOF
	}
	return n, nil
}

// receive reads from the connection. An end of it is an error.
func (b *body) receive(p []byte) (int, error) {
	if err := b.conn.limitReads(time.Time{}); err != nil {
		return 0, err
	}
	n, err := b.conn.rwc.Read(p)
	switch {
	case n > 0:
		return n, nil
	case err == io.EOF:
		return 0, io.ErrUnexpectedEOF
	}
	return 0, err
}

// ended has the peer watched once all of the body has come.
func (b *body) ended() {
	if c := b.conn; len(c.buf)-c.used >= b.left {
		c.watch.arm()
	}
}

// discard reads what the handler has left, so that the next request can be
// found. It returns false when that did not come.
func (b *body) discard() bool {
	if have := min(b.left, len(b.conn.buf)-b.conn.used); have > 0 {
		b.conn.used += have
		b.left -= have
	}
	if b.left == 0 {
		return true
	}
	_, err := io.Copy(io.Discard, b)
	return err == nil
}

// Close implements io.Closer.
func (b *body) Close() error { return nil }
