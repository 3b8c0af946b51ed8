package live

import (
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// Change is one row's change as a commit made it. Old and New are the live
// rows before and after it: nil when there was none, or only a tombstone. The
// hub reads the payloads during Publish and keeps nothing of them.
type Change struct {
	Table ident.TableID
	User  ident.UserID
	Op    row.Op
	Seq   clock.Seq
	Last  bool // the last change of its commit for this table and user
	PK    []byte
	Old   *row.Record
	New   *row.Record
}

// Source is what a Hub needs of the engine below it. Its methods are safe for
// concurrent use and are called with no lock held.
type Source interface {
	// View returns the published view, which the caller releases, and the seq
	// up to which the shard's commits are in it. A commit is in a view before
	// Publish is called for it.
	View(shard ident.ShardID) (v *store.View, applied clock.Seq)
	// Partition returns the handle of a table's rows on a shard, false when
	// the table is gone.
	Partition(t *ddl.Table, shard ident.ShardID) (store.Partition, bool)
	// Reader returns what reads records that were written with a version of a
	// table's schema as rows of t. Publish calls it, so it answers from memory.
	Reader(t *ddl.Table, v ident.SchemaVersion) (*row.Reader, error)
	// Shard returns the shard that holds a user's rows.
	Shard(t *ddl.Table, u ident.UserID) ident.ShardID
	// Covered returns nil when a cursor that a client brought is one of the
	// table's history on the shard, and CURSOR_TOO_OLD when it is in the
	// future, in a gap that a crash left, or from before the table was made or
	// truncated or the rows of the user u were erased. Cursor 0 is the beginning of
	// every history.
	Covered(t *ddl.Table, shard ident.ShardID, u ident.UserID, cursor clock.Seq) error
}

// Options configure New. Source is required; 0 means the default elsewhere.
type Options struct {
	Source Source
	// Cold reads the cold rows of tables; nil where there are none.
	Cold table.Cold
	// QueueEvents bounds the events that wait for one subscriber. Default 1024.
	QueueEvents int
	// QueueBytes bounds the memory of the events that wait for one subscriber,
	// each counted in full although subscribers share it. A subscriber who has
	// taken everything may be given an event of any size. Default 1 MiB.
	QueueBytes int
	// Total bounds the memory of the events that wait for all subscribers, each
	// counted once; whoever sends them on may count there too what it holds.
	// Beyond it no subscriber may have more than 16 KiB waiting: those who have
	// are given it from history at their own pace, or end, by their policy. Nil
	// means 64 MiB.
	Total *Budget
	// TakeBytes is how much of events one Poll takes, in memory; it takes one in
	// any case. Default 8 KiB.
	TakeBytes int
	// MaxPerUser bounds the subscriptions of one owner. Default 100.
	MaxPerUser int
	// MaxTotal bounds all subscriptions of the hub. Default 100,000.
	MaxTotal int
	// BatchSize is the rows of a snapshot's page when the subscriber does not
	// say. Default 1000.
	BatchSize int
	// MaxBatchSize bounds what a subscriber may ask for. Default 10,000.
	MaxBatchSize int
	// BatchBytes ends a page early when its rows take that much memory. It is
	// also a bound on what one Poll reads. Default 1 MiB.
	BatchBytes int
	// ScanRows bounds the stored rows or changes that one Poll looks at, so
	// that a filter that matches nothing can't hold its caller. Default 4096.
	ScanRows int
	// WindowRows bounds the rows of a window, those before it included. Default
	// 1000.
	WindowRows int
	// ResultRows and ResultBytes bound the result of a query that is run again.
	// Default 10,000 rows and 16 MiB.
	ResultRows  int
	ResultBytes int
	// RerunInterval is the least time between two runs of one query, for one
	// user; what changes meanwhile is told at once then. Default 100 ms; less
	// than 0 for none.
	RerunInterval time.Duration
	// RerunTimeout bounds one run. Default 10 s.
	RerunTimeout time.Duration
	// Now is the clock of Info.Created, and of what has expired in a snapshot or
	// a replay of a stream. Default time.Now.
	Now func() time.Time
}

func (o Options) withDefaults() Options {
	set := func(p *int, def int) {
		if *p <= 0 {
			*p = def
		}
	}
	set(&o.QueueEvents, 1024)
	set(&o.QueueBytes, 1<<20)
	set(&o.TakeBytes, 8<<10)
	set(&o.MaxPerUser, 100)
	set(&o.MaxTotal, 100_000)
	set(&o.BatchSize, 1000)
	set(&o.MaxBatchSize, 10_000)
	set(&o.BatchBytes, 1<<20)
	set(&o.ScanRows, 4096)
	set(&o.WindowRows, 1000)
	set(&o.ResultRows, 10_000)
	set(&o.ResultBytes, 16<<20)
	if o.RerunInterval == 0 {
		o.RerunInterval = 100 * time.Millisecond
	}
	if o.RerunTimeout <= 0 {
		o.RerunTimeout = 10 * time.Second
	}
	o.BatchSize = min(o.BatchSize, o.MaxBatchSize)
	if o.Total == nil {
		o.Total = NewBudget(64 << 20)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// stallTime is how long an event may wait for a subscriber who does not end for
// it: then the subscriber is given it and what follows from history. So those who
// take nothing cost a commit nothing, however little it tells.
const stallTime = 2 * time.Second

var stallSpan = clock.SeqAt(clock.Epoch.Add(stallTime))

// tightBytes is what may wait for one subscriber while too much waits for all.
const tightBytes = 16 << 10

// Policy is what happens when too much waits for a subscriber.
type Policy string

// The policies.
const (
	Replay     Policy = "replay"     // the default: catch up from history, nothing is lost
	Disconnect Policy = "disconnect" // end with SLOW_CONSUMER and the cursor
	// Conflate catches up with the last state of each row that has changed, in
	// the order in which those were committed. A row that came and went in
	// between is not told. The last event of such a round is marked Commit, and
	// its Seq is what the round reached: then the subscriber has the result as
	// it was at that seq.
	Conflate Policy = "conflate"
)

// SubscribeOptions are what a subscriber may choose.
type SubscribeOptions struct {
	// LastRows limits the snapshot to the last rows in primary key order; nil
	// means all rows, 0 none. Changes of all rows follow in any case.
	LastRows *int
	// BatchSize is the most rows of a Batch; 0 means the hub's default.
	BatchSize int
	// From resumes behind a cursor instead of reading a snapshot.
	From *clock.Seq
	// Policy is Replay when empty. A resumption under Conflate is a round.
	Policy Policy
}

// Spec describes a subscription.
type Spec struct {
	ID      ident.LiveID     // unique on the hub; "" has the hub choose one
	Owner   ident.UserID     // who asked, for limits and listings
	User    ident.UserID     // whose rows are followed; "" where rows are not per user
	Peer    string           // who is told, as its address, for listings
	Query   *predicate.Query // over a USER or STREAM table
	SQL     string           // the query as its subscriber wrote it, for listings
	Options SubscribeOptions
	// After is a subscription of the same owner that ended with SchemaChanged
	// or TableTruncated, and that this one goes on after; nil for none. What
	// its subscriber has is told to be the base of what follows, or not. Text
	// of the query, ID and Options should be the same.
	After *Subscription
	// Budget bounds what waits for all subscriptions that have it, those of one
	// socket; nil for none. The one that goes beyond it falls back by its policy.
	Budget *Budget
	// Notify is called when a subscriber that had nothing to read should Poll.
	// It is called without locks, from committers too: it must not block, and
	// must not call the subscription. It may be called more often than needed.
	// Nil is allowed.
	Notify func()
}

func (h *Hub) checkSpec(spec *Spec) error {
	if !compiled(spec.Query) {
		return fault.New(fault.Internal, "a live query was given without a compiled query")
	}
	if err := h.checkKept(spec); err != nil {
		return err
	}
	switch t := spec.Query.Table; {
	case t.Kind == ddl.SharedTable:
		return fault.New(fault.LiveSharedTable,
			"%s is a SHARED table; live queries follow USER and STREAM tables", t.FullName())
	case t.Kind != ddl.UserTable && t.Kind != ddl.StreamTable:
		return fault.New(fault.LiveUnsupportedQuery,
			"%s can't be followed; live queries follow USER and STREAM tables", t.FullName())
	case !t.PerUser() && spec.User != "":
		return fault.New(fault.Internal, "%s has no rows of one user to follow", t.FullName())
	case spec.User == "" && t.PerUser():
		return fault.New(fault.UserRequired, "name the user whose rows of %s to follow", t.FullName())
	}
	return h.checkOptions(&spec.Options)
}

func (h *Hub) checkOptions(o *SubscribeOptions) error {
	switch o.Policy {
	case "":
		o.Policy = Replay
	case Replay, Conflate, Disconnect:
	default:
		return fault.New(fault.InvalidParameter,
			"unknown policy; use %q, %q or %q", Replay, Conflate, Disconnect)
	}
	if o.BatchSize == 0 {
		o.BatchSize = h.opts.BatchSize
	}
	switch {
	case o.BatchSize < 0 || o.BatchSize > h.opts.MaxBatchSize:
		return fault.New(fault.InvalidParameter,
			"batch_size must be 1 to %d", h.opts.MaxBatchSize)
	case o.LastRows != nil && *o.LastRows < 0:
		return fault.New(fault.InvalidParameter, "last_rows must not be negative")
	case o.From != nil && *o.From < 0:
		return fault.New(fault.InvalidParameter, "from must not be negative")
	}
	return nil
}
