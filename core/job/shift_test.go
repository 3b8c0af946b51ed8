package job_test

import (
	"context"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// TestManager_Shifts has a job begun on one node be cut when the node does not lead
// any more, and done by the next one.
func TestManager_Shifts(t *testing.T) {
	s := newMemory()
	began, done := make(chan struct{}, 1), make(chan struct{})
	kind := func(run func(context.Context) error) job.Kind {
		return job.Kind{Name: "k", Resume: true, Run: func(ctx context.Context, _ *job.Work) error {
			return run(ctx)
		}}
	}
	blocks := kind(func(ctx context.Context) error {
		began <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	first := open(t, s, job.Options{}, blocks)
	second := open(t, s, job.Options{Resting: true}, kind(func(context.Context) error {
		close(done)
		return nil
	}))
	request := job.Request{Kind: "k"}
	if _, err := second.Start(t.Context(), request); !fault.Is(err, fault.NotLeader) {
		t.Errorf("a start at rest: %v, want NOT_LEADER", err)
	}
	r, err := first.Start(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	<-began
	if err := first.Rest(); err != nil {
		t.Fatal(err)
	}
	if got := s.went(r.ID); got != "[queued running]" {
		t.Errorf("a job that was cut went %s", got)
	}
	if err := second.TakeUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-done
	if r, err = second.Wait(t.Context(), r.ID); err != nil || r.State != job.Completed {
		t.Errorf("the job is %s after the other node took it up: %v", r.State, err)
	}
	if r, err = first.Get(r.ID); err != nil || r.State != job.Completed {
		t.Errorf("the node at rest says that it is %s: %v", r.State, err)
	}
	// And back: at rest again, the first one takes up what is there then.
	if err := second.Rest(); err != nil {
		t.Fatal(err)
	}
	if err := first.TakeUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Start(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	<-began
}

// TestManager_RestAndClose has a node that stops lose the lead while its jobs may still
// end, and get it again.
func TestManager_RestAndClose(t *testing.T) {
	began, end := make(chan struct{}), make(chan struct{})
	m := open(t, newMemory(), job.Options{}, job.Kind{Name: "k", Resume: true,
		Run: func(context.Context, *job.Work) error {
			close(began)
			<-end
			return nil
		}})
	r, err := m.Start(t.Context(), job.Request{Kind: "k"})
	if err != nil {
		t.Fatal(err)
	}
	<-began
	closed := make(chan error, 1)
	go func() {
		cut, err := m.Close(t.Context())
		if len(cut) > 0 {
			t.Errorf("%d jobs were cut", len(cut))
		}
		closed <- err
	}()
	testkit.Eventually(t, time.Minute, "no job is taken on", func() bool {
		_, err := m.Start(t.Context(), job.Request{Kind: "k"})
		return fault.Is(err, fault.ShuttingDown)
	})
	if err := m.Rest(); err != nil {
		t.Error(err)
	}
	if err := m.TakeUp(t.Context()); !fault.Is(err, fault.ShuttingDown) {
		t.Errorf("a shift behind Close: %v, want SHUTTING_DOWN", err)
	}
	close(end)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if r, err := m.Get(r.ID); err != nil || r.State != job.Completed {
		t.Errorf("the job is %s: %v", r.State, err)
	}
}
