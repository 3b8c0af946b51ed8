package replica_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/store/row"
)

const (
	clients   = 6
	transfers = 40 // of each client
	opening   = 1000
)

// bank moves money between accounts of the shards, one on each.
type bank struct{ *groups }

// transfer moves an amount, and tells whether it was committed; known is false when
// that is not known.
func (b *bank) transfer(r *rand.Rand, commit committing) (done, known bool, err error) {
	from := ident.ShardID(1 + r.IntN(groupShards))
	to := 1 + from%groupShards
	v := b.db.View()
	defer v.Release()
	amount := 1 + r.IntN(20)
	part := func(s ident.ShardID, by int) *command.Command {
		text, seq := b.row(v, s, "account")
		held, err := strconv.Atoi(text)
		check(b.t, err)
		return &command.Command{Shard: s, Clock: b.clock.Now(), Writes: []command.Write{
			write(row.Update, "u", "account", strconv.Itoa(held+by), seq)}}
	}
	outs, err := commit([]*command.Command{part(from, -amount), part(to, amount)})
	if err != nil {
		if fault.Is(err, fault.ShuttingDown) {
			err = nil
		}
		return false, false, err
	}
	for _, out := range outs {
		if out.Err != nil {
			if !fault.Is(out.Err, fault.TransactionConflict) {
				err = out.Err
			}
			return false, true, err
		}
	}
	return true, true, nil
}

// committing is how a client has its transfers committed.
type committing func(cs []*command.Command) ([]apply.Outcome, error)

// TestTransactions_Bank moves money between shards while coordinators die, and looks
// at the sum all the time.
func TestTransactions_Bank(t *testing.T) {
	b := &bank{groups: newGroups(t)}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for s := ident.ShardID(1); s <= groupShards; s++ {
		check(t, b.one(&command.Command{Shard: s, Writes: []command.Write{
			write(row.Insert, "u", "account", strconv.Itoa(opening), 0)}}).Err)
	}
	var wg, others sync.WaitGroup
	ended := make(chan struct{})
	others.Go(func() { // no intent is too young for it
		for {
			b.shift += replica.Patience
			if err := b.rec.Recover(t.Context()); err != nil {
				t.Error(err)
			}
			select {
			case <-ended:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	others.Go(func() {
		for looks := 0; ; looks++ {
			b.look()
			select {
			case <-ended:
				t.Logf("%d looks", looks)
				return
			default:
			}
		}
	})
	var mu sync.Mutex
	counts := map[string]int{}
	for i := range clients {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for n := 0; n < transfers; {
				done, known, err := b.transfer(r, func(cs []*command.Command) ([]apply.Outcome, error) {
					if r.IntN(8) > 0 {
						return replica.ProposeAll(t.Context(), b.log, cs)
					}
					dies := &dying{Log: b.log, left: r.IntN(6), applies: r.IntN(2) == 0}
					return replica.NewCoordinator(b.db, b.m, b.clock, dies).Commit(t.Context(), cs)
				})
				if err != nil {
					t.Error(err)
					return
				}
				if done {
					n++
				}
				mu.Lock()
				counts[fmt.Sprintf("done %v, known %v", done, known)]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	close(ended)
	others.Wait()
	b.recover()
	b.clean()
	b.look()
	t.Log(counts)
}

// look checks the sum of all accounts.
func (b *bank) look() {
	v, err := replica.SettledView(b.t.Context(), b.db, b.log, b.m.Look(1, 2, 3))
	if err != nil {
		b.t.Error(err)
		return
	}
	defer v.Release()
	sum := 0
	for s := ident.ShardID(1); s <= groupShards; s++ {
		text, _ := b.row(v, s, "account")
		held, err := strconv.Atoi(text)
		check(b.t, err)
		sum += held
	}
	if sum != groupShards*opening {
		b.t.Errorf("the accounts hold %d", sum)
	}
}
