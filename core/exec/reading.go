package exec

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	sqlengine "github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/store"
)

// In a cluster a node's state may be behind what other nodes have answered. A
// statement is planned on a view that was taken behind a barrier of each shard
// that it reads. Which these are is known once its names are resolved: a shard
// that had no barrier yet ends the planning, and it is planned again behind one.
//
// The catalogue is taken before the barriers, so that a view has all that its
// tables were made with. That it is older than the rows is known from the fence
// that each shard keeps of a table; see docs/adr/0021-cluster.md.

// reading is what a statement has seen to before it reads. Its shards are those
// that its view is behind a barrier of.
type reading struct {
	r       *run
	cat     *catalog.Snapshot
	view    *store.View
	shards  []ident.ShardID
	missing []ident.ShardID
	age     time.Duration // what is read may be that old; 0 for not at all

	// blind says that a table may be inserted into without a barrier: what the
	// plan takes for granted is checked when it is applied. skipped are the
	// shards for which that was made use of.
	blind   bool
	skipped []ident.ShardID
	old     bool // the catalogue is older than what a shard was told
	parsed  bool // the query engine has worked on it, which is worth remembering
}

// plannings bounds how often a statement is planned because something was
// missing: each names a table more, or has found a newer catalogue.
const plannings = 16

var errAgain = fault.New(fault.TransactionConflict,
	"the statement met changes of its tables again and again; run it again")

// opened is sqlengine.Env.Reads.
func (g *reading) opened(t *ddl.Table, s ident.ShardID, write bool) error {
	if t.Kind == ddl.SystemTable && !kept[system.Table(t.Name)] {
		return nil
	}
	switch {
	case slices.Contains(g.shards, s):
		return g.fenced(t, s)
	case write && g.blind && g.r.x.Log.Holds(s):
		g.skipped = append(g.skipped, s)
		return nil
	}
	g.missing = append(g.missing, s)
	return errAgain
}

// kept are the system tables with rows that the system group has. Others are of
// this node, or the same on all.
var kept = map[system.Table]bool{
	system.AuditLog: true, system.ColumnDefs: true, system.Indexes: true, system.Jobs: true,
	system.Manifest: true, system.Namespaces: true, system.Partitions: true, system.Schemas: true,
	system.Storages: true, system.Streams: true, system.Tables: true, system.Users: true,
}

// fenced compares a table's definition with what its shard was told.
func (g *reading) fenced(t *ddl.Table, s ident.ShardID) error {
	if t.Kind == ddl.SystemTable {
		return nil
	}
	part, err := g.r.x.Machine.Partition(s)
	if err != nil {
		return err
	}
	f, ok, err := apply.Told(g.view, part, t.ID)
	if err == nil && ok && (f.Dropped || f.Min > t.Version) {
		g.old = true
		err = errAgain
	}
	return err
}

// onView has plan read a view that has all that was answered before, by
// whatever node, and returns the view, which the caller releases. In a cluster
// plan may be called several times: what it has done before counts for nothing.
func (r *run) onView(ctx context.Context, plan func(*store.View) error) (*store.View, error) {
	if r.x.single {
		v := r.view()
		err := plan(v)
		if err != nil {
			v.Release()
			v = nil
		}
		return v, err
	}
	g := &reading{r: r, blind: r.mayBeBlind(), age: r.staleness()}
	g.shards = r.x.needs.of(r)
	r.reading = g
	defer func() { r.reading = nil }()
	acted := len(r.acted)
	for range plannings {
		r.acted = r.acted[:acted]
		if err := g.begin(ctx); err != nil {
			return nil, err
		}
		err := plan(g.view)
		again, err := g.judge(ctx, err)
		if !again && err == nil {
			if g.parsed {
				r.x.needs.note(r, g.shards)
			}
			return g.view, nil
		}
		g.view.Release()
		if !again {
			return nil, err
		}
	}
	return nil, errAgain
}

// begin takes the catalogue and, behind the barriers, a view.
func (g *reading) begin(ctx context.Context) error {
	x := g.r.x
	g.old, g.missing, g.skipped = false, nil, nil
	g.cat = x.Catalog.Snapshot()
	if tx := g.r.session.tx; tx != nil {
		g.shards, g.blind = tx.behind, false
		g.view = tx.view.Retain()
		return nil
	}
	if err := x.barrier(ctx, g.age, g.shards...); err != nil {
		return err
	}
	if slices.Contains(g.shards, ident.SystemShard) {
		if err := x.follow(); err != nil {
			return err
		}
		g.cat = x.Catalog.Snapshot()
	}
	look := x.Machine.Look(g.shards...)
	if g.age > 0 {
		look = x.Machine.LookStale(g.shards...)
	}
	var err error
	if g.view, err = replica.SettledView(ctx, x.DB, x.Log, look); err != nil {
		return err
	}
	for _, s := range g.shards {
		if !x.Log.Holds(s) { // not any more, or a snapshot of it is being installed
			g.view.Release()
			return &replica.Elsewhere{Shard: s}
		}
	}
	return nil
}

// judge says whether the statement is to be planned again, after a plan that
// ended with err.
func (g *reading) judge(ctx context.Context, err error) (again bool, _ error) {
	switch {
	case len(g.missing) > 0 && g.r.session.tx != nil:
		return false, g.r.session.tx.absent(g.missing[0])
	case len(g.missing) > 0:
		g.shards = append(g.shards, g.missing...)
		return true, nil
	case g.old:
		return true, g.r.x.catchUp(ctx)
	case err == nil:
		return false, nil
	case len(g.skipped) > 0:
		g.blind = false
		g.shards = append(g.shards, g.skipped...)
		return true, nil
	case fault.Is(err, fault.TransactionConflict): // a table went while it was planned
		return true, g.r.x.catchUp(ctx)
	}
	return false, err
}

// mayBeBlind reports whether the statement inserts rows, so that what it
// assumes of the table is checked when it is applied.
func (r *run) mayBeBlind() bool {
	return r.st.Kind == dialect.Insert || r.st.Kind == dialect.Replace
}

// guessed reports whether a plan without an error told something that was not
// read behind a barrier.
func (g *reading) guessed(res *sqlengine.Result) bool {
	if g == nil || len(g.skipped) == 0 {
		return false
	}
	return res.Resolves || res.Writes == nil || res.Writes.Len() == 0
}

// barrier waits until the view of this node has all that was answered on some
// shards; not on those that are at most age old.
func (x *Executor) barrier(ctx context.Context, age time.Duration, shards ...ident.ShardID) error {
	if age > 0 {
		shards = slices.DeleteFunc(slices.Clone(shards), func(s ident.ShardID) bool {
			return x.Log.Fresh(s, age)
		})
	}
	if len(shards) == 0 {
		return nil
	}
	return x.Log.Barrier(ctx, shards...)
}

// catchUp makes the catalogue and the accounts as new as what any node has
// answered.
func (x *Executor) catchUp(ctx context.Context) error {
	if x.single {
		return x.Catalog.Refresh()
	}
	if err := x.Log.Barrier(ctx, ident.SystemShard); err != nil {
		return err
	}
	return x.follow()
}

// follow reads the catalogue again when the system tables have changed since.
func (x *Executor) follow() error {
	part, err := x.Machine.Partition(ident.SystemShard)
	if err != nil {
		return err
	}
	v := x.DB.View()
	seq, err := apply.AppliedSeq(v, part)
	v.Release()
	if err != nil || uint64(seq) == x.followed.Load() {
		return err
	}
	if err := x.Catalog.Refresh(); err != nil {
		return err
	}
	x.followed.Store(uint64(seq)) // or an earlier one: then it is read once more
	return nil
}

// doubted are the errors that an old catalogue, or an old account, may be the
// cause of.
var doubted = map[fault.Code]bool{
	fault.TableNotFound: true, fault.ColumnNotFound: true, fault.NamespaceNotFound: true,
	fault.UserNotFound: true, fault.NotFound: true, fault.PermissionDenied: true,
	fault.InvalidCredentials: true, fault.UserRequired: true,
}

// doubts reports whether err may be due to this node being behind.
func (x *Executor) doubts(err error) bool {
	var e *fault.Error
	return !x.single && errors.As(err, &e) && doubted[e.Code]
}

// heldShards returns the shards that the statements of a caller may read, of those
// that this node has.
func (r *run) heldShards() (list []ident.ShardID) {
	shards := r.x.DB.Shards()
	own := keyspace.ShardOf(r.id.Owner(), shards)
	for s := ident.SystemShard; s <= keyspace.SharedShard(shards); s++ {
		ofUsers := s != ident.SystemShard && s != keyspace.SharedShard(shards)
		if ofUsers && s != own && r.id.Role == ident.RoleUser && r.id.As == "" {
			continue
		}
		if r.x.Log.Holds(s) {
			list = append(list, s)
		}
	}
	return list
}

// staleness is how old what the statement reads may be.
func (r *run) staleness() time.Duration {
	if c := r.st.Kind.Info().Class; c != dialect.Read && c != dialect.Session {
		return 0 // what is written depends on it
	}
	return r.session.staleness
}
