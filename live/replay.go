package live

import (
	"context"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// ctxEvery is the number of stored entries between two looks at the context.
const ctxEvery = 256

// replay reads the next changes from history, until it has composed most
// events or read enough, or has reached the end of its view. Where that is all
// that was published, the subscription becomes live.
//
// When it fails, or ctx ends, nothing has changed and it is done again.
func (r *reading) replay(ctx context.Context, most int) error {
	s := r.sub
	s.shard.mu.Lock()
	p := &progress{composer: composer{query: r.query, held: s.held}, pos: s.pos, expired: r.expired}
	s.shard.mu.Unlock()
	if err := r.covers(p.pos); err != nil {
		return err
	}
	if err := r.follow(ctx, p, most); err != nil {
		return err
	}
	for _, e := range p.events {
		s.out = append(s.out, Changed{e})
	}
	s.held = p.composer.held
	s.advance(p.pos, p.whole)
	return nil
}

// progress is how far a replay has come.
type progress struct {
	composer composer
	events   []*Event
	pos      clock.Seq // every change up to it was given to composer
	whole    bool      // that is all the view has
	expired  clock.Seq // rows with a lower seq are not told of
}

// follow gives the changes after p.pos to p.composer.
func (r *reading) follow(ctx context.Context, p *progress, most int) (err error) {
	opts := &r.sub.hub.opts
	im := images{source: opts.Source}
	changes := r.rows.Changes(ctx, r.view, r.user, p.pos)
	defer func() {
		if closed := changes.Close(); err == nil {
			err = closed
		}
	}()
	bytes := 0
	for n := 1; changes.Next(); n++ {
		if n%ctxEvery == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		told := len(p.events)
		if err := p.take(changes, &im); err != nil {
			return err
		}
		for _, e := range p.events[told:] {
			bytes += e.size
		}
		if n >= opts.ScanRows || len(p.events) >= most || bytes >= opts.TakeBytes {
			return nil
		}
	}
	if err := changes.Err(); err != nil {
		return err
	}
	p.events = p.composer.flush(p.events)
	p.pos, p.whole = max(p.pos, r.applied), true
	return nil
}

func (p *progress) take(changes *table.Changes, im *images) error {
	e := changes.Entry()
	before, after, err := changes.Images()
	if err != nil {
		return err
	}
	if e.Seq < p.expired && e.Op != row.Delete {
		before, after = nil, nil
	}
	im.set(e.Seq, present(before), present(after))
	p.events, err = p.composer.add(p.events, im, e.Last)
	p.pos = e.Seq
	return err
}

// present returns r unless it is a tombstone.
func present(r *row.Record) *row.Record {
	if r == nil || r.Deleted {
		return nil
	}
	return r
}

// advance notes that history was read up to pos. When that was the whole of a
// view and nothing newer was published since, Publish takes over: it has the
// same lock when it looks for whom to tell.
func (s *Subscription) advance(pos clock.Seq, whole bool) {
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	if s.state == ended {
		return
	}
	s.state, s.pos = lagging, pos
	if whole && pos >= s.shard.published {
		s.from = pos
		s.group.enter(s)
	}
}

// resume checks the cursor that the subscriber brought and goes on behind it.
func (r *reading) resume(ctx context.Context) error {
	s := r.sub
	from := *s.opts.From
	if from > r.applied {
		return errCursor
	}
	err := s.hub.opts.Source.Covered(r.query.Table, s.shard.id, r.user, from)
	if fault.Is(err, fault.CursorTooOld) {
		return errCursor
	}
	if err != nil {
		return err
	}
	if err := r.covers(from); err != nil {
		return err
	}
	start, err := r.commitStart(ctx, from)
	if err != nil {
		return err
	}
	s.snap = nil
	if !s.quiet {
		s.out = append(s.out, Batch{Status: Ready, LastSeq: start})
	}
	s.become(lagging, start)
	return nil
}

// commitStart returns where to go on after a cursor: at the cursor, or, when
// the query has more to tell of the commit that the cursor is in, before that
// commit. What history still has of the commit is told again then.
func (r *reading) commitStart(ctx context.Context, from clock.Seq) (start clock.Seq, err error) {
	it := r.view.Scan(r.rows.Part, store.Range{
		Lo: row.ChangeKey(r.user, 0), Hi: row.ChangeKey(r.user, from+1), Reverse: true,
	})
	defer func() {
		if closed := it.Close(); err == nil {
			err = closed
		}
	}()
	inside := false
	for n := 1; it.Next(); n++ {
		if n%ctxEvery == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		seq, last, err := splitChange(it)
		switch {
		case err != nil:
			return 0, err
		case last && !inside:
			return from, nil
		case last:
			return seq, nil
		case !inside:
			more, err := r.moreToTell(ctx, from)
			if err != nil || !more {
				return from, err
			}
			inside = true
		}
	}
	if !inside || it.Err() != nil {
		return from, it.Err()
	}
	return r.rows.Trimmed(r.view)
}

func splitChange(it store.Iterator) (seq clock.Seq, last bool, err error) {
	if _, seq, err = row.SplitChangeKey(it.Key()); err != nil {
		return 0, false, err
	}
	c, err := row.ParseChange(it.Value())
	return seq, c.Last, err
}

// moreToTell reports whether the rest of the commit after seq concerns the
// query.
func (r *reading) moreToTell(ctx context.Context, seq clock.Seq) (more bool, err error) {
	p := &progress{composer: composer{query: r.query}, pos: seq, expired: r.expired}
	im := images{source: r.sub.hub.opts.Source}
	changes := r.rows.Changes(ctx, r.view, r.user, seq)
	defer func() {
		if closed := changes.Close(); err == nil {
			err = closed
		}
	}()
	for n := 1; changes.Next(); n++ {
		if n%ctxEvery == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err := p.take(changes, &im); err != nil {
			return false, err
		}
		if p.composer.held != nil || len(p.events) > 0 {
			return true, nil
		}
		if changes.Entry().Last {
			return false, nil
		}
	}
	return false, changes.Err()
}
