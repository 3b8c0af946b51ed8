package live_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/pebblekv"
)

// seedOf returns LIVE_SEED, else a new seed, and prints it.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("LIVE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("LIVE_SEED=%d", seed)
	return seed
}

var users = []ident.UserID{"alice", "bob", "Bob", "auth0|1", "auth0|12"}

var topics = []string{"a", "b", "c"}

func randomFollow(rnd *rand.Rand) follow {
	return follow{
		topic: []string{"", "a", "b"}[rnd.IntN(3)],
		seq:   rnd.IntN(4) == 0, blind: rnd.IntN(2) == 0,
	}
}

// randomPolicy is one by which no subscription ends.
func randomPolicy(rnd *rand.Rand) live.Policy {
	return []live.Policy{live.Replay, live.Conflate}[rnd.IntN(2)]
}

func randomCommits(rnd *rand.Rand) []commit {
	commits := make([]commit, 1+rnd.IntN(3))
	for i := range commits {
		commits[i].user = users[rnd.IntN(len(users))]
		seen := make(map[int64]bool)
		for range 1 + rnd.IntN(6) {
			id := rnd.Int64N(25)
			if seen[id] {
				continue
			}
			seen[id] = true
			o := put(id, topics[rnd.IntN(3)], strconv.Itoa(rnd.IntN(3)))
			o.del = rnd.IntN(4) == 0
			if rnd.IntN(2) == 0 {
				o = app(id, []string{"", "x", "ü", "\n日本"}[rnd.IntN(4)])
			}
			commits[i].ops = append(commits[i].ops, o)
		}
	}
	return commits
}

// tightOptions make every bound be met.
func tightOptions(rnd *rand.Rand) live.Options {
	return live.Options{
		QueueEvents: 1 + rnd.IntN(12), QueueBytes: 500 + rnd.IntN(20000),
		Total: live.NewBudget(2000 + rnd.IntN(20000)), TakeBytes: 1 + rnd.IntN(2000),
		ScanRows: 1 + rnd.IntN(8), BatchBytes: 200 + rnd.IntN(5000),
	}
}

// TestHub_everyInterleaving runs random steps of writers, readers, trimming
// and restarts in one goroutine: every reader refuses what does not fit its
// copy, and ends with the table's state and exactly the events of the oracle.
func TestHub_everyInterleaving(t *testing.T) {
	seed := seedOf(t)
	runs := 300
	if testing.Short() {
		runs = 60
	}
	for i := range runs {
		seed := seed + uint64(i)
		ok := t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			interleave(t, rand.New(rand.NewPCG(seed, 1)))
		})
		if !ok {
			t.Fatalf("run it again with LIVE_SEED=%d", seed)
		}
	}
}

func interleave(t *testing.T, rnd *rand.Rand) {
	w := newWorld(t, memkv.Name, tightOptions(rnd))
	var readers []*reader
	pollSome := func() {
		if len(readers) == 0 {
			return
		}
		if r := readers[rnd.IntN(len(readers))]; !r.busy && rnd.IntN(2) == 0 {
			r.poll(1 + rnd.IntN(6))
		}
	}
	nested := false
	w.beforePublish, w.midPublish = pollSome, pollSome
	w.afterView = func() {
		if !nested && rnd.IntN(4) == 0 && w.commits.TryLock() {
			w.commits.Unlock()
			nested = true
			w.apply(randomCommits(rnd)...)
			nested = false
		}
	}
	for range 150 {
		switch n := rnd.IntN(100); {
		case n < 30:
			w.apply(randomCommits(rnd)...)
		case n < 36 && len(readers) < 8:
			readers = append(readers, w.open(users[rnd.IntN(len(users))], randomFollow(rnd),
				live.SubscribeOptions{BatchSize: 1 + rnd.IntN(10), Policy: randomPolicy(rnd)}))
		case n == 36:
			w.trim(w.applied - clock.Seq(rnd.IntN(60)))
		case n == 37:
			w.restart()
			for _, r := range readers {
				r.resume()
			}
		case len(readers) == 0:
		case n < 42:
			r := readers[rnd.IntN(len(readers))]
			r.sub.Close(live.Unsubscribed)
			r.resume()
		case n < 55:
			readers[rnd.IntN(len(readers))].sub.NextBatch()
		default:
			readers[rnd.IntN(len(readers))].poll(1 + rnd.IntN(6))
		}
	}
	w.afterView = nil
	for _, r := range readers {
		r.drain()
		if err := r.check(); err != nil {
			t.Fatalf("%s of %s: %v", r.f.text(), r.user, err)
		}
	}
	w.restart()
	if held := w.opts.Total.Used(); held != 0 {
		t.Errorf("%d bytes are held for nobody", held)
	}
}

// TestHub_concurrentWriters is the same with real concurrency: readers that
// wait for Notify, and writers that never wait for them.
func TestHub_concurrentWriters(t *testing.T) {
	for _, engine := range []string{memkv.Name, pebblekv.Name} {
		t.Run(engine, func(t *testing.T) {
			seed := seedOf(t)
			rnd := rand.New(rand.NewPCG(seed, 2))
			w := newWorld(t, engine, live.Options{QueueEvents: 20, ScanRows: 16})
			var writers, readers sync.WaitGroup
			done := make(chan struct{})
			for i := range 3 {
				writers.Go(func() {
					rnd := rand.New(rand.NewPCG(seed, uint64(10+i)))
					for range 150 {
						w.apply(randomCommits(rnd)...)
					}
				})
			}
			all := make([]*reader, 24)
			for i := range all {
				all[i] = &reader{
					w: w, user: users[i%len(users)], f: randomFollow(rnd), copy: make(map[string]string),
				}
				readers.Go(func() { all[i].run(done, rand.New(rand.NewPCG(seed, uint64(100+i)))) })
			}
			writers.Wait()
			close(done)
			readers.Wait()
			for _, r := range all {
				if err := r.check(); err != nil {
					t.Errorf("%s of %s: %v", r.f.text(), r.user, err)
				}
			}
		})
	}
}

// run reads until done, then drains.
func (r *reader) run(done <-chan struct{}, rnd *rand.Rand) {
	bell := make(chan struct{}, 1)
	r.opts = live.SubscribeOptions{BatchSize: 5, Policy: randomPolicy(rnd)}
	sub, err := r.w.hub.Subscribe(live.Spec{
		Owner: r.user, User: r.user, Query: r.f.query(),
		Options: r.opts,
		Notify: func() {
			select {
			case bell <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		r.w.t.Error(err)
		return
	}
	r.sub = sub
	for {
		for r.poll(1 + rnd.IntN(10)) {
		}
		sub.NextBatch()
		select {
		case <-bell:
		case <-done:
			r.drain()
			return
		}
	}
}
