package replica

import (
	"context"
	"encoding/binary"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/store"
)

// Options configure a Local.
type Options struct {
	// SyncInterval is 0 for sync durability: an answer means synced. Above 0
	// batches are synced that often, and a crash loses the last interval.
	SyncInterval time.Duration
	// BatchCommands and BatchBytes bound one batch; 0 means 1024 and 4 MiB.
	BatchCommands int
	BatchBytes    int
	// Queue bounds the commands that wait; 0 means 4096. When it is full,
	// Propose waits.
	Queue int
	// Publish is told what a batch changed, per shard, after it is visible.
	// It must not block. nil tells nobody.
	Publish func(s ident.ShardID, applied clock.Seq, changes []live.Change)
	Logger  *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.BatchCommands == 0 {
		o.BatchCommands = 1024
	}
	if o.BatchBytes == 0 {
		o.BatchBytes = 4 << 20
	}
	if o.Queue == 0 {
		o.Queue = 4096
	}
	if o.Publish == nil {
		o.Publish = func(ident.ShardID, clock.Seq, []live.Change) {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Local is the Log of a single node. One goroutine, the committer, takes all
// commands that wait, applies them over one open batch, commits it with one
// sync, publishes and answers. While it syncs the next ones gather, so the
// batch grows with the load and a sync is shared by all who wait for it.
//
// A design with one committer per shard was rejected: each would sync for
// itself, and the disk's syncs are what a durable write waits for.
//
// Local is safe for concurrent use. It owns the committer and, with interval
// durability, the syncer; both end in Close.
type Local struct {
	db      *store.DB
	machine *apply.Machine
	clock   *clock.Clock
	opts    Options

	queue   chan *proposal
	closing chan struct{}
	once    sync.Once
	wg      sync.WaitGroup // committer and syncer

	sending sync.RWMutex // held for reading while a proposal enters the queue
	closed  bool         // guarded by sending

	node    store.Partition
	ceiling clock.Seq // seqs below it may be given; used by the committer only

	stats struct{ batches, commands, syncs atomic.Int64 }
}

var _ Log = (*Local)(nil)

// states of a proposal.
const (
	waiting int32 = iota
	taken         // by the committer
	withdrawn
)

type proposal struct {
	cs    []*command.Command // which happen together
	state atomic.Int32
	done  chan struct{}
	outs  []apply.Outcome // in the order of cs
	err   error
}

func (p *proposal) size() (n int) {
	for _, c := range p.cs {
		n += c.Size()
	}
	return n
}

func (p *proposal) trims() bool { return p.cs[0].Trim != nil }

// ceilingAhead is how far ahead of use the ceiling is persisted. After a crash
// the clock starts that far in the future at most.
const ceilingAhead = 3 * time.Second

// Keys of the node's partition. See docs/format/shard.md.
const (
	keyCeiling = "ceiling" // -> seq that was never given, with a flag of a clean stop
)

// NewClock returns the node's clock, which stands above every seq that any
// earlier run may have given.
func NewClock(db *store.DB, wall func() time.Time) (*clock.Clock, error) {
	p, err := db.CreatePartition(keyspace.Node)
	if err != nil {
		return nil, err
	}
	floor, _, err := readCeiling(db, p)
	if err != nil {
		return nil, err
	}
	return clock.New(wall, floor), nil
}

// NewLocal starts the log of a store. The Machine must be of the same store
// and is used by the log alone from now on.
func NewLocal(db *store.DB, m *apply.Machine, ck *clock.Clock, opts Options) (*Local, error) {
	opts = opts.withDefaults()
	l := &Local{
		db: db, machine: m, clock: ck, opts: opts,
		queue: make(chan *proposal, opts.Queue), closing: make(chan struct{}),
	}
	var err error
	if l.node, err = db.CreatePartition(keyspace.Node); err != nil {
		return nil, err
	}
	ceiling, clean, err := readCeiling(db, l.node)
	if err != nil {
		return nil, err
	}
	var b store.Batch
	if ceiling > 0 && !clean {
		v := db.View()
		err := m.SkipTo(&b, v, ceiling)
		v.Release()
		if err != nil {
			return nil, err
		}
	}
	l.raiseCeiling(&b, max(ck.Now(), m.Last()))
	if err := db.Commit(&b, true); err != nil {
		return nil, err
	}
	l.wg.Go(l.commitLoop)
	if opts.SyncInterval > 0 {
		l.wg.Go(l.syncLoop)
	}
	return l, nil
}

func readCeiling(db *store.DB, p store.Partition) (ceiling clock.Seq, clean bool, err error) {
	v := db.View()
	defer v.Release()
	val, found, err := v.Get(p, []byte(keyCeiling))
	if err != nil || !found {
		return 0, false, err
	}
	if len(val) != 9 {
		return 0, false, fault.New(fault.Corruption, "the clock's ceiling is damaged")
	}
	return clock.Seq(binary.BigEndian.Uint64(val)), val[8] == 1, nil
}

func (l *Local) putCeiling(b *store.Batch, s clock.Seq, clean byte) {
	val := append(binary.BigEndian.AppendUint64(nil, uint64(s)), clean)
	b.Put(l.node, []byte(keyCeiling), val)
}

// raiseCeiling stages a ceiling that is ahead of used.
func (l *Local) raiseCeiling(b *store.Batch, used clock.Seq) {
	l.ceiling = clock.SeqAt(used.Time().Add(ceilingAhead))
	l.putCeiling(b, l.ceiling, 0)
}

// Propose implements Log.
func (l *Local) Propose(ctx context.Context, c *command.Command) (apply.Outcome, error) {
	outs, err := l.ProposeAll(ctx, []*command.Command{c})
	if err != nil {
		return apply.Outcome{}, err
	}
	return outs[0], nil
}

// ProposeAll implements Log: the commands are applied in one batch.
func (l *Local) ProposeAll(ctx context.Context, cs []*command.Command) ([]apply.Outcome, error) {
	p := &proposal{cs: cs, done: make(chan struct{})}
	if err := l.enqueue(ctx, p); err != nil {
		return nil, err
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		if p.state.CompareAndSwap(waiting, withdrawn) {
			return nil, fault.From(ctx.Err())
		}
		<-p.done
	}
	return p.outs, p.err
}

func (l *Local) enqueue(ctx context.Context, p *proposal) error {
	l.sending.RLock()
	defer l.sending.RUnlock()
	if l.closed {
		return errClosing
	}
	select {
	case l.queue <- p:
		return nil
	case <-l.closing:
		return errClosing
	case <-ctx.Done():
		return fault.From(ctx.Err())
	}
}

var errClosing = fault.New(fault.ShuttingDown, "the server is stopping; send the statement again")

// Close implements Log.
func (l *Local) Close() error {
	first := false
	l.once.Do(func() {
		first = true
		close(l.closing) // lets go of those who wait to enqueue
		l.sending.Lock()
		l.closed = true
		l.sending.Unlock()
		close(l.queue)
	})
	l.wg.Wait()
	if !first {
		return nil
	}
	var b store.Batch
	l.putCeiling(&b, max(l.clock.Now(), l.machine.Last()), 1)
	return l.db.Commit(&b, true)
}

// Figures counts what the log did since it was opened.
type Figures struct{ Batches, Commands, Syncs int64 }

// Figures returns the counters.
func (l *Local) Figures() Figures {
	return Figures{
		Batches: l.stats.batches.Load(), Commands: l.stats.commands.Load(),
		Syncs: l.stats.syncs.Load(),
	}
}

func (l *Local) commitLoop() {
	var group []*proposal
	for p := range l.queue {
		group = l.gather(append(group[:0], p))
		l.commit(group)
		clear(group)
	}
}

// gather adds what waits behind the first proposal, within the batch's bounds.
// A trim reads the committed state only, so it is a batch of its own.
func (l *Local) gather(group []*proposal) []*proposal {
	bytes := group[0].size()
	for len(group) < l.opts.BatchCommands && bytes < l.opts.BatchBytes {
		if group[len(group)-1].trims() {
			return group
		}
		select {
		case p, ok := <-l.queue:
			if !ok {
				return group
			}
			if p.trims() {
				l.commit(group)
				group = group[:0]
			}
			group = append(group, p)
			bytes += p.size()
		default:
			return group
		}
	}
	return group
}

// commit applies a group over one batch and answers it.
func (l *Local) commit(group []*proposal) {
	b := new(store.Batch)
	begun, err := l.applyAll(b, group)
	if err == nil {
		err = l.write(b)
	}
	if err != nil {
		err = fault.Wrap(fault.Internal, err, "commit a batch")
		if again := l.machine.Reload(); again != nil {
			l.opts.Logger.Error("reload shards after a failed commit", "error", again)
		}
	} else {
		l.publish(begun)
	}
	for _, p := range begun {
		if err != nil {
			p.outs, p.err = nil, err
		}
		close(p.done)
	}
}

func (l *Local) applyAll(b *store.Batch, group []*proposal) ([]*proposal, error) {
	v := l.db.View()
	defer v.Release()
	begun := make([]*proposal, 0, len(group))
	for _, p := range group {
		if !p.state.CompareAndSwap(waiting, taken) {
			continue
		}
		begun = append(begun, p)
	}
	if err := l.holdCeiling(begun); err != nil {
		return begun, err
	}
	for _, p := range begun {
		var err error
		if p.outs, err = l.machine.Apply(b, v, p.cs); err != nil {
			return begun, err
		}
	}
	l.stats.commands.Add(int64(len(begun)))
	return begun, l.machine.Seal(b, v)
}

// holdCeiling makes sure, before any seq of the group is given, that a durable
// ceiling stands above all of them. It syncs only when the ceiling was passed,
// which under load the batches' own renewal prevents.
func (l *Local) holdCeiling(group []*proposal) error {
	most, writes := l.machine.Last(), 0
	for _, p := range group {
		for _, c := range p.cs {
			most = max(most, c.Clock)
			writes += len(c.Writes) + 1
		}
	}
	if most+clock.Seq(writes) < l.ceiling {
		return nil
	}
	var b store.Batch
	l.raiseCeiling(&b, most+clock.Seq(writes))
	l.stats.syncs.Add(1)
	return l.db.Commit(&b, true)
}

func (l *Local) write(b *store.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	sync := l.opts.SyncInterval == 0
	renewed := l.ceiling
	if half := clock.SeqAt(l.machine.Last().Time().Add(ceilingAhead / 2)); sync && half > l.ceiling {
		renewed = clock.SeqAt(l.machine.Last().Time().Add(ceilingAhead))
		l.putCeiling(b, renewed, 0)
	}
	if err := l.db.Commit(b, sync); err != nil {
		return err
	}
	l.ceiling = renewed
	l.stats.batches.Add(1)
	if sync {
		l.stats.syncs.Add(1)
	}
	return nil
}

// publish tells what changed, shard by shard, in the order of the batch.
func (l *Local) publish(group []*proposal) {
	changed := make(map[ident.ShardID][]live.Change)
	last := make(map[ident.ShardID]clock.Seq)
	for _, p := range group {
		for i, out := range p.outs {
			if s := p.cs[i].Shard; len(out.Changes) > 0 {
				changed[s] = append(changed[s], out.Changes...)
				last[s] = out.Seq
			}
		}
	}
	for s, changes := range changed {
		l.opts.Publish(s, last[s], changes)
	}
}

func (l *Local) syncLoop() {
	tick := time.NewTicker(l.opts.SyncInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := l.db.Sync(); err != nil {
				l.opts.Logger.Error("sync the store; the last interval may be lost in a crash",
					"error", err)
			}
			l.stats.syncs.Add(1)
		case <-l.closing:
			return
		}
	}
}
