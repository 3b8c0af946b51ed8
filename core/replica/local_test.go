package replica_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/storetest"
	"github.com/kalamdb/kalamdb-go/store/table"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	shard     = ident.ShardID(1)
	tableID   = ident.TableID(100)
	partition = "user.chat.messages.100.1"
)

// bench is a log over a memory engine that outlives it, so that a test can
// stop it without Close, as a crash does.
type bench struct {
	t     *testing.T
	spy   *storetest.Spy
	gate  *storetest.Gate // in the place of spy
	now   time.Time
	db    *store.DB
	log   *replica.Local
	clock *clock.Clock

	mu        sync.Mutex
	published []live.Change

	refuse atomic.Bool // batches, behind a gate
}

type keep struct{ store.Engine }

func (keep) Close() error { return nil }

func (b *bench) engine() store.Engine {
	if b.gate != nil {
		return refusing{b.gate, b}
	}
	return keep{b.spy}
}

func newBench(t *testing.T) *bench {
	mem, err := memkv.Open("")
	check(t, err)
	b := &bench{t: t, spy: &storetest.Spy{Engine: mem}, now: time.Now()}
	b.open(replica.Options{})
	return b
}

func (b *bench) open(o replica.Options) {
	b.t.Helper()
	var err error
	b.db, err = store.Open("", store.Options{
		Engine: store.Memory, Shards: 2,
		OpenEngine: func(string) (store.Engine, error) { return b.engine(), nil },
	})
	check(b.t, err)
	m, err := apply.Open(b.db)
	check(b.t, err)
	b.clock, err = replica.NewClock(b.db, func() time.Time { return b.now })
	check(b.t, err)
	o.Publish = func(_ ident.ShardID, _ clock.Seq, changes []live.Change) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.published = append(b.published, changes...)
	}
	b.log, err = replica.NewLocal(b.db, m, b.clock, o)
	check(b.t, err)
	db, log := b.db, b.log
	b.t.Cleanup(func() { check(b.t, errors.Join(log.Close(), db.Close())) })
	out := b.propose(&command.Command{Shard: shard, Fences: []command.Fence{
		{Table: tableID, Partition: partition, Min: 1},
	}})
	check(b.t, out.Err)
}

func (b *bench) propose(c *command.Command) apply.Outcome {
	b.t.Helper()
	c.Clock = b.clock.Now()
	out, err := b.log.Propose(context.Background(), c)
	check(b.t, err)
	return out
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(op row.Op, user, pk, payload string, expect clock.Seq) command.Write {
	return command.Write{
		Table: tableID, Schema: 1, Codec: serde.Row, Op: op, User: ident.UserID(user),
		Expect: expect, PK: []byte(pk), Payload: []byte(payload),
	}
}

func one(w ...command.Write) *command.Command { return &command.Command{Shard: shard, Writes: w} }

func (b *bench) get(user, pk string) (row.Record, bool) {
	b.t.Helper()
	v := b.db.View()
	defer v.Release()
	p, ok := b.db.Partition(partition)
	if !ok {
		b.t.Fatal("the partition is missing")
	}
	rec, found, err := table.Table{Part: p}.Get(context.Background(), v, ident.UserID(user), []byte(pk))
	check(b.t, err)
	return rec, found && !rec.Deleted
}

func TestLocal_PreconditionsAreCheckedOverTheOpenBatch(t *testing.T) {
	b := newBench(t)
	first := b.propose(one(write(row.Insert, "a", "1", "x", 0)))
	check(t, first.Err)
	if out := b.propose(one(write(row.Insert, "a", "1", "y", 0))); !fault.Is(out.Err, fault.DuplicateKey) {
		t.Fatalf("a second insert gave %v", out.Err)
	}
	if out := b.propose(one(write(row.Update, "a", "1", "y", first.Seq+1))); !fault.Is(
		out.Err, fault.TransactionConflict) {
		t.Fatalf("an update of another seq gave %v", out.Err)
	}
	refused := b.propose(one(write(row.Insert, "a", "2", "z", 0), write(row.Insert, "a", "1", "z", 0)))
	if refused.Err == nil {
		t.Fatal("a command with a duplicate was applied")
	}
	if _, found := b.get("a", "2"); found {
		t.Fatal("a refused command left a row")
	}
	check(t, b.propose(one(write(row.Delete, "a", "1", "", first.Seq))).Err)
	if _, found := b.get("a", "1"); found {
		t.Fatal("a deleted row is there")
	}
	check(t, b.propose(one(write(row.Insert, "a", "1", "again", 0))).Err)
}

func TestLocal_ManyWritersShareSyncsAndGetGrowingSeqs(t *testing.T) {
	b := newBench(t)
	const writers, each = 16, 50
	seqs := make([][]clock.Seq, writers)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				c := one(write(row.Insert, fmt.Sprint("u", w), fmt.Sprint(i), "x", 0))
				c.Clock = b.clock.Now()
				out, err := b.log.Propose(context.Background(), c)
				if err != nil || out.Err != nil {
					t.Errorf("insert: %v %v", err, out.Err)
					return
				}
				seqs[w] = append(seqs[w], out.Seq)
			}
		})
	}
	wg.Wait()
	seen := make(map[clock.Seq]bool)
	for _, mine := range seqs {
		for i, s := range mine {
			if seen[s] || i > 0 && s <= mine[i-1] {
				t.Fatalf("seq %d was given twice or goes back", s)
			}
			seen[s] = true
		}
	}
	check(t, b.log.Close())
	if len(b.published) != writers*each {
		t.Fatalf("published %d changes, want %d", len(b.published), writers*each)
	}
	for i := 1; i < len(b.published); i++ {
		if b.published[i].Seq <= b.published[i-1].Seq {
			t.Fatal("changes were published out of order")
		}
	}
}

func TestLocal_NothingIsPublishedBeforeItsSync(t *testing.T) {
	b := newBench(t)
	b.spy.AfterApply = func(*store.Batch, bool) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if _, found := b.get("a", "1"); found || len(b.published) > 0 {
			t.Error("a row was seen before its batch was durable")
		}
		return nil
	}
	check(t, b.propose(one(write(row.Insert, "a", "1", "x", 0))).Err)
	b.spy.AfterApply = nil
	if _, found := b.get("a", "1"); !found {
		t.Fatal("an acknowledged row is not there")
	}
	events := b.spy.Events()
	for _, e := range events {
		if e == storetest.AppliedUnsynced {
			t.Fatalf("a batch was not synced: %v", events)
		}
	}
}

func TestLocal_FailedCommit(t *testing.T) {
	b := newBench(t)
	check(t, b.propose(one(write(row.Insert, "a", "1", "x", 0))).Err)
	full := fault.New(fault.StorageFull, "no space left")
	b.spy.BeforeApply = func(*store.Batch) error { return full }
	c := one(write(row.Insert, "a", "2", "x", 0))
	c.Clock = b.clock.Now()
	_, err := b.log.Propose(context.Background(), c)
	if !fault.Is(err, fault.StorageFull) {
		t.Fatalf("a full disk gave %v", err)
	}
	b.spy.BeforeApply = nil
	if _, err := b.log.Propose(context.Background(), c); !fault.Is(err, fault.StorageFull) {
		t.Fatalf("a store in an unknown state took a write: %v", err)
	}
	if _, found := b.get("a", "1"); !found {
		t.Fatal("reads do not go on")
	}
	if err := b.log.Close(); !fault.Is(err, fault.StorageFull) {
		t.Fatalf("Close hid the failure: %v", err)
	}
	b.open(replica.Options{})
	if _, found := b.get("a", "2"); found {
		t.Fatal("a write that failed is there")
	}
	check(t, b.propose(one(write(row.Insert, "a", "2", "y", 0))).Err)
}

func TestLocal_Restart(t *testing.T) {
	t.Run("after a crash seqs start above all that were given, and the gap is known",
		func(t *testing.T) {
			b := newBench(t)
			before := b.propose(one(write(row.Insert, "a", "1", "x", 0)))
			check(t, before.Err)
			b.now = b.now.Add(-time.Hour) // the wall clock jumps back
			b.open(replica.Options{})     // without Close
			after := b.propose(one(write(row.Insert, "a", "2", "x", 0)))
			if after.Seq <= before.Seq {
				t.Fatalf("seq %d after a crash is not above %d", after.Seq, before.Seq)
			}
			m, err := apply.Open(b.db)
			check(t, err)
			p, err := m.Partition(shard)
			check(t, err)
			v := b.db.View()
			defer v.Release()
			for seq, want := range map[clock.Seq]bool{
				before.Seq: false, before.Seq + 1: true, after.Seq: false,
			} {
				if got, err := apply.InGap(v, p, seq); err != nil || got != want {
					t.Errorf("seq %d in a gap: %v %v, want %v", seq, got, err, want)
				}
			}
		})
	t.Run("after a clean stop there is no gap", func(t *testing.T) {
		b := newBench(t)
		before := b.propose(one(write(row.Insert, "a", "1", "x", 0)))
		check(t, b.log.Close())
		b.now = b.now.Add(-time.Hour)
		b.open(replica.Options{})
		after := b.propose(one(write(row.Insert, "a", "2", "x", 0)))
		if after.Seq <= before.Seq {
			t.Fatalf("seq %d after a restart is not above %d", after.Seq, before.Seq)
		}
		m, err := apply.Open(b.db)
		check(t, err)
		p, err := m.Partition(shard)
		check(t, err)
		v := b.db.View()
		defer v.Release()
		if got, err := apply.InGap(v, p, before.Seq+1); err != nil || got {
			t.Errorf("a clean stop left a gap: %v %v", got, err)
		}
	})
}

func TestLocal_Requests(t *testing.T) {
	b := newBench(t)
	send := func(id string, hash uint64, pk string) apply.Outcome {
		c := one(write(row.Insert, "a", pk, "x", 0))
		c.Request = &command.Request{ID: id, Hash: hash, Result: []byte("first")}
		return b.propose(c)
	}
	first := send("r1", 7, "1")
	check(t, first.Err)
	again := send("r1", 7, "1")
	if !again.Repeat || again.Seq != first.Seq || string(again.Result) != "first" {
		t.Fatalf("a repeat gave %+v", again)
	}
	if out := send("r1", 8, "2"); !fault.Is(out.Err, fault.InvalidParameter) {
		t.Fatalf("another statement under the same id gave %v", out.Err)
	}
	b.open(replica.Options{})
	if again := send("r1", 7, "1"); !again.Repeat {
		t.Fatalf("a repeat after a restart gave %+v", again)
	}
	b.now = b.now.Add(25 * time.Hour)
	if out := send("r1", 8, "3"); out.Repeat || out.Err != nil {
		t.Fatalf("an expired request gave %+v", out)
	}
}

func TestLocal_Fences(t *testing.T) {
	b := newBench(t)
	fence := func(f command.Fence) {
		f.Table, f.Partition = tableID, partition
		check(t, b.propose(&command.Command{Shard: shard, Fences: []command.Fence{f}}).Err)
	}
	unknown := write(row.Insert, "a", "1", "x", 0)
	unknown.Table = 999
	if out := b.propose(one(unknown)); !out.Stale {
		t.Fatalf("a write to a table that the shard was not told of gave %+v", out)
	}
	fence(command.Fence{Min: 2})
	if out := b.propose(one(write(row.Insert, "a", "1", "x", 0))); !out.Stale {
		t.Fatalf("a write with an old schema gave %+v", out)
	}
	newer := write(row.Insert, "a", "1", "x", 0)
	newer.Schema = 2
	check(t, b.propose(one(newer)).Err)
	fence(command.Fence{Min: 1}) // a late, lower fence changes nothing
	b.open(replica.Options{})
	if out := b.propose(one(write(row.Insert, "a", "2", "x", 0))); !out.Stale {
		t.Fatalf("after a restart a write with an old schema gave %+v", out)
	}
	fence(command.Fence{Min: 2, Dropped: true})
	newer.PK = []byte("3")
	if out := b.propose(one(newer)); !out.Stale {
		t.Fatalf("a write to a dropped table gave %+v", out)
	}
}

func TestLocal_CloseAndCancel(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	c := one(write(row.Insert, "a", "1", "x", 0))
	c.Clock = b.clock.Now()
	out, err := b.log.Propose(ctx, c)
	_, found := b.get("a", "1")
	if done := err == nil && out.Err == nil; done != found {
		t.Fatalf("a cancelled proposal answered %v and the row is there: %v", err, found)
	}
	check(t, b.log.Close())
	if _, err := b.log.Propose(context.Background(), c); !fault.Is(err, fault.ShuttingDown) {
		t.Fatalf("a proposal after Close gave %v", err)
	}
}

// TestLocal_Model runs random commands against a map.
func TestLocal_Model(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	b := newBench(t)
	type state struct {
		seq     clock.Seq
		payload string
	}
	model := make(map[[2]string]state)
	for step := range 2000 {
		writes, next, legal := []command.Write(nil), map[[2]string]state{}, true
		used := map[[2]string]bool{}
		for range 1 + r.IntN(3) {
			k := [2]string{fmt.Sprint("u", r.IntN(3)), fmt.Sprint(r.IntN(6))}
			if used[k] {
				continue
			}
			used[k] = true
			old, there := model[k]
			w := write(row.Insert, k[0], k[1], fmt.Sprint("v", step), 0)
			switch {
			case r.IntN(10) == 0: // a guess that may be wrong
				w.Expect = clock.Seq(r.IntN(2)) * (old.seq + 1)
				legal = legal && w.Expect == old.seq
				if w.Expect == 0 && there {
					legal = false
				}
				if w.Expect != 0 {
					w.Op = row.Update
				}
			case there && r.IntN(3) == 0:
				w.Op, w.Expect = row.Delete, old.seq
			case there:
				w.Op, w.Expect = row.Update, old.seq
			}
			writes = append(writes, w)
			next[k] = state{payload: string(w.Payload)}
			if w.Op == row.Delete {
				next[k] = state{payload: "gone"}
			}
		}
		out := b.propose(one(writes...))
		if (out.Err == nil) != legal {
			t.Fatalf("step %d: %+v answered %v, legal %v", step, writes, out.Err, legal)
		}
		if out.Err != nil {
			continue
		}
		for i, w := range writes {
			k := [2]string{string(w.User), string(w.PK)}
			s := next[k]
			s.seq = out.Seq - clock.Seq(len(writes)-1-i)
			if model[k] = s; s.payload == "gone" {
				delete(model, k)
			}
		}
		if step%400 == 399 {
			b.open(replica.Options{})
		}
	}
	live := 0
	for k, want := range model {
		rec, found := b.get(k[0], k[1])
		if !found || rec.Seq != want.seq || string(rec.Payload) != want.payload {
			t.Fatalf("%v is %+v %v, want %+v", k, rec, found, want)
		}
		live++
	}
	v := b.db.View()
	defer v.Release()
	p, _ := b.db.Partition(partition)
	if n, err := (table.Table{Part: p}).Count(v); err != nil || n != int64(live) {
		t.Fatalf("the partition counts %d rows %v, want %d", n, err, live)
	}
}
