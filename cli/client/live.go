package client

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// writeTimeout bounds the sending of one message and of a connection's
// opening.
const writeTimeout = 10 * time.Second

// live owns the one WebSocket of a Client. Its run goroutine connects, reads
// and connects again; while connected, a second one writes.
//
// Whoever has something to send puts it into out and wakes the writer; nobody
// waits for the network with mu held. out is bounded: a subscription has at
// most a subscribe, a next_batch and an unsubscribe in it.
type live struct {
	c    *Client
	wake chan struct{} // cap 1: look at subs and out
	wg   sync.WaitGroup

	mu     sync.Mutex
	stop   context.CancelFunc // nil until the first subscription
	closed bool
	subs   map[*Subscription]struct{}
	byID   map[string]*Subscription // of this connection
	out    []any                    // to be written on this connection
	lastID uint64
	heard  time.Time // when the connection last gave a sign of life
	bearer string    // the token this connection goes by
	renew  bool      // the server says that bearer expires soon
}

func newLive(c *Client) *live {
	return &live{c: c, wake: make(chan struct{}, 1),
		subs: map[*Subscription]struct{}{}, byID: map[string]*Subscription{}}
}

// add starts the run goroutine with the first subscription. Of ctx only the
// values are kept.
func (l *live) add(ctx context.Context, s *Subscription) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return closedError("the client was closed")
	}
	l.subs[s] = struct{}{}
	if l.stop == nil {
		ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
		l.stop = stop
		l.wg.Go(func() { l.run(ctx) })
	}
	l.wakeUp()
	return nil
}

func (l *live) close() {
	l.mu.Lock()
	l.closed = true
	l.endAllLocked(closedError("the client was closed"))
	if l.stop != nil {
		l.stop()
	}
	l.mu.Unlock()
	l.wg.Wait()
}

func (l *live) endAllLocked(err error) {
	for s := range l.subs {
		s.endLocked(err)
	}
}

func (l *live) wakeUp() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

func (l *live) writeLocked(message any) {
	l.out = append(l.out, message)
	l.wakeUp()
}

// run keeps a connection as long as there are subscriptions.
func (l *live) run(ctx context.Context) {
	for failures := 0; l.wanted(ctx); {
		opened, err := l.serve(ctx)
		if ctx.Err() != nil {
			return
		}
		l.lost(opened, err)
		if opened {
			failures = 0
		}
		failures++
		if pause(ctx, l.c.backoff(failures)) != nil {
			return
		}
	}
}

// wanted waits until there is a subscription; false at the end of ctx.
func (l *live) wanted(ctx context.Context) bool {
	for {
		l.mu.Lock()
		n := len(l.subs)
		l.mu.Unlock()
		if n > 0 {
			return true
		}
		select {
		case <-l.wake:
		case <-ctx.Done():
			return false
		}
	}
}

// lost puts the subscriptions of a lost connection back to idle. When it
// makes no sense to connect again they end, and so do those that were never
// accepted when there was no connection at all.
func (l *live) lost(opened bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.out, l.renew = nil, false
	final := !l.reconnects(err)
	for s := range l.subs {
		if s.phase == active {
			s.dropLocked()
		}
		if final || (!opened && !s.wasAcked) {
			s.endLocked(fault.From(err))
		}
	}
}

// reconnects tells from the way a connection ended whether to open another.
func (l *live) reconnects(err error) bool {
	f := fault.From(err)
	var closed websocket.CloseError
	switch {
	case f.Code == fault.TokenExpired:
		return l.c.auth.renewable()
	case errors.As(err, &closed):
		return wire.ParseCloseReason(closed.Reason).Reconnect
	}
	return f.Code.Info().Retryable
}

// serve opens a connection and reads it until it ends.
func (l *live) serve(ctx context.Context) (opened bool, err error) {
	conn, token, err := l.c.dial(ctx)
	if err != nil {
		return false, err
	}
	l.mu.Lock()
	l.bearer, l.heard = token, time.Now()
	l.mu.Unlock()
	ctx, stop := context.WithCancel(ctx)
	var writer sync.WaitGroup
	defer writer.Wait()
	defer stop()
	defer conn.CloseNow()
	writer.Go(func() { l.write(ctx, conn) })
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return true, l.c.broken(ctx, err)
		}
		if err := l.receive(data); err != nil {
			return true, err
		}
	}
}

// receive takes one message. An error ends the connection.
func (l *live) receive(data []byte) error {
	var f frame
	if err := json.Unmarshal(data, &f); err != nil {
		return fault.Wrap(fault.Internal, err, "the server sent a message that does not parse")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = time.Now()
	switch {
	case f.SubscriptionID != "":
		if s := l.byID[f.SubscriptionID]; s != nil {
			s.handleLocked(&f)
		}
	case f.Type == wire.TypeAuthExpiring:
		l.renew = true
		l.wakeUp()
	case f.Type == wire.TypeAuthError || f.Type == wire.TypeError:
		return fault.New(f.Code, "%s", f.Message)
	}
	return nil
}
