package replica

import (
	"encoding/binary"
	"sync"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
)

// applier is what the state machines of all groups hand their work to. One goroutine
// takes it, so that the Machine has one user and a batch is shared by groups.
type applier struct {
	portions chan *portion
	stalled  chan struct{} // closed when the node has failed
	wg       sync.WaitGroup

	// Used by the goroutine only.
	open     *openBatch
	finished []applied
}

// portion is what a group has to apply, or another thing to be done in between.
type portion struct {
	g       *group
	entries []indexed
	do      func() error // in the place of entries; nothing is open while it runs
	done    chan struct{}
	err     error
}

// indexed is an entry at its place in the Raft log.
type indexed struct {
	*entry
	index uint64
	bytes int
}

// openBatch is the batch that is filled, over the state before it.
type openBatch struct {
	batch *store.Batch
	view  *store.View
	index map[*group]uint64
}

// applied is an entry of the open batch with what became of it.
type applied struct {
	g    *group
	e    *entry
	outs []apply.Outcome
}

func newApplier() applier {
	return applier{portions: make(chan *portion), stalled: make(chan struct{})}
}

// hand gives work to the applier and waits until it is done and visible, or the node has
// failed.
func (r *Raft) hand(p *portion) error {
	p.done = make(chan struct{})
	select {
	case r.portions <- p:
	case <-r.stalled:
		return r.failed.Load()
	}
	select {
	case <-p.done:
		return p.err
	case <-r.stalled:
		return r.failed.Load()
	}
}

func (r *Raft) applyLoop() {
	for first := range r.portions {
		list := r.gather(first)
		if err := r.applyAll(list); err != nil {
			if r.open != nil {
				r.open.view.Release()
			}
			r.fail(err)
			return
		}
		for _, p := range list {
			close(p.done)
		}
	}
}

// gather returns a portion with those of other groups that wait too.
func (r *Raft) gather(first *portion) []*portion {
	list := []*portion{first}
	for len(list) < len(r.groups) {
		select {
		case p, ok := <-r.portions:
			if !ok {
				return list
			}
			list = append(list, p)
		default:
			return list
		}
	}
	return list
}

// fail ends what the node can do. What is in the store is what was applied, so the
// node goes on where it was once it is started again. The library is given no error,
// at which it would end the process, but no answer until the log is closed.
func (r *Raft) fail(err error) {
	f := fault.Wrap(fault.Internal, err, "follow the Raft log")
	if !r.failed.CompareAndSwap(nil, f) {
		return
	}
	for _, g := range r.groups {
		g.held.Store(false)
	}
	close(r.stalled)
	r.opts.Logger.Error("the node can't go on and is to be restarted", "error", f)
	r.opts.OnFailed(f)
}

func (r *Raft) applyAll(list []*portion) error {
	for _, p := range list {
		if p.do != nil {
			if err := r.flush(); err != nil {
				return err
			}
			p.err = p.do()
			continue
		}
		for _, e := range p.entries {
			if err := r.applyEntry(p.g, e); err != nil {
				return err
			}
		}
	}
	return r.flush()
}

// applyBytes bounds a batch.
const applyBytes = 4 << 20

// applyEntry adds an entry to the open batch. A trim reads the state before its batch
// only, so the batch is its own.
func (r *Raft) applyEntry(g *group, e indexed) error {
	trims := len(e.commands) > 0 && e.commands[0].Trim != nil
	if r.open != nil && (trims || r.open.batch.Bytes() > applyBytes) {
		if err := r.flush(); err != nil {
			return err
		}
	}
	if r.open == nil {
		r.open = &openBatch{
			batch: new(store.Batch), view: r.db.View(), index: make(map[*group]uint64),
		}
	}
	r.open.index[g] = e.index
	done := applied{g: g, e: e.entry}
	verdict, err := r.machine.Once(g.shard, e.Ticket)
	if err != nil {
		return err
	}
	if verdict == apply.First {
		done.outs = make([]apply.Outcome, 0, len(e.commands))
		for _, c := range e.commands {
			outs, err := r.machine.Apply(r.open.batch, r.open.view, []*command.Command{c})
			if err != nil {
				return err
			}
			done.outs = append(done.outs, outs[0])
		}
	}
	r.finished = append(r.finished, done)
	g.grew(e.bytes)
	if trims {
		return r.flush()
	}
	return nil
}

// flush commits the open batch, tells of it, and answers those who wait here.
func (r *Raft) flush() error {
	o := r.open
	if o == nil {
		return nil
	}
	r.open = nil
	defer o.view.Release()
	if err := r.machine.Seal(o.batch, o.view); err != nil {
		return err
	}
	for g, index := range o.index {
		o.batch.Put(g.part, []byte(keyIndex), binary.BigEndian.AppendUint64(nil, index))
	}
	if err := r.db.Commit(o.batch, false); err != nil {
		return err
	}
	for g, index := range o.index {
		g.applied.Store(index)
	}
	for _, d := range r.finished {
		r.heard(d.e.commands, d.outs)
		if len(d.outs) > 0 {
			r.clock.Observe(d.outs[len(d.outs)-1].Seq)
			r.opts.Applied(d.g.shard, d.e.commands, d.outs)
		}
	}
	r.tell()
	for _, d := range r.finished {
		r.answer(d)
	}
	err := r.dropEmptied()
	clear(r.finished)
	r.finished = r.finished[:0]
	return err
}

func (r *Raft) dropEmptied() error {
	for _, d := range r.finished {
		if err := apply.DropEmptied(r.db, d.outs); err != nil {
			return err
		}
	}
	return nil
}

// answer tells who proposed an entry here and in this run. One that was not the first
// of its ticket was answered by the first one, or came with a snapshot.
func (r *Raft) answer(d applied) {
	if d.e.Node != r.opts.Node || d.e.Run != r.run {
		return
	}
	d.g.mu.Lock()
	c := d.g.onWay[d.e.Number]
	d.g.mu.Unlock()
	switch {
	case c == nil:
	case d.outs == nil:
		c.answer(nil, maybeWritten(d.g.shard))
	default:
		c.answer(d.outs, nil)
	}
}
