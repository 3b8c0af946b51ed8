package live

import (
	"context"
	"errors"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// errGone ends a reading because its table was dropped.
var errGone = errors.New("live: the table is gone")

// errTrimmed stops a reading because history does not reach back to it.
var errTrimmed = errors.New("live: history is trimmed")

// errCursor stops a resumption because its cursor is not of this history.
var errCursor = errors.New("live: the cursor is not of this history")

// reading is one Poll's use of the store. It holds a view while it lasts.
type reading struct {
	sub     *Subscription
	query   *predicate.Query
	user    ident.UserID
	rows    table.Table
	view    *store.View
	applied clock.Seq // what the view holds of the shard
	expired clock.Seq // rows with a lower seq have expired
}

// read lets a subscription that is not live do a piece of its work, with no
// lock held.
func (s *Subscription) read(ctx context.Context, now state, most int) error {
	if !s.hub.enter() {
		return nil
	}
	defer s.hub.reads.Done()
	return s.failed(ctx, s.readState(ctx, now, most))
}

// failed does what an error of reading asks for, and returns ctx's.
func (s *Subscription) failed(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errTrimmed):
		s.restart(HistoryTrimmed)
		return nil
	case errors.Is(err, errCursor):
		s.restart(CursorUnknown)
		return nil
	case errors.Is(err, errSchema):
		s.finish(SchemaChanged, nil)
	case errors.Is(err, errGone):
		s.finish(TableDropped, nil)
	default:
		s.finish(Failed, fault.From(err))
	}
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	s.tellEndLocked()
	return nil
}

func (s *Subscription) readState(ctx context.Context, now state, most int) error {
	r, err := s.open()
	if err != nil {
		return err
	}
	defer r.view.Release()
	switch now {
	case resuming:
		return r.resume(ctx)
	case loading:
		return r.load(ctx)
	}
	if s.opts.Policy == Conflate {
		return r.conflate(ctx, most)
	}
	return r.replay(ctx, most)
}

func (s *Subscription) open() (*reading, error) {
	source, t := s.hub.opts.Source, s.group.query.Table
	part, ok := source.Partition(t, s.shard.id)
	if !ok {
		return nil, errGone
	}
	g := s.group
	r := &reading{sub: s, query: g.query, user: g.key.feed.user,
		rows: table.Table{Part: part, Cold: s.hub.opts.Cold}}
	r.view, r.applied = source.View(s.shard.id)
	r.expired = clock.ExpiredBelow(s.hub.opts.Now(), t.TTL)
	return r, nil
}

// covers returns errTrimmed unless the view still has every change after seq
// and every version that was current at it.
func (r *reading) covers(seq clock.Seq) error {
	floor, err := r.rows.Trimmed(r.view)
	if err == nil && seq < floor {
		err = errTrimmed
	}
	return err
}

// restart tells the subscriber to drop what it has, and begins a new snapshot.
func (s *Subscription) restart(why ResyncReason) {
	s.snap, s.held, s.round = newSnapshot(s.opts.LastRows), nil, nil
	s.opts.From = nil
	s.out = append(s.out, Resync{Reason: why})
	s.become(loading, 0)
}

// become moves on to another state, unless the subscription has ended.
func (s *Subscription) become(next state, pos clock.Seq) {
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	if s.state == ended {
		return
	}
	s.state, s.pos = next, pos
	if next == lagging {
		s.base = pos
	}
}
