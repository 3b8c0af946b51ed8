package live_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store/memkv"
)

func TestHub_enterAndLeave(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	w.apply(commit{"alice", []op{put(1, "a", "x"), put(2, "b", "x")}})
	for _, f := range []follow{{topic: "a"}, {topic: "a", blind: true}} {
		r := w.open("alice", f, live.SubscribeOptions{})
		r.drain()
		start := len(r.events)
		w.apply(commit{"alice", []op{put(2, "a", "x")}})                      // enters
		w.apply(commit{"alice", []op{put(1, "b", "x")}})                      // leaves
		w.apply(commit{"alice", []op{put(2, "a", "y")}})                      // an update
		w.apply(commit{"alice", []op{put(2, "a", "y")}})                      // of nothing
		w.apply(commit{"alice", []op{del(2)}}, commit{"alice", []op{del(1)}}) // one concerns it
		w.apply(commit{"alice", []op{put(1, "a", "x"), put(2, "b", "x")}})
		r.drain()
		var got []string
		for _, e := range r.events[start:] {
			got = append(got, strings.TrimSpace(fmt.Sprintln(e.kind, e.reason, e.row, e.old)))
		}
		want := []string{
			"insert enter id=2;topic=a;body=x;", "delete leave  id=1;topic=a;body=x;",
			"update  id=2;topic=a;body=y; id=2;body=x;", "delete   id=2;topic=a;body=y;",
			"insert  id=1;topic=a;body=x;",
		}
		if f.blind {
			want = []string{
				"insert enter id=2;topic=a;", "delete leave  id=1;topic=a;",
				"delete   id=2;topic=a;", "insert  id=1;topic=a;",
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v is told\n%q, want\n%q", f, got, want)
		}
	}
}

func TestHub_commitMarksTheLastThatConcernsTheQuery(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	r := w.open("alice", follow{topic: "a"}, live.SubscribeOptions{})
	r.drain()
	w.apply(
		commit{"alice", []op{put(1, "a", "x"), put(2, "a", "x"), put(3, "b", "x")}},
		commit{"alice", []op{put(4, "b", "x")}},
		commit{"alice", []op{put(5, "b", "x"), put(6, "a", "x")}},
	)
	r.drain()
	var got []bool
	for _, e := range r.events {
		got = append(got, e.commit)
	}
	if want := []bool{false, true, true}; !reflect.DeepEqual(got, want) {
		t.Errorf("commit flags %v, want %v", got, want)
	}
}

func TestHub_thousandSubscribersShareEvents(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{MaxPerUser: 5000})
	readers := make([]*reader, 1000)
	for i := range readers {
		readers[i] = w.open("alice", follow{}, live.SubscribeOptions{})
		readers[i].drain()
	}
	other := w.open("bob", follow{}, live.SubscribeOptions{})
	other.drain()
	w.apply(commit{"alice", []op{put(1, "a", "x")}})
	encoded := 0
	seen := make(map[*live.Event]bool)
	for _, r := range readers {
		msgs, more, err := r.sub.Poll(context.Background(), 10)
		if err != nil || more || len(msgs) != 1 || r.woken.Load() != 1 {
			t.Fatalf("%v, more %v, error %v, woken %d times", msgs, more, err, r.woken.Load())
		}
		e := msgs[0].(live.Changed).Event
		seen[e] = true
		body := e.Encoded(func(e *live.Event) []byte { encoded++; return []byte(tell(e).row) })
		if string(body) != "id=1;topic=a;body=x;" {
			t.Fatalf("body %q", body)
		}
	}
	if len(seen) != 1 || encoded != 1 {
		t.Errorf("%d events encoded %d times, want one of each", len(seen), encoded)
	}
	if other.woken.Load() != 0 || other.poll(10) || len(other.events) != 0 {
		t.Error("another user's subscriber was told")
	}
}

func TestHub_failingPredicateEndsItsSubscribersOnly(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	poisoned := w.open("alice", follow{}, live.SubscribeOptions{})
	poisoned.drain()
	bob := w.open("bob", follow{}, live.SubscribeOptions{})
	bob.drain()
	w.apply(commit{"alice", []op{put(1, "poison", "x")}}, commit{"bob", []op{put(1, "a", "x")}})
	poisoned.drain()
	bob.drain()
	if err := bob.check(); err != nil {
		t.Error(err)
	}
	late := w.open("alice", follow{}, live.SubscribeOptions{})
	late.drain()
	zero := clock.Seq(0)
	resumed := w.open("alice", follow{}, live.SubscribeOptions{From: &zero})
	for resumed.poll(9) {
	}
	for _, r := range []*reader{poisoned, late, resumed} {
		if r.ended == nil || r.ended.Reason != live.Failed ||
			!fault.Is(r.ended.Err, fault.ValueOutOfRange) {
			t.Errorf("ended %+v, want the predicate's error", r.ended)
		}
	}
	if n := w.hub.Len(); n != 1 {
		t.Errorf("%d subscriptions are left, want 1", n)
	}
}

func TestHub_ending(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	open := func(owner ident.UserID) *reader {
		r := &reader{w: w, user: "alice", copy: make(map[string]string)}
		sub, err := w.hub.Subscribe(live.Spec{Owner: owner, User: "alice", Query: follow{}.query(),
			Notify: func() { r.woken.Add(1) }})
		if err != nil {
			t.Fatal(err)
		}
		r.sub = sub
		r.drain()
		return r
	}
	expect := func(r *reader, why live.EndReason) {
		t.Helper()
		if woken := r.woken.Load(); woken == 0 {
			t.Errorf("%s: not woken", why)
		}
		for r.poll(1) {
		}
		if r.ended == nil || r.ended.Reason != why || r.ended.Cursor != r.cursor {
			t.Errorf("ended %+v, want %s at %d", r.ended, why, r.cursor)
		}
	}
	a, b, c, d := open("alice"), open("alice"), open("root"), open("root")
	w.apply(commit{"alice", []op{put(1, "a", "x")}}) // dropped by the end
	a.sub.Close(live.Unsubscribed)
	a.sub.Close(live.Killed)
	expect(a, live.Unsubscribed)
	if err := w.hub.Kill(c.sub.ID()); err != nil {
		t.Error(err)
	}
	expect(c, live.Killed)
	if err := w.hub.Kill(c.sub.ID()); !fault.Is(err, fault.NotFound) {
		t.Errorf("killed twice: %v", err)
	}
	if n := w.hub.EndUser("alice", live.Revoked, isRoot); n != 1 {
		t.Errorf("%d ended, want 1", n)
	}
	expect(b, live.Revoked)
	if n := w.hub.EndTable(notes.ID+1, live.TableDropped); n != 0 {
		t.Errorf("%d followed another table", n)
	}
	if n := w.hub.EndTable(notes.ID, live.TableDropped); n != 1 || w.hub.Len() != 0 {
		t.Errorf("%d ended, %d left", n, w.hub.Len())
	}
	expect(d, live.TableDropped)
	w.apply(commit{"alice", []op{put(2, "a", "x")}})

	e := open("root")
	if n := w.hub.EndUser("alice", live.Revoked, func(ident.UserID) bool { return false }); n != 1 {
		t.Errorf("%d ended, want 1", n)
	}
	expect(e, live.Revoked)
}

func isRoot(u ident.UserID) bool { return u == "root" }

func TestHub_droppedTableEndsWhatStillReads(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	w.fill(5)
	r := w.open("alice", follow{}, live.SubscribeOptions{BatchSize: 2})
	r.poll(1)
	w.mu.Lock()
	w.dropped = true
	w.mu.Unlock()
	for r.poll(1) {
	}
	if r.ended == nil || r.ended.Reason != live.TableDropped || w.hub.Len() != 0 {
		t.Errorf("ended %+v, %d left", r.ended, w.hub.Len())
	}
}

func TestHub_Close(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	w.fill(3)
	idle, reading := w.open("alice", follow{}, live.SubscribeOptions{}),
		w.open("alice", follow{}, live.SubscribeOptions{})
	idle.drain()
	reading.poll(1)
	var wg sync.WaitGroup
	inside, release, closed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	w.afterView = func() { close(inside); <-release }
	wg.Go(func() { reading.poll(1) })
	<-inside
	w.afterView = nil
	wg.Go(func() { w.hub.Close(); close(closed) })
	for idle.poll(1) || idle.ended == nil {
	}
	select {
	case <-closed:
		t.Error("closed while a Poll reads the store")
	default:
	}
	close(release)
	wg.Wait()
	for reading.poll(1) {
	}
	for _, r := range []*reader{idle, reading} {
		if r.ended == nil || r.ended.Reason != live.ShuttingDown {
			t.Errorf("ended %+v", r.ended)
		}
	}
	_, err := w.hub.Subscribe(live.Spec{User: "alice", Query: follow{}.query()})
	if !fault.Is(err, fault.ShuttingDown) {
		t.Errorf("subscribe afterwards: %v", err)
	}
	w.hub.Close()
}

func TestHub_Subscribe_refuses(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{MaxPerUser: 2, MaxTotal: 3, MaxBatchSize: 10})
	minus, negative := -1, clock.Seq(-1)
	shared, system := follow{}.query(), follow{}.query()
	shared.Table, system.Table = &ddl.Table{Kind: ddl.SharedTable}, &ddl.Table{Kind: ddl.SystemTable}
	spec := func(owner ident.UserID, id ident.LiveID) live.Spec {
		return live.Spec{ID: id, Owner: owner, User: "alice", Query: follow{}.query()}
	}
	with := func(change func(*live.Spec)) live.Spec {
		s := spec("alice", "")
		change(&s)
		return s
	}
	for _, s := range []live.Spec{spec("alice", "1"), spec("alice", "")} {
		if _, err := w.hub.Subscribe(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name string
		spec live.Spec
		want fault.Code
	}{
		{"a third of one user", spec("alice", ""), fault.SubscriptionLimit},
		{"an id in use", spec("bob", "1"), fault.AlreadyExists},
		{"a third in all", spec("bob", ""), ""},
		{"a fourth in all", spec("carol", ""), fault.SubscriptionLimit},
		{"no query", live.Spec{User: "alice"}, fault.Internal},
		{"no user", with(func(s *live.Spec) { s.User = "" }), fault.UserRequired},
		{"a shared table", with(func(s *live.Spec) { s.Query = shared }), fault.LiveSharedTable},
		{"a system table", with(func(s *live.Spec) { s.Query = system }), fault.LiveUnsupportedQuery},
		{"a policy", with(func(s *live.Spec) { s.Options.Policy = "x" }), fault.InvalidParameter},
		{"a batch", with(func(s *live.Spec) { s.Options.BatchSize = 11 }), fault.InvalidParameter},
		{"no batch", with(func(s *live.Spec) { s.Options.BatchSize = -1 }), fault.InvalidParameter},
		{"last rows", with(func(s *live.Spec) { s.Options.LastRows = &minus }), fault.InvalidParameter},
		{"from", with(func(s *live.Spec) { s.Options.From = &negative }), fault.InvalidParameter},
	} {
		if _, err := w.hub.Subscribe(c.spec); fault.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestHub_List(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	spec := live.Spec{ID: "b", Owner: "root", User: "alice", Query: follow{}.query(),
		SQL: "select what was written"}
	sub, err := w.hub.Subscribe(spec)
	if err != nil {
		t.Fatal(err)
	}
	r := &reader{w: w, user: "alice", sub: sub, copy: make(map[string]string)}
	spec.ID = "a"
	if _, err := w.hub.Subscribe(spec); err != nil {
		t.Fatal(err)
	}
	r.drain()
	w.apply(commit{"alice", []op{put(1, "a", "x"), put(2, "a", "x")}})
	r.poll(1)
	got := w.hub.List()
	if len(got) != 2 || got[0].ID != "a" || got[0].State != "loading" {
		t.Fatalf("list %+v", got)
	}
	b := got[1]
	want := live.Info{ID: "b", Owner: "root", User: "alice", Table: notes.ID,
		Query: "select what was written",
		State: "live", Cursor: r.cursor, Queued: 1, QueuedBytes: b.QueuedBytes, Delivered: 1,
		Policy: live.Replay, Created: b.Created, Lag: b.Lag}
	if b != want || b.QueuedBytes == 0 || b.Lag <= 0 || b.Created.IsZero() {
		t.Errorf("info %+v, want %+v", b, want)
	}
}

func TestSubscription_Progress(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	r := w.open("alice", follow{topic: "a"}, live.SubscribeOptions{})
	if p, ok := r.sub.Progress(); ok {
		t.Errorf("progress %v before the snapshot", p)
	}
	r.drain()
	if p, ok := r.sub.Progress(); ok {
		t.Errorf("progress %v, which the snapshot told", p)
	}
	w.apply(commit{"alice", []op{put(1, "b", "x")}})
	if p, ok := r.sub.Progress(); !ok || p.Seq != w.applied {
		t.Errorf("progress %v %v, want %d", p, ok, w.applied)
	}
	if p, ok := r.sub.Progress(); ok {
		t.Errorf("progress %v twice", p)
	}
	w.apply(commit{"alice", []op{put(1, "a", "x")}})
	if p, ok := r.sub.Progress(); ok {
		t.Errorf("progress %v over an event that waits", p)
	}
	r.drain()
	if p, ok := r.sub.Progress(); !ok || p.Seq != w.applied || r.sub.Info().Cursor != w.applied {
		t.Errorf("progress %v %v, want %d", p, ok, w.applied)
	}
}
