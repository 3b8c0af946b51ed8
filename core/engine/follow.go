package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// In a cluster a statement runs on one node, and what it changes in the system
// tables comes to all. What it did beside that in its process each node does for
// itself here, when the change is applied: it reads the catalogue again, ends what
// followed tables that are not what they were, and forgets accounts. What is
// done twice, on the node that ran the statement, changes nothing.

// news is what a node has still to do about applied changes. Publish writes it,
// and must not block; followLoop takes it.
type news struct {
	mu      sync.Mutex
	wake    chan struct{} // has a token when there is something
	tables  bool          // definitions have changed, or something was installed
	revoked []ident.UserID
}

func (n *news) tell(tables bool, revoked ...ident.UserID) {
	n.mu.Lock()
	n.tables = n.tables || tables
	for _, u := range revoked {
		if !slices.Contains(n.revoked, u) {
			n.revoked = append(n.revoked, u)
		}
	}
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *news) take() (tables bool, revoked []ident.UserID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	tables, revoked = n.tables, n.revoked
	n.tables, n.revoked = false, nil
	return tables, revoked
}

// single reports whether no other node changes anything.
func (e *Engine) single() bool {
	_, ok := replica.Log(e.log).(*replica.Local)
	return ok
}

// expectOthers is called before a log is opened that other nodes write to as well.
func (e *Engine) expectOthers() {
	e.news.wake, e.turns = make(chan struct{}, 1), make(chan struct{}, 1)
	e.OnLeader(e.led)
}

// publish is what the log tells of what it has applied.
func (e *Engine) publish(s ident.ShardID, applied clock.Seq, changes []live.Change) {
	e.hub.Publish(s, applied, changes)
	if s != ident.SystemShard || e.news.wake == nil {
		return
	}
	for i := range changes {
		c := &changes[i]
		switch c.Table {
		case catalog.KeptNamespaces.Table().ID, catalog.KeptTables.Table().ID,
			catalog.KeptOrders.Table().ID:
			e.news.tell(true)
		case catalog.KeptUsers.Table().ID:
			if u, void := revokes(c); void {
				e.news.tell(false, u)
			}
		}
	}
}

// revokes reports whether a change of an account makes its credentials void.
func revokes(c *live.Change) (ident.UserID, bool) {
	var before, after ddl.User
	if c.Old == nil || catalog.KeptUsers.Decode(*c.Old, &before) != nil {
		return "", false
	}
	if c.New == nil {
		return before.ID, true
	}
	err := catalog.KeptUsers.Decode(*c.New, &after)
	return before.ID, err != nil || after.Epoch > before.Epoch
}

// installed is told when all of a shard was replaced by what another node has.
func (e *Engine) installed(s ident.ShardID) {
	if s == ident.SystemShard {
		e.news.tell(true)
	}
}

// followEvery is how often a node looks although it was told of no change: what it
// was told may have failed.
const followEvery = 10 * time.Second

// followLoop does what follows from changes of the system tables, until ctx ends.
func (e *Engine) followLoop(ctx context.Context) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-e.news.wake:
		case <-tick.C:
			e.news.tell(true)
			continue
		case <-ctx.Done():
			return
		}
		tables, revoked := e.news.take()
		for _, u := range revoked {
			e.revoke(u)
		}
		if !tables {
			continue
		}
		if err := e.exec.Follow(); err != nil && ctx.Err() == nil {
			e.opts.Logger.Error("follow the catalogue; it is tried again", "error", err)
		}
		if err := e.carryOut(ctx); err != nil && ctx.Err() == nil {
			e.opts.Logger.Warn("tell a shard of a change of a table; it is tried again", "error", err)
		}
	}
}
