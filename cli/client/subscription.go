package client

import (
	"context"
	"iter"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// maxCommit bounds the changes of one commit that a subscription holds back
// until the commit is whole.
const maxCommit = 1 << 20

// SubscribeOptions choose what a subscription begins with. The zero value
// asks for the whole snapshot, in batches.
type SubscribeOptions struct {
	// LastRows limits the snapshot to its last rows; 0 means all, -1 none.
	LastRows int
	// BatchSize is the rows of one Snapshot event; 0 leaves it to the server.
	BatchSize int
	// From resumes after a cursor (Subscription.Cursor) with no snapshot.
	From clock.Seq
	// Policy is what happens when this client does not take events as fast as
	// they come. wire.Replay, the default, has the server send them from its
	// history once they are taken. With wire.Conflate the changes of a row may
	// be merged into its last state. With wire.Disconnect the subscription ends
	// with SLOW_CONSUMER, and Cursor says where another one goes on.
	Policy wire.Policy
}

// phase is where a subscription stands with the server.
type phase int

const (
	idle    phase = iota // to be subscribed, when notBefore has passed
	active               // subscribe was sent on this connection
	lagging              // its queue is full; idle again when it was read
	ended
)

// Subscription is a live query. One goroutine at a time may call Next; the
// other methods are safe for concurrent use.
//
// Between server and reader stands a queue of Options.QueueSize events. A
// commit enters it whole or not at all. When it is full the client ends the
// query at the server, lets the reader empty the queue, and resumes from the
// last commit that entered: a slow reader delays only itself.
type Subscription struct {
	l    *live
	sql  string
	opts SubscribeOptions

	notify chan struct{} // cap 1: the queue or the phase changed
	acked  chan struct{} // closed by the first ack, or at the end

	// The fields below belong to live.mu.
	phase     phase
	id        string // on this connection
	failures  int    // refusals in a row that are worth another try
	notBefore time.Time
	wasAcked  bool

	layout  layout
	version uint32 // of the schema
	queue   []Event
	pending []Event   // the commit that is arriving
	cursor  clock.Seq // of the last commit that was queued; 0 none
	ready   bool      // the snapshot is whole, so the cursor counts
	told    bool      // the reader was given a Ready
	begun   bool      // part of a snapshot was queued
	grown   int       // rows that were asked for behind a window
	asked   bool      // load_older was sent and not answered
	read    clock.Seq // cursor of what the reader has
	err     error     // once ended
}

// Subscribe starts a live query and returns when the server has accepted it.
// It blocks until then, at most until ctx ends; ctx has no effect afterwards.
func (c *Client) Subscribe(
	ctx context.Context, sql string, opts SubscribeOptions,
) (*Subscription, error) {
	s := &Subscription{l: c.live, sql: sql, opts: opts, cursor: opts.From, read: opts.From,
		layout: layout{schema: newSchema(nil)},
		notify: make(chan struct{}, 1), acked: make(chan struct{})}
	if err := c.live.add(ctx, s); err != nil {
		return nil, err
	}
	select {
	case <-s.acked:
		if err := s.Err(); err != nil {
			return nil, err
		}
		return s, nil
	case <-ctx.Done():
		s.end(fault.From(ctx.Err()))
		return nil, fault.From(ctx.Err())
	}
}

// Next returns the next event, waiting for it until ctx ends. After the
// subscription has ended it returns what is still queued, and then the reason
// each time: one that matches ErrClosed after Close.
func (s *Subscription) Next(ctx context.Context) (Event, error) {
	for {
		if e, ok, err := s.take(); ok || err != nil {
			return e, err
		}
		select {
		case <-s.notify:
		case <-ctx.Done():
			return Event{}, fault.From(ctx.Err())
		}
	}
}

func (s *Subscription) take() (e Event, ok bool, err error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if len(s.queue) == 0 {
		return Event{}, false, s.err
	}
	e = s.queue[0]
	s.queue[0] = Event{}
	s.queue = s.queue[1:]
	if e.cursor > 0 {
		s.read = e.cursor
	}
	if e.next && s.phase == active {
		s.l.writeLocked(nextBatch(s.id, e.Seq))
	}
	if len(s.queue) == 0 {
		s.queue = nil
		if s.phase == lagging {
			s.phase = idle
			s.l.wakeUp()
		}
	}
	return e, true, nil
}

// Events ranges over the events as Next returns them, until an error, which it
// gives last.
func (s *Subscription) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			e, err := s.Next(ctx)
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// Cursor returns where another subscription resumes with nothing lost or
// repeated, judged by what Next has returned; 0 before the first commit or
// whole snapshot.
func (s *Subscription) Cursor() clock.Seq {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	return s.read
}

// SQL returns the query.
func (s *Subscription) SQL() string { return s.sql }

// Err returns why the subscription ended, and nil while it goes on.
func (s *Subscription) Err() error {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	return s.err
}

// Close ends the subscription. It does not wait for the server.
func (s *Subscription) Close() error {
	s.end(closedError("the subscription was closed"))
	return nil
}

// LoadOlder asks for rows that stand behind those of a query with ORDER BY and
// LIMIT, which is followed over them from then on. The answer is an Older event;
// several requests may have one answer. When the connection is lost, the window
// is asked for again as it was.
func (s *Subscription) LoadOlder(rows int) error {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	switch {
	case s.phase == ended:
		return s.err
	case rows < 1:
		return fault.New(fault.InvalidParameter, "the number of rows must be positive")
	}
	s.grown += rows
	if s.phase == active && s.told && s.ready {
		s.askLocked(rows)
	}
	return nil
}

func (s *Subscription) askLocked(rows int) {
	s.asked = true
	s.l.writeLocked(loadOlder{"load_older", s.id, rows})
}

// loadOlder asks for rows behind a window.
type loadOlder struct {
	Type           wire.Type `json:"type"`
	SubscriptionID string    `json:"subscription_id"`
	Count          int       `json:"count"`
}

// restart drops what is known of the query: a Resync and a new snapshot follow
// what is queued.
func (s *Subscription) restart(reason string) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	if s.phase == ended {
		return
	}
	s.leaveLocked()
	s.restartLocked(reason)
	s.l.wakeUp()
}

func closedError(msg string) error { return fault.Wrap(fault.Cancelled, ErrClosed, "%s", msg) }

func (s *Subscription) end(err error) {
	s.l.mu.Lock()
	defer s.l.mu.Unlock()
	s.endLocked(err)
}

func (s *Subscription) endLocked(err error) {
	if s.phase == ended {
		return
	}
	s.leaveLocked()
	s.phase, s.err = ended, err
	delete(s.l.subs, s)
	s.ackLocked()
	s.wakeReader()
}

// leaveLocked ends the query on this connection.
func (s *Subscription) leaveLocked() {
	if s.phase == active {
		s.l.writeLocked(wire.Unsubscribe{
			Type: wire.TypeUnsubscribe, SubscriptionID: s.id})
	}
	s.dropLocked()
}

// dropLocked forgets the connection's part: what comes under its id is not
// for this subscription any more.
func (s *Subscription) dropLocked() {
	delete(s.l.byID, s.id)
	s.id, s.pending, s.asked = "", nil, false
	s.phase = idle
}

func (s *Subscription) ackLocked() {
	if !s.wasAcked {
		s.wasAcked = true
		close(s.acked)
	}
}

func (s *Subscription) wakeReader() {
	select {
	case s.notify <- struct{}{}:
	default:
	}
}

func (s *Subscription) pushLocked(events ...Event) {
	s.queue = append(s.queue, events...)
	s.wakeReader()
}
