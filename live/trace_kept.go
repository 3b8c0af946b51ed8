package live

import (
	"cmp"
	"slices"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// telling is what one event of a kept result was.
type telling struct {
	id     string // of the entry
	change ChangeType
	reason MatchReason
}

// maxTellings is the number of tellings that are known of one evaluation.
const maxTellings = 100

// evaluation is one step of a subscription from a version of its result to the
// present one.
type evaluation struct {
	pos    clock.Seq // the result is that at it
	made   time.Time // when the result was brought there
	at     time.Time // when the last of events was handed out; zero until then
	events int
	told   []telling // the first of events
}

// evaluationLog keeps the latest evaluations, in the order of pos.
type evaluationLog struct {
	kept []evaluation
	cut  bool // there were others before
}

func (l *evaluationLog) add(a answer) {
	e := evaluation{pos: a.pos, made: a.made, events: len(a.events)}
	for _, m := range a.events[:min(len(a.events), maxTellings)] {
		e.told = append(e.told, telling{m.id, m.Type, m.Reason})
	}
	if len(l.kept) == deliveries {
		l.kept, l.cut = slices.Delete(l.kept, 0, 1), true
	}
	l.kept = append(l.kept, e)
}

// handed notes that the events of the latest evaluation were handed out.
func (k *kept) handed(at time.Time) {
	if k != nil && len(k.log.kept) > 0 {
		k.log.kept[len(k.log.kept)-1].at = at
	}
}

// of returns the evaluation that took in a change, nil when that is too long
// ago.
func (l *evaluationLog) of(seq clock.Seq) *evaluation {
	i, _ := slices.BinarySearchFunc(l.kept, seq, func(e evaluation, seq clock.Seq) int {
		return cmp.Compare(e.pos, seq)
	})
	if i == len(l.kept) || i == 0 && l.cut {
		return nil
	}
	return &l.kept[i]
}

// outcome returns what was told of the entries with these ids.
func (e *evaluation) outcome(ids []string) (Outcome, telling) {
	told := telling{}
	i := slices.IndexFunc(e.told, func(t telling) bool { return slices.Contains(ids, t.id) })
	switch {
	case i >= 0:
		told = e.told[i]
	case e.events == len(e.told) && (ids != nil || e.events == 0):
		return Unchanged, told
	}
	if e.at.IsZero() {
		return Queued, told
	}
	return Delivered, told
}

// note keeps what Trace tells of: the subscriber has, or is being given, a.
func (k *kept) note(s *Subscription, a answer) {
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	k.seen, k.made = a.version, a.made
	if s.state == following && a.pos > k.pos {
		k.log.add(a)
	}
}

// concerned returns the ids of the entries that a change concerns, the one that
// the row makes after it first, and whether it concerns the query. One that is
// run again may show a row anywhere: then there are no ids.
func (t *tracer) concerned() (ids []string, concerns bool, err error) {
	r := t.sub.kept.result
	if r.query.Rerun != nil {
		return nil, true, nil
	}
	if err := t.im.load(r.query.Table); err != nil {
		return nil, false, err
	}
	if t.was, err = matches(r.query, t.im.old, t.im.before); err != nil {
		return nil, false, err
	}
	if t.is, err = matches(r.query, t.im.new, t.im.after); err != nil {
		return nil, false, err
	}
	if t.is {
		ids = append(ids, r.entryOf(t.pk, t.im.after))
	}
	if t.was {
		if id := r.entryOf(t.pk, t.im.before); !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, t.was || t.is, nil
}

// entryOf returns the id of the entry that a row which matches makes, or is
// counted in.
func (r *result) entryOf(pk []byte, vals []value.Value) string {
	if r.query.Groups == nil {
		return string(pk)
	}
	var id []byte
	for _, c := range r.query.Groups.Keys {
		id = value.AppendKey(id, vals[c])
	}
	return string(id)
}

// judgeKept says what became of a change of a row for a kept result. next is
// the row's next change, 0 for none.
func (t *tracer) judgeKept(step *Step, next clock.Seq) error {
	k := t.sub.kept
	ids, concerns, err := t.concerned()
	if err != nil || !concerns {
		step.Outcome = Filtered
		return err
	}
	t.sub.shard.mu.Lock()
	defer t.sub.shard.mu.Unlock()
	if step.Outcome = t.reachedLocked(step.Seq); step.Outcome != Evaluated {
		return nil
	}
	e := k.log.of(step.Seq)
	if e == nil {
		return nil
	}
	step.Evaluated = e.made
	if k.result.query.Window != nil && next > 0 && next <= e.pos {
		step.Outcome = Conflated
		return nil
	}
	var told telling
	step.Outcome, told = e.outcome(ids)
	step.Type, step.Reason = told.change, told.reason
	if step.Outcome == Delivered {
		step.At = e.at
	}
	if k.result.query.Groups != nil && step.Type != "" {
		step.Reason = t.groupReason(ids)
	}
	return nil
}

// reachedLocked tells how far the subscriber is, seen from a change: Evaluated
// when it has been told a result with it.
func (t *tracer) reachedLocked(seq clock.Seq) Outcome {
	s, k := t.sub, t.sub.kept
	switch {
	case s.state != following:
		return InLoading
	case seq <= s.base:
		return InSnapshot
	case seq > k.result.pos:
		return Pending
	case seq > k.pos:
		return Lagging
	}
	return Evaluated
}

// groupReason tells whether a row that was there before has come into a group
// or left one.
func (t *tracer) groupReason(ids []string) MatchReason {
	switch {
	case t.im.old == nil || t.im.new == nil:
		return ""
	case len(ids) == 2, !t.was:
		return Enter
	case !t.is:
		return Leave
	}
	return ""
}

// standing tells where a row stands in what the subscriber has, false when that
// is not known: it has nothing yet, or the query is run again.
func (t *tracer) standing(last *row.Record) (step Step, known bool, err error) {
	s, k := t.sub, t.sub.kept
	var id string
	if k.result.query.Window != nil {
		id = string(t.pk)
	} else if last != nil && k.result.query.Groups != nil {
		t.im.set(last.Seq, nil, present(last))
		ids, concerns, err := t.concerned()
		if err != nil {
			return step, false, err
		}
		if concerns {
			id = ids[0]
		}
	}
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	if s.state != following || k.result.query.Rerun != nil {
		return step, false, nil
	}
	step = Step{Seq: k.pos, Outcome: Hidden, Evaluated: k.made}
	shown := k.seen.shown(k.result.skip, k.size)
	at := slices.IndexFunc(shown, func(e *entry) bool { return e.id == id })
	if at >= 0 {
		step.Outcome = Shown
		if k.result.diff.ordered {
			step.Position = &at
		}
	}
	return step, true, nil
}
