package replica

import (
	"runtime"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/store"
)

// batchesSyncing bounds the batches that were given to the store and are not
// durable. With more the batches get smaller, and each costs a sync.
const batchesSyncing = 1

// flight is a batch on its way from the committer to the finisher.
type flight struct {
	batch   *store.Batch
	view    *store.View // the state before it, until it is sent
	group   []*proposal
	pending *store.Pending
	err     error     // instead of pending
	ceiling clock.Seq // that stands once the batch is durable; 0 for no change
}

// committer is what only the committer's goroutine uses.
type committer struct {
	held *proposal      // taken from the queue for the next batch; nil for none
	tip  *store.Pending // the last batch
	most clock.Seq      // no seq above it was given
}

func (l *Local) commitLoop() {
	defer close(l.flights)
	for {
		first, ok := l.take()
		if !ok {
			return
		}
		f := &flight{batch: new(store.Batch), view: l.base()}
		l.fill(f, first)
		l.send(f)
		l.flights <- f
	}
}

func (l *Local) take() (p *proposal, ok bool) {
	if p, l.held = l.held, nil; p != nil {
		return p, true
	}
	p, ok = <-l.queue
	return p, ok
}

// fill applies the first proposal and those behind it, within the batch's
// bounds, until nothing waits and there is room for the batch, which it takes.
// A trim reads the state before its batch only, so it is a batch of its own.
func (l *Local) fill(f *flight, first *proposal) {
	l.add(f, first)
	bytes, roomy := first.size(), false
	for !first.trims() && len(f.group) < l.opts.BatchCommands && bytes < l.opts.BatchBytes {
		p := l.next(&roomy)
		if p == nil {
			break
		}
		if p.trims() {
			l.held = p
			break
		}
		l.add(f, p)
		bytes += p.size()
	}
	if !roomy {
		l.room <- struct{}{}
	}
}

// next returns the next proposal, nil when the batch is to be sent: none waits,
// and there is room for it, which was taken, or the queue is closed.
//
// Room comes just before those who wait for the former batch are answered, and
// each batch costs a sync. So those who can run are let run once: where the
// processors are busy they bring what else would have to wait for a batch more,
// and where they are not it takes no time.
func (l *Local) next(roomy *bool) *proposal {
	for {
		select {
		case p := <-l.queue:
			return p
		default:
		}
		if *roomy {
			return nil
		}
		select {
		case p := <-l.queue:
			return p
		case l.room <- struct{}{}:
			*roomy = true
			runtime.Gosched()
		}
	}
}

// add applies a proposal over the open batch, unless it was withdrawn. After an
// error the batch is dropped, and all who are in it are told.
func (l *Local) add(f *flight, p *proposal) {
	if !p.state.CompareAndSwap(waiting, taken) {
		return
	}
	f.group = append(f.group, p)
	if f.err == nil {
		f.err = l.holdCeiling(p)
	}
	if f.err == nil {
		p.outs, f.err = l.machine.Apply(f.batch, f.view, p.cs)
	}
	l.stats.commands.Add(1)
}

// send gives a filled batch to the store.
func (l *Local) send(f *flight) {
	defer f.view.Release()
	if f.err == nil {
		f.err = l.machine.Seal(f.batch, f.view)
	}
	if f.err == nil {
		f.err = l.begin(f)
	}
	if f.err == nil {
		l.tip = f.pending
		return
	}
	f.err = fault.Wrap(fault.Internal, f.err, "commit a batch")
	if again := l.machine.Reload(f.view); again != nil {
		l.opts.Logger.Error("reload shards after a failed commit", "error", again)
	}
}

func (l *Local) begin(f *flight) (err error) {
	sync := l.opts.SyncInterval == 0
	if f.batch.Len() > 0 {
		l.stats.batches.Add(1)
		if sync {
			l.stats.syncs.Add(1)
			f.ceiling = l.renewCeiling(f.batch)
		}
	}
	f.pending, err = l.db.CommitAsync(f.batch, sync)
	return err
}

// base returns the state after the last batch, which need not be durable yet.
func (l *Local) base() *store.View {
	if l.tip != nil {
		return l.tip.View()
	}
	return l.db.View()
}

func (l *Local) finishLoop() {
	for f := range l.flights {
		l.finish(f)
	}
}

// finish waits for a batch and answers it. A batch behind one that failed fails
// too, and what was judged over it is not told.
func (l *Local) finish(f *flight) {
	err := f.err
	if err == nil {
		if err = f.pending.Wait(); err != nil {
			err = fault.Wrap(fault.Internal, err, "commit a batch")
		}
	}
	if err == nil && f.ceiling > 0 {
		l.ceiling.Store(uint64(f.ceiling))
	}
	<-l.room
	if err == nil {
		for _, p := range f.group {
			l.heard(p.cs, p.outs)
		}
		l.tell()
		l.dropEmptied(f.group)
	}
	for _, p := range f.group {
		if err != nil {
			p.outs, p.err = nil, err
		}
		close(p.done)
	}
}

// dropEmptied drops the names of partitions that a batch has emptied.
func (l *Local) dropEmptied(group []*proposal) {
	for _, p := range group {
		if err := apply.DropEmptied(l.db, p.outs); err != nil {
			l.opts.Logger.Error("drop a partition that is empty; it is when the server is started again",
				"error", err)
		}
	}
}
