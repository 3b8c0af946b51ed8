package replica

import (
	"context"
	"encoding/binary"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/config"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/store"
)

// RaftOptions configure a Raft.
type RaftOptions struct {
	Node ident.NodeID
	// Cluster tells clusters apart: nodes of another one are not listened to. Below
	// 2^63; 0 is a cluster too.
	Cluster uint64
	// Listen is the address, host:port, that the node takes Raft messages at, ""
	// for Advertise, which is the one that other nodes send them to.
	Listen, Advertise string
	Dir               string // of the Raft log; made when it is missing
	TLS               RaftTLS
	// RTT is the unit of elections and heartbeats: a leader that is not heard of for
	// 10 to 20 of it is replaced. 0 means 100 ms.
	RTT time.Duration
	// Timeout bounds how long a command waits to be proposed, how long it may then
	// take until it is applied here, and a barrier. 0 means 5 s.
	Timeout time.Duration
	// Groups are those that this node has a replica of from the first start on, with
	// the same members on all of them. Replicas that were started before are started
	// again whatever it says.
	Groups map[ident.ShardID]Members
	// EntryCommands and EntryBytes bound an entry; 0 means 1024 and 1 MiB. A command
	// that is larger is an entry by itself.
	EntryCommands, EntryBytes int
	// Queue bounds the commands of a group that wait; 0 means 1024.
	Queue int
	// SnapshotEntries and SnapshotBytes bound what the Raft log of a group grows by
	// before it is cut; 0 means 65,536 and 64 MiB. Up to half of that is kept then,
	// for replicas that were away.
	SnapshotEntries uint64
	SnapshotBytes   int64

	// Publish is as in Options.
	Publish func(s ident.ShardID, applied clock.Seq, changes []live.Change)
	// Applied is told, before Publish, of the commands of a shard that a batch has
	// applied and made visible, from all nodes, in their order. It must not block.
	Applied func(s ident.ShardID, cs []*command.Command, outs []apply.Outcome)
	// OnLeader is told when another node leads a shard, 0 for none that is known.
	// Of several changes at a time it may be told the last one only.
	OnLeader func(s ident.ShardID, node ident.NodeID, term uint64)
	// OnInstalled is told when all that this node has of a shard was replaced by a
	// snapshot of another one.
	OnInstalled func(s ident.ShardID)
	// OnFailed is told, once, that the store takes no more writes. The node can't go
	// on; the process is to end.
	OnFailed func(error)
	Logger   *slog.Logger

	again time.Duration // for tests: in the place of firstAttempt
}

// RaftTLS are the files of mutual TLS between nodes; empty for none.
type RaftTLS struct{ CA, Cert, Key string }

// Members of a group: the nodes that have a replica, with their addresses.
type Members map[ident.NodeID]string

func (o RaftOptions) withDefaults() RaftOptions {
	orInt(&o.EntryCommands, 1024)
	orInt(&o.EntryBytes, 1<<20)
	orInt(&o.Queue, 1024)
	orInt(&o.SnapshotEntries, 1<<16)
	orInt(&o.SnapshotBytes, 64<<20)
	orInt(&o.RTT, 100*time.Millisecond)
	orInt(&o.Timeout, 5*time.Second)
	orInt(&o.again, firstAttempt)
	local := Options{Publish: o.Publish, Logger: o.Logger}.withDefaults()
	o.Publish, o.Logger = local.Publish, local.Logger
	if o.Applied == nil {
		o.Applied = func(ident.ShardID, []*command.Command, []apply.Outcome) {}
	}
	if o.OnLeader == nil {
		o.OnLeader = func(ident.ShardID, ident.NodeID, uint64) {}
	}
	if o.OnInstalled == nil {
		o.OnInstalled = func(ident.ShardID) {}
	}
	if o.OnFailed == nil {
		o.OnFailed = func(error) {}
	}
	return o
}

func orInt[T ~int | ~int64 | ~uint64](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// Raft is the Log of a node of a cluster. Each shard is a Raft group, of which this
// node has a replica or not. A proposer of each group packs the commands that wait
// into entries; the state machines of all groups hand what is committed to one
// goroutine, the applier, which puts it into the store batch after batch, without
// syncs: the Raft log is synced before. The index of the log up to which a batch has
// applied is in the batch.
//
// An entry that got no answer is proposed again until its time is over; a window of
// its proposer's numbers in each shard sees to it that it is applied once.
//
// It is safe for concurrent use. Its goroutines, and those of the library, end in
// Close.
type Raft struct {
	opts    RaftOptions
	machine *apply.Machine
	clock   *clock.Clock
	run     uint64 // see ticket
	node    store.Partition
	host    *dragonboat.NodeHost
	groups  []*group // by shard
	several *Coordinator

	audience // told by the applier
	applier
	leaders

	refusing chan struct{} // closed when no more is taken
	closing  chan struct{} // closed when nobody is about to give more
	once     sync.Once
	wg       sync.WaitGroup // proposers, entries on the way, barriers, applier, leaders
	using    sync.RWMutex   // held for reading while something is begun
	closed   bool           // guarded by using
	moving   sync.RWMutex   // held for reading while a replica is started or stopped
	still    bool           // none is any more; guarded by moving
	closeErr error
	failed   atomic.Pointer[fault.Error]
}

var _ Log = (*Raft)(nil)

// OpenRaft starts the log of a node with all replicas that it has. The Machine must
// be of the same store and is used by the log alone from now on. It waits for a leader
// only where the node begins a cluster with data that it has.
func OpenRaft(
	ctx context.Context, db *store.DB, m *apply.Machine, ck *clock.Clock, opts RaftOptions,
) (*Raft, error) {
	opts = opts.withDefaults()
	if opts.Node == 0 || opts.Node > ident.MaxNode || opts.Advertise == "" || opts.Dir == "" {
		return nil, fault.New(fault.InvalidParameter,
			"a node of a cluster needs a number of 1 to %d, an address and a folder", ident.MaxNode)
	}
	if db.EngineName() == "badger" {
		return nil, fault.New(fault.Unsupported,
			"a node of a cluster needs the storage engine pebble: badger refuses large batches, "+
				"which all nodes would have to do alike")
	}
	r := &Raft{
		opts: opts, machine: m, clock: ck, audience: newAudience(db, opts.Publish),
		applier: newApplier(), leaders: newLeaders(), refusing: make(chan struct{}),
		closing: make(chan struct{}),
	}
	r.several = NewCoordinator(db, m, ck, r)
	var err error
	if r.node, err = db.CreatePartition(keyspace.Node); err != nil {
		return nil, err
	}
	if err := r.nextRun(); err != nil {
		return nil, err
	}
	for s := ident.SystemShard; s <= keyspace.SharedShard(db.Shards()); s++ {
		g, err := newGroup(r, s)
		if err != nil {
			return nil, err
		}
		r.groups = append(r.groups, g)
	}
	ck.Observe(m.Last())
	if err := r.openHost(); err != nil {
		return nil, err
	}
	r.applier.wg.Go(r.applyLoop)
	r.wg.Go(r.leaderLoop)
	for _, g := range r.groups {
		r.wg.Go(g.proposeLoop)
	}
	if err := r.startGroups(ctx); err != nil {
		_ = r.Close() // the first error is the one to tell
		return nil, err
	}
	return r, nil
}

const keyRun = "run" // in the node's partition: -> number of the last start, 8 bytes

// nextRun makes the number of this start durable.
func (r *Raft) nextRun() error {
	v := r.db.View()
	val, found, err := v.Get(r.node, []byte(keyRun))
	v.Release()
	if err != nil {
		return err
	}
	if found && len(val) != 8 {
		return fault.New(fault.Corruption, "the number of the node's last start is damaged")
	}
	if found {
		r.run = binary.BigEndian.Uint64(val)
	}
	// Beside counting, so that a node without its data is not taken for an earlier run.
	r.run = max(r.run+1, uint64(r.clock.Now()))
	var b store.Batch
	b.Put(r.node, []byte(keyRun), binary.BigEndian.AppendUint64(nil, r.run))
	return r.db.Commit(&b, true)
}

// openHost starts the library without any group.
func (r *Raft) openHost() error {
	useLogger(r.opts.Logger)
	dir, err := filepath.Abs(r.opts.Dir)
	if err != nil {
		return fault.Wrap(fault.InvalidParameter, err, "find the folder of the Raft log")
	}
	host, err := os.Hostname()
	if err != nil {
		return fault.Wrap(fault.Internal, err, "find the name of this machine")
	}
	if err := renameHost(dir, host); err != nil {
		return err
	}
	c := hostConfig(r.opts)
	c.NodeHostDir, c.RaftEventListener = dir, (*listener)(r)
	if r.host, err = dragonboat.NewNodeHost(c); err != nil {
		return fault.Wrap(fault.InvalidParameter, err, "open the Raft log in %s", dir)
	}
	for _, g := range r.groups {
		g.session = r.host.GetNoOPSession(raftShard(g.shard))
	}
	return nil
}

// hostConfig is what the library is told of a node. The log has one file system log for
// all groups, so that they share syncs, and as many steps run at a time as there are
// processors on a small machine.
func hostConfig(o RaftOptions) config.NodeHostConfig {
	logDB := config.GetTinyMemLogDBConfig()
	logDB.Shards = 1
	return config.NodeHostConfig{
		DeploymentID: o.Cluster, NodeHostDir: o.Dir, RTTMillisecond: uint64(o.RTT.Milliseconds()),
		RaftAddress: o.Advertise, ListenAddress: o.Listen,
		MutualTLS: o.TLS != RaftTLS{}, CAFile: o.TLS.CA, CertFile: o.TLS.Cert, KeyFile: o.TLS.Key,
		MaxSendQueueSize: maxQueue, MaxReceiveQueueSize: maxQueue,
		Expert: config.ExpertConfig{LogDB: logDB, Engine: config.EngineConfig{
			ExecShards: 2, CommitShards: 2, ApplyShards: 4, SnapshotShards: 2, CloseShards: 2,
		}},
	}
}

// maxQueue bounds, in bytes, the messages to and from a node; what is more is
// dropped and sent again later.
const maxQueue = 64 << 20

// Node implements Log.
func (r *Raft) Node() ident.NodeID { return r.opts.Node }

// Coordinator returns what commits commands of several shards, whose Recover somebody
// has to run.
func (r *Raft) Coordinator() *Coordinator { return r.several }

// Await implements Log.
func (r *Raft) Await(ctx context.Context, s ident.ShardID, seq clock.Seq) error {
	return r.await(ctx, r.machine, s, seq, r.closing)
}

// begin runs f in a goroutine that Close waits for. It reports false, and does not,
// once the log is closed.
func (r *Raft) begin(f func()) bool {
	r.using.RLock()
	defer r.using.RUnlock()
	if r.closed {
		return false
	}
	r.wg.Go(f)
	return true
}

// Close implements Log: what waits is proposed and applied within RaftOptions.Timeout,
// or answered with NO_QUORUM. After the node has failed it returns why.
func (r *Raft) Close() error {
	r.once.Do(func() {
		close(r.refusing) // lets go of those who wait to enqueue
		r.using.Lock()
		r.closed = true
		r.using.Unlock()
		close(r.closing)
		r.wg.Wait()
		r.moving.Lock()
		r.still = true
		r.moving.Unlock()
		if r.failed.Load() == nil {
			r.handOver()
		}
		r.host.Close()
		close(r.portions)
		r.applier.wg.Wait()
		if f := r.failed.Load(); f != nil {
			r.closeErr = f
			return
		}
		r.closeErr = r.db.Sync()
	})
	return r.closeErr
}
