package engine

import (
	"context"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/exec"
	"github.com/kalamdb/kalamdb-go/core/job"
)

// openJobs opens the jobs and goes on with those that were interrupted.
func (e *Engine) openJobs(keeper *exec.Keeper, gen *clock.Generator) (err error) {
	o := e.opts.Jobs
	o.NewID = func() ident.JobID { return ident.JobID(gen.ULID()) }
	o.Now, o.Logger = e.opts.Now, e.opts.Logger
	e.jobs, err = job.Open(context.Background(), job.Kept{DB: e.db, Propose: keeper.Write},
		e.jobKinds(), o)
	return err
}

// jobKinds are the kinds of jobs that the engine runs.
func (e *Engine) jobKinds() []job.Kind { return e.opts.JobKinds }

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
