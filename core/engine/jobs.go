package engine

import (
	"context"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/exec"
	"github.com/kalamdb/kalamdb-go/core/flush"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// openJobs opens the jobs and goes on with those that were interrupted, once they
// are begun.
func (e *Engine) openJobs(keeper *exec.Keeper, gen *clock.Generator) (err error) {
	background := *keeper
	background.Log = termed{e.log, &e.term}
	mover := &flush.Mover{
		DB: e.db, Catalog: e.catalog, Tier: e.cold, Policy: e.flushPolicy(), Now: e.opts.Now,
		Bucket: e.storages.Bucket, Orphans: e.storages.SweepOrphans, Purge: e.purge,
		Accounts: keeper, Log: background.Log, Clock: e.clock,
		Busy: func(t ident.TableID) bool { return e.jobs.Working(t, flush.Writers...) },
	}
	o := e.opts.Jobs
	o.NewID = func() ident.JobID { return ident.JobID(gen.ULID()) }
	o.Now, o.Logger, o.Resting = e.opts.Now, e.opts.Logger, !e.single()
	e.jobs, err = job.Open(context.Background(), job.Kept{DB: e.db, Propose: background.Write},
		append(mover.Kinds(), e.opts.JobKinds...), o)
	if err != nil {
		return err
	}
	s := flush.NewScheduler(flush.Env{
		Tables: e.tieredTables, Hot: e.hotRows, Start: e.jobs.Start, Job: e.jobs.Get,
		Due: mover.Due, Idle: e.tierIdle, Storages: e.storages.IDs, Leaving: e.leaving,
		Every: e.opts.FlushCheck, Now: e.opts.Now, Logger: e.opts.Logger,
	}, mover.Policy)
	e.jobs.Supervise("the scheduler of flushes", s.Serve)
	return nil
}

func (e *Engine) flushPolicy() flush.Policy {
	p := e.opts.Flush
	p.DeletedRetention = e.opts.DeletedRetention
	return p
}

// tieredTables returns the tables whose rows may go cold.
func (e *Engine) tieredTables() []*ddl.Table {
	return slices.DeleteFunc(e.catalog.Snapshot().All(), func(t *ddl.Table) bool {
		return t.State != ddl.Ready || !t.HasColdTier() ||
			slices.ContainsFunc(t.Shards(e.db.Shards()), func(s ident.ShardID) bool {
				return !e.log.Holds(s)
			})
	})
}

// hotRows returns how many live rows of a table are not cold.
func (e *Engine) hotRows(t *ddl.Table) (sum int64, err error) {
	for _, s := range t.Shards(e.db.Shards()) {
		n, err := e.cold.HotRows(t, s)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// leaving returns the users who were dropped so long ago that they can't be
// restored any more, and whose rows are there.
func (e *Engine) leaving() (ids []ident.UserID, err error) {
	v := e.db.View()
	defer v.Release()
	before := e.opts.Now().Add(-e.opts.UserRetention)
	err = catalog.KeptUsers.Each(e.db, v, func(decode func(any) error) error {
		var u ddl.User
		if err := decode(&u); err != nil {
			return err
		}
		if u.Deleted != nil && u.Erased == nil && (u.Erasing != nil || u.Deleted.Before(before)) {
			ids = append(ids, u.ID)
		}
		return nil
	})
	return ids, err
}

// tierIdle reports whether no job works on the files of a table or waits to.
func (e *Engine) tierIdle(t ident.TableID) bool {
	for _, kind := range flush.Writers {
		if _, ok := e.jobs.Active(kind, t); ok {
			return false
		}
	}
	return true
}

// purge removes what a table keeps of deleted rows beyond its retention.
func (e *Engine) purge(ctx context.Context, t *ddl.Table) error {
	return e.trimTable(ctx, t, e.historyBelow())
}

// StopJobs begins no more jobs and waits until ctx ends for those that run. It
// returns the names of those that it cut off then. They are taken up again when
// the engine is opened the next time, or have failed. It is called before Close,
// or not at all.
func (e *Engine) StopJobs(ctx context.Context) (cut []string, err error) {
	if e.jobs == nil {
		return nil, nil
	}
	records, err := e.jobs.Close(ctx)
	for _, r := range records {
		cut = append(cut, r.Name())
	}
	return cut, err
}

// RunningJobs returns how many jobs run now.
func (e *Engine) RunningJobs() int { return e.jobs.AtWork() }

// atOnce is a context that has ended.
func atOnce() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// jobFigures are the figures about jobs: those that are queued or run now, and
// the others since the start.
func jobFigures(f job.Figures) []Figure {
	const unit = "jobs"
	return []Figure{
		{Name: "jobs_cancelled", Value: f.Cancelled, Unit: unit, Counter: true},
		{Name: "jobs_completed", Value: f.Completed, Unit: unit, Counter: true},
		{Name: "jobs_failed", Value: f.Failed, Unit: unit, Counter: true},
		{Name: "jobs_queued", Value: f.Queued, Unit: unit},
		{Name: "jobs_retried", Value: f.Retries, Unit: unit, Counter: true},
		{Name: "jobs_running", Value: f.Running, Unit: unit},
		{Name: "jobs_skipped", Value: f.Skipped, Unit: unit, Counter: true},
	}
}
