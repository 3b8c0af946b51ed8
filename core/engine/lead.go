package engine

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
)

// The node that leads the system tables finishes what changes of the catalogue
// another one has left half done, and has the jobs. Its background work carries the
// term it began under, so that it changes nothing any more once a later leader has
// begun.

// retakeEvery is how often a node tries to take up its duties when that failed, and
// looks whether it still has them.
const retakeEvery = time.Second

// resolveEvery is how often it is looked for transactions over several shards whose
// coordinator is gone.
const resolveEvery = time.Second

// led is told when another node leads a shard.
func (e *Engine) led(s ident.ShardID, _ ident.NodeID, _ uint64) {
	if s != ident.SystemShard || e.turns == nil {
		return
	}
	select {
	case e.turns <- struct{}{}:
	default:
	}
}

// leadLoop takes up and lays down the duties of the leader, until ctx ends.
func (e *Engine) leadLoop(ctx context.Context) {
	tick := time.NewTicker(retakeEvery)
	defer tick.Stop()
	var since uint64 // term in which this node has the duties; 0 for none
	for {
		node, term := e.log.Leader(ident.SystemShard)
		if node != e.log.Node() {
			term = 0
		}
		var err error
		if since != 0 && since != term {
			err, since = e.layDown(), 0
		}
		if err == nil && term != 0 && since == 0 {
			if err = e.takeUp(ctx, term); err == nil {
				since = term
			}
		}
		if err != nil && ctx.Err() == nil {
			e.opts.Logger.Warn("take up or lay down what the leader does; it is tried again",
				"term", term, "error", err)
		}
		select {
		case <-e.turns:
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (e *Engine) takeUp(ctx context.Context, term uint64) error {
	e.term.Store(term)
	if err := e.exec.Recover(ctx); err != nil {
		return err
	}
	return e.jobs.TakeUp(ctx)
}

func (e *Engine) layDown() error { return e.jobs.Rest() }

// termed is the log of work in the background: its commands carry the term under
// which the node has taken it up.
type termed struct {
	replica.Log
	term *atomic.Uint64 // 0 for no epoch
}

// Propose implements replica.Log.
func (t termed) Propose(ctx context.Context, c *command.Command) (apply.Outcome, error) {
	return t.Log.Propose(ctx, t.of(c))
}

// ProposeAll implements replica.Log.
func (t termed) ProposeAll(ctx context.Context, cs []*command.Command) ([]apply.Outcome, error) {
	all := make([]*command.Command, len(cs))
	for i, c := range cs {
		all[i] = t.of(c)
	}
	return t.Log.ProposeAll(ctx, all)
}

func (t termed) of(c *command.Command) *command.Command {
	term := t.term.Load()
	if term == 0 || c.Epoch != 0 {
		return c
	}
	epoch := *c
	epoch.Epoch = term
	return &epoch
}

// begin begins what runs beside the statements.
func (e *Engine) begin(starting context.Context) error {
	ctx, stop := context.WithCancel(context.Background())
	e.stop = stop
	if e.single() {
		if err := e.exec.Recover(starting); err != nil {
			return err
		}
		if err := e.exec.RecoverBound(starting); err != nil {
			return err
		}
		e.jobs.Begin()
	} else {
		e.wg.Go(func() { e.unbind(ctx) })
		e.news.tell(true)
		e.wg.Go(func() { e.followLoop(ctx) })
		e.wg.Go(func() { e.leadLoop(ctx) })
		if a := e.agent(); a != nil {
			e.wg.Go(func() { a.Serve(ctx) })
		}
		if r, ok := e.log.(*replica.Raft); ok {
			e.wg.Go(func() { r.Coordinator().Run(ctx, resolveEvery, e.opts.Logger) })
		}
	}
	e.wg.Go(func() { e.trimLoop(ctx) })
	e.wg.Go(func() { e.evictLoop(ctx) })
	e.wg.Go(func() { e.audit.Run(ctx) })
	e.wg.Go(func() { e.storages.Run(ctx) })
	if e.InCluster() {
		e.wg.Go(func() { e.copyLoop(ctx) })
	}
	return nil
}

// unbind removes what sessions of this node had bound before it was started, as soon
// as that can be.
func (e *Engine) unbind(ctx context.Context) {
	tick := time.NewTicker(retakeEvery)
	defer tick.Stop()
	for {
		err := e.exec.RecoverBound(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		e.opts.Logger.Warn("remove rows of connections from before; it is tried again", "error", err)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
