package job

import (
	"context"
	"errors"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// finish stores the last state of a job and tells those who wait for it. When
// it can't be stored it is kept in memory and tried again by forgetLoop.
func (m *Manager) finish(ctx context.Context, a *actor, r Record) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if err := m.store.Put(ctx, r); err != nil {
		m.opts.Logger.Error("store the end of a job; it is tried again", "job", r.Name(), "error", err)
		m.mu.Lock()
		if len(m.unsaved) < m.opts.Queue { // else a restart finds it interrupted
			m.unsaved[r.ID] = r
		}
		m.mu.Unlock()
	}
	m.count(r.State).Add(1)
	m.forgetActor(a)
	close(a.ended)
}

func (m *Manager) forgetActor(a *actor) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.actors, a.rec.ID)
}

// takeUp goes on with the jobs that had not ended when the process did: those
// that waited, and those that ran and can be begun anew. Others have failed.
func (m *Manager) takeUp(ctx context.Context) error {
	var left []Record
	err := m.store.Each(func(r Record) error {
		if !r.State.Ended() {
			left = append(left, r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range left {
		kind, ok := m.kinds[r.Kind]
		began := r.State == Running || r.State == Retrying
		switch {
		case !ok || began && !kind.Resume:
			err = m.giveUp(ctx, r, errInterrupted)
		case r.State == Running && r.Attempts >= m.opts.Attempts: // does it end the server?
			err = m.giveUp(ctx, r, errTooOften)
		default:
			err = m.goOn(ctx, kind, r)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var (
	errInterrupted = fault.New(fault.Cancelled,
		"the server ended while the job ran, and it can't be taken up again; start another")
	errTooOften = fault.New(fault.Cancelled,
		"the server ended while the job ran, as often as a job is tried; start another")
)

// giveUp stores that a job of an earlier process has failed.
func (m *Manager) giveUp(ctx context.Context, r Record, why error) error {
	r.State, r.Finished, r.Error = Failed, m.opts.Now().UTC(), describe(why)
	m.count(Failed).Add(1)
	m.opts.Logger.Warn("a job was interrupted", "job", r.Name(), "error", why)
	return m.store.Put(ctx, r)
}

// goOn puts a job of an earlier process into the queue.
func (m *Manager) goOn(ctx context.Context, kind Kind, r Record) error {
	if r.State != Queued {
		r.State, r.Message = Queued, "taken up again after a restart"
		if err := m.store.Put(ctx, r); err != nil {
			return err
		}
	}
	a := newActor(m, kind, r)
	a.stored = true
	m.mu.Lock()
	m.actors[r.ID] = a
	m.enqueueLocked(a)
	m.mu.Unlock()
	m.now().supervisor.Add(a)
	return nil
}

// Pace of forgetting.
const (
	forgetEvery = 10 * time.Minute
	forgetChunk = 500
)

// forgetLoop removes old jobs from time to time, until ctx ends.
func (m *Manager) forgetLoop(ctx context.Context) {
	tick := time.NewTicker(forgetEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			err := errors.Join(m.saveEnds(ctx), m.Forget(ctx))
			if err != nil && ctx.Err() == nil {
				m.opts.Logger.Error("remove old jobs; it is tried again", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// saveEnds stores the ends that could not be stored before.
func (m *Manager) saveEnds(ctx context.Context) error {
	m.mu.Lock()
	unsaved := make([]Record, 0, len(m.unsaved))
	for _, r := range m.unsaved {
		unsaved = append(unsaved, r)
	}
	m.mu.Unlock()
	for _, r := range unsaved {
		if err := m.store.Put(ctx, r); err != nil {
			return err
		}
		m.mu.Lock()
		delete(m.unsaved, r.ID)
		m.mu.Unlock()
	}
	return nil
}

// Forget removes jobs that ended longer ago than the retention, and the oldest
// beyond the most that are kept. It is done from time to time without being
// asked.
func (m *Manager) Forget(ctx context.Context) error {
	var ended []Record
	err := m.store.Each(func(r Record) error {
		if r.State.Ended() {
			ended = append(ended, r)
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	before := m.opts.Now().Add(-m.opts.Retention)
	var old []ident.JobID
	for i, r := range ended {
		if len(ended)-i > m.opts.MaxKept || r.Finished.Before(before) {
			old = append(old, r.ID)
		}
	}
	for len(old) > 0 {
		n := min(len(old), forgetChunk)
		if err := m.store.Delete(ctx, old[:n]); err != nil {
			return err
		}
		old = old[n:]
	}
	return nil
}
