package front

import (
	"errors"
	"os"
	"sync"
	"time"
)

// watchAfter is how long a request runs before its peer is watched. Nearly all
// are answered sooner, and to watch costs more than to answer them.
const watchAfter = 20 * time.Millisecond

// watch finds out that the peer has gone while its request runs, and ends the
// request's context then. It reads a byte, which is the begin of the next
// request unless the peer is gone. The timer's goroutine does that; stop waits
// for it.
type watch struct {
	conn  *conn
	timer *time.Timer // nil until the first request
	armed bool
	done  chan struct{} // has one token when the timer's goroutine ends
	next  [1]byte       // what was read
	n     int           // of next

	mu      sync.Mutex
	stopped bool
}

// arm begins to watch after a while. It does so once for each request.
func (w *watch) arm() {
	if w.armed {
		return
	}
	w.armed = true
	if w.timer == nil {
		w.done = make(chan struct{}, 1)
		w.timer = time.AfterFunc(watchAfter, w.run)
		return
	}
	w.stopped = false // nobody else is there
	w.timer.Reset(watchAfter)
}

func (w *watch) run() {
	defer func() { w.done <- struct{}{} }()
	c := w.conn
	w.mu.Lock()
	if w.stopped {
		w.mu.Unlock()
		return
	}
	err := c.rwc.SetReadDeadline(time.Time{})
	w.mu.Unlock()
	if err == nil {
		w.n, err = c.rwc.Read(w.next[:])
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.cancel()
	}
}

// stop ends the watching of a request and keeps the byte that was read.
func (w *watch) stop() {
	if !w.armed {
		return
	}
	w.armed = false
	if w.timer.Stop() {
		return
	}
	c := w.conn
	w.mu.Lock()
	w.stopped = true
	err := c.rwc.SetReadDeadline(time.Unix(1, 0))
	w.mu.Unlock()
	<-w.done
	if err == nil {
		err = c.rwc.SetReadDeadline(time.Time{})
	}
	if c.deadline = (time.Time{}); err != nil {
		c.cancel() // the next read tells
	}
	c.buf = append(c.buf, w.next[:w.n]...)
	w.n = 0
}
