package ws

import (
	"runtime"
	"time"

	"github.com/gobwas/ws"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// keepInterval is the longest time between two rounds of the keeper.
const keepInterval = time.Second / 2

// lookPiece is the number of connections that the keeper looks at in one go.
const lookPiece = 64

// warnBefore is how long before its end a client is told that its token
// expires: this long, or half of what is left when that is less.
const warnBefore = time.Minute

// silentPings is how many pings may pass without a frame from the client. While
// the worker is busy nothing may be read, so silence means nothing.
const silentPings = 2

// keep looks after all connections until the server is shut.
func (s *Server) keep() {
	shortest := min(s.opts.PingInterval, s.opts.AuthTimeout)
	tick := time.NewTicker(max(min(shortest/4, keepInterval), time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-s.stopped:
			return
		case now := <-tick.C:
			s.mu.Lock()
			conns := s.listLocked()
			s.mu.Unlock()
			for i, c := range conns {
				if c.look(now); i%lookPiece == 0 {
					runtime.Gosched() // thousands of them would hold up what is due now
				}
			}
		}
	}
}

// look ends, warns or pings the connection, as is due. It does not block.
func (c *conn) look(now time.Time) {
	c.relieve(now)
	silent := now.Sub(time.Unix(0, c.lastRead.Load()))
	c.mu.Lock()
	if silent > (silentPings+1)*c.srv.opts.PingInterval && !c.working {
		c.mu.Unlock()
		c.cut()
		return
	}
	err := c.expiredLocked(now)
	if err == nil && c.openLocked() {
		c.warnLocked(now)
		c.pingLocked(now)
	}
	c.mu.Unlock()
	if err != nil {
		c.close(err)
	}
}

// stalled is how long a write may be blocked while too much waits for all.
const stalled = time.Second

// relieve has the present write time out now when too much waits for all
// connections and this one takes none of it.
func (c *conn) relieve(now time.Time) {
	since := c.blocked.Load()
	if since == 0 || !c.srv.opts.Total.Over() || now.Sub(time.Unix(0, since)) < stalled {
		return
	}
	if err := c.net.SetWriteDeadline(now); err != nil {
		c.srv.opts.Logger.Debug("stop a blocked write", "error", err)
	}
}

func (c *conn) expiredLocked(now time.Time) error {
	switch {
	case c.revoked:
		return errRevoked
	case !c.known && now.Sub(c.opened) > c.srv.opts.AuthTimeout:
		return fault.New(fault.AuthRequired, "no credentials came in time")
	case c.known && !c.id.ExpiresAt.IsZero() && now.After(c.id.ExpiresAt):
		return fault.New(fault.TokenExpired, "the token has expired; connect with a new one")
	}
	return nil
}

func (c *conn) warnLocked(now time.Time) {
	if !c.warnAt.IsZero() && now.After(c.warnAt) {
		c.warnAt = time.Time{}
		c.queueLocked(ws.OpText, appendExpiring(nil, c.id.ExpiresAt))
	}
}

func (c *conn) pingLocked(now time.Time) {
	if now.Sub(c.lastPing) < c.srv.opts.PingInterval || len(c.outbox) > 0 {
		return
	}
	c.lastPing = now
	c.progress = len(c.subs) > 0
	c.queueLocked(ws.OpPing, nil)
}
