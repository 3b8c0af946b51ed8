// Package engine is KalamDB in process: SQL and live queries over a data
// directory, with no server. It puts the parts of core together and owns their
// goroutines.
//
//	db, err := engine.Open("data", engine.Options{})
//	defer db.Close()
//	err = db.Execute(ctx, identity, engine.Request{SQL: "SELECT 1"}, sink)
//
// An Engine is safe for concurrent use. One process at a time opens a data
// directory.
package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/audit"
	"github.com/kalamdb/kalamdb-go/core/auth"
	"github.com/kalamdb/kalamdb-go/core/check"
	"github.com/kalamdb/kalamdb-go/core/cluster"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/exec"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/core/member"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/core/storage"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	sqlengine "github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/badgerkv"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/pebblekv"
)

// The vocabulary of package exec and session, so that a user of the engine
// imports one package.
type (
	Identity     = session.Identity
	Request      = exec.Request
	Result       = exec.Result
	Sink         = exec.Sink
	Subscription = exec.Subscription
	Session      = exec.Session
)

// Engine is an open database.
type Engine struct {
	opts     Options
	db       *store.DB
	machine  *apply.Machine
	log      replica.Log
	member   *cluster.Member // nil for a server alone
	clock    *clock.Clock
	catalog  *catalog.Catalog
	sql      *sqlengine.Engine
	hub      *live.Hub
	auth     *auth.Service
	audit    *audit.Log
	exec     *exec.Executor
	jobs     *job.Manager
	storages *storage.Registry
	cold     *cold.Tier
	missing  atomic.Int64 // files of the cold tier that other nodes have to give
	started  time.Time

	leading struct { // see OnLeader
		sync.Mutex
		next int
		told map[int]func(ident.ShardID, ident.NodeID, uint64)
	}
	// In a cluster; see follow.go and lead.go.
	keeper  *exec.Keeper
	members *member.Book // nil for a server alone
	news    news
	turns   chan struct{} // has a token when another node may lead
	term    atomic.Uint64 // in which this node has taken up what the leader does

	revoked atomic.Pointer[func(ident.UserID)] // see OnRevoked

	stop context.CancelFunc // of trimmer and evictor
	wg   sync.WaitGroup     // trimmer, evictor, writer of the audit log
	once sync.Once
	err  error // of Close
}

// Open opens the database in dir, and makes it when dir is missing or empty.
// For Memory dir is "". It returns once statements can be run; a directory
// that does not fit the options is a fault that changes nothing.
func Open(dir string, opts Options) (*Engine, error) {
	opts = opts.withDefaults()
	db, err := store.Open(dir, store.Options{
		Engine: string(opts.Storage), Shards: opts.Shards, OpenEngine: opts.opener(),
	})
	if err != nil {
		return nil, err
	}
	e := &Engine{opts: opts, db: db, started: opts.Now()}
	if err := e.start(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (o Options) opener() func(string) (store.Engine, error) {
	switch o.Storage {
	case Pebble:
		return pebblekv.Opener(pebblekv.Options{CacheBytes: o.CacheBytes})
	case Badger:
		return badgerkv.Opener(badgerkv.Options{CacheBytes: o.CacheBytes})
	case Memory:
		return memkv.Open
	}
	return func(string) (store.Engine, error) {
		return nil, fault.New(fault.InvalidParameter,
			"unknown storage engine %q; use pebble, badger or memory", o.Storage)
	}
}

func (e *Engine) start() (err error) {
	ctx := context.Background()
	node := uint16(0) // of a server alone
	if c := e.opts.Cluster; c != nil {
		var cancel context.CancelFunc
		ctx, cancel = c.starting()
		defer cancel()
		node = uint16(c.Node)
		if err := e.meet(ctx); err != nil {
			return err
		}
	}
	if e.machine, err = apply.Open(e.db); err != nil {
		return err
	}
	if e.clock, err = replica.NewClock(e.db, e.opts.Now); err != nil {
		return err
	}
	hubOptions := e.opts.Live
	hubOptions.Source, hubOptions.Now = (*source)(e), e.opts.Now
	hubOptions.Cold = (*source)(e)
	e.hub = live.New(hubOptions)
	if err := e.openLog(ctx); err != nil {
		return err
	}
	if err := e.tellSystemTables(ctx); err != nil {
		return err
	}
	if e.catalog, err = catalog.Open(e.db); err != nil {
		return err
	}
	keeper, err := exec.NewKeeper(e.db, e.log, e.clock)
	if err != nil {
		return err
	}
	keeper.Revoked = e.revoke
	e.openMembers(keeper)
	if err := e.openAuth(ctx, keeper); err != nil {
		return err
	}
	gen := clock.NewGenerator(e.opts.Now, node, e.clock.Now())
	if e.keeper = keeper; !e.single() {
		keeper.Log = &ordering{Log: e.log, e: e, newID: gen.ULID}
	}
	e.audit = audit.New(audit.Parts{
		DB: e.db, Propose: keeper.Write, Gen: gen, Now: e.opts.Now, Logger: e.opts.Logger,
	})
	e.sql = sqlengine.New(e.opts.SQL)
	if err := e.openStorages(ctx, keeper); err != nil {
		return err
	}
	e.openCold(gen)
	if err := e.openJobs(keeper, gen); err != nil {
		return err
	}
	var copies check.Copies
	if e.InCluster() {
		copies = e.cold
	}
	e.exec = exec.New(exec.Parts{
		Copies: copies,
		Keeper: keeper, Machine: e.machine, Catalog: e.catalog, SQL: e.sql,
		Gen: gen, Audit: e.audit, Jobs: e.jobs, Storages: e.storages, Members: e.members, Cold: e.cold,
		Auth: e.auth, Hub: e.hub, Now: e.opts.Now,
		Settings: e.opts.Settings, Figures: e.figures, PlanAll: e.opts.SQL.PlanAll,
	}, e.opts.Limits)
	return e.begin(ctx)
}

// openLog opens the log, and in a cluster waits until this node has what the system
// group has.
func (e *Engine) openLog(ctx context.Context) error {
	if e.opts.Cluster != nil {
		raft, err := e.openRaft(ctx)
		if err != nil {
			return err
		}
		e.log = raft
		if err := e.joinSystem(raft); err != nil {
			return err
		}
		return e.awaitSystem(ctx)
	}
	local, err := replica.NewLocal(e.db, e.machine, e.clock, replica.Options{
		SyncInterval: e.opts.SyncInterval, Publish: e.publish, Logger: e.opts.Logger,
	})
	if err != nil {
		return err
	}
	e.log = local
	return nil
}

// tellSystemTables fences the stored system tables, which makes their
// partitions in a new store and changes nothing in an old one.
func (e *Engine) tellSystemTables(ctx context.Context) error {
	c := &command.Command{Shard: ident.SystemShard, Clock: e.clock.Now()}
	for _, k := range catalog.AllKept() {
		t := k.Table()
		if _, ok := e.db.Partition(t.Partition(ident.SystemShard)); !ok {
			c.Fences = append(c.Fences, command.Fence{
				Table: t.ID, Partition: t.Partition(ident.SystemShard), Min: t.Version,
			})
		}
	}
	if len(c.Fences) == 0 {
		return nil
	}
	out, err := e.log.Propose(ctx, c)
	if err == nil {
		err = out.Err
	}
	return err
}

// Close ends live queries and jobs, finishes the writes that are queued, and
// closes the store. Jobs that can be are taken up again when it is opened the
// next time; StopJobs gives them time to end before. It returns when all
// goroutines of the engine have ended; if a job does not end, it leaves the
// store open and returns an error. It may be called twice.
func (e *Engine) Close() error {
	e.once.Do(func() {
		if e.stop != nil {
			e.stop()
		}
		e.wg.Wait()
		if e.hub != nil {
			e.hub.Close()
		}
		if _, err := e.StopJobs(atOnce()); err != nil {
			e.err = err
			return // a job goes on that uses what would be closed
		}
		if e.storages != nil {
			e.err = e.storages.Close()
		}
		if e.audit != nil {
			e.err = errors.Join(e.err, e.flushAudit())
		}
		if e.log != nil {
			e.err = errors.Join(e.err, e.log.Close())
		}
		e.err = errors.Join(e.err, e.db.Close())
	})
	return e.err
}

// flushAudit stores the entries of the audit log that wait. The last nodes of a cluster
// that stop have no majority any more to store them with.
func (e *Engine) flushAudit() error {
	err := e.audit.Flush(context.Background())
	if e.opts.Cluster != nil && again(err) {
		e.opts.Logger.Warn("the last entries of the audit log may be lost", "error", err)
		return nil
	}
	return err
}

// Execute runs the statements of a request; see exec.Executor.Run.
func (e *Engine) Execute(ctx context.Context, id Identity, req Request, sink Sink) error {
	return e.exec.Run(ctx, id, req, sink)
}

// NewSession returns a session, which keeps a transaction open between the
// requests of a connection. Its owner closes it before the engine.
func (e *Engine) NewSession() *Session { return e.exec.NewSession() }

// Subscribe opens a live query; see exec.Executor.Subscribe.
func (e *Engine) Subscribe(ctx context.Context, id Identity, sub Subscription) (
	*live.Subscription, error,
) {
	return e.exec.Subscribe(ctx, id, sub)
}

// OnRevoked has f told of each user whose credentials from before are void now:
// the account was dropped, has another role or password, or was logged out.
// Their live queries have ended then. f is not to block.
func (e *Engine) OnRevoked(f func(ident.UserID)) { e.revoked.Store(&f) }

func (e *Engine) revoke(u ident.UserID) {
	if f := e.revoked.Load(); f != nil {
		(*f)(u)
	}
	e.hub.EndUser(u, live.Revoked, func(other ident.UserID) bool {
		return e.auth.MayActFor(other, u)
	})
}

// Auth returns the service that checks credentials.
func (e *Engine) Auth() *auth.Service { return e.auth }

// Hub returns the hub of live queries.
func (e *Engine) Hub() *live.Hub { return e.hub }

// Dir returns the data directory, "" for Memory.
func (e *Engine) Dir() string { return e.db.Dir() }

// Size returns the bytes that the store takes on disk.
func (e *Engine) Size() (int64, error) { return e.db.Size() }
