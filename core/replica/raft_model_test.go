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

	"github.com/anishathalye/porcupine"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// lossy is an engine that forgets, in a crash, what was not synced: all that is behind
// a batch chosen at random.
type lossy struct {
	store.Engine
	mu      sync.Mutex
	batches []*store.Batch
	synced  []int // how many there were at each sync
}

func newLossy(t testing.TB) *lossy {
	mem, err := memkv.Open("")
	check(t, err)
	return &lossy{Engine: mem}
}

func (l *lossy) Apply(b *store.Batch, sync bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches = append(l.batches, b)
	if sync {
		l.synced = append(l.synced, len(l.batches))
	}
	return l.Engine.Apply(b, sync)
}

func (l *lossy) Sync() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.synced = append(l.synced, len(l.batches))
	return l.Engine.Sync()
}

func (l *lossy) Close() error { return nil }

// crash returns the engine after a crash of the process that had just closed its log,
// but for the sync that ended that. What it lost is the second result.
func (l *lossy) crash(t testing.TB, r *rand.Rand) (*lossy, int) {
	all := len(l.batches)
	kept := 0
	if n := len(l.synced); n > 1 {
		kept = l.synced[n-2]
	}
	kept += r.IntN(all - kept + 1)
	return l.first(t, kept), all - kept
}

// first returns an engine with the first n batches.
func (l *lossy) first(t testing.TB, n int) *lossy {
	after := newLossy(t)
	for _, b := range l.batches[:n] {
		check(t, after.Apply(b, true))
	}
	return after
}

// op is one operation on a key, as porcupine judges it.
type op struct {
	read     bool
	expected string // of a write: what the key had when it was planned, "" for no row
	value    string // that is written, or was read
}

type result uint8

const (
	done result = iota
	refused
	unknown
)

// register is a key: writes happen if the value is the expected one.
var register = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		o, had := input.(op), state.(string)
		if o.read {
			return o.value == had, had
		}
		switch output.(result) {
		case done:
			return o.expected == had, o.value
		case refused:
			return o.expected != had, had
		}
		if o.expected == had { // unknown: it happens here or, as an operation without end, later
			return true, o.value
		}
		return true, had
	},
}

const (
	modelKeys    = 4
	modelWorkers = 6
)

// history gathers operations by key.
type history struct {
	mu      sync.Mutex
	began   time.Time
	ops     [modelKeys][]porcupine.Operation
	counts  [3]int
	inserts map[string]ident.ShardID // of rows that were acknowledged
}

func (h *history) now() int64 { return int64(time.Since(h.began)) }

func (h *history) add(key, worker int, o op, call int64, res result) {
	h.mu.Lock()
	defer h.mu.Unlock()
	ret := h.now()
	if res == unknown {
		ret = int64(time.Hour)
	}
	h.counts[res]++
	h.ops[key] = append(h.ops[key], porcupine.Operation{
		ClientId: worker + len(h.ops[key])*modelWorkers, Input: o, Call: call, Output: res, Return: ret,
	})
}

// model is a cluster that is ill-treated while workers use it.
type model struct {
	*cluster
	mu      sync.RWMutex // guards nodes while workers use them
	engines map[ident.NodeID]*lossy
	h       history
	stopped atomic.Bool
	insert  atomic.Int64
	left    [4][testShards + 2]atomic.Int64 // how often a node has left a shard
}

func (m *model) worker(id int, r *rand.Rand) {
	for !m.stopped.Load() {
		m.mu.RLock()
		n := m.nodes[ident.NodeID(1+r.IntN(3))]
		m.mu.RUnlock()
		if n == nil {
			continue
		}
		if r.IntN(3) == 0 {
			m.insertOne(n, ident.ShardID(1+r.IntN(testShards)))
			continue
		}
		m.step(n, id, r.IntN(modelKeys), r)
	}
}

// insertOne inserts a row that nobody else does: that it is there already means that it
// was inserted twice.
func (m *model) insertOne(n *node, s ident.ShardID) {
	pk := fmt.Sprint("row", m.insert.Add(1))
	out, err := m.try(n, on(s, write(row.Insert, "b", pk, pk, 0)))
	if err == nil && out != nil {
		m.t.Errorf("an insert of %s was refused: %v", pk, out)
	}
	if err == nil && out == nil {
		m.h.mu.Lock()
		m.h.inserts[pk] = s
		m.h.mu.Unlock()
	}
}

// try proposes once. refusal is of a command that was applied.
func (m *model) try(n *node, c *command.Command) (refusal, err error) {
	c.Clock = n.clock.Now()
	out, err := n.log.Propose(context.Background(), c)
	return out.Err, err
}

// notDone reports whether an error says that nothing happened.
func notDone(err error) bool {
	var elsewhere *replica.Elsewhere
	return errors.As(err, &elsewhere) || fault.Is(err, fault.ShuttingDown)
}

func (m *model) step(n *node, worker, key int, r *rand.Rand) {
	s := ident.ShardID(1 + key%testShards)
	call := m.h.now()
	had, seq, err := m.get(n, s, fmt.Sprint(key))
	if err != nil {
		return
	}
	m.h.add(key, worker, op{read: true, value: had}, call, done)
	if r.IntN(2) == 0 {
		return
	}
	o := op{expected: had, value: fmt.Sprintf("%d.%d", worker, r.Uint64())}
	kind := row.Update
	if seq == 0 {
		kind = row.Insert
	}
	call = m.h.now()
	refusal, err := m.try(n, on(s, write(kind, "a", fmt.Sprint(key), o.value, seq)))
	switch {
	case err == nil && refusal == nil:
		m.h.add(key, worker, o, call, done)
	case err == nil:
		m.h.add(key, worker, o, call, refused)
	case !notDone(err):
		m.h.add(key, worker, o, call, unknown)
	}
}

// get reads as a statement does: a barrier, a view, and then whether the view is whole.
func (m *model) get(n *node, s ident.ShardID, pk string) (string, clock.Seq, error) {
	if err := n.log.Barrier(context.Background(), s); err != nil {
		return "", 0, err
	}
	v := n.db.View()
	defer v.Release()
	if !n.log.Holds(s) {
		return "", 0, &replica.Elsewhere{Shard: s}
	}
	p, ok := n.db.Partition(rowsOf(s))
	if !ok {
		return "", 0, nil
	}
	rec, found, err := table.Table{Part: p}.Get(context.Background(), v, "a", []byte(pk))
	if err != nil || !found {
		return "", 0, err
	}
	return string(rec.Payload), rec.Seq, nil
}

// hurt does one thing to the cluster.
func (m *model) hurt(r *rand.Rand) {
	id := ident.NodeID(1 + r.IntN(3))
	m.mu.RLock()
	n, other := m.nodes[id], m.nodes[1+id%3]
	m.mu.RUnlock()
	s := ident.ShardID(1 + r.IntN(testShards))
	switch r.IntN(4) {
	case 0, 1: // it ends, and has lost what was not synced
		m.mu.Lock()
		delete(m.nodes, id)
		m.mu.Unlock()
		check(m.t, errors.Join(n.log.Close(), n.db.Close()))
		var lost int
		m.engines[id], lost = m.engines[id].crash(m.t, r)
		m.t.Logf("node %d ends and loses %d batches", id, lost)
		n, err := m.open(id, nil)
		check(m.t, err)
		m.mu.Lock()
		m.nodes[id] = n
		m.mu.Unlock()
	case 2:
		m.t.Logf("node %d is to lead shard %d: %v", id, s,
			other.log.TransferLeader(context.Background(), s, id))
	default: // it leaves a shard and joins it again
		err := other.log.RemoveReplica(context.Background(), s, id)
		m.t.Logf("node %d leaves shard %d: %v", id, s, err)
		if err != nil {
			return
		}
		check(m.t, n.log.StopGroup(context.Background(), s))
		m.left[id][s].Add(1)
		var replica replica.ReplicaID
		for range 20 {
			if replica, err = other.log.AddReplica(
				context.Background(), s, id, m.members[id]); err == nil {
				break
			}
		}
		check(m.t, err)
		check(m.t, n.log.StartGroup(s, replica, true))
	}
}

// TestRaft_Model has workers write and read while nodes crash, leaders change and
// replicas come and go. What it read and was answered has to have an order; what was
// acknowledged has to be there, once; and all replicas have to have the same.
func TestRaft_Model(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	m := &model{cluster: newCluster(t, 3), engines: map[ident.NodeID]*lossy{}}
	m.h.began, m.h.inserts = time.Now(), map[string]ident.ShardID{}
	for id := range m.members {
		m.engines[id] = newLossy(t)
	}
	m.engine = func(id ident.NodeID) store.Engine { return m.engines[id] }
	m.options = func(o *replica.RaftOptions) {
		o.SnapshotEntries, o.Timeout = 50, 3*time.Second
		o.AgainAfter(5 * time.Millisecond) // so that entries come twice
		o.Applied = m.onlyOnce(o.Node)
	}
	for id := range m.members {
		m.start(id, m.members)
	}
	for s := range ident.ShardID(testShards) {
		check(t, m.any().propose(&command.Command{
			Shard: s + 1, Fences: []command.Fence{m.fence(s + 1)},
		}).Err)
	}
	var wg sync.WaitGroup
	for w := range modelWorkers {
		wg.Go(func() { m.worker(w, rand.New(rand.NewPCG(seed, uint64(w)))) })
	}
	r := rand.New(rand.NewPCG(seed, 99))
	for end := time.Now().Add(modelTime); time.Now().Before(end); {
		m.hurt(r)
	}
	m.stopped.Store(true)
	wg.Wait()
	m.judge()
}

// onlyOnce returns a hook for one life of a node, to which each of its replicas shows
// each insert once.
func (m *model) onlyOnce(id ident.NodeID) func(
	ident.ShardID, []*command.Command, []apply.Outcome,
) {
	seen := map[string]bool{}
	return func(s ident.ShardID, cs []*command.Command, _ []apply.Outcome) {
		replica := fmt.Sprint(m.left[id][s].Load(), ": ")
		for _, c := range cs {
			for _, w := range c.Writes {
				if pk := replica + string(w.PK); w.User == "b" {
					if seen[pk] {
						m.t.Errorf("the insert of %s was applied twice", pk)
					}
					seen[pk] = true
				}
			}
		}
	}
}

const modelTime = 8 * time.Second

func (m *model) judge() {
	m.t.Logf("%d done, %d refused, %d unknown, %d inserts acknowledged",
		m.h.counts[done], m.h.counts[refused], m.h.counts[unknown], len(m.h.inserts))
	if m.h.counts[done] < 100 || len(m.h.inserts) < 20 {
		m.t.Error("too little was done to judge by")
	}
	for key := range modelKeys {
		if res := porcupine.CheckOperationsTimeout(register, m.h.ops[key], time.Minute); res != porcupine.Ok {
			m.t.Errorf("key %d: the history of %d operations is %v", key, len(m.h.ops[key]), res)
		}
	}
	for pk, s := range m.h.inserts {
		if rec, found := m.any().read(s, "b", pk); !found || string(rec.Payload) != pk {
			m.t.Errorf("row %s of shard %d was acknowledged and is %+v %v", pk, s, rec, found)
		}
	}
	for s := range ident.ShardID(testShards) {
		m.same(s + 1)
	}
}
