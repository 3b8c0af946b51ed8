package live_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/store/memkv"
)

// stuck opens a live subscription whose reader then takes nothing for a while.
func (w *world) stuck(user ident.UserID, f follow, o live.SubscribeOptions) *reader {
	w.t.Helper()
	r := w.open(user, f, o)
	r.drain()
	r.events, r.base = nil, r.cursor
	return r
}

func (r *reader) short() (out []string) {
	for _, e := range r.events {
		out = append(out, fmt.Sprintf("%s %s%s commit=%v", e.kind, e.row, e.old, e.commit))
	}
	return out
}

func TestConflate_tellsTheLastStateOfEachRow(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{QueueEvents: 2})
	w.apply(commit{"alice", []op{put(1, "a", "x"), put(2, "a", "x"), put(3, "a", "x"), put(9, "b", "")}})
	r := w.stuck("alice", follow{topic: "a"}, live.SubscribeOptions{Policy: live.Conflate})
	w.apply(commit{"alice", []op{put(1, "a", "y"), put(2, "a", "y"), put(4, "a", "y")}})
	w.apply(commit{"alice", []op{put(5, "a", "came and went"), put(9, "a", "enters")}})
	w.apply(commit{"alice", []op{del(5), put(3, "b", "left")}})
	w.apply(commit{"alice", []op{put(1, "a", "z"), put(2, "a", "x")}}) // 2 is what it was
	w.apply(commit{"alice", []op{put(7, "b", "no concern")}})
	reached := w.applied
	r.drain()
	want := []string{
		"insert id=4;topic=a;body=y; commit=false",
		"insert id=9;topic=a;body=enters; commit=false",
		"delete id=3;topic=a;body=x; commit=false",
		"update id=1;topic=a;body=z;id=1;body=x; commit=true",
	}
	if got := r.short(); !reflect.DeepEqual(got, want) {
		t.Errorf("told\n%q, want\n%q", got, want)
	}
	if r.cursor != reached {
		t.Errorf("the round reached %d, want %d", r.cursor, reached)
	}
	if i := r.sub.Info(); i.State != "live" || i.Conflated != 3 || i.Delivered != 4 {
		t.Errorf("info %+v", i)
	}
	w.apply(commit{"alice", []op{put(1, "a", "live"), put(2, "a", "live")}})
	if r.drain(); len(r.events) != 6 {
		t.Errorf("told %q afterwards", r.short())
	}
}

func TestConflate_resumesAsARound(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	w.fill(3)
	r := w.stuck("alice", follow{}, live.SubscribeOptions{Policy: live.Conflate})
	r.sub.Close(live.Unsubscribed)
	for i := range 50 {
		w.apply(commit{"alice", []op{put(1, "a", fmt.Sprint(i))}})
	}
	r.resume()
	r.drain()
	if len(r.events) != 1 || r.cursor != w.applied {
		t.Errorf("told %q, cursor %d", r.short(), r.cursor)
	}
}

func TestConflate_endsInAResyncWhenHistoryIsTrimmed(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{QueueEvents: 1, ScanRows: 1})
	w.fill(3)
	r := w.stuck("alice", follow{}, live.SubscribeOptions{Policy: live.Conflate})
	for i := range 5 {
		w.apply(commit{"alice", []op{put(int64(i), "a", "x")}})
	}
	r.poll(1) // inside a round
	w.trim(w.applied)
	r.drain()
	if want := []live.ResyncReason{live.HistoryTrimmed}; !slices.Equal(r.resyncs, want) {
		t.Errorf("resyncs %v, want %v", r.resyncs, want)
	}
	if err := r.check(); err != nil {
		t.Error(err)
	}
}

func TestBudget_ofASocket(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	budget := live.NewBudget(3000)
	open := func(p live.Policy, b *live.Budget) *live.Subscription {
		s, err := w.hub.Subscribe(live.Spec{Owner: "root", User: "alice", Query: follow{}.query(),
			Options: live.SubscribeOptions{Policy: p}, Budget: b})
		if err != nil {
			t.Fatal(err)
		}
		drain(t, s)
		return s
	}
	other := open(live.Replay, live.NewBudget(1<<20))
	a, b := open(live.Replay, budget), open(live.Disconnect, budget)
	for i := range 12 {
		w.apply(commit{"alice", []op{put(int64(i), "a", "a body of forty bytes, more or less")}})
		if used := budget.Used(); used > 3000 {
			t.Fatalf("%d bytes wait", used)
		}
	}
	if got := other.Info().State; got != "live" {
		t.Errorf("a subscription of another socket is %s", got)
	}
	if a, b := a.Info().State, b.Info().State; a != "replaying" || b != "ended" {
		t.Errorf("states are %s and %s", a, b)
	}
	if out, _ := drain(t, a); len(out) != 12 {
		t.Errorf("told %v", out)
	}
	if _, end := drain(t, b); end.Reason != live.SlowConsumer || end.Cursor == 0 {
		t.Errorf("ended %+v", end)
	}
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes are left", used)
	}
}

func TestBudget_ofAll(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{Total: live.NewBudget(100 << 10), MaxPerUser: 1000})
	slow := make([]*reader, 200)
	for i := range slow {
		slow[i] = w.stuck("alice", follow{}, live.SubscribeOptions{})
	}
	keen := w.stuck("alice", follow{}, live.SubscribeOptions{})
	body := fmt.Sprintf("%01000d", 7)
	for i := range 300 {
		w.apply(commit{"alice", []op{put(int64(i), "a", body)}})
		keen.drain()
		if used := w.hub.Total().Used(); used > 110<<10 {
			t.Fatalf("%d bytes wait after %d commits", used, i)
		}
	}
	if got := keen.sub.Info().State; got != "live" {
		t.Errorf("who takes everything is %s", got)
	}
	for _, r := range slow[:5] {
		if got := r.sub.Info().State; got != "replaying" {
			t.Errorf("who takes nothing is %s", got)
		}
		r.drain()
		if err := r.check(); err != nil {
			t.Error(err)
		}
	}
}

// Who has taken nothing for a while is let go to history, however little waits,
// and is told everything when it reads again; who ends by its policy waits on.
func TestSubscription_stalledIsLetGo(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	w.fill(1)
	slow := w.open("alice", follow{}, live.SubscribeOptions{})
	strict := w.open("alice", follow{}, live.SubscribeOptions{Policy: live.Disconnect})
	prompt := w.open("alice", follow{}, live.SubscribeOptions{})
	for _, r := range []*reader{slow, strict, prompt} {
		r.drain()
	}
	states := func(want ...string) {
		t.Helper()
		for i, r := range []*reader{slow, strict, prompt} {
			if got := r.sub.Info().State; got != want[i] {
				t.Errorf("subscription %d is %s, want %s", i, got, want[i])
			}
		}
	}
	pass := func(d time.Duration) { w.applied += clock.SeqAt(clock.Epoch.Add(d)) }
	w.apply(commit{"alice", []op{put(2, "a", "x")}})
	prompt.drain()
	pass(1900 * time.Millisecond)
	w.apply(commit{"alice", []op{put(3, "a", "x")}})
	prompt.drain()
	states("live", "live", "live")
	pass(200 * time.Millisecond)
	w.apply(commit{"alice", []op{put(4, "a", "x")}})
	states("replaying", "live", "live")
	for _, r := range []*reader{slow, strict, prompt} {
		r.drain()
		if err := r.check(); err != nil {
			t.Error(err)
		}
	}
	states("live", "live", "live")
}
