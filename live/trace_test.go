package live_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/store/memkv"
)

// trace tells what became of a note's changes, in short.
func (r *reader) trace(id int64, most int) (out []string) {
	r.w.t.Helper()
	steps, err := r.w.hub.Trace(r.w.t.Context(), r.sub.ID(),
		value.AppendKey(nil, value.NewBigInt(id)), most)
	if err != nil {
		r.w.t.Fatal(err)
	}
	for _, s := range steps {
		out = append(out, fmt.Sprintf("%s: %s %s%s", s.Op, s.Outcome, s.Type, s.Reason))
		if s.Outcome != live.Delivered && !s.At.IsZero() {
			r.w.t.Errorf("%+v has a time", s)
		}
	}
	return out
}

func TestHub_Trace(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{QueueEvents: 3})
	w.apply(commit{"alice", []op{put(1, "a", "x"), put(2, "b", "x")}})
	r := w.open("alice", follow{topic: "a", blind: true}, live.SubscribeOptions{})
	want := func(what string, id int64, want ...string) {
		t.Helper()
		if got := r.trace(id, 100); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: trace\n%q, want\n%q", what, got, want)
		}
	}
	want("before the snapshot", 1, "insert: loading insert")
	r.drain()
	want("after the snapshot", 1, "insert: snapshot insert")
	w.apply(commit{"alice", []op{put(1, "a", "y")}})
	w.apply(commit{"alice", []op{put(2, "a", "y")}})
	w.apply(commit{"alice", []op{put(2, "b", "y")}})
	want("not polled", 2, "insert: filtered ", "update: queued insertenter", "update: queued deleteleave")
	r.poll(1)
	want("polled once", 2, "insert: filtered ", "update: delivered insertenter",
		"update: queued deleteleave")
	want("of what is not shown", 1, "insert: snapshot insert", "update: unchanged ")
	for range 3 {
		w.apply(commit{"alice", []op{put(3, "a", "x")}}, commit{"alice", []op{del(3)}})
	}
	want("behind", 3, "insert: lagging insert", "delete: lagging delete", "insert: lagging insert",
		"delete: lagging delete", "insert: lagging insert", "delete: lagging delete")
	r.drain()
	if got := r.trace(3, 2); !reflect.DeepEqual(got,
		[]string{"insert: delivered insert", "delete: delivered delete"}) {
		t.Errorf("the latest two: %q", got)
	}
	want("of a row that never was", 9)

	r = w.stuck("alice", follow{}, live.SubscribeOptions{Policy: live.Conflate})
	for i := range 5 {
		w.apply(commit{"alice", []op{put(4, "a", fmt.Sprint(i))}})
	}
	r.drain()
	want("conflated", 4, "insert: conflated insert", "update: conflated update",
		"update: conflated update", "update: conflated update", "update: delivered update")
	r.sub.Close(live.Unsubscribed)
	if _, err := w.hub.Trace(t.Context(), r.sub.ID(), nil, 1); !fault.Is(err, fault.NotFound) {
		t.Errorf("of an ended one: %v", err)
	}
}
