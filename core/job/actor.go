package job

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"github.com/thejerf/suture/v4"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// kill is a message to an actor: end, and say why.
type kill struct{ reason string }

// actor runs one job: it is the only one to change its record. Serve is its
// goroutine, which the supervisor owns.
type actor struct {
	m    *Manager
	kind Kind
	key  key

	mail    chan kill     // one is enough: the second has nothing to add
	granted chan struct{} // the manager says that it is the job's turn
	ended   chan struct{} // closed when the record is final

	// Guarded by Manager.mu: see turn.go. A job is stored before others may
	// count on it.
	waiting, holding, owning, stored bool

	mu   sync.Mutex
	rec  Record
	work *Work // the present attempt, nil in between
}

var _ suture.Service = (*actor)(nil)

// String returns the name by which the supervisor calls the actor; without it
// the supervisor would print, and so read, all its fields.
func (a *actor) String() string { return a.rec.Name() }

// record returns the job as it is now.
func (a *actor) record() Record {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := a.rec
	if a.work != nil {
		a.work.fill(&r)
	}
	return r
}

// kill asks the job to end. It does not wait for that.
func (a *actor) kill(reason string) {
	select {
	case a.mail <- kill{reason}:
	default:
	}
}

// Serve implements suture.Service: it lives until the job has ended, or ctx
// does. After a panic of its own the supervisor calls it again.
func (a *actor) Serve(ctx context.Context) error {
	defer a.m.leave(a)
	for {
		a.m.wait(a)
		select {
		case <-a.granted:
		case k := <-a.mail:
			return a.end(ctx, Cancelled, k.reason, nil)
		case <-ctx.Done():
			return ctx.Err() // what is stored says that it waits
		}
		killed, err := a.attempt(ctx)
		a.m.release(a)
		switch {
		case killed != "" && err != nil:
			return a.end(ctx, Cancelled, killed, nil)
		case ctx.Err() != nil && err != nil:
			return a.cut(ctx)
		case err == nil || !retryable(err) || a.attempts() >= a.m.opts.Attempts:
			return a.judge(ctx, err)
		}
		if reason, ok := a.pause(ctx, err); !ok {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return a.end(ctx, Cancelled, reason, nil)
		}
	}
}

func (a *actor) attempts() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rec.Attempts
}

// attempt runs the work once. killed is why it was killed, "" if it was not.
func (a *actor) attempt(ctx context.Context) (killed string, err error) {
	w := a.begin()
	a.save(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- a.run(ctx, w) }() // ends with the loop below
	tick := time.NewTicker(a.m.opts.ProgressInterval)
	defer tick.Stop()
	saved := a.record()
	for {
		select {
		case err := <-result:
			a.settle(w)
			return killed, err
		case k := <-a.mail:
			killed = k.reason
			cancel()
		case <-tick.C:
			if now := a.record(); now.progressed(&saved) {
				a.save(ctx)
				saved = now
			}
		}
	}
}

// progressed reports whether there is something new to see since before.
func (r *Record) progressed(before *Record) bool {
	return r.Progress != before.Progress || r.Rows != before.Rows || r.Bytes != before.Bytes ||
		r.Message != before.Message
}

// run calls the kind. A panic is an error like another.
func (a *actor) run(ctx context.Context, w *Work) (err error) {
	defer func() {
		if p := recover(); p != nil {
			a.m.opts.Logger.Error("a job panicked", "job", w.Kind, "panic", p,
				"stack", string(debug.Stack()))
			err = fault.New(fault.Internal, "the job failed by a fault of the server; its log has more")
		}
	}()
	return a.kind.Run(ctx, w)
}

// begin makes the record that of a new attempt.
func (a *actor) begin() *Work {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rec.State, a.rec.Message, a.rec.Progress = Running, "", 0
	a.rec.Attempts++
	if a.rec.Started.IsZero() {
		a.rec.Started = a.m.opts.Now().UTC()
	}
	a.work = &Work{Request: a.rec.Request, Attempt: a.rec.Attempts}
	return a.work
}

// settle keeps what an attempt has done.
func (a *actor) settle(w *Work) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.fill(&a.rec)
	a.work = nil
}

// judge ends the job as the last attempt ended.
func (a *actor) judge(ctx context.Context, err error) error {
	var s *skip
	switch {
	case err == nil:
		return a.end(ctx, Completed, "", nil)
	case errors.As(err, &s):
		return a.end(ctx, Skipped, s.reason, nil)
	}
	return a.end(ctx, Failed, "", err)
}

// end gives the record its last state and stores it.
func (a *actor) end(ctx context.Context, s State, message string, err error) error {
	a.mu.Lock()
	a.rec.State, a.rec.Finished = s, a.m.opts.Now().UTC()
	if message != "" {
		a.rec.Message = message
	}
	a.rec.Error = ""
	switch {
	case err != nil:
		a.rec.Error = describe(err)
	case s == Completed:
		a.rec.Progress = 100
	}
	r := a.rec
	a.mu.Unlock()
	a.m.finish(ctx, a, r)
	if err != nil {
		a.m.opts.Logger.Error("a job failed", "job", r.Name(), "error", err)
	}
	return suture.ErrDoNotRestart
}

// cut leaves a job that the end of the process interrupts: one that can be
// taken up again stays as stored, any other has failed.
func (a *actor) cut(ctx context.Context) error {
	if a.kind.Resume {
		return ctx.Err()
	}
	return a.end(ctx, Failed, "", errStopped)
}

var errStopped = fault.New(fault.ShuttingDown,
	"the job was interrupted by the end of the server and can't be taken up again; start another")

// pause waits before the next attempt, err being the outcome of the last. It is
// not ok when the job was killed meanwhile, or ctx ended.
func (a *actor) pause(ctx context.Context, err error) (reason string, ok bool) {
	wait := a.m.opts.backoff(a.attempts())
	a.mu.Lock()
	a.rec.State, a.rec.Error = Retrying, describe(err)
	a.rec.Message = "tried again in " + wait.Round(time.Millisecond).String()
	a.mu.Unlock()
	a.m.retries.Add(1)
	a.m.opts.Logger.Warn("a job is tried again", "job", a.record().ID, "in", wait, "error", err)
	a.save(ctx)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return "", true
	case k := <-a.mail:
		return k.reason, false
	case <-ctx.Done():
		return "", false
	}
}

// backoff returns how long the attempt after n waits: twice as long each time,
// with some chance in it so that what failed together is not tried together.
func (o *Options) backoff(n int) time.Duration {
	wait := o.Backoff
	for ; n > 1 && wait < o.MaxBackoff; n-- {
		wait *= 2
	}
	wait = min(wait, o.MaxBackoff)
	return wait/2 + rand.N(wait/2+1)
}

// saveTimeout bounds the writing of a record.
const saveTimeout = 10 * time.Second

// save stores the record as it is, although ctx may have ended. What can't be
// stored is logged: the job goes on, and its next state is stored.
func (a *actor) save(ctx context.Context) {
	r := a.record()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if err := a.m.store.Put(ctx, r); err != nil {
		a.m.opts.Logger.Error("store the state of a job; it goes on", "job", r.Name(), "error", err)
	}
}

// describe returns an error as system.jobs shows it.
func describe(err error) string {
	e := fault.From(err)
	return string(e.Code) + ": " + e.Message
}

// key is what one job at a time may work on.
type key struct {
	group string
	table ident.TableID
}
