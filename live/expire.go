package live

import (
	"context"
	"errors"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// Expire has kept results looked at again that may have lost rows of streams,
// which have expired before now, since they were. No commit tells of that: how
// often Expire is called bounds how late subscribers hear of it. It reads the
// changes that wrote those rows, so it is called before they are removed, and
// what expires after now is not removed before the next call.
func (h *Hub) Expire(ctx context.Context, now time.Time) error {
	if !h.enter() {
		return nil
	}
	defer h.reads.Done()
	var failed error
	for _, sh := range h.allShards() {
		for _, r := range sh.expires() {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			aged, err := r.ages(ctx, now)
			if failed = errors.Join(failed, err); aged {
				r.age()
			}
		}
	}
	return failed
}

func (h *Hub) allShards() []*shard {
	h.mu.RLock()
	defer h.mu.RUnlock()
	all := make([]*shard, 0, len(h.mu.shards))
	for _, sh := range h.mu.shards {
		all = append(all, sh)
	}
	return all
}

// expires returns the kept results that rows can expire from.
func (sh *shard) expires() []*result {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	all := make([]*result, 0, len(sh.expiring))
	for r := range sh.expiring {
		all = append(all, r)
	}
	return all
}

// canExpire reports whether rows expire that q follows.
func canExpire(q *predicate.Query) bool {
	for _, t := range q.Follows() {
		if t.TTL > 0 {
			return true
		}
	}
	return false
}

// ages reports whether a row may have expired before now since the result was
// looked at.
func (r *result) ages(ctx context.Context, now time.Time) (bool, error) {
	r.shard.mu.Lock()
	pos, looked, oldest, aged := r.pos, r.looked, r.oldest, r.aged
	r.shard.mu.Unlock()
	if pos == 0 || aged {
		return false, nil // it will be looked at
	}
	for _, t := range r.query.Follows() {
		switch below := clock.ExpiredBelow(now, t.TTL); {
		case below <= 0:
		case r.query.Rerun == nil:
			if oldest < below {
				return true, nil
			}
		default:
			lost, err := r.lost(ctx, t, clock.ExpiredBelow(looked, t.TTL), below)
			if lost || err != nil {
				return lost, err
			}
		}
	}
	return false, nil
}

// lost reports whether a row of t was written from lo to below hi.
func (r *result) lost(
	ctx context.Context, t *ddl.Table, lo, hi clock.Seq,
) (found bool, err error) {
	part, ok := r.hub.opts.Source.Partition(t, r.shard.id)
	if !ok {
		return false, nil // its drop ends the subscriptions
	}
	view, _ := r.hub.opts.Source.View(r.shard.id)
	defer view.Release()
	changes := table.Table{Part: part}.Changes(ctx, view, r.user, lo-1)
	found = changes.Next() && changes.Entry().Seq < hi
	return found, errors.Join(changes.Err(), changes.Close())
}

// age has the subscriptions of a result polled.
func (r *result) age() {
	r.shard.mu.Lock()
	var wake []*Subscription
	if r.aged = true; !r.resting {
		wake = r.stirLocked(nil)
	}
	r.shard.mu.Unlock()
	for _, s := range wake {
		s.notify()
	}
}
