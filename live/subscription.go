package live

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// state is where a subscription is in its life.
type state uint8

const (
	resuming  state = iota // checks the cursor it was given
	loading                // reads its snapshot, a page per Poll
	waiting                // for the subscriber to ask for the next page
	lagging                // reads changes from history
	live                   // is given changes by Publish
	following              // is told the versions of a kept result
	ended
)

var stateNames = [...]string{"resuming", "loading", "waiting", "replaying", "live", "live", "ended"}

// Info is what listings show of a subscription.
type Info struct {
	ID          ident.LiveID
	Peer        string       // who is told, as its address
	Owner       ident.UserID // who asked
	User        ident.UserID // whose rows it follows
	Table       ident.TableID
	Query       string    // as it was written
	State       string    // resuming, loading, waiting, replaying, live or ended
	Cursor      clock.Seq // what the subscriber may resume from, 0 for none yet
	Queued      int       // events that wait for it
	QueuedBytes int
	Delivered   uint64 // events it was given
	Conflated   uint64 // changes that it was not given, since a later one of the row was
	Policy      Policy
	Created     time.Time
	// Lag is how long the oldest change that waits for it has been waiting, or
	// how far it is behind in history; 0 when it has everything.
	Lag time.Duration
}

// Subscription is one live query of one subscriber. Poll and Progress are for
// one goroutine at a time; the other methods are safe for concurrent use.
type Subscription struct {
	hub     *Hub
	shard   *shard
	id      ident.LiveID
	owner   ident.UserID
	user    ident.UserID // whose rows are followed
	peer    string
	sql     string // as it was written
	table   ident.TableID
	opts    SubscribeOptions
	budget  *Budget // of its socket
	wakeup  func()
	created time.Time

	// Of the goroutine that polls.
	polling atomic.Bool
	quiet   bool      // resumes for a subscriber who knows the cursor
	out     []Message // composed, not yet taken
	held    *Event    // the last of a commit, or round, that is read from history
	round   *round    // of a conflated subscription that reads history
	snap    *snapshot // nil unless resuming, loading or waiting
	kept    *kept     // nil for a query of rows; set once

	// Guarded by shard.mu. group stays set after the end.
	group     *group
	slot      int // in group.subs, -1 when not there
	state     state
	at        *link     // in group.backlog, while live
	from      clock.Seq // events up to it are not for this subscription
	pos       clock.Seq // while lagging: everything up to it was composed
	cursor    clock.Seq
	acked     bool      // the subscriber knows the columns
	base      clock.Seq // what the snapshot showed, or where it resumed
	log       deliveryLog
	delivered uint64
	conflated uint64
	end       Ended
	endTold   bool
}

func newSubscription(h *Hub, spec Spec) *Subscription {
	s := &Subscription{
		hub: h, id: spec.ID, owner: spec.Owner, user: spec.User, peer: spec.Peer,
		sql: spec.SQL, table: spec.Query.Table.ID, opts: spec.Options, budget: spec.Budget,
		wakeup: spec.Notify, created: h.opts.Now(), slot: -1,
		state: loading, snap: newSnapshot(spec.Options.LastRows),
	}
	if spec.Options.From != nil {
		s.state = resuming
	}
	if spec.Query.Kind() != predicate.Rows {
		s.snap, s.kept = nil, &kept{}
	}
	if spec.After != nil && s.follow(spec.After, spec.Query) {
		return s
	}
	s.out = []Message{Ack{
		Columns: spec.Query.Columns, SchemaVersion: spec.Query.Table.Version,
		BatchSize: spec.Options.BatchSize,
	}}
	return s
}

// ID returns the subscription's id.
func (s *Subscription) ID() ident.LiveID { return s.id }

// Columns returns the columns of the projected rows.
func (s *Subscription) Columns() []predicate.Column { return s.group.query.Columns }

// Info returns what listings show.
func (s *Subscription) Info() Info {
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	i := Info{
		ID: s.id, Peer: s.peer, Owner: s.owner, User: s.user, Table: s.table, State: stateNames[s.state],
		Cursor: s.cursor, Delivered: s.delivered, Conflated: s.conflated,
		Policy: s.opts.Policy, Created: s.created, Query: s.sql,
	}
	since := clock.Seq(0)
	switch s.state {
	case live:
		i.Queued, i.QueuedBytes = s.group.backlog.waiting(s.at)
		if s.at.event != nil {
			since = s.at.event.Seq
		}
	case lagging:
		since = s.pos
	}
	if since > 0 {
		i.Lag = max(s.hub.opts.Now().Sub(since.Time()), 0)
	}
	return i
}

// Poll returns up to most messages that are due, 1 at least, and whether there
// is more to do: then it is called again when the caller has room. Otherwise
// Notify says when. It never waits for changes, but reads a bounded piece of
// the store when the subscription loads its snapshot or has fallen behind; so
// it may return no message and yet more.
//
// The only error is ctx's end, after which Poll may be called again and
// nothing is lost. Whatever else goes wrong ends the subscription with an
// Ended message, which is the last one.
func (s *Subscription) Poll(ctx context.Context, most int) (msgs []Message, more bool, err error) {
	if !s.polling.CompareAndSwap(false, true) {
		return nil, false, fault.New(fault.Internal, "a live query was polled by two goroutines")
	}
	defer s.polling.Store(false)
	most = max(most, 1)
	if err := s.step(ctx, most); err != nil {
		return nil, false, fault.From(err)
	}
	msgs, more = s.take(most)
	return msgs, more, nil
}

// step does one piece of work when there is nothing left to hand out.
func (s *Subscription) step(ctx context.Context, most int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.kept != nil {
		return s.kept.step(ctx, s)
	}
	s.shard.mu.Lock()
	now := s.state
	switch {
	case now == ended:
		s.tellEndLocked()
	case now == live && len(s.out) == 0:
		s.takeLocked(most)
	}
	s.shard.mu.Unlock()
	if len(s.out) > 0 || now == waiting || now == live || now == ended {
		return nil
	}
	return s.read(ctx, now, most)
}

// takeLocked takes up to most events from the backlog, but for those that it
// has read from the store before.
func (s *Subscription) takeLocked(most int) {
	at, bytes := s.at, 0
	for ; at.event != nil && len(s.out) < most && bytes < s.hub.opts.TakeBytes; at = at.next {
		if at.event.Seq > s.from {
			s.out = append(s.out, Changed{at.event})
			bytes += at.event.size
		}
	}
	s.budget.Add(int(s.at.bytes - at.bytes))
	s.group.backlog.move(s.at, at)
	s.at = at
}

// tellEndLocked replaces what is left to hand out with the Ended message.
func (s *Subscription) tellEndLocked() {
	s.out, s.held, s.round, s.snap = nil, nil, nil, nil
	if !s.endTold {
		s.endTold = true
		s.out = []Message{s.end}
	}
}

// take hands out messages and accounts for them.
func (s *Subscription) take(most int) ([]Message, bool) {
	n := min(most, len(s.out))
	msgs := s.out[:n:n]
	if s.out = s.out[n:]; len(s.out) == 0 {
		s.out = nil
	}
	now := s.hub.opts.Now()
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	for _, m := range msgs {
		switch m := m.(type) {
		case Ack, Schema:
			s.acked = true
		case Changed:
			s.delivered++
			if s.kept == nil {
				s.log.add(delivery{m.row, now})
			}
			if m.Commit {
				s.cursor = max(s.cursor, m.Seq)
				s.kept.handed(now)
			}
		case Batch:
			s.cursor = max(s.cursor, m.LastSeq)
		case Resync:
			s.cursor = 0
		}
	}
	switch s.state {
	case resuming, loading, lagging:
		return msgs, true
	case following:
		return msgs, len(s.out) > 0 || s.kept.behind || s.kept.older > 0
	case live:
		return msgs, len(s.out) > 0 || s.at.event != nil
	case ended:
		return msgs, !s.endTold || len(s.out) > 0
	}
	return msgs, len(s.out) > 0
}

// Progress returns the seq up to which everything was told, and false when
// there is something to Poll first or the subscriber knows that seq already.
// Servers call it every few seconds and send the message, so that subscribers
// of quiet tables keep a cursor that history reaches.
//
// REQUIRES: as for Poll; what Poll returned has been sent.
func (s *Subscription) Progress() (Progress, bool) {
	if !s.polling.CompareAndSwap(false, true) {
		return Progress{}, false
	}
	defer s.polling.Store(false)
	if s.kept != nil {
		return s.kept.progress(s)
	}
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	seq := max(s.from, s.shard.told)
	if s.state != live || len(s.out) > 0 || s.at.event != nil || seq <= s.cursor {
		return Progress{}, false
	}
	s.cursor = seq
	return Progress{Seq: seq}, true
}

// NextBatch asks for the next page of the snapshot. It does nothing unless a
// Batch that has more was the last thing told. It calls Notify.
func (s *Subscription) NextBatch() {
	s.shard.mu.Lock()
	asked := s.state == waiting
	if asked {
		s.state = loading
	}
	s.shard.mu.Unlock()
	if asked {
		s.notify()
	}
}

// Close ends the subscription. What waits for it is dropped, and the next Poll
// returns the Ended message. Only the first call has an effect. It calls
// Notify.
func (s *Subscription) Close(why EndReason) { s.finish(why, nil) }

func (s *Subscription) finish(why EndReason, err error) {
	s.shard.mu.Lock()
	first := s.endLocked(why, err)
	if first {
		s.shard.removeLocked(s)
	}
	s.shard.mu.Unlock()
	if first {
		s.hub.forget(s)
		s.notify()
	}
}

// endLocked marks s as ended and reports whether it was not yet. The caller
// takes it out of its group and of the hub.
func (s *Subscription) endLocked(why EndReason, err error) bool {
	if s.state == ended {
		return false
	}
	if s.state == live {
		s.group.leave(s)
	}
	s.state = ended
	s.end = Ended{Reason: why, Err: err, Cursor: s.cursor}
	return true
}

// checkLocked looks whether what waits for a live subscription is more than
// it may be. Then it is let go: the subscription reads it from history once it
// is polled, or ends, by its policy. It returns false when it is no longer
// live.
//
// REQUIRES: added bytes have just been appended to the backlog, the last of them
// an event with seq newest.
func (s *Subscription) checkLocked(added int, newest clock.Seq) bool {
	opts := &s.hub.opts
	within := s.budget.Add(added)
	events, bytes := s.group.backlog.waiting(s.at)
	most := opts.QueueBytes
	if s.hub.total.Over() {
		most = min(most, tightBytes)
	}
	first := s.at.event.Seq
	stalled := newest-first > stallSpan && s.opts.Policy != Disconnect
	if events == 1 || within && !stalled && events <= opts.QueueEvents && bytes <= most {
		return true
	}
	if s.opts.Policy == Disconnect {
		s.endLocked(SlowConsumer, fault.New(fault.SlowConsumer,
			"the subscriber reads too slowly; resume from the cursor"))
		return false
	}
	s.group.leave(s)
	s.state, s.pos = lagging, max(first-1, s.from)
	return false
}

// failLocked ends a subscription whose events can't be composed.
func (s *Subscription) failLocked(err error) {
	if errors.Is(err, errSchema) {
		s.endLocked(SchemaChanged, nil)
		return
	}
	s.endLocked(Failed, err)
}

func (s *Subscription) notify() {
	if s.wakeup != nil {
		s.wakeup()
	}
}
