package apply_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
)

// reopen makes a new machine of what is stored, as a restart does.
func (x *indexed) reopen() {
	x.t.Helper()
	m, err := apply.Open(x.db)
	x.must(err)
	x.m = m
}

func (x *indexed) once(t apply.Ticket) apply.Verdict {
	x.t.Helper()
	verdict, err := x.m.Once(shard, t)
	x.must(err)
	x.commit() // seals it
	return verdict
}

// TestOnce_Model delivers entries late, twice and out of order, over restarts of the
// machine and of the nodes that propose.
func TestOnce_Model(t *testing.T) {
	x := newIndexed(t)
	type node struct {
		run, highest uint64
		seen         map[uint64]bool
	}
	nodes := map[ident.NodeID]*node{}
	counts := map[apply.Verdict]int{}
	for step := range 6000 {
		id := ident.NodeID(1 + x.r.IntN(2))
		n := nodes[id]
		if n == nil {
			n = &node{run: 1, seen: map[uint64]bool{}}
			nodes[id] = n
		}
		run, number := n.run, n.highest+1+uint64(x.r.IntN(3))
		switch x.r.IntN(200) {
		case 0:
			run, number = run+1, 1+uint64(x.r.IntN(5))
		case 1:
			run--
		case 2:
			number += uint64(x.r.IntN(3000))
		default:
			if n.highest > 0 && x.r.IntN(2) == 0 {
				number = n.highest - min(n.highest-1, uint64(x.r.IntN(1200)))
			}
		}
		want := apply.First
		switch {
		case run < n.run || run == n.run && number+1024 <= n.highest:
			want = apply.Behind
		case run == n.run && n.seen[number]:
			want = apply.Again
		default:
			if run > n.run {
				*n = node{run: run, seen: map[uint64]bool{}}
			}
			n.seen[number], n.highest = true, max(n.highest, number)
		}
		got := x.once(apply.Ticket{Node: id, Run: run, Number: number})
		if got != want {
			t.Fatalf("step %d: entry %d of run %d of node %d (at %d of %d): %d, want %d",
				step, number, run, id, n.highest, n.run, got, want)
		}
		counts[got]++
		if step%500 == 499 {
			x.reopen()
		}
	}
	if len(counts) != 3 {
		t.Fatalf("only these verdicts came up: %v", counts)
	}
}

// TestOnce_DroppedBatch forgets the entries of a batch that was not committed.
func TestOnce_DroppedBatch(t *testing.T) {
	x := newIndexed(t)
	ticket := apply.Ticket{Node: 1, Run: 1, Number: 1}
	if _, err := x.m.Once(shard, ticket); err != nil {
		t.Fatal(err)
	}
	v := x.db.View()
	x.must(x.m.Seal(new(store.Batch), v)) // and the batch is lost
	x.must(x.m.Reload(v))
	v.Release()
	if got := x.once(ticket); got != apply.First {
		t.Fatalf("the entry of a lost batch is %d", got)
	}
}

func TestEpoch(t *testing.T) {
	x := newIndexed(t)
	send := func(epoch uint64) apply.Outcome {
		return x.commit(&command.Command{Shard: shard, Epoch: epoch})[0]
	}
	x.must(send(4).Err)
	x.must(send(4).Err)
	if out := send(3); !fault.Is(out.Err, fault.NotLeader) {
		t.Fatalf("an epoch that is over gave %+v", out)
	}
	x.must(send(0).Err)
	x.must(send(7).Err)
	x.reopen()
	if out := send(6); !fault.Is(out.Err, fault.NotLeader) {
		t.Fatalf("after a restart an epoch that is over gave %+v", out)
	}
	x.must(x.commit(&command.Command{Shard: ident.SystemShard, Epoch: 2})[0].Err)
}

func TestBarrier(t *testing.T) {
	x := newIndexed(t)
	if got := x.m.Barrier(); got != command.First {
		t.Fatalf("a new store has the barrier %d", got)
	}
	raise := func(to command.Version) error {
		c := &command.Command{Shard: ident.SystemShard, Barrier: to}
		v := x.db.View()
		defer v.Release()
		_, err := x.m.Apply(new(store.Batch), v, []*command.Command{c})
		return err
	}
	x.must(raise(command.Newest))
	if got := x.m.Barrier(); got != command.Newest {
		t.Fatalf("the barrier is %d", got)
	}
	x.must(raise(1))
	if got := x.m.Barrier(); got != command.Newest {
		t.Fatalf("the barrier went down to %d", got)
	}
	if err := raise(command.Newest + 1); !fault.Is(err, fault.Unsupported) {
		t.Fatalf("a barrier above what is read gave %v", err)
	}
	part, err := x.m.Partition(ident.SystemShard)
	x.must(err)
	b := new(store.Batch)
	b.Put(part, []byte("v"), []byte{byte(command.Newest) + 1})
	x.must(x.db.Commit(b, true))
	if _, err := apply.Open(x.db); !fault.Is(err, fault.Unsupported) {
		t.Fatalf("the data of a newer build gave %v", err)
	}
}

// TestFence_Emptied takes the rows of a dropped table in the batch of the fence, and
// its name afterwards, or when the store is opened again.
func TestFence_Emptied(t *testing.T) {
	x := newIndexed(t)
	x.must(x.commit(&command.Command{Shard: shard, Writes: []command.Write{
		{Table: tableID, Schema: 1, Op: 1, User: "u", PK: []byte("k"), Payload: []byte("p")},
	}})[0].Err)
	f := command.Fence{Table: tableID, Partition: "user.a.b.100.1", Min: 1, Dropped: true}
	drop := &command.Command{Shard: shard, Fences: []command.Fence{f}}
	if out := x.commit(drop)[0]; out.Err != nil || len(out.Emptied) > 0 {
		t.Fatalf("dropping gave %+v", out)
	}
	v := x.db.View()
	defer v.Release()
	f.Emptied = true
	empty := &command.Command{Shard: shard, Fences: []command.Fence{f}}
	outs := x.commit(empty)
	if outs[0].Err != nil || len(outs[0].Emptied) != 1 {
		t.Fatalf("emptying gave %+v", outs[0])
	}
	now := x.db.View()
	defer now.Release()
	for view, want := range map[*store.View]bool{v: true, now: false} {
		it := view.Scan(x.table.Part, store.Range{})
		if got := it.Next(); got != want {
			t.Errorf("something is in the partition: %v, want %v", got, want)
		}
		x.must(it.Close())
	}
	if again := x.commit(empty)[0]; again.Err != nil || len(again.Emptied) > 0 {
		t.Fatalf("emptying again gave %+v", again)
	}
	x.reopen()
	if _, there := x.db.Partition(f.Partition); there {
		t.Fatal("the name of the partition is left")
	}
	x.must(apply.DropEmptied(x.db, outs)) // what is gone is no error
}
