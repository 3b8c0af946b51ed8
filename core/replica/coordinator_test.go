package replica_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

var errDead = errors.New("the coordinator is gone")

// dying is a log that a coordinator proposes to and that dies after some proposals.
// The one it dies at is applied or not, and never answered.
type dying struct {
	replica.Log
	mu      sync.Mutex
	left    int
	applies bool
}

func (d *dying) Propose(ctx context.Context, c *command.Command) (apply.Outcome, error) {
	d.mu.Lock()
	d.left--
	left := d.left
	d.mu.Unlock()
	if left >= 0 {
		return d.Log.Propose(ctx, c)
	}
	if left == -1 && d.applies {
		if _, err := d.Log.Propose(ctx, c); err != nil {
			return apply.Outcome{}, err
		}
	}
	// Retries are in vain: the process that would make them is gone.
	return apply.Outcome{}, fault.Wrap(fault.ShuttingDown, errDead, "die")
}

// groups is a log whose shards are groups of their own.
type groups struct {
	t     testing.TB
	db    *store.DB
	m     *apply.Machine
	clock *clock.Clock
	log   *replica.Local
	shift time.Duration // of the clock that recovery goes by
	rec   *replica.Coordinator

	mu   sync.Mutex
	told map[ident.ShardID][]live.Change
}

const groupShards = 3 // 1 and 2 of users, 3 shared

func keyName(s ident.ShardID) keyspace.Name {
	return keyspace.Name(fmt.Sprintf("user.bank.accounts.100.%d", s))
}

func newGroups(t testing.TB) *groups {
	g := &groups{t: t, told: make(map[ident.ShardID][]live.Change)}
	var err error
	g.db, err = store.Open("", store.Options{
		Engine: store.Memory, Shards: groupShards - 1, OpenEngine: memkv.Open})
	check(t, err)
	g.m, err = apply.Open(g.db)
	check(t, err)
	g.clock, err = replica.NewClock(g.db, time.Now)
	check(t, err)
	g.log, err = replica.NewLocal(g.db, g.m, g.clock, replica.Options{Apart: true,
		Publish: func(s ident.ShardID, _ clock.Seq, changes []live.Change) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.told[s] = append(g.told[s], changes...)
		}})
	check(t, err)
	t.Cleanup(func() { check(t, errors.Join(g.log.Close(), g.db.Close())) })
	for s := ident.ShardID(1); s <= groupShards; s++ {
		out := g.one(&command.Command{Shard: s, Fences: []command.Fence{g.fence(s, 1, false)}})
		check(t, out.Err)
	}
	g.rec = replica.NewCoordinator(g.db, g.m, g.clock, g.log)
	g.rec.RecoverBy(func() time.Time { return time.Now().Add(g.shift) })
	return g
}

func (g *groups) fence(s ident.ShardID, v ident.SchemaVersion, dropped bool) command.Fence {
	return command.Fence{Table: tableID, Partition: keyName(s), Min: v, Dropped: dropped}
}

func (g *groups) one(c *command.Command) apply.Outcome {
	g.t.Helper()
	c.Clock = g.clock.Now()
	out, err := g.log.Propose(context.Background(), c)
	check(g.t, err)
	return out
}

// recover runs recovery, the second time when all that stands is old enough.
func (g *groups) recover() {
	g.t.Helper()
	for range 3 {
		check(g.t, g.rec.Recover(context.Background()))
		g.shift += replica.Patience
	}
}

func (g *groups) row(v *store.View, s ident.ShardID, pk string) (string, clock.Seq) {
	g.t.Helper()
	part, _ := g.db.Partition(keyName(s))
	rec, found, err := table.Table{Part: part}.Get(context.Background(), v, "u", []byte(pk))
	check(g.t, err)
	if !found || rec.Deleted {
		return "", 0
	}
	return string(rec.Payload), rec.Seq
}

func (g *groups) rows(pk string) (list [groupShards]string) {
	g.t.Helper()
	v := g.db.View()
	defer v.Release()
	for i := range list {
		list[i], _ = g.row(v, ident.ShardID(i+1), pk)
	}
	return list
}

// clean checks that nothing of any transaction is left.
func (g *groups) clean() {
	g.t.Helper()
	v := g.db.View()
	defer v.Release()
	for s := ident.SystemShard; s <= groupShards; s++ {
		if list, err := g.m.Intents(v, s); err != nil || len(list) > 0 {
			g.t.Fatalf("intents stand on shard %d: %v %v", s, list, err)
		}
	}
	list, err := g.m.Decisions(v, 0, 100)
	check(g.t, err)
	for _, d := range list {
		if d.Commit {
			g.t.Fatalf("a decision to commit stands: %v", list)
		}
	}
}

// everywhere returns commands that insert a row on all shards.
func (g *groups) everywhere(pk, payload string) (cs []*command.Command) {
	for s := ident.ShardID(1); s <= groupShards; s++ {
		cs = append(cs, &command.Command{Shard: s, Clock: g.clock.Now(),
			Writes: []command.Write{write(row.Insert, "u", pk, payload, 0)}})
	}
	return cs
}

func TestCoordinator_Commit(t *testing.T) {
	g := newGroups(t)
	outs, err := g.log.ProposeAll(t.Context(), g.everywhere("k", "x"))
	check(t, err)
	for i, out := range outs {
		s := ident.ShardID(i + 1)
		v := g.db.View()
		_, seq := g.row(v, s, "k")
		v.Release()
		if out.Err != nil || len(out.Changes) != 1 || out.Seq != seq {
			t.Errorf("shard %d answered %+v and has %d", s, out, seq)
		}
		if told := g.told[s]; len(told) != 1 || told[0].Seq != out.Seq || !told[0].Last {
			t.Errorf("shard %d told %+v", s, told)
		}
	}
	refused, err := g.log.ProposeAll(t.Context(), append(g.everywhere("l", "y")[:2],
		&command.Command{Shard: 3, Writes: []command.Write{write(row.Insert, "u", "k", "y", 0)}}))
	check(t, err)
	if !fault.Is(refused[2].Err, fault.DuplicateKey) || refused[0].Err != nil {
		t.Fatalf("a duplicate gave %+v", refused)
	}
	if rows := g.rows("l"); rows != [groupShards]string{} {
		t.Fatalf("a refused transaction left %v", rows)
	}
	g.recover()
	g.clean()
}

// TestCoordinator_Dies lets a coordinator die at each of its proposals, before or
// after it is applied.
func TestCoordinator_Dies(t *testing.T) {
	committed := 0
	for step := range 9 {
		for _, applies := range []bool{false, true} {
			t.Run(fmt.Sprintf("at step %d, applied %v", step, applies), func(t *testing.T) {
				g := newGroups(t)
				log := &dying{Log: g.log, left: step, applies: applies}
				c := replica.NewCoordinator(g.db, g.m, g.clock, log)
				cs := g.everywhere("k", "x")
				request := &command.Request{ID: "r", Hash: 7, Result: []byte("first")}
				cs[1].Request = request
				_, err := c.Commit(t.Context(), cs)
				// Three prepare, one decides, three resolve.
				if answered := step > 3; (err == nil) != answered {
					t.Fatalf("the coordinator answered %v", err)
				}
				first := g.settle("k")
				if want := step > 3 || step == 3 && applies; want != (first[0] == "x") {
					t.Fatalf("committed %v, want %v", first, want)
				}
				again := g.everywhere("k", "y")
				again[1].Request = request
				outs, err := replica.ProposeAll(t.Context(), g.log, again)
				check(t, err)
				if first[0] == "x" {
					committed++
					if !outs[1].Repeat || string(outs[1].Result) != "first" || outs[1].Err != nil {
						t.Fatalf("a repeat of what was committed gave %+v", outs)
					}
				} else if outs[0].Err != nil || outs[1].Repeat || g.rows("k")[2] != "y" {
					t.Fatalf("a repeat of what was not committed gave %+v", outs)
				}
				g.recover()
				g.clean()
				for s, told := range g.told {
					if len(told) != 1 {
						t.Errorf("shard %d told %d changes", s, len(told))
					}
				}
			})
		}
	}
	if committed == 0 {
		t.Error("nothing was ever committed")
	}
}

// settle recovers, and returns a row of all shards, which have it or have it not.
func (g *groups) settle(pk string) [groupShards]string {
	g.t.Helper()
	g.recover()
	rows := g.rows(pk)
	if rows[0] != rows[1] || rows[1] != rows[2] {
		g.t.Fatalf("a transaction is half done: %q", rows)
	}
	g.clean()
	return rows
}

// TestCoordinator_GivenUp commits what somebody has given up meanwhile.
func TestCoordinator_GivenUp(t *testing.T) {
	g := newGroups(t)
	log := &hooked{Log: g.log, before: func(c *command.Command) {
		if c.Decide != nil && c.Decide.Commit {
			g.recover()
		}
	}}
	c := replica.NewCoordinator(g.db, g.m, g.clock, log)
	outs, err := c.Commit(t.Context(), g.everywhere("k", "x"))
	check(t, err)
	if !outs[0].Locked || !fault.Is(outs[0].Err, fault.TransactionConflict) {
		t.Fatalf("a transaction that was given up gave %+v", outs)
	}
	if rows := g.settle("k"); rows[0] != "" {
		t.Fatalf("it left %v", rows)
	}
}

// TestCoordinator_Patience leaves alone what has not stood for long.
func TestCoordinator_Patience(t *testing.T) {
	g := newGroups(t)
	c := replica.NewCoordinator(g.db, g.m, g.clock, &dying{Log: g.log, left: 3})
	if _, err := c.Commit(t.Context(), g.everywhere("k", "x")); !fault.Is(err, fault.ShuttingDown) {
		t.Fatalf("a coordinator that died answered %v", err)
	}
	for range 3 {
		check(t, g.rec.Recover(t.Context()))
	}
	v := g.db.View()
	list, err := g.m.Intents(v, 1)
	v.Release()
	if err != nil || len(list) != 1 {
		t.Fatalf("intents of a moment ago were ended: %v %v", list, err)
	}
	g.settle("k")
}

// TestPropose_WaitsForIntents raises a fence while an intent of the table stands, and
// repeats a request whose first run is in the middle.
func TestPropose_WaitsForIntents(t *testing.T) {
	for name, c := range map[string]func(g *groups) *command.Command{
		"a fence": func(g *groups) *command.Command {
			return &command.Command{Shard: 2, Fences: []command.Fence{g.fence(2, 2, false)}}
		},
		"a request": func(*groups) *command.Command {
			return &command.Command{Shard: 2, Request: &command.Request{ID: "r", Hash: 7}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGroups(t)
			log := &dying{Log: g.log, left: 4} // it decides to commit, and that is all
			cs := g.everywhere("k", "x")
			cs[1].Request = &command.Request{ID: "r", Hash: 7, Result: []byte("first")}
			check(t, second(replica.NewCoordinator(g.db, g.m, g.clock, log).Commit(t.Context(), cs)))
			blocked := c(g)
			if out := g.one(blocked); !out.Locked {
				t.Fatalf("it was not in the way: %+v", out)
			}
			var out apply.Outcome
			var err error
			var wg sync.WaitGroup
			wg.Go(func() { out, err = replica.Propose(t.Context(), g.log, blocked) })
			g.settle("k")
			wg.Wait()
			if err != nil || out.Err != nil || out.Repeat != (name == "a request") {
				t.Fatalf("it gave %+v %v", out, err)
			}
		})
	}
}

func second(_ []apply.Outcome, err error) error { return err }

// hooked is a log that calls before each proposal.
type hooked struct {
	replica.Log
	before func(*command.Command)
}

func (h *hooked) Propose(ctx context.Context, c *command.Command) (apply.Outcome, error) {
	h.before(c)
	return h.Log.Propose(ctx, c)
}
