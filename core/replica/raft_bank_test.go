package replica_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// account reads what a node has of the account of a shard.
func (n *node) account(v *store.View, s ident.ShardID) (held int, seq clock.Seq) {
	n.c.t.Helper()
	part, _ := n.db.Partition(rowsOf(s))
	rec, _, err := table.Table{Part: part}.Get(context.Background(), v, "u", []byte("account"))
	if err == nil {
		held, err = strconv.Atoi(string(rec.Payload))
	}
	if err != nil {
		n.c.t.Error(err)
	}
	return held, rec.Seq
}

// sum reads all accounts, those that were answered before included.
func (n *node) sum(ctx context.Context) (int, error) {
	shards := []ident.ShardID{1, 2, 3}
	if err := n.log.Barrier(ctx, shards...); err != nil {
		return 0, err
	}
	v, err := replica.SettledView(ctx, n.db, n.log, n.m.Look(shards...))
	if err != nil {
		return 0, err
	}
	defer v.Release()
	sum := 0
	for _, s := range shards {
		held, _ := n.account(v, s)
		sum += held
	}
	return sum, nil
}

// move moves money between two shards. Now and then its coordinator dies.
func (n *node) move(ctx context.Context, r *rand.Rand) (done bool, err error) {
	from := ident.ShardID(1 + r.IntN(3))
	to := 1 + from%3
	if err := n.log.Barrier(ctx, from, to); err != nil {
		return false, err
	}
	v, err := replica.SettledView(ctx, n.db, n.log, n.m.Look(from, to))
	if err != nil {
		return false, err
	}
	defer v.Release()
	part := func(s ident.ShardID, by int) *command.Command {
		held, seq := n.account(v, s)
		c := on(s, write(row.Update, "u", "account", strconv.Itoa(held+by), seq))
		c.Clock = n.clock.Now()
		return c
	}
	cs := []*command.Command{part(from, -3), part(to, 3)}
	var outs []apply.Outcome
	if r.IntN(5) == 0 {
		log := &dying{Log: n.log, left: r.IntN(5), applies: r.IntN(2) == 0}
		outs, err = replica.NewCoordinator(n.db, n.m, n.clock, log).Commit(ctx, cs)
	} else {
		outs, err = replica.ProposeAll(ctx, n.log, cs)
	}
	for _, out := range outs {
		if out.Err != nil && !fault.Is(out.Err, fault.TransactionConflict) {
			err = out.Err
		}
		done = err == nil && out.Err == nil
		if !done {
			break
		}
	}
	if fault.Is(err, fault.ShuttingDown) { // it died
		err = nil
	}
	return done, err
}

// TestRaft_Bank moves money between shards from all nodes while coordinators die, and
// adds up the accounts on all nodes.
func TestRaft_Bank(t *testing.T) {
	const moves = 12 // of each node
	c := startCluster(t, 3)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for s := ident.ShardID(1); s <= 3; s++ {
		check(t, c.any().propose(on(s, write(row.Insert, "u", "account", "1000", 0))).Err)
	}
	var clients, others sync.WaitGroup
	ended := make(chan struct{})   // by the clients
	settled := make(chan struct{}) // what they left, which somebody has to finish
	again := func(until <-chan struct{}, every time.Duration, f func() error) {
		others.Go(func() {
			for {
				if err := f(); err != nil && !fault.Is(err, fault.NoQuorum) {
					t.Error(err)
				}
				select {
				case <-until:
					return
				case <-time.After(every):
				}
			}
		})
	}
	for id, n := range c.nodes {
		shift := time.Duration(0)
		recovers := n.log.Coordinator()
		recovers.RecoverBy(func() time.Time { return time.Now().Add(shift) })
		again(settled, 100*time.Millisecond, func() error {
			shift += replica.Patience / 2
			return recovers.Recover(t.Context())
		})
		again(ended, 0, func() error {
			sum, err := n.sum(t.Context())
			if err == nil && sum != 3000 {
				t.Errorf("node %d adds up %d", id, sum)
			}
			return err
		})
		clients.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(id)))
			deadline := time.Now().Add(time.Minute)
			for left := moves; left > 0; {
				done, err := n.move(t.Context(), r)
				if err != nil && !fault.Is(err, fault.NoQuorum) || time.Now().After(deadline) {
					t.Errorf("node %d has %d moves left: %v", id, left, err)
					return
				}
				if done {
					left--
				}
			}
		})
	}
	clients.Wait()
	close(ended)
	for id, n := range c.nodes {
		if sum, err := n.sum(t.Context()); err != nil || sum != 3000 {
			t.Errorf("in the end node %d adds up %d: %v", id, sum, err)
		}
	}
	close(settled)
	others.Wait()
	for s := ident.ShardID(1); s <= 3; s++ {
		want := c.nodes[1].told(s, 0)
		for id, n := range c.nodes {
			got := n.told(s, len(want))
			if !slices.Equal(got, want) || !slices.IsSorted(got) || len(slices.Compact(got)) != len(want) {
				t.Errorf("node %d told of shard %d %v, and node 1 %v", id, s, got, want)
			}
		}
	}
}

// told returns the seqs of what was published of a shard, once that are so many.
func (n *node) told(s ident.ShardID, least int) (seqs []clock.Seq) {
	n.c.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		n.mu.Lock()
		seqs = nil
		for _, c := range n.published[s] {
			seqs = append(seqs, c.Seq)
		}
		n.mu.Unlock()
		if len(seqs) >= least || time.Now().After(deadline) {
			return seqs
		}
		runtime.Gosched()
	}
}
