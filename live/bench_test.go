package live_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// crowd opens n live subscriptions, each user's own or all alice's.
func crowd(b *testing.B, w *world, n int, same bool) []*live.Subscription {
	b.Helper()
	subs := make([]*live.Subscription, n)
	q := follow{}.query()
	for i := range subs {
		user := ident.UserID("alice")
		if !same {
			user = ident.UserID(fmt.Sprintf("user-%d", i))
		}
		sub, err := w.hub.Subscribe(live.Spec{Owner: "root", User: user, Query: q})
		if err != nil {
			b.Fatal(err)
		}
		for more := true; more; {
			if _, more, err = sub.Poll(context.Background(), 10); err != nil {
				b.Fatal(err)
			}
		}
		subs[i] = sub
	}
	return subs
}

func BenchmarkHub_Publish(b *testing.B) {
	payload, err := notesSchema.Encode([]value.Value{
		value.NewBigInt(1), value.NewText("a"), value.NewText("a body of some length")})
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{0, 1, 1000} {
		b.Run(fmt.Sprintf("subscribers=%d", n), func(b *testing.B) {
			w := newWorld(b, memkv.Name, live.Options{MaxPerUser: 2000, QueueEvents: 1 << 30,
				QueueBytes: 1 << 40})
			subs := crowd(b, w, n, true)
			ctx, seq := context.Background(), w.applied
			shard := w.Shard(notes, "alice")
			b.ReportAllocs()
			for b.Loop() {
				seq++
				w.hub.Publish(shard, seq, []live.Change{{
					Table: notes.ID, User: "alice", Op: row.Insert, Seq: seq, Last: true,
					New: &row.Record{Seq: seq, Schema: 1, Codec: notes.Codec, Payload: payload},
				}})
				if seq%512 == clock.Seq(0) {
					b.StopTimer()
					for _, s := range subs {
						if _, _, err := s.Poll(ctx, 1000); err != nil {
							b.Fatal(err)
						}
					}
					b.StartTimer()
				}
			}
		})
	}
}

// Those who take nothing cost a commit little, and nothing once they have been
// let go to history.
func BenchmarkHub_PublishBesideStalled(b *testing.B) {
	payload, err := notesSchema.Encode([]value.Value{
		value.NewBigInt(1), value.NewText("a"), value.NewText("a body of some length")})
	if err != nil {
		b.Fatal(err)
	}
	for name, wait := range map[string]time.Duration{"alone": -1, "at first": 0, "later": 3 * time.Second} {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b, memkv.Name, live.Options{MaxPerUser: 20_000, QueueEvents: 1 << 30,
				QueueBytes: 1 << 40})
			if wait >= 0 {
				crowd(b, w, 10_000, true)
			}
			healthy := crowd(b, w, 100, true)
			seq, shard := w.applied, w.Shard(notes, "alice")
			publish := func() {
				seq++
				w.hub.Publish(shard, seq, []live.Change{{
					Table: notes.ID, User: "alice", Op: row.Insert, Seq: seq, Last: true,
					New: &row.Record{Seq: seq, Schema: 1, Codec: notes.Codec, Payload: payload},
				}})
				for _, s := range healthy {
					if _, _, err := s.Poll(context.Background(), 1000); err != nil {
						b.Fatal(err)
					}
				}
			}
			publish()
			seq += clock.SeqAt(clock.Epoch.Add(wait))
			publish()
			for b.Loop() {
				publish()
			}
		})
	}
}

// A change costs those who ask for its value, not all who ask for one.
func BenchmarkHub_PublishByValue(b *testing.B) {
	for _, n := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("topics=%d", n), func(b *testing.B) {
			w := newWorld(b, memkv.Name, live.Options{MaxPerUser: n})
			ctx, seq := context.Background(), w.applied
			subs := make([]*live.Subscription, n)
			for i := range subs {
				sub, err := w.hub.Subscribe(live.Spec{Owner: "root", User: "alice",
					Query: follow{topic: fmt.Sprint(i)}.query()})
				if err != nil {
					b.Fatal(err)
				}
				for more := true; more; {
					if _, more, err = sub.Poll(ctx, 10); err != nil {
						b.Fatal(err)
					}
				}
				subs[i] = sub
			}
			payload, err := notesSchema.Encode([]value.Value{
				value.NewBigInt(1), value.NewText("7"), value.NewText("a body")})
			if err != nil {
				b.Fatal(err)
			}
			shard := w.Shard(notes, "alice")
			for b.Loop() {
				seq++
				w.hub.Publish(shard, seq, []live.Change{{
					Table: notes.ID, User: "alice", Op: row.Insert, Seq: seq, Last: true,
					New: &row.Record{Seq: seq, Schema: 1, Codec: notes.Codec, Payload: payload},
				}})
				if msgs, _, err := subs[7].Poll(ctx, 10); err != nil || len(msgs) != 1 {
					b.Fatal(len(msgs), err)
				}
			}
		})
	}
}

func BenchmarkSubscription_idleMemory(b *testing.B) {
	const n = 20_000
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for b.Loop() {
		w := newWorld(b, memkv.Name, live.Options{MaxPerUser: n})
		before := heap()
		subs := crowd(b, w, n, false)
		b.ReportMetric(float64(heap()-before)/n, "B/subscription")
		runtime.KeepAlive(subs)
	}
}
