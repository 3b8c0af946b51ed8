package flush

import (
	"context"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/internal/failpoint"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// Accounts keeps the accounts of users; see exec.Keeper.
type Accounts interface {
	Account(id ident.UserID) (*ddl.User, clock.Seq, error)
	PutAccount(ctx context.Context, u *ddl.User, seq clock.Seq) error
}

// EraseUserOf returns the request that removes what a dropped user has.
func EraseUserOf(u ident.UserID) job.Request {
	return job.Request{Kind: job.Cleanup, Params: map[string]string{job.ForUser: string(u)}}
}

// Bounds of the removal of a dropped user's rows.
const (
	erasePiece  = 500 // keys of a command, so that writes wait for a piece at most
	erasePasses = 5
)

// eraseUser removes all that a dropped user has, and begins anew where it was
// interrupted. The account says first that this goes on: from then on it can't be
// restored, and nobody can be created under its id until all is gone. So no row of
// a later user is among those that go; the seq up to which they do says it again.
//
// Files are not touched: segments that nothing points to are swept. So a storage
// that does not answer holds nobody up.
func (m *Mover) eraseUser(ctx context.Context, w *job.Work, id ident.UserID) error {
	u, err := m.beginErasing(ctx, id)
	if err != nil {
		return err
	}
	if err := m.waitOlder(ctx); err != nil {
		return err
	}
	e := &eraser{m: m, w: w, user: id, tables: make(map[ident.TableID]bool)}
	for pass, more := 0, true; more; pass++ {
		if pass == erasePasses {
			return fault.New(fault.TransactionConflict,
				"rows of the dropped user %s go on coming; it is tried again", id)
		}
		if more, err = e.pass(ctx); err != nil {
			return err
		}
	}
	now := m.Now().UTC()
	gone := ddl.User{ID: id, Role: u.Role, Created: u.Created, Deleted: u.Deleted,
		Erasing: u.Erasing, Erased: &now, Epoch: u.Epoch}
	_, seq, err := m.Accounts.Account(id)
	if err != nil {
		return err
	}
	if err := m.Accounts.PutAccount(ctx, &gone, seq); err != nil {
		return err
	}
	w.Say("%d rows of user %s removed from %d tables; their files go with the next sweeps",
		w.Rows(), id, len(e.tables))
	return nil
}

// beginErasing notes in the account that it can't be restored any more.
func (m *Mover) beginErasing(ctx context.Context, id ident.UserID) (*ddl.User, error) {
	u, seq, err := m.Accounts.Account(id)
	switch {
	case err != nil:
		return nil, err
	case u == nil || u.Deleted == nil:
		return nil, job.Skip("user %s is not dropped", id)
	case u.Erased != nil:
		return nil, job.Skip("all of user %s is removed already", id)
	case u.Erasing != nil:
		return u, nil
	}
	now := m.Now().UTC()
	next := *u
	next.Erasing = &now
	return &next, m.Accounts.PutAccount(ctx, &next, seq)
}

// waitOlder waits until statements have ended that began before now, or have gone
// on for too long.
func (m *Mover) waitOlder(ctx context.Context) error {
	v := m.DB.View()
	defer v.Release()
	waiting, cancel := context.WithTimeout(ctx, sweepWait)
	defer cancel()
	if err := m.DB.WaitOlder(waiting, v); err != nil && ctx.Err() != nil {
		return err
	}
	return nil
}

// eraser removes what one user has.
type eraser struct {
	m      *Mover
	w      *job.Work
	user   ident.UserID
	upTo   clock.Seq
	tables map[ident.TableID]bool // that had something
}

// pass removes what is there now; more is true when it found something.
func (e *eraser) pass(ctx context.Context) (more bool, err error) {
	tables := slices.DeleteFunc(e.m.Catalog.Snapshot().All(), func(t *ddl.Table) bool {
		return !t.PerUser() || t.State == ddl.Dropping
	})
	if len(tables) == 0 {
		return false, nil
	}
	shard := tables[0].Shard(e.user, e.m.DB.Shards()) // the same for all
	out, err := e.propose(ctx, &command.Command{Shard: shard})
	if err != nil {
		return false, err
	}
	e.upTo = out.Seq
	for _, t := range tables {
		found, err := e.table(ctx, t, shard)
		if more = more || found; err != nil {
			return false, err
		}
	}
	return more, nil
}

// table removes what the user has in one table; found is false when it is nothing.
func (e *eraser) table(ctx context.Context, t *ddl.Table, s ident.ShardID) (
	found bool, err error,
) {
	part, ok := e.m.DB.Partition(t.Partition(s))
	if !ok {
		return false, nil // it was dropped
	}
	v := e.m.DB.View()
	found, err = table.Table{Part: part}.HasOf(v, e.user)
	v.Release()
	if err != nil || !found {
		return false, err
	}
	e.tables[t.ID] = true
	what := table.Erasure{User: e.user, UpTo: e.upTo, Limit: erasePiece}
	if err := e.pieces(ctx, t.ID, s, what); err != nil {
		return true, err
	}
	// An index that is made from here on has no entry of a row that is gone.
	now, ok := e.m.Catalog.Snapshot().TableByID(t.ID)
	if !ok {
		return true, nil
	}
	what.Entries = true
	for i := range now.Indexes {
		what.Indexes = append(what.Indexes, now.Indexes[i].ID)
	}
	slices.Sort(what.Indexes)
	return true, e.pieces(ctx, t.ID, s, what)
}

// pieces does one pass of an erasure.
func (e *eraser) pieces(
	ctx context.Context, t ident.TableID, s ident.ShardID, what table.Erasure,
) error {
	for {
		out, err := e.propose(ctx, &command.Command{Shard: s,
			Erase: &command.Erase{Table: t, Erasure: what}})
		if err != nil {
			return err
		}
		failpoint.Here(failpoint.UserErased)
		e.w.Wrote(int64(out.Trim.Rows), 0)
		e.w.Say("%d rows of user %s removed", e.w.Rows(), e.user)
		if out.Trim.Done {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		what.Cursor = out.Trim.Cursor
	}
}

func (e *eraser) propose(ctx context.Context, c *command.Command) (apply.Outcome, error) {
	c.Clock = e.m.Clock.Now()
	out, err := replica.Propose(ctx, e.m.Log, c)
	if err == nil {
		err = out.Err
	}
	return out, err
}
