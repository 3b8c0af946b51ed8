package live

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Outcome is what became of a change of a row for one subscription.
type Outcome string

// The outcomes.
const (
	InSnapshot Outcome = "snapshot"  // at or before the snapshot or the cursor it began at
	InLoading  Outcome = "loading"   // the snapshot that will show it is being read
	Filtered   Outcome = "filtered"  // the row matches neither before nor after
	Unchanged  Outcome = "unchanged" // the row matches, and nothing that the query shows changed
	Queued     Outcome = "queued"    // it waits for the subscriber
	Lagging    Outcome = "lagging"   // the subscriber will be given it from history
	Conflated  Outcome = "conflated" // a later change of the row stood for it
	Delivered  Outcome = "delivered" // it was handed out
)

// Step is one change of a row, and what became of it.
type Step struct {
	Seq     clock.Seq
	Op      ChangeType // what happened to the row itself
	Outcome Outcome
	Type    ChangeType  // what it is for the query; "" for nothing
	Reason  MatchReason // as of Event
	// At is when it was handed out, zero when it was not, or too long ago to be
	// known.
	At time.Time
}

// delivery is a change that was handed out.
type delivery struct {
	seq clock.Seq
	at  time.Time
}

// deliveries is the number of the latest ones that a subscription knows.
const deliveries = 32

// deliveryLog keeps the latest deliveries. Its memory grows with its use.
type deliveryLog struct {
	kept []delivery
	next int // where the next one goes, once kept is full
}

func (l *deliveryLog) add(d delivery) {
	if len(l.kept) < deliveries {
		l.kept = append(l.kept, d)
		return
	}
	l.kept[l.next] = d
	l.next = (l.next + 1) % deliveries
}

// find returns when a change was handed out, and whether the log reaches back
// that far.
func (l *deliveryLog) find(seq clock.Seq) (at time.Time, reaches bool) {
	reaches = len(l.kept) < deliveries
	for _, d := range l.kept {
		if d.seq == seq {
			return d.at, true
		}
		reaches = reaches || d.seq < seq
	}
	return time.Time{}, reaches
}

// Trace tells what became of the changes of a row that history keeps, the
// oldest first: of the latest most of them. It reads the store. It fails with
// NOT_FOUND when there is no such subscription, and with UNSUPPORTED when its
// query can't be judged row by row.
func (h *Hub) Trace(ctx context.Context, id ident.LiveID, pk []byte, most int) ([]Step, error) {
	s, ok := h.Get(id)
	if !ok {
		return nil, fault.New(fault.NotFound, "live query %q does not exist", id)
	}
	if s.kept != nil {
		return nil, fault.New(fault.Unsupported,
			"live query %q (%s) is told the difference of its results, not the changes of a row; "+
				"trace a SELECT of the rows alone", id, s.group.query.Kind())
	}
	if !h.enter() {
		return nil, fault.New(fault.ShuttingDown, "the server is shutting down")
	}
	defer h.reads.Done()
	r, err := s.open()
	if err != nil {
		return nil, fault.New(fault.NotFound, "the table of live query %q is gone", id)
	}
	defer r.view.Release()
	versions, err := r.versions(ctx, pk, most+1)
	if err != nil {
		return nil, err
	}
	floor, err := r.rows.Trimmed(r.view)
	if err != nil {
		return nil, err
	}
	var steps []Step
	im := images{source: h.opts.Source}
	for i := range versions {
		var before *row.Record
		if i > 0 {
			before = present(&versions[i-1])
		} else if len(versions) > most || versions[i].Seq <= floor {
			continue // what was there before it is not known
		}
		step, err := s.judgeStep(r, &im, before, &versions[i])
		if errors.Is(err, errSchema) {
			return nil, fault.New(fault.Unsupported,
				"the table's schema is newer than live query %q; try again", id)
		}
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// versions returns the latest versions of a row, at most so many, the oldest
// first.
func (r *reading) versions(ctx context.Context, pk []byte, most int) (
	out []row.Record, err error,
) {
	now, found, err := r.rows.Get(r.view, r.user, pk)
	if err != nil || !found {
		return nil, err
	}
	floor, err := r.rows.Trimmed(r.view)
	if err != nil {
		return nil, err
	}
	for rec := now; ; {
		out = append(out, rec)
		if len(out) == most || rec.Seq <= floor {
			break
		}
		rec, found, err = r.rows.AsOf(r.view, r.user, pk, now, rec.Seq-1)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if !found {
			break
		}
	}
	slices.Reverse(out)
	return out, nil
}

func (s *Subscription) judgeStep(
	r *reading, im *images, before, after *row.Record,
) (Step, error) {
	step := Step{Seq: after.Seq, Op: Update}
	switch {
	case after.Deleted:
		step.Op = Delete
	case before == nil:
		step.Op = Insert
	}
	im.set(after.Seq, before, present(after))
	e, err := judge(r.query, im)
	if err != nil {
		return step, err
	}
	if e != nil {
		step.Type, step.Reason = e.Type, e.Reason
		step.Outcome, step.At = s.outcome(after.Seq)
		return step, nil
	}
	step.Outcome = Filtered
	if is, err := matches(r.query, present(after), im.after); is || err != nil {
		step.Outcome = Unchanged
		return step, err
	}
	return step, nil
}

// outcome returns what became of a change that concerns the query.
func (s *Subscription) outcome(seq clock.Seq) (Outcome, time.Time) {
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	at, reaches := s.log.find(seq)
	switch {
	case !at.IsZero():
		return Delivered, at
	case s.state == resuming || s.state == loading || s.state == waiting:
		return InLoading, at
	case seq <= s.base:
		return InSnapshot, at
	case s.state == lagging && seq > s.pos:
		return Lagging, at
	case s.state == live && (seq > s.shard.told || s.at.event != nil && seq >= s.at.event.Seq):
		return Queued, at
	case s.opts.Policy == Conflate && reaches:
		return Conflated, at
	}
	return Delivered, at
}
