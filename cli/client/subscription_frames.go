package client

import (
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// reasonReconnected is the Reason of a Resync that the client makes because a
// snapshot was cut short with its connection.
const reasonReconnected = "reconnected"

// openLocked returns the message that subscribes under id, resuming when
// there is a cursor.
func (s *Subscription) openLocked(id string) any {
	o := wire.SubscriptionOptions{Policy: s.opts.Policy}
	if s.opts.BatchSize > 0 {
		o.BatchSize = &s.opts.BatchSize
	}
	if s.grown > 0 {
		s.cursor = 0 // a grown window is no base of one that begins small again
	}
	s.ready = s.cursor > 0
	switch {
	case s.cursor > 0:
		from := wire.Seq(s.cursor)
		o.From = &from
	case s.opts.LastRows != 0:
		n := max(s.opts.LastRows, 0)
		o.LastRows = &n
	}
	if s.cursor == 0 && s.begun {
		s.restartLocked(reasonReconnected)
	}
	s.phase, s.id = active, id
	return wire.Subscribe{Type: wire.TypeSubscribe,
		Subscription: wire.Subscription{ID: id, SQL: s.sql, Options: o}}
}

func nextBatch(id string, last clock.Seq) wire.NextBatch {
	seq := wire.Seq(last)
	return wire.NextBatch{Type: wire.TypeNextBatch, SubscriptionID: id, LastSeqID: &seq}
}

// restartLocked tells the reader that a new snapshot follows.
func (s *Subscription) restartLocked(reason string) {
	s.cursor, s.ready, s.begun, s.told, s.pending = 0, false, false, false, nil
	s.asked = false
	s.pushLocked(Event{Kind: Resync, Reason: reason})
}

// handleLocked takes a message of the server about this subscription.
func (s *Subscription) handleLocked(f *frame) {
	switch f.Type {
	case wire.TypeSubscriptionAck:
		s.failures = 0
		s.schemaLocked(f)
		s.ackLocked()
	case wire.TypeInitialData:
		s.batchLocked(f)
	case wire.TypeChange:
		s.changeLocked(f)
	case wire.TypeProgress:
		s.progressLocked(clock.Seq(f.Seq))
	case wire.TypeSchema:
		s.schemaLocked(f)
	case wire.TypeResync:
		s.restartLocked(f.Reason)
	case wire.TypeUnsubscribed:
		s.refusedLocked(endCode(f.Reason), "the server ended the query: "+f.Reason)
	case wire.TypeError:
		s.refusedLocked(f.Code, f.Message)
	}
}

func (s *Subscription) schemaLocked(f *frame) {
	changed := s.wasAcked && f.SchemaVersion != s.version
	s.version = f.SchemaVersion
	s.layout = layout{schema: newSchema(f.Schema)}
	if changed {
		s.pending = nil // a commit that had begun is told again
		s.pushLocked(Event{Kind: Altered, Schema: s.layout.schema})
	}
}

func (s *Subscription) batchLocked(f *frame) {
	var last clock.Seq
	if p := f.BatchControl.LastSeqID; p != nil {
		last = clock.Seq(*p)
	}
	done := f.BatchControl.Status == wire.Ready
	if s.told && s.asked {
		s.asked = false
		s.pushLocked(Event{Kind: Older, Rows: s.layout.rows(f.Rows), Schema: s.layout.schema,
			More: f.BatchControl.HasMore})
		return
	}
	if s.ready && len(f.Rows) == 0 && s.told {
		return // resumed: the reader has its snapshot, and its cursor stands
	}
	e := Event{Kind: Snapshot, Rows: s.layout.rows(f.Rows), Ready: done,
		Schema: s.layout.schema, Seq: last, next: !done}
	if done && !s.ready {
		s.ready, s.cursor = true, e.Seq
		e.cursor = e.Seq
	}
	s.begun = true
	s.told = s.told || done
	if done && s.grown > 0 {
		e.grows = true
		s.askLocked(s.grown)
	}
	s.pushLocked(e)
}

func (s *Subscription) changeLocked(f *frame) {
	seq := clock.Seq(f.Seq)
	if s.cursor > 0 && seq <= s.cursor {
		return // known already
	}
	if len(s.pending) == 0 && len(s.queue) >= s.l.c.opts.QueueSize {
		s.leaveLocked()
		s.phase = lagging
		return
	}
	if len(s.pending) >= maxCommit {
		s.endLocked(fault.New(fault.ResultTooLarge,
			"a commit has more than %d changes; subscribe to less with WHERE", maxCommit))
		return
	}
	e := Event{Kind: Kind(f.ChangeType), Reason: f.Reason, Seq: seq, Commit: f.Commit,
		Rows: s.layout.rows(f.Rows), Old: s.layout.rows(f.OldValues),
		Schema: s.layout.schema, Position: f.Position, Append: f.Append}
	s.pending = append(s.pending, e)
	if !f.Commit {
		return
	}
	if s.ready {
		s.cursor = seq
		s.pending[len(s.pending)-1].cursor = seq
	}
	s.pushLocked(s.pending...)
	s.pending = nil
}

// progressLocked moves the cursor over changes that were not for this query.
func (s *Subscription) progressLocked(seq clock.Seq) {
	if !s.ready || seq <= s.cursor || len(s.pending) > 0 {
		return
	}
	s.cursor = seq
	if n := len(s.queue); n > 0 {
		s.queue[n-1].cursor = seq
	} else {
		s.read = seq
	}
}

// endCode returns the code of a reason for which a server ends a query.
func endCode(reason string) fault.Code {
	switch reason {
	case "shutting_down":
		return fault.ShuttingDown
	case "slow_consumer":
		return fault.SlowConsumer
	case "access_revoked":
		return fault.PermissionDenied
	case "table_dropped":
		return fault.TableNotFound
	}
	return "" // unsubscribed, killed, or one of a newer server: it stays ended
}

// refusedLocked decides after an error whether to try again.
func (s *Subscription) refusedLocked(code fault.Code, message string) {
	known := code.Info().Code == code
	switch {
	case s.asked && (code == fault.InvalidParameter || code == fault.LiveUnsupportedQuery ||
		code == fault.Unsupported): // the query itself goes on
		s.asked, s.grown = false, 0
		s.pushLocked(Event{Kind: Older, Schema: s.layout.schema, Err: fault.New(code, "%s", message)})
		return
	case code == fault.SlowConsumer && s.opts.Policy == wire.Disconnect:
		s.dropLocked()
		s.endLocked(fault.New(code, "%s; go on from the cursor", message))
	case code == fault.CursorTooOld && s.cursor > 0:
		s.dropLocked()
		s.restartLocked(string(code))
	case known && code.Info().Retryable, code == fault.SubscriptionLimit && s.wasAcked:
		// Of the limit: the server may not know yet that the connection before is
		// gone, with what was open on it.
		s.dropLocked()
		s.failures++
		s.notBefore = time.Now().Add(s.l.c.backoff(s.failures))
	default:
		if !known {
			code = fault.Cancelled
		}
		s.dropLocked()
		s.endLocked(fault.New(code, "%s", message))
	}
	s.l.wakeUp()
}
