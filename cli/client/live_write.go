package client

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"github.com/coder/websocket"

	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// write sends what is in out, subscribes idle subscriptions, probes a silent
// connection and renews its token, until ctx ends or the connection breaks.
// It closes a connection that it finds broken, which ends the reader.
func (l *live) write(ctx context.Context, conn *websocket.Conn) {
	ping := time.NewTicker(l.c.opts.PingInterval)
	defer ping.Stop()
	for {
		messages, again := l.due(time.Now())
		for _, m := range messages {
			if send(ctx, conn, m) != nil {
				_ = conn.CloseNow() // the reader reports
				return
			}
		}
		if l.renewToken(ctx) != nil {
			_ = conn.CloseNow() // dialling again meets the same error and reports
			return
		}
		retry := time.NewTimer(again)
		select {
		case <-l.wake:
		case <-retry.C:
		case <-ping.C:
			if !l.probe(time.Now()) {
				_ = conn.CloseNow()
			}
		case <-ctx.Done():
			retry.Stop()
			return
		}
		retry.Stop()
	}
}

// due takes what is to be sent now, and says when to look again.
func (l *live) due(now time.Time) (messages []any, again time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	again = time.Hour
	for s := range l.subs {
		if s.phase != idle {
			continue
		}
		if wait := s.notBefore.Sub(now); wait > 0 {
			again = min(again, wait)
			continue
		}
		l.lastID++
		id := "s" + strconv.FormatUint(l.lastID, 10)
		l.byID[id] = s
		l.out = append(l.out, s.openLocked(id))
	}
	messages, l.out = l.out, nil
	return messages, again
}

// probe asks for a sign of life. It is false when there was none for two
// intervals.
func (l *live) probe(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.heard) > 2*l.c.opts.PingInterval {
		return false
	}
	l.writeLocked(wire.Ping{Type: wire.TypePing})
	return true
}

// renewToken replaces the connection's token when the server asked for it. A
// token that came from elsewhere stays: the server ends the connection.
func (l *live) renewToken(ctx context.Context) error {
	l.mu.Lock()
	asked, old := l.renew, l.bearer
	l.renew = false
	l.mu.Unlock()
	if !asked || old == "" || !l.c.auth.renewable() {
		return nil
	}
	token, err := l.c.auth.token(ctx, old)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bearer = token
	l.writeLocked(wire.Authenticate{
		Type: wire.TypeAuthenticate, Method: wire.MethodJWT, Token: token})
	return nil
}

func send(ctx context.Context, conn *websocket.Conn, message any) error {
	data, err := json.Marshal(message)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, data)
}
