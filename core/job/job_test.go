package job_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/job"
)

// memory is a Store that remembers the states of each job.
type memory struct {
	mu     sync.Mutex
	rows   map[ident.JobID]job.Record
	states map[ident.JobID][]job.State
	puts   int
	broken error // of Put, nil when it works
}

func newMemory() *memory {
	return &memory{rows: map[ident.JobID]job.Record{}, states: map[ident.JobID][]job.State{}}
}

func (m *memory) Put(ctx context.Context, r job.Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.broken != nil {
		return m.broken
	}
	m.puts++
	m.rows[r.ID] = r
	if s := m.states[r.ID]; len(s) == 0 || s[len(s)-1] != r.State {
		m.states[r.ID] = append(s, r.State)
	}
	return ctx.Err()
}

func (m *memory) Get(id ident.JobID) (job.Record, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.rows[id]
	return r, ok, nil
}

func (m *memory) Each(f func(job.Record) error) error {
	m.mu.Lock()
	var all []job.Record
	for _, r := range m.rows {
		all = append(all, r)
	}
	m.mu.Unlock()
	slices.SortFunc(all, func(a, b job.Record) int { return strings.Compare(string(a.ID), string(b.ID)) })
	for _, r := range all {
		if err := f(r); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) Delete(_ context.Context, ids []ident.JobID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range ids {
		delete(m.rows, id)
	}
	return nil
}

func (m *memory) went(id ident.JobID) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return fmt.Sprint(m.states[id])
}

func ids() func() ident.JobID {
	var n atomic.Int64
	return func() ident.JobID { return ident.JobID(fmt.Sprintf("j%05d", n.Add(1))) }
}

// open opens a Manager that the test closes.
func open(t *testing.T, s job.Store, o job.Options, kinds ...job.Kind) *job.Manager {
	t.Helper()
	if o.NewID == nil {
		o.NewID = ids()
	}
	m, err := job.Open(t.Context(), s, kinds, o)
	if err != nil {
		t.Fatal(err)
	}
	m.Begin()
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := m.Close(ended); err != nil {
			t.Error(err)
		}
	})
	return m
}

func start(t *testing.T, m *job.Manager, r job.Request) job.Record {
	t.Helper()
	rec, err := m.Start(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func wait(t *testing.T, m *job.Manager, id ident.JobID) job.Record {
	t.Helper()
	rec, err := m.Wait(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// gate is a kind whose jobs run until they are let go.
type gate struct {
	begun chan *job.Work
	let   chan error
}

func newGate() *gate { return &gate{make(chan *job.Work, 100), make(chan error)} }

func (g *gate) kind(name string, resume bool) job.Kind {
	return job.Kind{Name: name, Resume: resume, Run: func(ctx context.Context, w *job.Work) error {
		g.begun <- w
		select {
		case err := <-g.let:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
}

func flush(table ident.TableID) job.Request {
	return job.Request{Kind: "flush", Namespace: "a", Table: "t", TableID: table, Owner: "alice"}
}

func TestManager_runsAJob(t *testing.T) {
	s := newMemory()
	m := open(t, s, job.Options{}, job.Kind{Name: "flush", Run: func(_ context.Context, w *job.Work) error {
		w.Expect(10)
		w.Did(10)
		w.Wrote(7, 700)
		w.Say("wrote %d segments", 2)
		return nil
	}})
	rec := start(t, m, flush(1))
	if rec.State != job.Queued || rec.Owner != "alice" || rec.Created.IsZero() {
		t.Errorf("started as %+v", rec)
	}
	end := wait(t, m, rec.ID)
	if end.State != job.Completed || end.Progress != 100 || end.Rows != 7 || end.Bytes != 700 ||
		end.Message != "wrote 2 segments" || end.Attempts != 1 || end.Error != "" ||
		end.Started.IsZero() || end.Finished.IsZero() {
		t.Errorf("ended as %+v", end)
	}
	if went := s.went(rec.ID); went != "[queued running completed]" {
		t.Errorf("went through %s", went)
	}
	if f := m.Figures(); f.Completed != 1 || f.Running != 0 || f.Queued != 0 {
		t.Errorf("figures %+v", f)
	}
}

func TestManager_endsByTheError(t *testing.T) {
	for name, c := range map[string]struct {
		run  func() error
		want job.State
		says string // in message or error
	}{
		"an error": {func() error { return fault.New(fault.Corruption, "file x is damaged") },
			job.Failed, "CORRUPTION: file x is damaged"},
		"an error that is no fault": {func() error { return errors.New("secret") },
			job.Failed, "INTERNAL: internal error"},
		"nothing to do": {func() error { return job.Skip("table %s is empty", "a.t") },
			job.Skipped, "table a.t is empty"},
		"a panic": {func() error { panic("ouch") }, job.Failed, "INTERNAL: the job failed"},
	} {
		t.Run(name, func(t *testing.T) {
			m := open(t, newMemory(), job.Options{}, job.Kind{Name: "flush",
				Run: func(context.Context, *job.Work) error { return c.run() }})
			end := wait(t, m, start(t, m, flush(1)).ID)
			if end.State != c.want || !strings.Contains(end.Message+end.Error, c.says) {
				t.Errorf("ended as %+v", end)
			}
		})
	}
}

func TestManager_refuses(t *testing.T) {
	m := open(t, newMemory(), job.Options{})
	if _, err := m.Start(t.Context(), flush(1)); !fault.Is(err, fault.Unsupported) {
		t.Errorf("a kind that is not there: %v", err)
	}
	if _, err := m.Get("none"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a job that is not there: %v", err)
	}
	if _, err := m.Wait(t.Context(), "none"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a job that is not there: %v", err)
	}
	if _, err := m.Kill("none", "root"); !fault.Is(err, fault.NotFound) {
		t.Errorf("a job that is not there: %v", err)
	}
}

func TestManager_startFailsWhenItCanNotBeStored(t *testing.T) {
	s, g := newMemory(), newGate()
	m := open(t, s, job.Options{}, g.kind("flush", true))
	s.broken = fault.New(fault.StorageFull, "the disk is full")
	if _, err := m.Start(t.Context(), flush(1)); !fault.Is(err, fault.StorageFull) {
		t.Errorf("got %v", err)
	}
	s.broken = nil
	rec := start(t, m, flush(1)) // what failed holds no turn and no key
	g.let <- nil
	if end := wait(t, m, rec.ID); end.State != job.Completed {
		t.Errorf("ended as %+v", end)
	}
}

// One job of a kind and table runs at a time; others run beside it.
func TestManager_oneOfATableAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		m := open(t, newMemory(), job.Options{Running: 3}, g.kind("flush", true), g.kind("compact", true))
		first := start(t, m, flush(1))
		synctest.Wait()
		second, third := start(t, m, flush(1)), start(t, m, flush(1))
		if second.ID == first.ID || third.ID != second.ID {
			t.Errorf("jobs %s, %s and %s", first.ID, second.ID, third.ID)
		}
		one := flush(1)
		one.Params = map[string]string{"user": "bob"}
		if r := start(t, m, one); r.ID != second.ID {
			t.Errorf("what the flush of all users does is a job of its own: %s", r.ID)
		}
		compact := flush(1)
		compact.Kind = "compact"
		start(t, m, compact)
		start(t, m, flush(2))
		synctest.Wait()
		if n := m.AtWork(); n != 3 {
			t.Errorf("%d run", n)
		}
		if r, _ := m.Get(second.ID); r.State != job.Queued {
			t.Errorf("a second flush of the table is %s", r.State)
		}
		for range 4 {
			g.let <- nil
		}
		if end := wait(t, m, second.ID); end.State != job.Completed {
			t.Errorf("the second ended as %+v", end)
		}
	})
}

func TestManager_paramsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		m := open(t, newMemory(), job.Options{Running: 3}, g.kind("flush", true))
		of := func(user string) job.Request {
			r := flush(1)
			r.Params = map[string]string{"user": user}
			return r
		}
		start(t, m, of("a"))
		synctest.Wait()
		b, all, again := start(t, m, of("b")), start(t, m, flush(1)), start(t, m, of("b"))
		if b.ID == all.ID || again.ID != b.ID && again.ID != all.ID {
			t.Errorf("jobs %s, %s and %s", b.ID, all.ID, again.ID)
		}
		synctest.Wait()
		if n := m.AtWork(); n != 1 {
			t.Errorf("%d flushes of one table run", n)
		}
		for range 3 {
			g.let <- nil
		}
	})
}

func TestManager_boundsWhatRunsAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		m := open(t, newMemory(), job.Options{Running: 2, Queue: 3}, g.kind("flush", true))
		var all []ident.JobID
		for i := range 5 {
			all = append(all, start(t, m, flush(ident.TableID(i+1))).ID)
			synctest.Wait()
		}
		if f := m.Figures(); f.Running != 2 || f.Queued != 3 {
			t.Errorf("figures %+v", f)
		}
		if _, err := m.Start(t.Context(), flush(9)); !fault.Is(err, fault.RateLimitExceeded) {
			t.Errorf("beyond the queue: %v", err)
		}
		if r := start(t, m, flush(5)); r.ID != all[4] {
			t.Errorf("one that waits already is refused or made again: %s", r.ID)
		}
		for range all {
			g.let <- nil
			synctest.Wait()
		}
		order := make([]ident.TableID, 0, len(all))
		for range all {
			order = append(order, (<-g.begun).TableID)
		}
		if !slices.IsSorted(order[2:]) {
			t.Errorf("turns were in the order %v", order)
		}
		synctest.Wait()
		start(t, m, flush(9))
		g.let <- nil
	})
}

func TestManager_retries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		s := newMemory()
		m := open(t, s, job.Options{Backoff: time.Second, MaxBackoff: 4 * time.Second, Attempts: 6},
			job.Kind{Name: "flush", Run: func(context.Context, *job.Work) error {
				at = append(at, time.Since(began))
				if len(at) < 6 {
					return fault.New(fault.StorageUnavailable, "no route to the storage")
				}
				return nil
			}})
		rec := start(t, m, flush(1))
		synctest.Wait()
		if r, _ := m.Get(rec.ID); r.State != job.Retrying || r.Attempts != 1 ||
			!strings.Contains(r.Error, "STORAGE_UNAVAILABLE: no route") || r.Message == "" {
			t.Errorf("after one attempt it is %+v", r)
		}
		if r := start(t, m, flush(1)); r.ID != rec.ID {
			t.Errorf("one that is tried again is not what another asks for: %s", r.ID)
		}
		end := wait(t, m, rec.ID)
		if end.State != job.Completed || end.Attempts != 6 || end.Error != "" {
			t.Errorf("ended as %+v", end)
		}
		for i, longest := range []time.Duration{1, 2, 4, 4, 4} {
			gap := at[i+1] - at[i]
			if longest *= time.Second; gap < longest/2 || gap > longest {
				t.Errorf("attempt %d came after %v, not within %v", i+2, gap, longest)
			}
		}
		if n := m.Figures().Retries; n != 5 {
			t.Errorf("%d retries", n)
		}
	})
}

func TestManager_givesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := open(t, newMemory(), job.Options{Attempts: 3}, job.Kind{Name: "flush",
			Run: func(context.Context, *job.Work) error {
				return fault.New(fault.StorageFull, "the storage is full")
			}})
		end := wait(t, m, start(t, m, flush(1)).ID)
		if end.State != job.Failed || end.Attempts != 3 || !strings.HasPrefix(end.Error, "STORAGE_FULL") {
			t.Errorf("ended as %+v", end)
		}
	})
}

// A job that waits before another attempt leaves its turn to others.
func TestManager_pauseLeavesTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := true
		m := open(t, newMemory(), job.Options{Running: 1, Backoff: time.Hour, MaxBackoff: time.Hour},
			job.Kind{Name: "flush", Run: func(_ context.Context, w *job.Work) error {
				if w.TableID == 1 && fails {
					return fault.New(fault.StorageUnavailable, "no route")
				}
				return nil
			}})
		first := start(t, m, flush(1))
		synctest.Wait()
		if end := wait(t, m, start(t, m, flush(2)).ID); end.State != job.Completed {
			t.Errorf("ended as %+v", end)
		}
		fails = false
		if end := wait(t, m, first.ID); end.State != job.Completed || end.Attempts != 2 {
			t.Errorf("ended as %+v", end)
		}
	})
}

func TestManager_kill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, s := newGate(), newMemory()
		m := open(t, s, job.Options{Running: 1, Backoff: time.Hour, MaxBackoff: time.Hour},
			g.kind("flush", true))
		kill := func(id ident.JobID) job.Record {
			t.Helper()
			if _, err := m.Kill(id, "root"); err != nil {
				t.Fatal(err)
			}
			return wait(t, m, id)
		}
		runs, waits := start(t, m, flush(1)), start(t, m, flush(2))
		synctest.Wait()
		for what, id := range map[string]ident.JobID{"waits": waits.ID, "runs": runs.ID} {
			if end := kill(id); end.State != job.Cancelled || end.Message != "killed by root" ||
				end.Finished.IsZero() {
				t.Errorf("one that %s ended as %+v", what, end)
			}
		}
		pauses := start(t, m, flush(3))
		g.let <- fault.New(fault.StorageUnavailable, "no route")
		synctest.Wait()
		if end := kill(pauses.ID); end.State != job.Cancelled || end.Attempts != 1 {
			t.Errorf("one that pauses ended as %+v", end)
		}
		if _, err := m.Kill(runs.ID, "root"); !fault.Is(err, fault.InvalidParameter) {
			t.Errorf("one that has ended: %v", err)
		}
		next := start(t, m, flush(1)) // turn and key are free again
		g.let <- nil
		if end := wait(t, m, next.ID); end.State != job.Completed {
			t.Errorf("ended as %+v", end)
		}
		if f := m.Figures(); f.Cancelled != 3 || f.Completed != 1 {
			t.Errorf("figures %+v", f)
		}
	})
}

func TestManager_waitEndsWithItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		m := open(t, newMemory(), job.Options{}, g.kind("flush", true))
		rec := start(t, m, flush(1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if _, err := m.Wait(ctx, rec.ID); !fault.Is(err, fault.StatementTimeout) {
			t.Errorf("got %v", err)
		}
		g.let <- nil
		if end := wait(t, m, rec.ID); end.State != job.Completed {
			t.Errorf("the job did not survive who waited: %+v", end)
		}
	})
}

// Progress is stored at a bounded rate, and seen at once.
func TestManager_progress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		m := open(t, s, job.Options{ProgressInterval: time.Second}, job.Kind{Name: "flush",
			Run: func(_ context.Context, w *job.Work) error {
				w.Expect(1000)
				for range 1000 {
					w.Did(1)
					w.Wrote(2, 20)
					<-time.After(10 * time.Millisecond)
				}
				return nil
			}})
		rec := start(t, m, flush(1))
		<-time.After(5005 * time.Millisecond)
		r, _ := m.Get(rec.ID)
		if r.State != job.Running || r.Progress != 50 || r.Rows < 1000 || r.Bytes != 10*r.Rows {
			t.Errorf("in the middle it is %+v", r)
		}
		end := wait(t, m, rec.ID)
		if end.Rows != 2000 || end.Progress != 100 {
			t.Errorf("ended as %+v", end)
		}
		if s.puts < 10 || s.puts > 14 { // queued, running, one a second, completed
			t.Errorf("stored %d times", s.puts)
		}
	})
}

func TestManager_takesUpAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		put := func(id ident.JobID, kind string, state job.State, attempts int) {
			r := flush(ident.TableID(len(s.rows) + 1))
			r.Kind = kind
			if err := s.Put(t.Context(), job.Record{
				ID: id, Request: r, State: state, Attempts: attempts, Created: time.Now(),
			}); err != nil {
				t.Fatal(err)
			}
		}
		put("a-waited", "export", job.Queued, 0)
		put("b-ran", "flush", job.Running, 1)
		put("c-paused", "flush", job.Retrying, 3)
		put("d-once", "export", job.Running, 1)
		put("e-unknown", "nothing", job.Running, 1)
		put("f-crashes", "flush", job.Running, 10)
		put("g-done", "flush", job.Completed, 1)
		done := func(context.Context, *job.Work) error { return nil }
		m := open(t, s, job.Options{}, job.Kind{Name: "flush", Resume: true, Run: done},
			job.Kind{Name: "export", Run: done})
		for id, want := range map[ident.JobID]string{
			"a-waited": "completed 1 ", "b-ran": "completed 2 ", "c-paused": "completed 4 ",
			"d-once":    "failed 1 CANCELLED: the server ended",
			"e-unknown": "failed 1 CANCELLED: the server ended",
			"f-crashes": "failed 10 CANCELLED: the server ended while the job ran, as often",
			"g-done":    "completed 1 ",
		} {
			end := wait(t, m, id)
			got := fmt.Sprintf("%s %d %s", end.State, end.Attempts, end.Error)
			if !strings.HasPrefix(got, want) {
				t.Errorf("%s ended as %s", id, got)
			}
		}
		if went := s.went("b-ran"); went != "[running queued running completed]" {
			t.Errorf("it went through %s", went)
		}
	})
}

func TestManager_closeWaitsThenCuts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g, once := newMemory(), newGate(), newGate()
		m := open(t, s, job.Options{Running: 3}, g.kind("flush", true), once.kind("export", false))
		export := flush(7)
		export.Kind = "export"
		jobs := []job.Record{start(t, m, flush(1)), start(t, m, flush(2)), start(t, m, export)}
		synctest.Wait()
		waits := start(t, m, flush(3))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		go func() { g.let <- nil }() // one ends in time
		began := time.Now()
		cut, err := m.Close(ctx)
		if err != nil || len(cut) != 2 || time.Since(began) != 10*time.Second {
			t.Errorf("%v cut off %v, %v", time.Since(began), cut, err)
		}
		for _, r := range cut {
			if !strings.Contains(r.Name(), " of a.t (j0") {
				t.Errorf("it is named %s", r.Name())
			}
		}
		if _, err := m.Start(t.Context(), flush(4)); !fault.Is(err, fault.ShuttingDown) {
			t.Errorf("start: %v", err)
		}
		if _, err := m.Wait(t.Context(), waits.ID); !fault.Is(err, fault.ShuttingDown) {
			t.Errorf("wait: %v", err)
		}
		states := map[job.State]int{}
		for _, r := range append(jobs, waits) {
			states[s.rows[r.ID].State]++
		}
		if fmt.Sprint(states) != "map[completed:1 failed:1 queued:1 running:1]" {
			t.Errorf("stored as %v", states)
		}
		next := open(t, s, job.Options{}, g.kind("flush", true), once.kind("export", false))
		g.let <- nil
		g.let <- nil
		for _, r := range append(jobs[:2], waits) {
			if end := wait(t, next, r.ID); end.State != job.Completed {
				t.Errorf("after the restart %+v", end)
			}
		}
	})
}

func TestManager_closeEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		m := open(t, newMemory(), job.Options{}, g.kind("flush", true))
		start(t, m, flush(1))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		go func() {
			<-time.After(time.Second) // the second signal
			cancel()
		}()
		began := time.Now()
		cut, err := m.Close(ctx)
		if err != nil || len(cut) != 1 || time.Since(began) != time.Second {
			t.Errorf("after %v: cut %v, %v", time.Since(began), cut, err)
		}
	})
}

// A job that does not end when it is told to is an error of Close, which comes
// back all the same.
func TestManager_closeDoesNotHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		m, err := job.Open(t.Context(), newMemory(), []job.Kind{{Name: "flush",
			Run: func(context.Context, *job.Work) error { <-stuck; return nil }}},
			job.Options{NewID: ids()})
		if err != nil {
			t.Fatal(err)
		}
		m.Begin()
		start(t, m, flush(1))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if cut, err := m.Close(ctx); len(cut) != 1 || !fault.Is(err, fault.Internal) {
			t.Errorf("cut %v, %v", cut, err)
		}
		close(stuck)
	})
}

func TestManager_forgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newMemory()
		m := open(t, s, job.Options{Retention: time.Hour, MaxKept: 3}, job.Kind{Name: "flush",
			Run: func(context.Context, *job.Work) error { return nil }}, newGate().kind("stuck", true))
		old := start(t, m, flush(1))
		wait(t, m, old.ID)
		stuck := flush(1)
		stuck.Kind = "stuck"
		runs := start(t, m, stuck)
		<-time.After(2 * time.Hour)
		if _, err := m.Get(old.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("beyond its retention: %v", err)
		}
		if r, err := m.Get(runs.ID); err != nil || r.State != job.Running {
			t.Errorf("a job that runs is forgotten: %v", err)
		}
		for i := range 5 {
			wait(t, m, start(t, m, flush(ident.TableID(i+1))).ID)
		}
		if err := m.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		all, err := m.List()
		if err != nil || len(all) != 4 || all[1].TableID != 3 {
			t.Errorf("kept are %v, %v", all, err)
		}
	})
}

// The end of a job that can't be stored is told all the same, and stored later.
func TestManager_endThatCanNotBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g := newMemory(), newGate()
		m := open(t, s, job.Options{}, g.kind("flush", true))
		rec := start(t, m, flush(1))
		synctest.Wait()
		s.mu.Lock()
		s.broken = fault.New(fault.StorageFull, "the disk is full")
		s.mu.Unlock()
		g.let <- nil
		if end := wait(t, m, rec.ID); end.State != job.Completed {
			t.Errorf("ended as %+v", end)
		}
		all, err := m.List()
		if err != nil || len(all) != 1 || all[0].State != job.Completed {
			t.Errorf("listed as %v, %v", all, err)
		}
		s.mu.Lock()
		s.broken = nil
		s.mu.Unlock()
		<-time.After(time.Hour)
		if r := s.rows[rec.ID]; r.State != job.Completed {
			t.Errorf("stored as %+v", r)
		}
	})
}
