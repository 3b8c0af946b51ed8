package apply_test

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/storetest"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// registers are rows that are on the shards that their keys name and are written on
// all of them together, each time with a greater number.
var registers = []string{"12", "13", "23", "123"}

func shardsOf(register string) (list []ident.ShardID) {
	for _, c := range register {
		list = append(list, ident.ShardID(c-'0'))
	}
	return list
}

// node is a machine with its store.
type node struct {
	t  *testing.T
	db *store.DB
	m  *apply.Machine
}

func newNode(t *testing.T) *node {
	n := &node{t: t, db: storetest.OpenDB(t, store.Options{
		Engine: memkv.Name, OpenEngine: memkv.Open, Shards: 2})}
	var err error
	n.m, err = apply.Open(n.db)
	n.must(err)
	return n
}

func (n *node) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// apply applies entries in one batch.
func (n *node) apply(entries ...[]byte) (outs []apply.Outcome) {
	n.t.Helper()
	v := n.db.View()
	defer v.Release()
	b := new(store.Batch)
	for _, e := range entries {
		c, err := command.Parse(e)
		n.must(err)
		out, err := n.m.Apply(b, v, []*command.Command{c})
		n.must(err)
		outs = append(outs, out...)
	}
	n.must(n.m.Seal(b, v))
	n.must(n.db.Commit(b, true))
	return outs
}

func accounts(s ident.ShardID) keyspace.Name {
	return keyspace.Name(fmt.Sprintf("user.bank.accounts.100.%d", s))
}

func (n *node) read(v *store.View, s ident.ShardID, register string) (number int, seq clock.Seq) {
	n.t.Helper()
	part, _ := n.db.Partition(accounts(s))
	rec, _, err := table.Table{Part: part}.Peek(v, "u", []byte(register))
	n.must(err)
	number, err = strconv.Atoi(string(rec.Payload))
	n.must(err)
	return number, rec.Seq
}

// transfer is a transaction, as its coordinator sees it.
type transfer struct {
	tx       command.Tx
	register string
	todo     []*command.Command // to be prepared
	parts    []command.Part
	decided  *apply.Decision
}

// cluster is a node that is always up to date, and a replica that follows the log of
// each shard at a pace of its own.
type cluster struct {
	t             *testing.T
	r             *rand.Rand
	lead, replica *node
	logs          [4][][]byte
	at            [4]int // how far the replica is
	now           clock.Seq
	open          []*transfer
	number        int
	latest        map[string]int // what was decided last to be committed
	commits       int
}

func newCluster(t *testing.T) *cluster {
	c := &cluster{t: t, r: storetest.Seed(t), lead: newNode(t), replica: newNode(t),
		now: clock.SeqAt(time.Now()), latest: make(map[string]int)}
	for s := ident.ShardID(1); s <= 3; s++ {
		c.propose(&command.Command{Shard: s, Fences: []command.Fence{
			{Table: tableID, Partition: accounts(s), Min: 1}}})
		for _, reg := range registers {
			if slices.Contains(shardsOf(reg), s) {
				w := put(row.Insert, reg, 0)
				w.Payload = []byte("0")
				c.propose(&command.Command{Shard: s, Writes: []command.Write{w}})
			}
		}
		c.follow(s, len(c.logs[s]))
	}
	return c
}

func (c *cluster) propose(cmd *command.Command) apply.Outcome {
	c.t.Helper()
	c.now += clock.Seq(1 + c.r.IntN(5))
	cmd.Clock = c.now
	e := cmd.Append(nil)
	c.logs[cmd.Shard] = append(c.logs[cmd.Shard], e)
	return c.lead.apply(e)[0]
}

// follow lets the replica apply up to n entries of a shard, and some of others, in one
// batch.
func (c *cluster) follow(s ident.ShardID, n int) {
	c.t.Helper()
	var entries [][]byte
	take := func(s ident.ShardID, n int) {
		to := min(c.at[s]+n, len(c.logs[s]))
		entries = append(entries, c.logs[s][c.at[s]:to]...)
		c.at[s] = to
	}
	take(s, n)
	if c.r.IntN(4) == 0 {
		take(ident.ShardID(c.r.IntN(4)), c.r.IntN(3))
	}
	c.replica.apply(entries...)
}

func (c *cluster) begin() {
	c.number++
	reg := registers[c.r.IntN(len(registers))]
	tr := &transfer{tx: command.Tx{Began: c.now, Salt: uint64(c.number)}, register: reg}
	v := c.lead.db.View()
	defer v.Release()
	for _, s := range shardsOf(reg) {
		_, seq := c.lead.read(v, s, reg)
		w := put(row.Update, reg, seq)
		w.Payload = []byte(strconv.Itoa(c.number))
		tr.todo = append(tr.todo, &command.Command{Shard: s, Writes: []command.Write{w},
			Prepare: &command.Prepare{Tx: tr.tx}})
	}
	c.r.Shuffle(len(tr.todo), func(i, j int) { tr.todo[i], tr.todo[j] = tr.todo[j], tr.todo[i] })
	c.open = append(c.open, tr)
}

// step takes a transfer a step on, and reports whether that was the last one.
func (c *cluster) step(tr *transfer) (done bool) {
	switch {
	case tr.decided != nil:
		p := tr.parts[0]
		tr.parts = tr.parts[1:]
		c.resolve(p.Shard, tr.decided)
		if len(tr.parts) == 0 && tr.decided.Commit && c.r.IntN(2) == 0 {
			c.propose(&command.Command{Shard: 0,
				Decide: &command.Decide{Resolved: []command.Tx{tr.tx}}})
		}
		return len(tr.parts) == 0
	case len(tr.todo) > 0:
		next := tr.todo[0]
		tr.todo = tr.todo[1:]
		if out := c.propose(next); out.Err == nil {
			tr.parts = append(tr.parts, command.Part{Shard: next.Shard, Seq: out.Seq})
			return false
		}
		tr.decided = &apply.Decision{Tx: tr.tx} // nobody else could commit
		return len(tr.parts) == 0
	}
	tr.decided = c.decide(command.Decide{Tx: tr.tx, Commit: true, Parts: tr.parts})
	if tr.decided.Commit {
		c.latest[tr.register] = int(tr.tx.Salt)
		c.commits++
	}
	return false
}

func (c *cluster) decide(d command.Decide) *apply.Decision {
	return c.propose(&command.Command{Shard: 0, Decide: &d}).Decision
}

func (c *cluster) resolve(s ident.ShardID, d *apply.Decision) {
	c.t.Helper()
	out := c.propose(&command.Command{Shard: s, Resolve: &command.Resolve{
		Tx: d.Tx, Commit: d.Commit, Parts: d.Parts}})
	c.lead.must(out.Err)
}

// recover ends the transactions that stand on a shard, though their coordinators may
// be there still.
func (c *cluster) recover(s ident.ShardID, most int) {
	c.t.Helper()
	v := c.lead.db.View()
	list, err := c.lead.m.Intents(v, s)
	v.Release()
	c.lead.must(err)
	for i := range min(most, len(list)) {
		c.resolve(s, c.decide(command.Decide{Tx: list[i].Tx}))
	}
}

// look reads some shards of the replica, and checks that it sees whole transactions,
// and all those that were committed before when it is not stale.
func (c *cluster) look() {
	c.t.Helper()
	set := []ident.ShardID{1, 2, 3}
	c.r.Shuffle(3, func(i, j int) { set[i], set[j] = set[j], set[i] })
	set = set[:1+c.r.IntN(3)]
	want, look := map[string]int{}, c.replica.m.LookStale(set...)
	if c.r.IntN(2) == 0 {
		want, look = maps.Clone(c.latest), c.replica.m.Look(set...)
		for _, s := range set { // a barrier
			c.follow(s, len(c.logs[s])-c.at[s])
			c.follow(0, 1)
		}
	}
	v := c.settled(look)
	defer v.Release()
	for _, reg := range registers {
		seen := -1
		for _, s := range shardsOf(reg) {
			if !slices.Contains(set, s) {
				continue
			}
			number, _ := c.replica.read(v, s, reg)
			if seen >= 0 && number != seen {
				c.t.Fatalf("shards %v show register %s as %d and as %d", set, reg, seen, number)
			}
			if seen = number; seen < want[reg] {
				c.t.Fatalf("register %s is %d, and %d was committed before", reg, seen, want[reg])
			}
		}
	}
}

// settled waits until a look is settled.
func (c *cluster) settled(look *apply.Look) *store.View {
	c.t.Helper()
	for range 1000 {
		v := c.replica.db.View()
		waits, err := look.Settled(v)
		c.replica.must(err)
		if len(waits) == 0 {
			return v
		}
		for _, w := range waits {
			if c.at[w.Shard] == len(c.logs[w.Shard]) {
				c.recover(w.Shard, 1)
			}
			c.follow(w.Shard, 1+c.r.IntN(2))
		}
		v.Release()
		c.churn()
	}
	c.t.Fatal("a read waits for ever")
	return nil
}

// churn is what others do meanwhile.
func (c *cluster) churn() {
	if len(c.open) < 4 && c.r.IntN(3) > 0 {
		c.begin()
	}
	if len(c.open) == 0 {
		return
	}
	i := c.r.IntN(len(c.open))
	died := c.r.IntN(25) == 0
	if c.step(c.open[i]) || died {
		c.open = slices.Delete(c.open, i, i+1)
	}
}

// TestTransactions_Model runs transactions whose coordinators die, beside a replica
// that lags, and readers of it.
func TestTransactions_Model(t *testing.T) {
	c := newCluster(t)
	for range 6000 {
		switch c.r.IntN(12) {
		case 0:
			c.look()
		case 1:
			c.recover(ident.ShardID(1+c.r.IntN(3)), c.r.IntN(2))
		case 2, 3, 4:
			c.follow(ident.ShardID(c.r.IntN(4)), c.r.IntN(4))
		default:
			c.churn()
		}
	}
	if c.commits < 100 {
		t.Fatalf("only %d transactions were committed", c.commits)
	}
	for s := ident.ShardID(0); s <= 3; s++ {
		c.recover(s, 100)
	}
	for s := ident.ShardID(0); s <= 3; s++ {
		c.follow(s, len(c.logs[s]))
		c.follow(s, len(c.logs[s]))
	}
	v := c.lead.db.View()
	defer v.Release()
	for _, reg := range registers {
		for _, s := range shardsOf(reg) {
			if number, _ := c.lead.read(v, s, reg); number != c.latest[reg] {
				t.Errorf("register %s is %d on shard %d, want %d", reg, number, s, c.latest[reg])
			}
		}
	}
	c.same()
}

// same checks that both nodes have the same in all partitions.
func (c *cluster) same() {
	c.t.Helper()
	a, b := c.lead.db.View(), c.replica.db.View()
	defer a.Release()
	defer b.Release()
	for _, p := range c.lead.db.Partitions() {
		q, ok := c.replica.db.Partition(p.Name)
		if !ok || strings.HasPrefix(string(p.Name), "node") {
			c.t.Fatalf("partition %s is on one node only", p.Name)
		}
		i, j := a.Scan(p, store.Range{}), b.Scan(q, store.Range{})
		for i.Next() {
			if !j.Next() || !bytes.Equal(i.Key(), j.Key()) || !bytes.Equal(i.Value(), j.Value()) {
				c.t.Fatalf("partition %s differs at %q", p.Name, i.Key())
			}
		}
		if j.Next() {
			c.t.Fatalf("the replica has %q more in partition %s", j.Key(), p.Name)
		}
		c.lead.must(i.Close())
		c.lead.must(j.Close())
	}
}
