package replica

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
)

// patience is how long an intent or a decision stands before somebody else than its
// coordinator ends it. It is counted from when this process first saw it: seqs may be
// of a clock that is ahead.
const patience = 3 * time.Second

// others is how many times longer a decision stands before a node takes it that does
// not lead its first shard: the one that does may not hold the others.
const others = 4

// standing remembers since when the transactions stand that Recover meets.
type standing struct {
	now   func() time.Time
	since map[stands]time.Time
	met   map[stands]time.Time // in this round
}

// stands is an intent of a shard, or a decision.
type stands struct {
	tx       command.Tx
	shard    ident.ShardID
	decision bool
}

func newStanding(now func() time.Time) standing { return standing{now: now} }

func (s *standing) begin() { s.met = make(map[stands]time.Time) }

// end forgets what was not met in this round.
func (s *standing) end() { s.since = s.met }

// longer reports whether a thing has been there for a time.
func (s *standing) longer(k stands, than time.Duration) bool {
	since, ok := s.since[k]
	if !ok {
		since = s.now()
	}
	s.met[k] = since
	return s.now().Sub(since) >= than
}

// Run calls Recover at an interval until ctx ends.
func (c *Coordinator) Run(ctx context.Context, every time.Duration, logger *slog.Logger) {
	for pause(ctx, every) {
		if err := c.Recover(ctx); err != nil && ctx.Err() == nil {
			logger.Warn("finish transactions whose coordinator is gone; they are tried again",
				"error", err)
		}
	}
}

// Recover ends the transactions that have stood for too long: the intents of shards
// that this node leads, and decisions of which it holds all parts. It is called again
// and again, one call after another.
func (c *Coordinator) Recover(ctx context.Context) error {
	c.standing.begin()
	defer c.standing.end()
	var errs []error
	for id := ident.SystemShard; id <= keyspace.SharedShard(c.db.Shards()); id++ {
		if c.leads(id) {
			errs = append(errs, c.recoverIntents(ctx, id))
		}
	}
	return errors.Join(append(errs, c.recoverDecisions(ctx))...)
}

func (c *Coordinator) leads(id ident.ShardID) bool {
	node, _ := c.log.Leader(id)
	return node == c.log.Node()
}

// recoverIntents ends the old intents of a shard. Who finds no decision decides for
// abort.
func (c *Coordinator) recoverIntents(ctx context.Context, id ident.ShardID) error {
	v := c.db.View()
	list, err := c.machine.Intents(v, id)
	v.Release()
	if err != nil {
		return err
	}
	for _, i := range list {
		if !c.standing.longer(stands{tx: i.Tx, shard: id}, patience) {
			continue
		}
		bounded, cancel := context.WithTimeout(ctx, finishWithin)
		d, err := c.decide(bounded, command.Decide{Tx: i.Tx})
		if err == nil {
			_, errs := c.resolveParts(bounded, d, []command.Part{{Shard: id}}, false)
			err = errs[0]
		}
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

// decisionsAtOnce is how many decisions are looked at together.
const decisionsAtOnce = 256

// recoverDecisions resolves what was decided to be committed, and forgets it.
func (c *Coordinator) recoverDecisions(ctx context.Context) error {
	for after := clock.Seq(0); ; {
		v := c.db.View()
		list, err := c.machine.Decisions(v, after, decisionsAtOnce)
		v.Release()
		if err != nil {
			return err
		}
		for i := range list {
			if err := c.recoverDecision(ctx, &list[i]); err != nil {
				return err
			}
		}
		if len(list) < decisionsAtOnce {
			return c.forget(ctx)
		}
		after = list[len(list)-1].Tx.Began
	}
}

func (c *Coordinator) recoverDecision(ctx context.Context, d *apply.Decision) error {
	if !d.Commit { // it goes by its age
		return nil
	}
	than := patience
	for i, p := range d.Parts {
		if !c.log.Holds(p.Shard) {
			return nil
		}
		if i == 0 && !c.leads(p.Shard) {
			than = others * patience
		}
	}
	if !c.standing.longer(stands{tx: d.Tx, decision: true}, than) {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, finishWithin)
	defer cancel()
	_, errs := c.resolve(bounded, d, d.Parts)
	return errors.Join(errs...)
}

// forget has the decisions forgotten whose transactions are resolved, when no other
// transaction has told of them. Where that fails they are met again.
func (c *Coordinator) forget(ctx context.Context) error {
	list := c.takeResolved()
	if len(list) == 0 {
		return nil
	}
	out, err := c.log.Propose(ctx, &command.Command{
		Shard: ident.SystemShard, Clock: c.clock.Now(), Decide: &command.Decide{Resolved: list},
	})
	if err == nil {
		err = out.Err
	}
	return err
}
