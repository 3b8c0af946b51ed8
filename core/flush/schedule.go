package flush

import (
	"context"
	"log/slog"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// Env is what a Scheduler works with.
type Env struct {
	// Tables returns the tables that are ready and may have cold rows.
	Tables func() []*ddl.Table
	// Hot returns how many rows of a table are hot, at least about.
	Hot func(*ddl.Table) (int64, error)
	// Start asks for a job, and Job returns one.
	Start func(context.Context, job.Request) (job.Record, error)
	Job   func(ident.JobID) (job.Record, error)
	// Due returns the kinds of jobs that the segments of a table ask for, and
	// Idle whether none of the jobs that write or rewrite them is there.
	Due  func(context.Context, *ddl.Table) ([]string, error)
	Idle func(ident.TableID) bool
	// Leaving returns dropped users whose rows are to go now.
	Leaving func() ([]ident.UserID, error)
	// Storages returns the storages, which are swept from time to time.
	Storages func() ([]ident.StorageID, error)

	Every  time.Duration // between two looks; 5 seconds
	Now    func() time.Time
	Logger *slog.Logger
}

// Scheduler asks for flushes as the policies of tables say. It is used by the
// one goroutine that runs Serve.
type Scheduler struct {
	env    Env
	policy Policy
	tables map[ident.TableID]*schedule
	sweep  time.Time // when the storages are swept next
	leave  time.Time // when it is looked for dropped users next
}

// schedule is what a Scheduler remembers of a table.
type schedule struct {
	last ident.JobID // the present or last flush
	at   time.Time   // when it ended, or the table was seen first
	left int64       // rows that were hot then
	idle int         // flushes one after another that moved nothing
	look time.Time   // when its segments are looked at next
}

// NewScheduler returns a Scheduler.
func NewScheduler(env Env, policy Policy) *Scheduler {
	if env.Every == 0 {
		env.Every = 5 * time.Second
	}
	return &Scheduler{
		env: env, policy: policy.withDefaults(), tables: make(map[ident.TableID]*schedule),
		sweep: env.Now().Add(firstLook), leave: env.Now().Add(firstLook),
	}
}

// When the storages are swept and it is looked for dropped users: after the start,
// which has other work, and how often then.
const (
	firstLook   = 10 * time.Minute
	storageWait = 24 * time.Hour
	leaveWait   = time.Hour
)

// Serve looks at the tables from time to time, until ctx ends.
func (s *Scheduler) Serve(ctx context.Context) error {
	tick := time.NewTicker(s.env.Every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := s.Look(ctx); err != nil && ctx.Err() == nil {
				s.env.Logger.Error("schedule flushes; it is tried again", "error", err)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Look asks for the flushes that are due now. Where there is no room for
// another job the tables that are left are looked at the next time.
func (s *Scheduler) Look(ctx context.Context) error {
	if err := s.storages(ctx); err != nil {
		return err
	}
	if err := s.users(ctx); err != nil {
		return err
	}
	seen := make(map[ident.TableID]bool)
	for _, t := range s.env.Tables() {
		seen[t.ID] = true
		if err := s.table(ctx, t); err != nil {
			return err
		}
	}
	for id := range s.tables {
		if !seen[id] {
			delete(s.tables, id)
		}
	}
	return nil
}

// storages asks for the sweeps of all storages, when it is time.
func (s *Scheduler) storages(ctx context.Context) error {
	if s.env.Now().Before(s.sweep) {
		return nil
	}
	ids, err := s.env.Storages()
	if err != nil {
		return err
	}
	s.sweep = s.env.Now().Add(storageWait)
	for _, id := range ids {
		_, err := s.env.Start(ctx, job.Request{
			Kind: job.Sweep, Params: map[string]string{job.OfStorage: string(id)},
		})
		if err != nil && !fault.Is(err, fault.RateLimitExceeded) {
			return err
		}
	}
	return nil
}

// users asks for the removal of what dropped users have, when it is time.
func (s *Scheduler) users(ctx context.Context) error {
	if s.env.Now().Before(s.leave) {
		return nil
	}
	ids, err := s.env.Leaving()
	if err != nil {
		return err
	}
	s.leave = s.env.Now().Add(leaveWait)
	for _, id := range ids {
		_, err := s.env.Start(ctx, EraseUserOf(id))
		if fault.Is(err, fault.RateLimitExceeded) {
			return nil // they are found again
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Scheduler) table(ctx context.Context, t *ddl.Table) error {
	at := s.tables[t.ID]
	if at == nil {
		at = &schedule{at: s.env.Now(), look: s.env.Now()}
		s.tables[t.ID] = at
	}
	if busy, err := s.follow(t, at); err != nil || busy {
		return err
	}
	if err := s.maintain(ctx, t, at); err != nil {
		return err
	}
	policy := s.policy.of(t)
	if policy.Rows == 0 && policy.Interval == 0 {
		return nil
	}
	hot, err := s.env.Hot(t)
	if err != nil || hot == 0 {
		return err
	}
	byRows := policy.Rows > 0 && hot-at.left >= policy.Rows
	if !byRows && !at.due(policy, s.env.Now()) {
		return nil
	}
	rec, err := s.env.Start(ctx, byPolicy(t, job.Flush))
	switch {
	case fault.Is(err, fault.RateLimitExceeded):
		return nil
	case err == nil:
		at.last = rec.ID
	}
	return err
}

func byPolicy(t *ddl.Table, kind string) job.Request {
	return job.Request{
		Kind: kind, Namespace: t.Namespace, Table: t.Name, TableID: t.ID,
		Params: map[string]string{job.ByPolicy: "true"},
	}
}

// maintainLooks is at every how manieth look the segments of a table are looked
// at: once a minute.
const maintainLooks = 12

// maintain asks for what the segments of a table need. They are let alone while
// a job writes some.
func (s *Scheduler) maintain(ctx context.Context, t *ddl.Table, at *schedule) error {
	if s.env.Now().Before(at.look) || !s.env.Idle(t.ID) {
		return nil
	}
	kinds, err := s.env.Due(ctx, t)
	if err != nil {
		return err
	}
	at.look = s.env.Now().Add(maintainLooks * s.env.Every)
	for _, kind := range kinds {
		_, err := s.env.Start(ctx, byPolicy(t, kind))
		if err != nil && !fault.Is(err, fault.RateLimitExceeded) {
			return err
		}
	}
	return nil
}

// due reports whether the interval is over. One that moved nothing, because all
// users have few rows, makes the next wait longer: walking them for nothing
// costs as much.
func (at *schedule) due(p Policy, now time.Time) bool {
	if p.Interval == 0 {
		return false
	}
	wait := p.Interval
	for range at.idle {
		if wait *= 2; wait > p.MaxAge/8 {
			wait = max(p.Interval, p.MaxAge/8)
			break
		}
	}
	return now.Sub(at.at) >= wait
}

// follow looks after the last flush, and reports whether it still goes on.
func (s *Scheduler) follow(t *ddl.Table, at *schedule) (busy bool, err error) {
	if at.last == "" {
		return false, nil
	}
	rec, err := s.env.Job(at.last)
	switch {
	case fault.Is(err, fault.NotFound): // it is forgotten
		at.last = ""
		return false, nil
	case err != nil || !rec.State.Ended():
		return true, err
	}
	at.last, at.at = "", s.env.Now()
	if at.left, err = s.env.Hot(t); err != nil {
		return true, err
	}
	at.idle++
	if rec.Rows > 0 {
		at.idle = 0
	}
	return false, nil
}
