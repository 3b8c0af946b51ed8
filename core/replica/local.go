package replica

import (
	"context"
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
	// Apart treats the shards as the groups of a cluster: what is proposed for
	// several is committed in two phases instead of in one batch. For tests.
	Apart  bool
	Logger *slog.Logger
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

// Local is the Log of a single node. One goroutine, the committer, applies the
// commands over one open batch as they come, and gives it to the store once the
// former batch is durable. Another one, the finisher, waits for a batch's sync,
// publishes and answers. So the next batch is applied while one syncs, over a
// state that nobody else is shown; it grows with the load, and a sync is shared
// by all who wait for it.
//
// A design with one committer per shard was rejected: each would sync for
// itself, and the disk's syncs are what a durable write waits for.
//
// Local is safe for concurrent use. It owns the committer, the finisher and,
// with interval durability, the syncer; they end in Close.
type Local struct {
	db      *store.DB
	machine *apply.Machine
	clock   *clock.Clock
	opts    Options
	apart   *Coordinator // nil when commands of several shards share a batch

	queue   chan *proposal
	closing chan struct{}
	once    sync.Once
	wg      sync.WaitGroup // committer, finisher and syncer

	sending sync.RWMutex // held for reading while a proposal enters the queue
	closed  bool         // guarded by sending

	node    store.Partition
	ceiling atomic.Uint64 // seqs below it may be given: it is durable

	committer
	room     chan struct{} // has a token for each batch that is not durable
	flights  chan *flight  // from the committer to the finisher
	audience               // told by the finisher

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
		room: make(chan struct{}, batchesSyncing), flights: make(chan *flight, batchesSyncing),
		audience: newAudience(db, opts.Publish),
	}
	if opts.Apart {
		l.apart = NewCoordinator(db, m, ck, l)
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
	l.most = max(ck.Now(), m.Last())
	if err := l.raiseCeiling(&b, l.most); err != nil {
		return nil, err
	}
	l.wg.Go(l.commitLoop)
	l.wg.Go(l.finishLoop)
	if opts.SyncInterval > 0 {
		l.wg.Go(l.syncLoop)
	}
	return l, nil
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
	if l.apart != nil && len(cs) > 1 {
		return l.apart.Commit(ctx, cs)
	}
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
