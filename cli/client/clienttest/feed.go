package clienttest

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/coder/websocket"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// feed is one table of rows (id, text) with its history, and the sockets that
// follow it. Every subscription follows the whole of it.
type feed struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each change of the below
	commits [][]wire.Change
	seq     clock.Seq
	horizon clock.Seq // cursors below it are too old
	held    int       // the commit, from 1, whose last row is kept back; 0 none
	conns   map[*websocket.Conn]context.CancelFunc
	refusal error
	wg      sync.WaitGroup
	ctx     context.Context
	stop    context.CancelFunc
	opens   []wire.Subscription
	auths   []string
	warn    int      // warnings of a token's end, told to each socket once
	muted   bool     // pings are not answered
	stalled bool     // next_batch is not answered
	older   []int    // rows that load_older finds; it is refused without any
	raws    []string // messages in place of changes, sent to each socket once
	byes    int      // closings, told to each socket once
	bye     error
}

func (f *feed) init(ctx context.Context) {
	f.changed = make(chan struct{})
	f.conns = map[*websocket.Conn]context.CancelFunc{}
	f.seq = 100
	f.ctx, f.stop = context.WithCancel(ctx)
}

func (f *feed) close() {
	f.stop()
	f.wg.Wait()
}

func (f *feed) update(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.changed)
	f.changed = make(chan struct{})
}

// Commit inserts rows with the given ids as one commit.
func (s *Server) Commit(ids ...int) {
	f := &s.feed
	f.update(func() { f.commits = append(f.commits, f.makeLocked(ids)) })
}

// CommitHalf inserts rows as one commit whose last row is kept back until the
// sockets are dropped.
func (s *Server) CommitHalf(ids ...int) {
	f := &s.feed
	f.update(func() {
		f.commits = append(f.commits, f.makeLocked(ids))
		f.held = len(f.commits)
	})
}

func (f *feed) makeLocked(ids []int) []wire.Change {
	var commit []wire.Change
	for i, id := range ids {
		f.seq++
		commit = append(commit, wire.Change{Type: wire.TypeChange, ChangeType: wire.Insert,
			Rows: []wire.Row{row(id)}, Seq: wire.Seq(f.seq), Commit: i == len(ids)-1})
	}
	return commit
}

func row(id int) wire.Row {
	return wire.Row{"id": strconv.Itoa(id), "text": "message " + strconv.Itoa(id)}
}

// Drop breaks all sockets without a close frame.
func (s *Server) Drop() {
	f := &s.feed
	f.update(func() {
		f.held = 0
		for conn, cancel := range f.conns {
			cancel()
			_ = conn.CloseNow() // breaking it is the point
		}
	})
}

// Forget makes cursors below now too old.
func (s *Server) Forget() {
	f := &s.feed
	f.update(func() { f.horizon = f.seq + 1 })
}

// Refuse makes the next subscribe fail.
func (s *Server) Refuse(err error) {
	f := &s.feed
	f.update(func() { f.refusal = err })
}

// WarnExpiry sends auth_expiring on the sockets that are open.
func (s *Server) WarnExpiry() {
	f := &s.feed
	f.update(func() { f.warn++ })
}

// Raw sends messages to all subscriptions that have their snapshot, with $id in
// place of the subscription's id. They are not part of the history.
func (s *Server) Raw(messages ...string) {
	f := &s.feed
	f.update(func() { f.raws = append(f.raws, messages...) })
}

// Older sets the rows that stand behind the window of every query.
func (s *Server) Older(ids ...int) {
	f := &s.feed
	f.update(func() { f.older = ids })
}

// Bye closes all sockets with the close frame of err, behind what they were
// to be told.
func (s *Server) Bye(err error) {
	f := &s.feed
	f.update(func() {
		f.byes++
		f.bye = err
	})
}

// Stall makes the server leave next_batch without an answer.
func (s *Server) Stall(on bool) {
	f := &s.feed
	f.update(func() { f.stalled = on })
}

// Mute makes the server leave pings without an answer.
func (s *Server) Mute(on bool) {
	f := &s.feed
	f.update(func() { f.muted = on })
}

func (s *Server) isMuted() bool {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return s.feed.muted
}

// Opened returns the subscribe messages so far.
func (s *Server) Opened() []wire.Subscription {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return append([]wire.Subscription(nil), s.feed.opens...)
}

// Authenticated returns the tokens that came as messages.
func (s *Server) Authenticated() []string {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return append([]string(nil), s.feed.auths...)
}

// follower is one socket. Its reader fills mail, its writer empties it.
type follower struct {
	s    *Server
	conn *websocket.Conn
	mail chan any // *subscriber to add, string id to end, or a message to send
	subs map[string]*subscriber
}

type subscriber struct {
	wire.Subscription
	snapshot []wire.Row // what is left of it
	at       clock.Seq
	batch    int
	ready    bool
}

func (s *Server) socket(w http.ResponseWriter, r *http.Request) {
	if _, err := s.who(r); err != nil {
		replyError(w, err)
		return
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	s.mu.Lock()
	s.counts["dial"]++
	s.mu.Unlock()
	f := &s.feed
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	f.mu.Lock()
	f.conns[conn] = cancel
	f.wg.Add(1)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		delete(f.conns, conn)
		f.mu.Unlock()
		f.wg.Done()
	}()
	defer conn.CloseNow()
	c := &follower{s: s, conn: conn, mail: make(chan any, 64), subs: map[string]*subscriber{}}
	var writer sync.WaitGroup
	defer writer.Wait()
	defer cancel()
	writer.Go(func() { c.write(ctx) })
	c.read(ctx)
}

func (c *follower) read(ctx context.Context) {
	for {
		_, data, err := c.conn.Read(ctx)
		if err != nil {
			return
		}
		var m struct {
			wire.Envelope
			Token          string
			Subscription   wire.Subscription
			SubscriptionID string `json:"subscription_id"`
			Count          int
		}
		if json.Unmarshal(data, &m) != nil {
			return
		}
		var post any
		switch m.Type {
		case wire.TypeSubscribe:
			post = &subscriber{Subscription: m.Subscription}
		case wire.TypeUnsubscribe:
			post = m.SubscriptionID
		case wire.TypeNextBatch:
			post = wire.NextBatch{SubscriptionID: m.SubscriptionID}
		case "load_older":
			post = older{m.SubscriptionID, m.Count}
		case wire.TypePing:
			if c.s.isMuted() {
				continue
			}
			post = wire.Pong{Type: wire.TypePong}
		case wire.TypeAuthenticate:
			f := &c.s.feed
			f.mu.Lock()
			f.auths = append(f.auths, m.Token)
			f.mu.Unlock()
			post = wire.AuthSuccess{Type: wire.TypeAuthSuccess}
		}
		select {
		case c.mail <- post:
		case <-ctx.Done():
			return
		}
	}
}

func (c *follower) write(ctx context.Context) {
	defer c.conn.CloseNow()
	f := &c.s.feed
	f.mu.Lock()
	warned, byes, raws := f.warn, f.byes, len(f.raws)
	f.mu.Unlock()
	for {
		f.mu.Lock()
		changed, out := f.changed, c.changesLocked()
		if f.warn > warned {
			warned = f.warn
			out = append(out, wire.AuthExpiring{Type: wire.TypeAuthExpiring})
		}
		out = append(out, c.raw(f.raws[raws:])...)
		raws = len(f.raws)
		closing := f.byes > byes
		if closing {
			f.held = 0
		}
		f.mu.Unlock()
		if !c.send(ctx, out) {
			return
		}
		if closing {
			status, reason := wire.CloseOf(f.bye)
			_ = c.conn.Close(websocket.StatusCode(status), reason) // it ends either way
			return
		}
		if len(out) > 0 {
			continue
		}
		select {
		case m := <-c.mail:
			if !c.send(ctx, c.post(m)) {
				return
			}
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

func (c *follower) send(ctx context.Context, messages []any) bool {
	for _, m := range messages {
		data, err := json.Marshal(m)
		if err != nil || c.conn.Write(ctx, websocket.MessageText, data) != nil {
			return false
		}
	}
	return true
}

// changesLocked returns what the socket's subscriptions have not been told.
func (c *follower) changesLocked() (out []any) {
	f := &c.s.feed
	for _, sub := range c.subs {
		if !sub.ready {
			continue
		}
		for i, commit := range f.commits {
			end := clock.Seq(commit[len(commit)-1].Seq)
			if end <= sub.at {
				continue
			}
			if f.held > 0 && i >= f.held {
				break // nothing overtakes what is kept back
			}
			sub.at = end
			if i == f.held-1 {
				commit = commit[:len(commit)-1]
			}
			for _, change := range commit {
				change.SubscriptionID = sub.ID
				out = append(out, change)
			}
		}
	}
	return out
}

func (c *follower) raw(messages []string) (out []any) {
	for _, m := range messages {
		for id, sub := range c.subs {
			if sub.ready {
				out = append(out, json.RawMessage(strings.ReplaceAll(m, "$id", id)))
			}
		}
	}
	return out
}

// post handles what the reader passed on.
func (c *follower) post(m any) []any {
	f := &c.s.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	switch m := m.(type) {
	case *subscriber:
		return c.openLocked(m)
	case string:
		delete(c.subs, m)
		return []any{wire.Unsubscribed{Type: wire.TypeUnsubscribed, SubscriptionID: m}}
	case older:
		return []any{f.olderLocked(m)}
	case wire.NextBatch:
		if sub := c.subs[m.SubscriptionID]; sub != nil && !f.stalled {
			return []any{sub.next()}
		}
		return nil
	}
	return []any{m}
}

// older asks for rows behind a window.
type older struct {
	subscription string
	count        int
}

func (f *feed) olderLocked(m older) any {
	if len(f.older) == 0 {
		return wire.ErrorMessage{Type: wire.TypeError, SubscriptionID: m.subscription,
			Code: fault.LiveUnsupportedQuery, Message: "no window"}
	}
	at := wire.Seq(f.seq)
	b := wire.InitialData{Type: wire.TypeInitialData, SubscriptionID: m.subscription,
		BatchControl: wire.BatchControl{Status: wire.Ready, LastSeqID: &at,
			HasMore: m.count < len(f.older)}}
	for _, id := range f.older[:min(m.count, len(f.older))] {
		b.Rows = append(b.Rows, row(id))
	}
	return b
}

func (c *follower) openLocked(sub *subscriber) []any {
	f := &c.s.feed
	f.opens = append(f.opens, sub.Subscription)
	refuse := func(err error) []any {
		e := fault.From(err)
		return []any{wire.ErrorMessage{Type: wire.TypeError, SubscriptionID: sub.ID,
			Code: e.Code, Message: e.Message}}
	}
	if err := f.refusal; err != nil {
		f.refusal = nil
		return refuse(err)
	}
	if from := sub.Options.From; from != nil {
		if clock.Seq(*from) < f.horizon {
			return refuse(fault.New(fault.CursorTooOld, "the history begins later"))
		}
		sub.at = clock.Seq(*from)
	} else {
		for _, commit := range f.commits {
			for _, change := range commit {
				sub.snapshot = append(sub.snapshot, change.Rows...)
			}
		}
		sub.at = f.seq
	}
	c.subs[sub.ID] = sub
	return []any{wire.SubscriptionAck{Type: wire.TypeSubscriptionAck, SubscriptionID: sub.ID,
		Schema: []wire.Column{
			{Name: "id", DataType: "BigInt", Index: 0, Flags: []wire.Flag{wire.PrimaryKey}},
			{Name: "text", DataType: "Text", Index: 1}}, SchemaVersion: 1}, sub.next()}
}

// next is the next batch of the snapshot.
func (sub *subscriber) next() wire.InitialData {
	n := len(sub.snapshot)
	if size := sub.Options.BatchSize; size != nil {
		n = min(n, *size)
	}
	at := wire.Seq(sub.at)
	b := wire.InitialData{Type: wire.TypeInitialData, SubscriptionID: sub.ID,
		Rows: sub.snapshot[:n],
		BatchControl: wire.BatchControl{BatchNum: sub.batch, HasMore: n < len(sub.snapshot),
			Status: wire.LoadingBatch, LastSeqID: &at}}
	sub.snapshot = sub.snapshot[n:]
	sub.batch++
	if sub.ready = len(sub.snapshot) == 0; sub.ready {
		b.BatchControl.Status = wire.Ready
	}
	return b
}
