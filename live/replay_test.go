package live_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/store/memkv"
)

// collect subscribes from a cursor and returns what is told. It keeps
// no copy, since a commit may be told again.
func (w *world) collect(f follow, from clock.Seq) (
	start clock.Seq, out []told, re []live.ResyncReason) {
	w.t.Helper()
	r := w.open("alice", f, live.SubscribeOptions{From: &from})
	for more := true; more; {
		var msgs []live.Message
		var err error
		if msgs, more, err = r.sub.Poll(context.Background(), 3); err != nil {
			w.t.Fatal(err)
		}
		for _, m := range msgs {
			switch m := m.(type) {
			case live.Batch:
				start = m.LastSeq
			case live.Resync:
				re = append(re, m.Reason)
			case live.Changed:
				out = append(out, tell(m.Event))
			}
		}
	}
	r.sub.Close(live.Unsubscribed)
	return start, out, re
}

// fromCommit returns where a client with the cursor from goes on, and what
// remains of all for it: what comes after from, and before that the commit
// that from is in the middle of.
func fromCommit(log []change, all []told, from clock.Seq) (clock.Seq, []told) {
	start, commit := from, clock.Seq(0)
	for _, c := range log {
		if c.user == "alice" && c.last && c.seq <= from {
			commit = c.seq // what is after it is the commit of the cursor
		}
	}
	began := slices.ContainsFunc(log, func(c change) bool {
		return c.user == "alice" && c.seq > commit && c.seq <= from
	})
	end := clock.MaxSeq
	for _, c := range slices.Backward(log) {
		if c.user == "alice" && c.last && c.seq > from {
			end = c.seq
		}
	}
	if began && slices.ContainsFunc(all, func(e told) bool { return e.seq > from && e.seq <= end }) {
		start = commit
	}
	var rest []told
	for _, e := range all {
		if e.seq > start {
			rest = append(rest, e)
		}
	}
	return start, rest
}

func TestSubscription_resumesFromEveryCursor(t *testing.T) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 3))
	w := newWorld(t, memkv.Name, live.Options{ScanRows: 3})
	first := w.applied
	for range 25 {
		w.apply(randomCommits(rnd)...)
	}
	for _, f := range []follow{{}, {topic: "a"}, {topic: "b", blind: true}} {
		all := f.oracle(w.log, "alice", 0)
		for from := first; from <= w.applied; from++ {
			start, got, re := w.collect(f, from)
			begin, want := fromCommit(w.log, all, from)
			if !reflect.DeepEqual(bare(got), bare(want)) || re != nil || start != begin {
				t.Fatalf("%s from %d (resyncs %v), start %d, want %d:\n%v, want\n%v",
					f.text(), from, re, start, begin, got, want)
			}
		}
	}
}

// bare leaves out of appends what they say of the whole row, which only a
// reader that has it knows.
func bare(list []told) (out []told) {
	for _, e := range list {
		if e.app != "" {
			e.row, e.old = "", ""
		}
		out = append(out, e)
	}
	return out
}

func TestSubscription_cursorInsideACommit(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	w.fill(1)
	before := w.applied
	w.apply(commit{"alice", []op{put(2, "a", "x"), put(3, "a", "x"), put(4, "b", "x")}})
	at := func(i int) clock.Seq { return before + clock.Seq(i) }
	for _, c := range []struct {
		from clock.Seq
		want []clock.Seq
	}{
		{before, []clock.Seq{at(1), at(2)}},
		{at(1), []clock.Seq{at(1), at(2)}}, // more to tell: the whole commit again
		{at(2), nil},                       // the rest of the commit does not concern the query
		{at(3), nil},
	} {
		_, got, _ := w.collect(follow{topic: "a"}, c.from)
		var seqs []clock.Seq
		for _, e := range got {
			seqs = append(seqs, e.seq)
			if e.commit != (e.seq == at(2)) {
				t.Errorf("from %d: commit is %v at %d", c.from, e.commit, e.seq)
			}
		}
		if !reflect.DeepEqual(seqs, c.want) {
			t.Errorf("from %d: %v, want %v", c.from, seqs, c.want)
		}
	}
}

func TestSubscription_cursorThatHistoryLacks(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	w.fill(4)
	w.gap = [2]clock.Seq{w.applied - 3, w.applied}
	w.trim(w.applied - 8)
	for _, c := range []struct {
		from clock.Seq
		want live.ResyncReason
	}{
		{1, live.HistoryTrimmed},
		{w.applied - 1, live.CursorUnknown},
		{w.applied + 1, live.CursorUnknown},
		{clock.MaxSeq, live.CursorUnknown},
	} {
		_, _, re := w.collect(follow{}, c.from)
		if !reflect.DeepEqual(re, []live.ResyncReason{c.want}) {
			t.Errorf("from %d: resyncs %v, want %s", c.from, re, c.want)
		}
		r := w.open("alice", follow{}, live.SubscribeOptions{From: &c.from})
		r.drain()
		if err := r.check(); err != nil || len(r.copy) != 4 {
			t.Errorf("from %d, after the new snapshot: %v", c.from, err)
		}
	}
}

func TestSubscription_stalledReaderCatchesUp(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{QueueEvents: 4})
	stalled, quick := w.open("alice", follow{}, live.SubscribeOptions{}),
		w.open("alice", follow{}, live.SubscribeOptions{})
	stalled.drain()
	quick.drain()
	for i := range int64(50) {
		w.apply(commit{"alice", []op{put(i, "a", "x")}}, commit{"alice", []op{put(i/2, "b", "y")}})
		if q := stalled.sub.Info().Queued; q > 4 {
			t.Fatalf("%d events wait, the bound is 4", q)
		}
		quick.drain()
		if s := quick.sub.Info().State; s != "live" {
			t.Fatalf("the quick reader is %s because of the other", s)
		}
	}
	if s := stalled.sub.Info().State; s != "replaying" {
		t.Errorf("the stalled reader is %s", s)
	}
	stalled.drain()
	for _, r := range []*reader{stalled, quick} {
		if err := r.check(); err != nil {
			t.Error(err)
		}
	}
	if s := stalled.sub.Info().State; s != "live" {
		t.Errorf("after catching up it is %s", s)
	}
}

func TestSubscription_idleReaderOutlivesTrimming(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{QueueEvents: 2})
	r := w.open("alice", follow{}, live.SubscribeOptions{})
	r.drain()
	for i := range int64(10) {
		w.apply(commit{"bob", []op{put(i, "a", "x")}})
	}
	w.trim(w.applied + 1)
	for i := range int64(10) {
		w.apply(commit{"alice", []op{put(i, "a", "x")}})
	}
	r.drain()
	if err := r.check(); err != nil || r.resyncs != nil {
		t.Errorf("resyncs %v, %v", r.resyncs, err)
	}
}

func TestSubscription_disconnectPolicy(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{QueueBytes: 1500})
	r := w.open("alice", follow{}, live.SubscribeOptions{Policy: live.Disconnect})
	r.drain()
	w.apply(commit{"alice", []op{put(100, "a", "x")}})
	r.drain()
	cursor := r.cursor
	for i := range int64(10) {
		w.apply(commit{"alice", []op{put(i, "a", "x")}})
	}
	r.poll(1)
	if r.ended == nil || r.ended.Reason != live.SlowConsumer || r.ended.Cursor != cursor ||
		!fault.Is(r.ended.Err, fault.SlowConsumer) {
		t.Fatalf("ended %+v, want a slow consumer at %d", r.ended, cursor)
	}
	r.resume()
	r.drain()
	if err := r.check(); err != nil {
		t.Error(err)
	}
}

func TestSubscription_hugeEventPassesAnEmptyQueue(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{QueueBytes: 1})
	r := w.open("alice", follow{}, live.SubscribeOptions{Policy: live.Disconnect})
	r.drain()
	for i := range int64(3) {
		w.apply(commit{"alice", []op{put(i, "a", fmt.Sprintf("%1000d", i))}})
		r.drain()
	}
	if err := r.check(); err != nil || r.ended != nil {
		t.Errorf("ended %+v, %v", r.ended, err)
	}
}

func TestSubscription_pollStopsWithItsContext(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{TakeBytes: 1 << 20})
	start := w.applied
	w.fill(600)
	for _, o := range []live.SubscribeOptions{{}, {From: &start}} {
		r := w.open("alice", follow{}, o)
		r.base = start
		r.poll(1)
		if o.From != nil {
			r.cursor = start
			r.poll(1)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		w.afterView = cancel
		_, _, err := r.sub.Poll(ctx, 1000)
		w.afterView = nil
		if !fault.Is(err, fault.Cancelled) || !errors.Is(err, context.Canceled) {
			t.Errorf("poll: %v", err)
		}
		r.drain()
		if err := r.check(); err != nil {
			t.Error(err)
		}
	}
}
