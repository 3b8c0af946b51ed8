package store

import (
	"sync"
	"sync/atomic"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Pending is a batch that the engine has applied and that readers don't see
// yet. It is published by Wait, which is to be called for each one. It is safe
// for concurrent use.
type Pending struct {
	db     *DB
	view   *View        // the state after it, with a reference until it has landed
	wait   func() error // for it to be durable; nil when it is, or need not be
	before *Pending     // used by finish only

	once   sync.Once
	err    error
	landed atomic.Bool // or failed: view is not for Pending to use any more
}

// CommitAsync is Commit in two steps. The first one applies b and returns with
// the state after b, which nobody is shown, for one who prepares the next
// batch; Wait is the second one. Pending batches are published in order, and
// when one is not made durable those behind it fail too, and the DB refuses
// further writes. Commit, CreatePartition and Close wait for pending batches.
//
// An engine that is no AsyncEngine syncs b in the first step. The caller bounds
// the number of pending batches. Errors of CommitAsync are as Commit's.
func (d *DB) CommitAsync(b *Batch, sync bool) (*Pending, error) {
	d.write.Lock()
	defer d.write.Unlock()
	if err := d.failure(); err != nil {
		return nil, err
	}
	wait, err := d.apply(b, sync)
	if fault.Is(err, fault.PayloadTooLarge) {
		return nil, err
	}
	if err != nil {
		return nil, d.fail(err)
	}
	snap, err := d.engine.Snapshot()
	if err != nil {
		return nil, d.fail(err)
	}
	d.tip = &Pending{db: d, view: d.newView(snap), wait: wait, before: d.tip}
	return d.tip, nil
}

// apply hands b to the engine. wait is nil when there is nothing to wait for.
func (d *DB) apply(b *Batch, sync bool) (wait func() error, err error) {
	if b.Len() == 0 {
		return nil, nil
	}
	if e, ok := d.engine.(AsyncEngine); ok && sync {
		return e.ApplyAsync(b)
	}
	return nil, d.engine.Apply(b, sync)
}

// View returns the state after the batch with a reference for the caller, or a
// later one when that is published. Until Wait has returned it may be lost in a
// crash, so that nothing of it may be told to anybody.
func (p *Pending) View() *View {
	if !p.landed.Load() && p.view.retain() {
		return p.view
	}
	return p.db.View()
}

// Wait returns once the batch is durable and published, as those before it are.
// After an error nothing of it is shown.
func (p *Pending) Wait() error {
	p.once.Do(func() {
		p.err = p.finish()
		p.landed.Store(true)
	})
	return p.err
}

func (p *Pending) finish() (err error) {
	if p.before != nil {
		err = p.before.Wait()
		p.before = nil
	}
	if p.wait != nil {
		if late := p.wait(); late != nil && err == nil {
			err = p.db.fail(late)
		}
		p.wait = nil
	}
	if err != nil {
		p.view.Release()
		return err
	}
	p.db.publish(p.view)
	return nil
}
