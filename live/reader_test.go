package live_test

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"sync/atomic"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// told is an event as the oracle and a reader both write it down.
type told struct {
	kind   live.ChangeType
	reason live.MatchReason
	seq    clock.Seq
	commit bool
	row    string
	old    string
	app    string // where and what was appended
}

// reader is a client: it keeps a copy of the result and refuses messages that
// do not fit it.
type reader struct {
	w     *world
	user  ident.UserID
	f     follow
	opts  live.SubscribeOptions // of the last subscription
	sub   *live.Subscription
	woken atomic.Int64
	busy  bool // inside Poll

	copy    map[string]string // key to projected row
	base    clock.Seq         // what the events follow after
	events  []told
	cursor  clock.Seq
	ready   bool
	batches int
	resyncs []live.ResyncReason
	ended   *live.Ended

	// The copy and the events as they were at the cursor.
	safeCopy   map[string]string
	safeEvents int
}

// open subscribes. With from set the reader goes on from its cursor.
func (w *world) open(user ident.UserID, f follow, o live.SubscribeOptions) *reader {
	r := &reader{w: w, user: user, f: f, copy: make(map[string]string)}
	r.subscribe(o)
	return r
}

func (r *reader) subscribe(o live.SubscribeOptions) {
	r.w.t.Helper()
	sub, err := r.w.hub.Subscribe(live.Spec{
		Owner: r.user, User: r.user, Query: r.f.query(), Options: o,
		Notify: func() { r.woken.Add(1) },
	})
	if err != nil {
		r.w.t.Fatal(err)
	}
	r.sub, r.ended, r.opts = sub, nil, o
}

// resume connects again from the cursor, with what the reader had there.
func (r *reader) resume() {
	r.ready, r.batches = false, 0
	o := live.SubscribeOptions{BatchSize: 3, Policy: r.opts.Policy}
	if r.cursor == 0 {
		r.copy, r.events = make(map[string]string), nil
		r.subscribe(o)
		return
	}
	r.copy, r.events = maps.Clone(r.safeCopy), r.events[:r.safeEvents]
	from := r.cursor
	o.From = &from
	r.subscribe(o)
}

// poll takes messages once and returns whether there are more.
func (r *reader) poll(most int) bool {
	r.busy = true
	msgs, more, err := r.sub.Poll(context.Background(), most)
	r.busy = false
	if err == nil && len(msgs) > most {
		err = fmt.Errorf("%d messages, %d asked for", len(msgs), most)
	}
	for _, m := range msgs {
		if err == nil {
			err = r.take(m)
		}
	}
	if err != nil {
		r.w.t.Errorf("%s of %s: %v", r.f.text(), r.user, err)
		r.ended = &live.Ended{Reason: live.Failed, Err: err}
		return false
	}
	return more
}

// drain polls until there is nothing more, asking for all batches.
func (r *reader) drain() {
	for r.poll(100) || !r.ready && r.ended == nil {
		r.sub.NextBatch()
	}
}

func (r *reader) take(m live.Message) error {
	if r.ended != nil {
		return fmt.Errorf("%T after the end", m)
	}
	switch m := m.(type) {
	case live.Ack:
	case live.Batch:
		return r.takeBatch(m)
	case live.Changed:
		return r.takeEvent(m.Event)
	case live.Resync:
		r.resyncs = append(r.resyncs, m.Reason)
		r.copy, r.ready, r.batches = make(map[string]string), false, 0
		r.events, r.cursor = nil, 0
	case live.Ended:
		r.ended = &m
	default:
		return fmt.Errorf("unexpected %T", m)
	}
	return nil
}

func (r *reader) takeBatch(b live.Batch) error {
	if r.ready || b.Num != r.batches || b.HasMore == (b.Status == live.Ready) {
		return fmt.Errorf("batch %+v, ready %v, %d before", b, r.ready, r.batches)
	}
	for _, vals := range b.Rows {
		key := keyOf(vals)
		if _, ok := r.copy[key]; ok {
			return fmt.Errorf("row %s twice in a snapshot", key)
		}
		r.copy[key] = show(r.sub.Columns(), vals)
	}
	r.batches++
	if b.Status == live.Ready {
		if !(b.Num == 0 && r.cursor == b.LastSeq) {
			r.base, r.events = b.LastSeq, nil
		}
		r.ready = true
		return r.keep(b.LastSeq)
	}
	return nil
}

func (r *reader) takeEvent(e *live.Event) error {
	if n := len(r.events); !r.ready || n > 0 && r.events[n-1].seq >= e.Seq || e.Seq <= r.base {
		return fmt.Errorf("event at %d is out of order (base %d, ready %v)", e.Seq, r.base, r.ready)
	}
	t, key := tell(e), ""
	for _, rows := range [][][]value.Value{e.Rows, e.Old} {
		if len(rows) > 0 {
			key = keyOf(rows[0])
		}
	}
	before, had := r.copy[key]
	if had == (e.Type == live.Insert) {
		return fmt.Errorf("%s of %s at %d, had it: %v", e.Type, key, e.Seq, had)
	}
	if e.Append != nil {
		if err := t.extend(before, e); err != nil {
			return err
		}
	}
	r.copy[key] = t.row
	if e.Type == live.Delete {
		delete(r.copy, key)
	}
	r.events = append(r.events, t)
	if e.Commit {
		return r.keep(e.Seq)
	}
	return nil
}

// extend makes t what an event of an append means for a row that is shown as
// before.
func (t *told) extend(before string, e *live.Event) error {
	at := strings.Index(before, "body=") + len("body=")
	end := at + strings.Index(before[at:], ";")
	body, behind := before[at:end], before[end:]
	if at < len("body=") || len(body) != e.Append.Offset || e.Append.Column != "body" ||
		len(e.Rows[0]) != 2 || e.Columns[1].Name != "_seq" || len(e.Old) != 0 || e.Type != live.Update {
		return fmt.Errorf("append %+v of %s to %s", e.Append, t.row, before)
	}
	t.old = fmt.Sprintf("id=%d;body=%s%s", e.Rows[0][0].Int(), body, behind)
	if len(behind) > 1 {
		behind = fmt.Sprintf(";_seq=%d;", e.Rows[0][1].Int())
	}
	t.row = before[:end] + e.Append.Text + behind
	return nil
}

// tell writes an event down.
func tell(e *live.Event) told {
	t := told{kind: e.Type, reason: e.Reason, seq: e.Seq, commit: e.Commit}
	if len(e.Rows) > 0 {
		t.row = show(e.Columns, e.Rows[0])
	}
	if e.Append != nil {
		t.app = fmt.Sprint(e.Append.Offset, e.Append.Text)
	}
	if len(e.Old) > 0 {
		t.old = show(e.OldColumns, e.Old[0])
	}
	return t
}

func keyOf(vals []value.Value) string { return fmt.Sprint(vals[0].Int()) }

func show(columns []predicate.Column, vals []value.Value) string {
	var out string
	for i, c := range columns {
		if c.Kind == value.Text {
			out += c.Name + "=" + vals[i].Str() + ";"
		} else {
			out += fmt.Sprintf("%s=%d;", c.Name, vals[i].Int())
		}
	}
	return out
}

// keep notes a cursor, at which the copy is the result of that moment.
func (r *reader) keep(cursor clock.Seq) error {
	r.cursor, r.safeCopy, r.safeEvents = cursor, maps.Clone(r.copy), len(r.events)
	if want := r.w.result(r.user, r.f, cursor); !maps.Equal(want, r.copy) {
		return fmt.Errorf("rows at %d are %v, want %v", cursor, r.copy, want)
	}
	return nil
}

// result is what a query shows after all commits up to a seq.
func (w *world) result(user ident.UserID, f follow, at clock.Seq) map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	rows := make(map[string]string)
	for _, c := range w.log {
		if c.user != user || c.seq > at {
			continue
		}
		if f.matches(c.new) {
			rows[fmt.Sprint(c.new.id)] = f.show(c.new, nil)
		} else if c.old != nil {
			delete(rows, fmt.Sprint(c.old.id))
		}
	}
	return rows
}

// check compares what the reader has, and all it was told since its base, with
// the world. What a conflated reader is told depends on when it read.
func (r *reader) check() error {
	if want := r.w.result(r.user, r.f, clock.MaxSeq); !maps.Equal(want, r.copy) {
		return fmt.Errorf("rows %v, want %v", r.copy, want)
	}
	if r.opts.Policy == live.Conflate {
		return nil
	}
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	expected := r.f.oracle(r.w.log, r.user, r.base)
	for i := range min(len(expected), len(r.events)) {
		if !reflect.DeepEqual(expected[i], r.events[i]) {
			return fmt.Errorf("event %d is %+v, want %+v", i, r.events[i], expected[i])
		}
	}
	if len(expected) != len(r.events) {
		return fmt.Errorf("%d events since %d, want %d", len(r.events), r.base, len(expected))
	}
	return nil
}

// oracle tells what a subscriber with a snapshot at base must be told, written
// without the code under test.
func (f follow) oracle(log []change, user ident.UserID, base clock.Seq) []told {
	var out []told
	lastOfCommit := -1
	for _, c := range log {
		if c.user != user || c.seq <= base {
			continue
		}
		was, is := f.matches(c.old), f.matches(c.new)
		t := told{seq: c.seq}
		switch {
		case is && !was:
			t.kind, t.row = live.Insert, f.show(c.new, nil)
			if c.old != nil {
				t.reason = live.Enter
			}
		case was && !is:
			t.kind, t.old = live.Delete, f.show(c.old, nil)
			if c.new != nil {
				t.reason = live.Leave
			}
		case was && is && (f.seq || c.old.topic != c.new.topic ||
			!f.blind && c.old.body != c.new.body):
			t.kind, t.row, t.old = live.Update, f.show(c.new, nil), f.show(c.old, c.new)
			if n := len(c.old.body); c.app && !f.blind && len(c.new.body) > n {
				t.app = fmt.Sprint(n, c.new.body[n:])
			}
		}
		if t.kind != "" {
			out = append(out, t)
			lastOfCommit = len(out) - 1
		}
		if c.last {
			if lastOfCommit >= 0 {
				out[lastOfCommit].commit = true
			}
			lastOfCommit = -1
		}
	}
	return out
}
