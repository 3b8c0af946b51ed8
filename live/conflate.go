package live

import (
	"bytes"
	"context"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// round brings a conflated subscription from the result at one seq to the
// result at another: of each row that changed in between, the last change
// until the goal tells the difference between the two. Both states are read
// from the versions that history keeps, so a round needs no memory of the rows
// it has passed, however long it is.
type round struct {
	base clock.Seq // what the subscriber has
	goal clock.Seq // what it will have
	pos  clock.Seq // changes up to it were looked at
}

// conflate goes on with the subscription's round, or begins one, until it has
// composed most events or read enough. At the end of a round that has reached
// all that was published, the subscription becomes live.
//
// When it fails, or ctx ends, nothing has changed and it is done again.
func (r *reading) conflate(ctx context.Context, most int) error {
	s := r.sub
	now := s.round
	if now == nil {
		s.shard.mu.Lock()
		now = &round{base: s.pos, goal: max(r.applied, s.pos), pos: s.pos}
		s.shard.mu.Unlock()
	}
	if err := r.covers(now.base); err != nil {
		return err
	}
	c := &conflation{reading: r, round: *now, held: s.held}
	whole, err := c.follow(ctx, most)
	if err != nil {
		return err
	}
	if whole && c.held != nil {
		c.held.Commit, c.held.Seq = true, c.goal
		c.events, c.held = append(c.events, c.held), nil
	}
	for _, e := range c.events {
		s.out = append(s.out, Changed{e})
	}
	s.held, s.round = c.held, &c.round
	s.shard.mu.Lock()
	s.conflated += c.superseded
	s.shard.mu.Unlock()
	if whole {
		s.round = nil
		s.advance(c.goal, true)
	}
	return nil
}

// conflation is one reading's part of a round.
type conflation struct {
	*reading
	round
	events     []*Event
	held       *Event // the last one, which ends the round if no other follows
	superseded uint64 // changes with a later one of the same row
}

// follow looks at the changes from pos to the goal, and reports whether those
// were all.
func (c *conflation) follow(ctx context.Context, most int) (whole bool, err error) {
	opts := &c.sub.hub.opts
	im := images{source: opts.Source}
	changes := c.rows.Changes(ctx, c.view, c.user, c.pos)
	defer func() {
		if closed := changes.Close(); err == nil {
			err = closed
		}
	}()
	size := 0
	for n := 1; changes.Next(); n++ {
		if n%ctxEvery == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		entry := changes.Entry()
		if entry.Seq > c.goal {
			return true, nil
		}
		if err := c.take(ctx, &im, entry.Seq, bytes.Clone(entry.PK)); err != nil {
			return false, err
		}
		c.pos = entry.Seq
		if c.held != nil {
			size += c.held.size
		}
		if n >= opts.ScanRows || len(c.events) >= most || size >= opts.TakeBytes {
			return false, nil
		}
	}
	return true, changes.Err()
}

// take tells of a row if it was changed for the last time at seq.
func (c *conflation) take(ctx context.Context, im *images, seq clock.Seq, pk []byte) error {
	now, found, err := c.rows.Get(ctx, c.view, c.user, pk)
	if err != nil || !found {
		return err
	}
	after, there, err := c.asOf(c.goal, pk, now)
	if err != nil {
		return err
	}
	if after.Seq != seq {
		c.superseded++
		return nil
	}
	if there && seq < c.expired {
		return nil
	}
	var old, new *row.Record
	before, had, err := c.asOf(c.base, pk, now)
	if err != nil {
		return err
	}
	if had && before.Seq >= clock.ExpiredBelow(seq.Time(), c.query.Table.TTL) {
		old = &before
	}
	if there {
		new = &after
	}
	im.set(seq, old, new)
	e, err := judge(c.query, im)
	if err != nil || e == nil {
		return err
	}
	if c.held != nil {
		c.events = append(c.events, c.held)
	}
	c.held = e
	return nil
}
