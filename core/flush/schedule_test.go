package flush_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/flush"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// world is what a Scheduler sees: time stands still until it is moved, and a
// flush ends when the test says so.
type world struct {
	t       *testing.T
	now     time.Time
	tables  []*ddl.Table
	hot     map[ident.TableID]int64
	jobs    []job.Record
	full    bool
	sweeps  []string // storages
	leaving []ident.UserID
	due     []string
	busy    bool
	s       *flush.Scheduler
}

func newWorld(t *testing.T, p flush.Policy, tables ...*ddl.Table) *world {
	w := &world{t: t, now: time.Unix(1_000_000, 0), tables: tables, hot: map[ident.TableID]int64{}}
	w.s = flush.NewScheduler(flush.Env{
		Tables: func() []*ddl.Table { return w.tables },
		Hot:    func(t *ddl.Table) (int64, error) { return w.hot[t.ID], nil },
		Start: func(_ context.Context, r job.Request) (job.Record, error) {
			if w.full {
				return job.Record{}, fault.New(fault.RateLimitExceeded, "full")
			}
			if id := r.Params[job.OfStorage]; id != "" && r.Kind == job.Sweep && r.TableID == 0 {
				w.sweeps = append(w.sweeps, id)
				return job.Record{Request: r}, nil
			}
			rec := job.Record{
				ID: ident.JobID(fmt.Sprint(len(w.jobs))), Request: r, State: job.Queued,
			}
			w.jobs = append(w.jobs, rec)
			return rec, nil
		},
		Job: func(id ident.JobID) (job.Record, error) {
			for _, r := range w.jobs {
				if r.ID == id {
					return r, nil
				}
			}
			return job.Record{}, job.NotFound(id)
		},
		Due:     func(context.Context, *ddl.Table) ([]string, error) { return w.due, nil },
		Idle:    func(ident.TableID) bool { return !w.busy },
		Leaving: func() ([]ident.UserID, error) { return w.leaving, nil },
		Storages: func() ([]ident.StorageID, error) {
			return []ident.StorageID{"local", "archive"}, nil
		},
		Now: func() time.Time { return w.now }, Logger: slog.New(slog.DiscardHandler),
	}, p)
	w.pass(0)
	return w
}

// pass moves the time and has the scheduler look.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	w.now = w.now.Add(d)
	if err := w.s.Look(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// end ends the last job, which moved rows.
func (w *world) end(rows int64) {
	r := &w.jobs[len(w.jobs)-1]
	r.State, r.Rows = job.Completed, rows
	w.hot[r.TableID] -= rows
}

func (w *world) started(n int) {
	w.t.Helper()
	if len(w.jobs) != n {
		w.t.Fatalf("%d flushes were started, want %d: %+v", len(w.jobs), n, w.jobs)
	}
}

func table(id ident.TableID, p ddl.FlushPolicy) *ddl.Table {
	return &ddl.Table{ID: id, Namespace: "a", Name: "t", Kind: ddl.UserTable, Flush: p}
}

func TestScheduler_byRows(t *testing.T) {
	w := newWorld(t, flush.Policy{}, table(1, ddl.FlushPolicy{Rows: 100}))
	w.hot[1] = 99
	w.pass(100 * time.Hour)
	w.started(0)
	w.hot[1] = 100
	w.pass(0)
	w.started(1)
	if r := w.jobs[0].Request; r.Kind != job.Flush || r.TableID != 1 || r.Owner != "" ||
		r.Params[job.ByPolicy] == "" {
		t.Errorf("asked for %+v", r)
	}
	w.hot[1] = 1000
	w.pass(time.Hour) // it goes on
	w.started(1)
	w.end(50)
	w.pass(0)
	w.started(1) // 950 are left, which are not to be walked for nothing again
	w.hot[1] += 99
	w.pass(0)
	w.started(1)
	w.hot[1]++
	w.pass(0)
	w.started(2)
}

func TestScheduler_byInterval(t *testing.T) {
	w := newWorld(t, flush.Policy{MaxAge: 80 * time.Minute},
		table(1, ddl.FlushPolicy{Interval: time.Minute}))
	w.pass(time.Hour)
	w.started(0) // nothing is hot
	w.hot[1] = 5
	w.pass(0)
	w.started(1)
	w.end(0) // small users wait, so the next comes later
	w.pass(0)
	for i, wait := range []time.Duration{2, 4, 8, 10, 10} {
		w.pass(wait*time.Minute - time.Second)
		w.started(i + 1)
		w.pass(time.Second)
		w.started(i + 2)
		w.end(0)
		w.pass(0)
	}
	w.pass(10 * time.Minute)
	w.end(3)
	w.pass(0)
	n := len(w.jobs)
	w.pass(time.Minute)
	w.started(n + 1)
}

func TestScheduler_policies(t *testing.T) {
	w := newWorld(t, flush.Policy{Rows: 10}, table(1, ddl.FlushPolicy{}),
		table(2, ddl.FlushPolicy{Never: true}), table(3, ddl.FlushPolicy{Rows: 20}))
	for id := range ident.TableID(4) {
		w.hot[id] = 15
	}
	w.pass(time.Hour)
	w.started(1)
	if w.jobs[0].TableID != 1 {
		t.Errorf("table %d was flushed", w.jobs[0].TableID)
	}
	w.tables = w.tables[1:] // it was dropped
	w.hot[3] = 20
	w.full = true
	w.pass(0)
	w.started(1)
	w.full = false
	w.pass(0)
	w.started(2)
	w.jobs = nil // they are forgotten
	w.hot[3] = 50
	w.pass(0)
	w.started(1)
}

func TestScheduler_maintains(t *testing.T) {
	w := newWorld(t, flush.Policy{}, table(1, ddl.FlushPolicy{Never: true}))
	w.due = []string{job.Compact, job.Sweep}
	w.pass(time.Second)
	w.started(0)
	w.busy = true
	w.pass(time.Minute)
	w.started(0)
	w.busy = false
	w.pass(0)
	w.started(2)
	if w.jobs[0].Kind != job.Compact || w.jobs[1].Kind != job.Sweep {
		t.Errorf("started %+v", w.jobs)
	}
	w.pass(30 * time.Second)
	w.started(2)
	w.pass(30 * time.Second)
	w.started(4)
}

func TestScheduler_removesDroppedUsers(t *testing.T) {
	w := newWorld(t, flush.Policy{})
	w.leaving = []ident.UserID{"a", "b"}
	w.pass(9 * time.Minute)
	w.started(0)
	w.full = true
	w.pass(time.Minute)
	w.started(0)
	w.full = false
	w.pass(59 * time.Minute)
	w.started(0)
	w.pass(time.Minute)
	w.started(2)
	for i, u := range []string{"a", "b"} {
		if r := w.jobs[i].Request; r.Kind != job.Cleanup || r.Params[job.ForUser] != u {
			t.Errorf("asked for %+v", r)
		}
	}
}

func TestScheduler_sweepsStorages(t *testing.T) {
	w := newWorld(t, flush.Policy{})
	swept := func(want ...string) {
		t.Helper()
		if !slices.Equal(w.sweeps, want) {
			t.Errorf("storages %v were swept, want %v", w.sweeps, want)
		}
	}
	w.pass(9 * time.Minute)
	swept()
	w.pass(time.Minute)
	swept("local", "archive")
	w.pass(23 * time.Hour)
	swept("local", "archive")
	w.pass(time.Hour)
	swept("local", "archive", "local", "archive")
}
