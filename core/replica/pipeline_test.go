package replica_test

import (
	"context"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/storetest"
)

// newGated is newBench with an engine whose syncs the test ends.
func newGated(t *testing.T) (*bench, *storetest.Gate) {
	mem, err := memkv.Open("")
	check(t, err)
	gate := storetest.NewGate(mem)
	b := &bench{t: t, gate: gate, now: time.Now()}
	b.open(replica.Options{})
	t.Cleanup(gate.Remove) // before the log is closed
	gate.Shut(true)
	return b, gate
}

type answer struct {
	out apply.Outcome
	err error
}

// send proposes without waiting for the answer.
func (b *bench) send(c *command.Command) <-chan answer {
	done := make(chan answer, 1)
	c.Clock = b.clock.Now()
	go func() {
		out, err := b.log.Propose(context.Background(), c)
		done <- answer{out, err}
	}()
	return done
}

// applied waits until the log has applied n commands since before.
func (b *bench) applied(before replica.Figures, n int64) {
	b.t.Helper()
	testkit.Eventually(b.t, 10*time.Second, "commands are applied while a batch syncs",
		func() bool { return b.log.Figures().Commands >= before.Commands+n })
}

// hidden checks that nobody was told anything yet.
func (b *bench) hidden(answers ...<-chan answer) {
	b.t.Helper()
	for i, a := range answers {
		select {
		case got := <-a:
			b.t.Fatalf("answer %d came before its batch was durable: %+v", i, got)
		default:
		}
	}
	for _, pk := range []string{"1", "2"} {
		if _, found := b.get("a", pk); found {
			b.t.Fatalf("row %s is shown before it is durable", pk)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.published) > 0 {
		b.t.Fatalf("%d changes were published before they were durable", len(b.published))
	}
}

func TestLocal_TheNextBatchIsAppliedWhileOneSyncs(t *testing.T) {
	b, gate := newGated(t)
	before := b.log.Figures()
	first := b.send(one(write(row.Insert, "a", "1", "x", 0)))
	sync := <-gate.Syncs
	other := b.send(one(write(row.Insert, "a", "2", "x", 0)))
	again := b.send(one(write(row.Insert, "a", "1", "y", 0)))
	b.applied(before, 3)
	b.hidden(first, other, again)

	gate.Shut(false)
	sync <- nil
	check(t, (<-first).err)
	if got := <-other; got.err != nil || got.out.Err != nil {
		t.Fatalf("an insert beside: %+v", got)
	}
	if got := <-again; !fault.Is(got.out.Err, fault.DuplicateKey) {
		t.Fatalf("a second insert of a row that was not durable: %+v", got)
	}
	for _, pk := range []string{"1", "2"} {
		if rec, found := b.get("a", pk); !found || string(rec.Payload) != "x" {
			t.Errorf("row %s is %+v %v", pk, rec, found)
		}
	}
	check(t, b.log.Close())
	if len(b.published) != 2 || b.published[0].Seq >= b.published[1].Seq {
		t.Errorf("published %+v", b.published)
	}
	b.open(replica.Options{})
	if _, found := b.get("a", "2"); !found {
		t.Error("a row is gone after a restart")
	}
}

func TestLocal_AFailedSyncTakesTheNextBatchWithIt(t *testing.T) {
	b, gate := newGated(t)
	before := b.log.Figures()
	first := b.send(one(write(row.Insert, "a", "1", "x", 0)))
	sync := <-gate.Syncs
	other := b.send(one(write(row.Insert, "a", "2", "x", 0)))
	again := b.send(one(write(row.Insert, "a", "1", "y", 0)))
	b.applied(before, 3)
	gate.Shut(false)
	sync <- fault.New(fault.StorageFull, "no space left")
	for i, a := range []<-chan answer{first, other, again} {
		if got := <-a; !fault.Is(got.err, fault.StorageFull) {
			t.Errorf("answer %d: %+v", i, got)
		}
	}
	b.hidden()
	last := <-b.send(one(write(row.Insert, "a", "1", "z", 0)))
	if !fault.Is(last.err, fault.StorageFull) {
		t.Errorf("a write after the failure: %+v", last)
	}
	if err := b.log.Close(); !fault.Is(err, fault.StorageFull) {
		t.Errorf("Close hid the failure: %v", err)
	}
	b.hidden()
	check(t, b.db.Close())
}

// TestLocal_RefusedBatchLeavesTheNextOnesRight has a batch that the engine
// refuses for its size behind one that syncs: what comes after is judged over
// the former one.
func TestLocal_RefusedBatchLeavesTheNextOnesRight(t *testing.T) {
	b, gate := newGated(t)
	before := b.log.Figures()
	first := b.send(one(write(row.Insert, "a", "1", "x", 0)))
	sync := <-gate.Syncs
	large := b.send(&command.Command{Shard: shard, Fences: []command.Fence{
		{Table: tableID, Partition: partition, Min: 2}, // that schema 1 would be too old for
	}})
	b.applied(before, 2)
	b.refuse.Store(true)
	gate.Shut(false)
	sync <- nil
	check(t, (<-first).err)
	if got := <-large; !fault.Is(got.err, fault.PayloadTooLarge) {
		t.Fatalf("a batch that is too large: %+v", got)
	}
	b.refuse.Store(false)
	if out := b.propose(one(write(row.Insert, "a", "1", "y", 0))); !fault.Is(
		out.Err, fault.DuplicateKey) {
		t.Errorf("a second insert gave %+v", out)
	}
	check(t, b.propose(one(write(row.Insert, "a", "2", "x", 0))).Err)
	if n := b.db.OpenViews(); n != 1 {
		t.Errorf("%d views are held", n)
	}
}

// refusing refuses batches on demand.
type refusing struct {
	store.AsyncEngine
	b *bench
}

func (r refusing) ApplyAsync(batch *store.Batch) (func() error, error) {
	if r.b.refuse.Load() {
		return nil, fault.New(fault.PayloadTooLarge, "the batch is too large")
	}
	return r.AsyncEngine.ApplyAsync(batch)
}

func (refusing) Close() error { return nil }
