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

	// Of a kept result only. There Conflated is a change of a window's row that
	// was followed by another before the result was looked at.
	Pending   Outcome = "pending"   // the result has not been brought up to it yet
	Evaluated Outcome = "evaluated" // the result has it; what was told is too long ago to be known
	Shown     Outcome = "shown"     // the row, or its group, is in what the subscriber has
	Hidden    Outcome = "hidden"    // it is not
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
	// Evaluated is when the result was brought past the change, where one is kept.
	Evaluated time.Time
	// Position is where the row stands, when it is Shown in an order.
	Position *int
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
// oldest first: of the latest most of them. Of a kept result the type and the
// reason are what was told of the row, or of its group; those of a query that is
// run again are not known by row. A last step then has no Op, and says whether
// the row or its group is shown. Trace reads the store. It fails with NOT_FOUND
// when there is no such subscription.
func (h *Hub) Trace(ctx context.Context, id ident.LiveID, pk []byte, most int) ([]Step, error) {
	s, ok := h.Get(id)
	if !ok {
		return nil, fault.New(fault.NotFound, "live query %q does not exist", id)
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
	t := &tracer{reading: r, pk: pk, im: images{source: h.opts.Source}}
	steps, err := t.trace(ctx, most)
	if errors.Is(err, errSchema) {
		err = fault.New(fault.Unsupported,
			"the table's schema is newer than live query %q; try again", id)
	}
	return steps, err
}

// tracer is one Trace.
type tracer struct {
	*reading
	pk      []byte
	im      images
	was, is bool // the row of im matches before and after its change
}

func (t *tracer) trace(ctx context.Context, most int) (steps []Step, err error) {
	versions, err := t.versions(ctx, t.pk, most+1)
	if err != nil {
		return nil, err
	}
	floor, err := t.rows.Trimmed(t.view)
	if err != nil {
		return nil, err
	}
	var last *row.Record
	for i := range versions {
		before := last
		last = &versions[i]
		if i == 0 && (len(versions) > most || last.Seq <= floor) {
			continue // what was there before it is not known
		}
		next := clock.Seq(0)
		if i+1 < len(versions) {
			next = versions[i+1].Seq
		}
		step, err := t.judge(before, last, next)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	if t.sub.kept != nil {
		step, known, err := t.standing(last)
		if err != nil {
			return nil, err
		}
		if known {
			steps = append(steps, step)
		}
	}
	return steps, nil
}

// versions returns the latest versions of a row, at most so many, the oldest
// first.
func (r *reading) versions(ctx context.Context, pk []byte, most int) (
	out []row.Record, err error,
) {
	now, found, err := r.rows.Get(ctx, r.view, r.user, pk)
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

// judge says what became of the change from one version of a row to another.
// next is the row's next change, 0 for none.
func (t *tracer) judge(before, after *row.Record, next clock.Seq) (Step, error) {
	step := Step{Seq: after.Seq, Op: Update}
	if before != nil {
		before = present(before)
	}
	switch {
	case after.Deleted:
		step.Op = Delete
	case before == nil:
		step.Op = Insert
	}
	t.im.set(after.Seq, before, present(after))
	if t.sub.kept != nil {
		err := t.judgeKept(&step, next)
		return step, err
	}
	e, err := judge(t.query, &t.im)
	if err != nil {
		return step, err
	}
	if e != nil {
		step.Type, step.Reason = e.Type, e.Reason
		step.Outcome, step.At = t.sub.outcome(after.Seq)
		return step, nil
	}
	step.Outcome = Filtered
	if is, err := matches(t.query, t.im.new, t.im.after); is || err != nil {
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
