package ws

import (
	"encoding/binary"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/live"
)

// Sizes of writing, in bytes and messages, and how long one subscription's news
// may wait for those of another.
const (
	writePiece = 64 << 10 // that must be taken within the write timeout
	maxPooled  = 16 << 10 // of a buffer that is kept
	pollMost   = 32       // messages of one subscription before the next one's turn
	tellPiece  = 8 << 10  // of what subscriptions tell that is written together
	tellTime   = time.Millisecond
	sharedBody = 2 << 10 // of a change that is written from where all have it
)

var buffers = sync.Pool{New: func() any { return new([]byte) }}

func getBuffer() []byte { return (*buffers.Get().(*[]byte))[:0] }

func putBuffer(b []byte) {
	if cap(b) > 0 && cap(b) <= maxPooled {
		buffers.Put(&b)
	}
}

// appendFrame appends a complete frame.
func appendFrame(dst []byte, op ws.OpCode, payload []byte) []byte {
	return append(appendHeader(dst, op, len(payload)), payload...)
}

// appendHeader appends the header of an unfragmented, unmasked frame.
func appendHeader(dst []byte, op ws.OpCode, length int) []byte {
	const fin, len16, len64 = 0x80, 126, 127
	dst = append(dst, fin|byte(op))
	switch {
	case length < len16:
		return append(dst, byte(length))
	case length <= 1<<16-1:
		return binary.BigEndian.AppendUint16(append(dst, len16), uint16(length))
	}
	return binary.BigEndian.AppendUint64(append(dst, len64), uint64(length))
}

// frameEnd returns where the frame ends that byte n of frames is in or at the
// start of: n itself between two frames.
func frameEnd(frames []byte, n int) int {
	end := 0
	for end < n {
		switch length := frames[end+1]; length {
		case 126:
			end += 4 + int(binary.BigEndian.Uint16(frames[end+2:]))
		case 127:
			end += 10 + int(binary.BigEndian.Uint64(frames[end+2:]))
		default:
			end += 2 + int(length)
		}
	}
	return end
}

// job is the next thing that the writer does; one field is set.
type job struct {
	frames   []byte // to write
	poll     *sub
	source   *live.Subscription // poll's
	progress []followed
	last     bool // frames are the farewell
}

// followed is a subscription as it is open when a job is made.
type followed struct {
	id     string
	source *live.Subscription
}

// write does what there is to do and ends. What one subscription after the
// other has to tell is written together: a socket with many of them, and a
// client that opens many, would else cost a system call for each.
func (c *conn) write() {
	var told []byte // by subscriptions, not yet written
	var began time.Time
	for {
		j, ok := c.nextJob(len(told) == 0)
		if !ok && len(told) == 0 {
			putBuffer(told)
			return
		}
		var err error
		if j.poll == nil || len(told) >= tellPiece || len(told) > 0 && time.Since(began) > tellTime {
			told, err = c.writeTold(told)
		}
		if len(told) == 0 {
			began = time.Now()
		}
		if ok {
			told, err = c.do(told, j, err)
		}
		if err != nil || j.last {
			c.endWriting(err)
			return
		}
	}
}

// writeTold writes what subscriptions told, and returns what is left of it.
func (c *conn) writeTold(told []byte) ([]byte, error) {
	if len(told) == 0 {
		return told, nil
	}
	err := c.writeCounted(told)
	if err == nil { // else it is still needed
		putBuffer(told)
	}
	return nil, err
}

// nextJob returns the next job. When there is none and the writer is done, it
// counts as ended.
func (c *conn) nextJob(done bool) (job, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.gone:
	case len(c.outbox) > 0:
		j := job{frames: c.outbox}
		c.outbox = nil
		c.changed.Broadcast()
		return j, true
	case c.farewell != nil:
		return job{frames: c.farewell, last: true}, true
	case len(c.ready) > 0:
		s := c.ready[0]
		c.ready[0] = nil
		if c.ready = c.ready[1:]; len(c.ready) == 0 {
			c.ready = nil
		}
		s.queued = false
		return job{poll: s, source: s.live}, true
	case c.progress:
		c.progress = false
		j := job{}
		for _, s := range c.subs {
			if s.live != nil {
				j.progress = append(j.progress, followed{s.id, s.live})
			}
		}
		return j, true
	}
	if done {
		c.writing = false
		c.changed.Broadcast()
	}
	return job{}, false
}

// do does a job, unless writing has failed already. What a subscription tells is
// appended to told.
func (c *conn) do(told []byte, j job, failed error) ([]byte, error) {
	if j.frames != nil && !j.last {
		defer c.srv.opts.Total.Add(-len(j.frames))
	}
	switch {
	case failed != nil:
		return nil, failed
	case j.last:
		return nil, c.writeFrames(j.frames)
	case j.frames != nil:
		err := c.writeFrames(j.frames)
		if err == nil { // else they are still needed
			putBuffer(j.frames)
		}
		return nil, err
	case j.poll != nil:
		return c.poll(told, j.poll, j.source)
	}
	return nil, c.tellProgress(j.progress)
}

// endWriting ends the writer after the farewell or an error. After a farewell
// the reader goes on for a moment to see the client's close frame.
func (c *conn) endWriting(err error) {
	var slow *slowError
	switch {
	case err == nil:
		if err := c.net.SetReadDeadline(time.Now().Add(lingerTime)); err != nil {
			c.cut()
		}
	case errors.As(err, &slow):
		c.dismiss(slow.rest)
	default:
		c.cut()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing, c.gone = false, true
	c.changed.Broadcast()
}

// slowError means that the socket took nothing for the write timeout. rest is
// what is missing of the frame that was begun.
type slowError struct{ rest []byte }

// Error implements error.
func (e *slowError) Error() string { return "ws: the client does not read" }

// writeFrames writes complete frames.
func (c *conn) writeFrames(frames []byte) error {
	at, err := c.writeBytes(frames)
	if errors.Is(err, errSlow) {
		return &slowError{frames[at:frameEnd(frames, at)]}
	}
	return err
}

// writeChange writes frames, the last of which ends with the shared part of e.
func (c *conn) writeChange(frames []byte, e *live.Event) error {
	total, body := c.srv.opts.Total, e.Encoded(encodeChange)
	total.Add(len(frames))
	defer total.Add(-len(frames))
	e.Hold(total)
	defer e.Release(total)
	at, err := c.writeBytes(frames)
	if errors.Is(err, errSlow) {
		end := frameEnd(frames, at)
		rest := append([]byte(nil), frames[at:min(end, len(frames))]...)
		return &slowError{append(rest, body[:max(end-len(frames), 0)]...)}
	}
	if err != nil {
		return err
	}
	if at, err = c.writeBytes(body); errors.Is(err, errSlow) {
		return &slowError{body[at:]}
	}
	return err
}

// errSlow means that the socket took nothing for the write timeout.
var errSlow = errors.New("ws: the client takes nothing")

// writeBytes writes a piece at a time, each within the write timeout, and
// returns how much was written.
func (c *conn) writeBytes(frames []byte) (at int, err error) {
	for at < len(frames) {
		end := min(at+writePiece, len(frames))
		if err := c.net.SetWriteDeadline(time.Now().Add(c.srv.opts.WriteTimeout)); err != nil {
			return at, err
		}
		c.blocked.Store(time.Now().UnixNano())
		n, err := c.net.Write(frames[at:end])
		c.blocked.Store(0)
		at += n
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && n == 0:
			return at, errSlow
		case errors.Is(err, os.ErrDeadlineExceeded): // slow, but it takes something
		case err != nil:
			return at, err
		}
	}
	return at, nil
}

// goodbyeTime bounds how long a client that did not read may take to do so
// after all.
const goodbyeTime = 10 * time.Second

// dismiss gives a client that did not read a last while to take the rest of its
// frame and to learn why it is cut off.
func (c *conn) dismiss(rest []byte) {
	err := fault.New(fault.SlowConsumer, "the client reads too slowly; resume from the cursor")
	c.srv.opts.Logger.Info("slow websocket closed", "peer", c.net.RemoteAddr())
	goodbye := append([]byte(nil), rest...)
	goodbye = appendFrame(goodbye, ws.OpText, appendErrorMessage(nil, "", err))
	c.close(err)
	c.mu.Lock()
	goodbye = append(goodbye, c.farewell...)
	c.mu.Unlock()
	patience := min(c.srv.opts.WriteTimeout, goodbyeTime)
	if err := c.net.SetWriteDeadline(time.Now().Add(patience)); err == nil {
		if _, err = c.net.Write(goodbye); err == nil {
			err = c.net.SetReadDeadline(time.Now().Add(lingerTime))
		}
		if err == nil {
			return
		}
	}
	c.cut()
}

// poll appends what a subscription has to tell to buf, up to pollMost messages.
func (c *conn) poll(buf []byte, s *sub, source *live.Subscription) ([]byte, error) {
	msgs, more, err := source.Poll(c.ctx, pollMost)
	if err != nil {
		return buf, nil // the connection's end; the reader takes it down
	}
	if buf == nil {
		buf = getBuffer()
	}
	for _, m := range msgs {
		if e, ok := m.(live.Ended); ok {
			more = false
			if m, ok = c.goOn(s, source, e); ok {
				continue
			}
		}
		if buf, err = c.tell(buf, s, source, m); err != nil {
			return buf, err
		}
	}
	if more {
		c.wake(s)
	}
	return buf, nil
}

// goOn opens a live query again that ended with e, where that can be done, and
// reports whether it has. Otherwise it returns what is to be told.
func (c *conn) goOn(s *sub, source *live.Subscription, e live.Ended) (live.Message, bool) {
	if renewable(e.Reason) {
		if e.Err = c.renew(s, source); e.Err == nil {
			return nil, true
		}
	}
	c.forget(s)
	if e.Err != nil {
		c.srv.opts.Logger.Debug("live query ended", "error", e.Err)
	}
	return e, false
}

// tell appends a message to buf, and writes buf when it is long or what all
// have of a change is.
func (c *conn) tell(
	buf []byte, s *sub, source *live.Subscription, m live.Message,
) ([]byte, error) {
	if e, ok := m.(live.Changed); ok {
		if body := e.Encoded(encodeChange); len(body) >= sharedBody {
			buf = appendChangeHead(buf, s.id, len(body))
			return buf[:0], c.writeChange(buf, e.Event)
		}
	}
	buf = appendLive(buf, s.id, source.Columns(), m)
	if len(buf) < writePiece {
		return buf, nil
	}
	return buf[:0], c.writeCounted(buf)
}

// writeCounted writes frames that are part of what waits for all connections
// until they are taken.
func (c *conn) writeCounted(frames []byte) error {
	c.srv.opts.Total.Add(len(frames))
	defer c.srv.opts.Total.Add(-len(frames))
	return c.writeFrames(frames)
}

// tellProgress moves the cursors of subscriptions that have nothing to tell.
func (c *conn) tellProgress(subs []followed) error {
	buf := getBuffer()
	defer func() { putBuffer(buf) }()
	for _, s := range subs {
		if p, ok := s.source.Progress(); ok {
			buf = appendLive(buf, s.id, nil, p)
		}
	}
	return c.writeFrames(buf)
}

// forget frees the id of a subscription that has ended.
func (c *conn) forget(s *sub) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.subs[s.id] == s {
		delete(c.subs, s.id)
	}
}
