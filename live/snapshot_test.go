package live_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
	"github.com/kalamdb/kalamdb-go/store/memkv"
)

// fill inserts rows 1 to n, each in a commit of its own, with topics a, b, a...
func (w *world) fill(n int64) {
	for i := int64(1); i <= n; i++ {
		w.apply(commit{"alice", []op{put(i, topics[(i-1)%2], "x")}})
	}
}

// batches polls a new subscription until its snapshot is whole.
func (w *world) batches(f follow, o live.SubscribeOptions) (out []live.Batch) {
	w.t.Helper()
	r := w.open("alice", f, o)
	for {
		msgs, more, err := r.sub.Poll(context.Background(), 10)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, m := range msgs {
			if b, ok := m.(live.Batch); ok {
				out = append(out, b)
				if b.Status == live.Ready {
					return out
				}
			}
		}
		if !more {
			r.sub.NextBatch()
		}
	}
}

func ids(batches []live.Batch) (all [][]int64) {
	for _, b := range batches {
		page := []int64{}
		for _, r := range b.Rows {
			page = append(page, r[0].Int())
		}
		all = append(all, page)
	}
	return all
}

func TestSubscription_lastRows(t *testing.T) {
	for _, scan := range []int{1, 2, 100} {
		w := newWorld(t, memkv.Name, live.Options{ScanRows: scan})
		w.fill(7)
		w.apply(commit{"alice", []op{del(6)}})
		for _, c := range []struct {
			f    follow
			last int
			size int
			want [][]int64
		}{
			{follow{}, 0, 0, [][]int64{{}}},
			{follow{}, 2, 0, [][]int64{{5, 7}}},
			{follow{}, 3, 2, [][]int64{{4, 5}, {7}}},
			{follow{}, 99, 0, [][]int64{{1, 2, 3, 4, 5, 7}}},
			{follow{topic: "a"}, 2, 0, [][]int64{{5, 7}}},
			{follow{topic: "b"}, 2, 0, [][]int64{{2, 4}}},
			{follow{topic: "c"}, 2, 0, [][]int64{{}}},
		} {
			got := w.batches(c.f, live.SubscribeOptions{LastRows: &c.last, BatchSize: c.size})
			if !reflect.DeepEqual(ids(got), c.want) {
				t.Errorf("scan %d, last %d of %+v: %v, want %v", scan, c.last, c.f, ids(got), c.want)
			}
		}
	}
}

func TestSubscription_batches(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{ScanRows: 2})
	w.fill(5)
	var got []string
	for _, b := range w.batches(follow{}, live.SubscribeOptions{BatchSize: 2}) {
		got = append(got, fmt.Sprintln(b.Num, b.HasMore, b.Status, b.LastSeq, len(b.Rows)))
	}
	want := []string{"0 true loading 0 2\n", "1 true loading_batch 0 2\n",
		fmt.Sprintln("2 false ready", w.applied, 1)}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("batches %q, want %q", got, want)
	}
	if got := w.batches(follow{topic: "c"}, live.SubscribeOptions{}); len(got) != 1 ||
		got[0].LastSeq != w.applied || got[0].HasMore {
		t.Errorf("an empty snapshot is %+v", got)
	}
}

func TestSubscription_pagesShowOneMoment(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	w.fill(4)
	r := w.open("alice", follow{}, live.SubscribeOptions{BatchSize: 2})
	r.poll(5)
	r.poll(5)
	base := w.applied
	w.apply(commit{"alice", []op{put(3, "c", "later"), del(4), put(5, "a", "new"), put(1, "c", "y")}})
	w.apply(commit{"alice", []op{put(4, "b", "again"), put(3, "c", "latest")}})
	r.sub.NextBatch()
	r.poll(1)
	want := map[string]string{}
	for i := int64(1); i <= 4; i++ {
		want[fmt.Sprint(i)] = fmt.Sprintf("id=%d;topic=%s;body=x;", i, topics[(i-1)%2])
	}
	r.sub.NextBatch()
	for !r.ready {
		r.poll(1)
	}
	if !reflect.DeepEqual(r.copy, want) || r.base != base {
		t.Errorf("the snapshot at %d is %v, want %v at %d", r.base, r.copy, want, base)
	}
	r.drain()
	if err := r.check(); err != nil {
		t.Error(err)
	}
}

func TestSubscription_slowSnapshotStartsAgain(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	w.fill(6)
	r := w.open("alice", follow{}, live.SubscribeOptions{BatchSize: 2})
	r.poll(5)
	r.poll(5)
	w.apply(commit{"alice", []op{put(5, "c", "y")}})
	w.trim(w.applied + 1)
	r.drain()
	if !reflect.DeepEqual(r.resyncs, []live.ResyncReason{live.HistoryTrimmed}) {
		t.Errorf("resyncs %v", r.resyncs)
	}
	if err := r.check(); err != nil {
		t.Error(err)
	}
}

func TestSubscription_holdsNoViewWhileItWaits(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	w.fill(6)
	r := w.open("alice", follow{}, live.SubscribeOptions{BatchSize: 2})
	r.poll(5)
	r.poll(5)
	if s := r.sub.Info().State; s != "waiting" {
		t.Fatalf("state %s", s)
	}
	if err := w.db.Close(); err != nil {
		t.Errorf("the store could not be closed: %v", err)
	}
}

func TestSubscription_batchBytesEndAPage(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{BatchBytes: 1})
	w.fill(3)
	got := ids(w.batches(follow{}, live.SubscribeOptions{}))
	if want := [][]int64{{1}, {2}, {3}, {}}; !reflect.DeepEqual(got, want) {
		t.Errorf("pages %v, want %v", got, want)
	}
}

func TestSubscription_nextBatchCountsOnlyWhenAwaited(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	w.fill(6)
	r := w.open("alice", follow{}, live.SubscribeOptions{BatchSize: 2})
	r.sub.NextBatch()
	r.poll(5)
	r.poll(5)
	r.sub.NextBatch()
	r.sub.NextBatch()
	for r.poll(5) {
	}
	if r.batches != 2 || r.ready {
		t.Errorf("%d batches, ready %v; two calls before a batch are one", r.batches, r.ready)
	}
}

func TestSubscription_readsRowsOfOlderSchemas(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{})
	w.fill(1)
	changed := *notes
	changed.Version = 2
	changed.Columns = []ddl.Column{notes.Columns[0], notes.Columns[2],
		{ID: 4, Name: "extra", Type: ddl.Type{Kind: value.Int32}}}
	hub := live.New(live.Options{Source: w})
	defer hub.Close()
	sub, err := hub.Subscribe(live.Spec{User: "alice", Query: &predicate.Query{
		Text: "q", Table: &changed,
		Columns: make([]predicate.Column, 3),
		Match:   func(r []value.Value) (bool, error) { return len(r) == 6, nil },
		Project: func(dst, r []value.Value) ([]value.Value, error) { return append(dst, r[:3]...), nil },
	}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		msgs, _, err := sub.Poll(context.Background(), 5)
		if err != nil {
			t.Fatal(err)
		}
		if b, ok := msgs[0].(live.Batch); ok {
			want := []value.Value{value.NewBigInt(1), value.NewText("x"), value.NullValue}
			if !reflect.DeepEqual(b.Rows, [][]value.Value{want}) || b.LastSeq == clock.Seq(0) {
				t.Errorf("rows %v, want %v", b.Rows, want)
			}
			return
		}
	}
	t.Error("no batch")
}

// A snapshot reads the keys that the filter allows, not all rows of the user.
func TestSubscription_snapshotOfAKeyRange(t *testing.T) {
	w := newWorld(t, memkv.Name, live.Options{ScanRows: 5})
	w.fill(100)
	key := func(id int64) []byte { return value.AppendKey(nil, value.NewBigInt(id)) }
	for _, c := range []struct {
		lo, hi   []byte
		from, to int64 // ids, to is not one of them
	}{
		{key(50), key(51), 50, 51}, {key(93), nil, 93, 101}, {nil, key(8), 1, 8},
		{key(20), key(41), 20, 41}, {[]byte{}, []byte{}, 0, 0}, {key(60), key(60), 0, 0},
	} {
		q := follow{}.query()
		q.Text, q.Lo, q.Hi = fmt.Sprint("SELECT ", c), c.lo, c.hi
		q.Match = func(r []value.Value) (bool, error) {
			if id := r[0].Int(); id < c.from || id >= c.to {
				t.Errorf("row %d was read for %d to %d", id, c.from, c.to)
			}
			return true, nil
		}
		for _, last := range []int{-1, 3, 1000} {
			o := live.SubscribeOptions{BatchSize: 5}
			want := c.to - c.from
			if last >= 0 {
				o.LastRows, want = &last, min(want, int64(last))
			}
			s, err := w.hub.Subscribe(live.Spec{Owner: "alice", User: "alice", Query: q, Options: o})
			if err != nil {
				t.Fatal(err)
			}
			rows := int64(0)
			for ready := false; !ready; s.NextBatch() {
				msgs, _, err := s.Poll(t.Context(), 9)
				if err != nil {
					t.Fatal(err)
				}
				for _, m := range msgs {
					if b, ok := m.(live.Batch); ok {
						rows, ready = rows+int64(len(b.Rows)), b.Status == live.Ready
					}
				}
			}
			if rows != want {
				t.Errorf("%d to %d, last %d: %d rows", c.from, c.to, last, rows)
			}
			s.Close(live.Unsubscribed)
		}
	}
}
