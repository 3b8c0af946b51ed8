package replica

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/lni/dragonboat/v4"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
)

// Propose implements Log. Where a command was given to the group and no answer came
// within RaftOptions.Timeout, it fails with a NO_QUORUM that says so.
func (r *Raft) Propose(ctx context.Context, c *command.Command) (apply.Outcome, error) {
	g := r.group(c.Shard)
	if g == nil || !g.held.Load() {
		return apply.Outcome{}, &Elsewhere{Shard: c.Shard}
	}
	if err := r.machine.Barrier().Allow(c); err != nil {
		return apply.Outcome{}, err
	}
	p := &proposal{cs: []*command.Command{c}, done: make(chan struct{})}
	late := time.NewTimer(r.opts.Timeout)
	defer late.Stop()
	if err := g.enqueue(ctx, p, late.C); err != nil {
		return apply.Outcome{}, err
	}
	var err error
	select {
	case <-p.done:
	case <-ctx.Done():
		err = fault.From(ctx.Err())
	case <-late.C:
		err = nothingWritten(c.Shard)
	}
	if err != nil && p.state.CompareAndSwap(waiting, withdrawn) {
		return apply.Outcome{}, err
	}
	<-p.done
	if p.err != nil {
		return apply.Outcome{}, p.err
	}
	return p.outs[0], nil
}

// ProposeAll implements Log by two phases.
func (r *Raft) ProposeAll(ctx context.Context, cs []*command.Command) ([]apply.Outcome, error) {
	if len(cs) == 1 {
		out, err := r.Propose(ctx, cs[0])
		if err != nil {
			return nil, err
		}
		return []apply.Outcome{out}, nil
	}
	return r.several.Commit(ctx, cs)
}

func (g *group) enqueue(ctx context.Context, p *proposal, late <-chan time.Time) error {
	g.r.using.RLock()
	defer g.r.using.RUnlock()
	if g.r.closed {
		return errClosing
	}
	select {
	case g.queue <- p:
		return nil
	default:
	}
	select {
	case g.queue <- p:
		return nil
	case <-g.r.refusing:
		return errClosing
	case <-ctx.Done():
		return fault.From(ctx.Err())
	case <-late:
		return nothingWritten(g.shard)
	}
}

func nothingWritten(s ident.ShardID) error {
	return fault.New(fault.NoQuorum,
		"too few nodes of shard %d answer, or they are too slow; nothing was written, "+
			"send the statement again later", s)
}

func maybeWritten(s ident.ShardID) error {
	return fault.New(fault.NoQuorum,
		"too few nodes of shard %d answer, or they are too slow; the write may still happen: "+
			"send the statement again with the same request_id, or look whether it did", s)
}

// carriage is an entry on its way from the proposer to its application here.
type carriage struct {
	g     *group
	entry entry
	bytes []byte
	group []*proposal // one for each command
	done  chan struct{}
	once  sync.Once
	gone  bool // this node has no replica any more; used by carry
}

// proposeLoop packs what waits into entries until the log is closed and nothing
// waits.
func (g *group) proposeLoop() {
	var held *proposal
	for {
		first := held
		if held = nil; first == nil {
			select {
			case first = <-g.queue:
			case <-g.r.closing:
				select {
				case first = <-g.queue:
				default:
					return
				}
			}
		}
		g.room <- struct{}{} // entries on the way end within the timeout
		var c *carriage
		if c, held = g.pack(first); c == nil {
			<-g.room
			continue
		}
		g.r.wg.Go(c.carry)
	}
}

// pack makes an entry of the first proposal and those that wait behind it, within
// the bounds. A trim, which is applied in a batch of its own, is an entry of its own:
// one that is met behind others is returned. c is nil when all were withdrawn.
func (g *group) pack(first *proposal) (c *carriage, next *proposal) {
	c = &carriage{g: g, done: make(chan struct{})}
	size := 0
	for p := first; p != nil; {
		if p.trims() && len(c.group) > 0 {
			next = p
			break
		}
		if p.state.CompareAndSwap(waiting, taken) {
			c.group = append(c.group, p)
			c.entry.commands = append(c.entry.commands, p.cs[0])
			size += p.size()
		}
		if p.trims() || len(c.group) >= g.r.opts.EntryCommands || size >= g.r.opts.EntryBytes {
			break
		}
		select {
		case p = <-g.queue:
		default:
			p = nil
		}
	}
	if len(c.group) == 0 {
		return nil, next
	}
	g.send(c, size)
	return c, next
}

// mostApart is how far apart the numbers of entries on the way are at most; a shard
// recognises twice as many.
const mostApart = 512

// send numbers and encodes an entry. It waits while one is on the way that the window
// would lose sight of.
func (g *group) send(c *carriage, size int) {
	g.number++
	c.entry.Ticket = apply.Ticket{Node: g.r.opts.Node, Run: g.r.run, Number: g.number}
	c.bytes = c.entry.append(make([]byte, 0, size+64))
	for {
		g.mu.Lock()
		var late *carriage
		for n, other := range g.onWay {
			if n+mostApart <= g.number {
				late = other
			}
		}
		if late == nil {
			g.onWay[g.number] = c
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
		<-late.done
	}
}

// answer ends the way of an entry. outs are in the order of its commands.
func (c *carriage) answer(outs []apply.Outcome, err error) {
	c.once.Do(func() {
		c.g.mu.Lock()
		delete(c.g.onWay, c.entry.Number)
		c.g.mu.Unlock()
		for i, p := range c.group {
			if p.err = err; err == nil {
				p.outs = outs[i : i+1]
			}
			close(p.done)
		}
		close(c.done)
	})
}

// Attempts to propose an entry: for how long its answer is waited for before it is
// proposed again. Its answer may have been lost with a leader.
const (
	firstAttempt = time.Second
	mostAttempts = 4 * time.Second
)

// carry proposes an entry until it is applied here, or its time is over.
func (c *carriage) carry() {
	defer func() { <-c.g.room }()
	deadline := time.NewTimer(c.g.r.opts.Timeout)
	defer deadline.Stop()
	wait, sent := c.g.r.opts.again, false
	for {
		changed := c.g.changed()
		given, ended := c.attempt(changed, wait, deadline.C)
		sent = sent || given
		switch {
		case c.gone && !sent:
			c.answer(nil, &Elsewhere{Shard: c.g.shard})
			return
		case !ended && !c.gone:
		case sent:
			c.answer(nil, maybeWritten(c.g.shard))
			return
		default:
			c.answer(nil, nothingWritten(c.g.shard))
			return
		}
		select {
		case <-c.done:
			return
		default:
		}
		wait = min(2*wait, mostAttempts)
	}
}

// attempt proposes the entry once and waits for what comes of it. given is false when
// it is sure that the group has not got it, ended is true when its time is over.
func (c *carriage) attempt(
	changed <-chan struct{}, wait time.Duration, deadline <-chan time.Time,
) (given, ended bool) {
	rs, err := c.g.r.host.Propose(c.g.session, c.bytes, c.g.r.opts.Timeout)
	again := time.NewTimer(wait)
	defer again.Stop()
	var result <-chan dragonboat.RequestResult
	switch {
	case err == nil:
		result, given = rs.AppliedC(), true
	case errors.Is(err, dragonboat.ErrPayloadTooBig):
		c.answer(nil, fault.New(fault.PayloadTooLarge, "the write is too large for the log; split it"))
		return false, false
	case errors.Is(err, dragonboat.ErrShardNotFound):
		c.g.held.Store(false)
		c.gone = true
		return false, false
	default:
		again.Reset(retryPause)
	}
	for {
		select {
		case <-c.done:
			return given, false
		case res := <-result:
			result = nil
			if res.Completed() {
				// It was applied here just before, or by a snapshot that has its outcome not.
				c.answer(nil, maybeWritten(c.g.shard))
				return given, false
			}
			if res.Dropped() {
				given = false
			}
			again.Reset(retryPause)
		case <-changed:
			changed = nil
			again.Reset(retryPause)
		case <-again.C:
			return given, false
		case <-deadline:
			return given, true
		}
	}
}
