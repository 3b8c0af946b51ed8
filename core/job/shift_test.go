package job_test

import (
	"context"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/job"
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
