package exec

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

func isElsewhere(err error) bool {
	var e *replica.Elsewhere
	return errors.As(err, &e)
}

// apart is what a caller hears when a later statement of a request would have to
// run on another node than those before it.
func apart(err error) error {
	var e *replica.Elsewhere
	if !errors.As(err, &e) {
		return err
	}
	return fault.New(fault.ForwardFailed, "the statement needs shard %d, which the node that ran "+
		"the statements before it has not; send it as a request of its own", e.Shard)
}

// placed says where a request is to run, before anything of it is done: what
// changes the catalogue, an account or a job on the leader of the system tables,
// all else where the acting user's rows are.
func (x *Executor) placed(id session.Identity, stmts []dialect.Statement) error {
	if x.single {
		return nil
	}
	if slices.ContainsFunc(stmts, func(st dialect.Statement) bool { return leads(&st) }) {
		return x.leading()
	}
	as := id
	if len(stmts) == 1 && stmts[0].As != "" {
		if u, err := ident.ParseUserID(string(stmts[0].As)); err == nil {
			as.As = u
		}
	}
	if user := as.Acting(); user != "" {
		if s := keyspace.ShardOf(user, x.DB.Shards()); !x.Log.Holds(s) {
			return &replica.Elsewhere{Shard: s}
		}
	}
	return nil
}

// leads reports whether a statement runs on the leader of the system tables.
func leads(st *dialect.Statement) bool {
	switch st.Kind.Info().Class {
	case dialect.Schema, dialect.Account, dialect.Work:
		return true
	}
	_, waits := st.Node.(*ast.WaitForJob)
	return waits
}

// leading returns nil when this node leads the system tables.
func (x *Executor) leading() error {
	if node, _ := x.Log.Leader(ident.SystemShard); !x.single && node != x.Log.Node() {
		return &replica.Elsewhere{Shard: ident.SystemShard, Leader: true}
	}
	return nil
}

// lead is called before a statement that runs on the leader of the system tables:
// what it reads is what was answered, also by a leader before this one.
func (r *run) lead(ctx context.Context) error {
	if r.x.single {
		return nil
	}
	if err := r.x.leading(); err != nil {
		return err
	}
	return r.x.catchUp(ctx)
}

// beginBehind waits for barriers of the shards that a transaction may read. Those
// that can't be had are told of when it reads them.
func (r *run) beginBehind(ctx context.Context) (
	behind []ident.ShardID, failed map[ident.ShardID]error, err error,
) {
	if r.x.single {
		return nil, nil, nil
	}
	shards := r.heldShards()
	if err := r.x.Log.Barrier(ctx, shards...); err == nil || ctx.Err() != nil {
		return shards, nil, err
	}
	errs := make([]error, len(shards))
	var wg sync.WaitGroup
	for i, s := range shards {
		wg.Go(func() { errs[i] = r.x.Log.Barrier(ctx, s) })
	}
	wg.Wait()
	failed = make(map[ident.ShardID]error)
	for i, s := range shards {
		if errs[i] != nil {
			failed[s] = errs[i]
		} else {
			behind = append(behind, s)
		}
	}
	return behind, failed, nil
}

// absent is the error of reading a shard in a transaction whose view is not
// behind a barrier of it.
func (tx *transaction) absent(s ident.ShardID) error {
	if err := tx.failed[s]; err != nil && !isElsewhere(err) {
		return err
	}
	return fault.New(fault.CrossShardTransaction, "shard %d is on other nodes than the rows of "+
		"the transaction; begin it for a user of that shard, with X-USER-ID", s)
}

// catchUpToShow is called before a statement that tells of the catalogue or of
// what the system tables hold. Those about this node alone tell it at any time.
func (r *run) catchUpToShow(ctx context.Context) error {
	if r.x.single {
		return nil
	}
	switch r.st.Node.(type) {
	case *ast.ClearCache, *ast.ShowLiveQueries, *ast.KillLiveQuery, *ast.TraceDelivery,
		*ast.ShowSettings, *ast.Subscribe, *ast.ShowCluster, *ast.SetStaleness:
		return nil
	}
	if age := r.staleness(); age > 0 && r.x.Log.Fresh(ident.SystemShard, age) {
		return nil
	}
	return r.x.catchUp(ctx)
}

// holdsAll refuses work that reads all rows of a table on one node where that node has
// not all of its shards.
func (x *Executor) holdsAll(t *ddl.Table) error {
	for _, s := range t.Shards(x.DB.Shards()) {
		if !x.Log.Holds(s) {
			return fault.New(fault.Unsupported, "the node that leads the system tables has no replica "+
				"of shard %d of table %s, and this reads all of them; set cluster.replicas to the number "+
				"of nodes, or have a node lead shard 0 that has all", s, t.FullName())
		}
	}
	return nil
}
