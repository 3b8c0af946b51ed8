package flush

import (
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// waiting is what a walk over the rows of a shard has found of the users whose
// rows are not due.
type waiting struct {
	at     time.Time // when it began
	users  int
	rows   int64     // of all of them
	most   int       // of one of them
	oldest clock.Seq // of all their rows
}

func (w *waiting) add(u hotUser) {
	if w.users++; w.users == 1 || u.oldest < w.oldest {
		w.oldest = u.oldest
	}
	w.rows += int64(u.rows)
	w.most = max(w.most, u.rows)
}

// idle reports that none of them is due, and nobody else, where hot rows are in
// the shard now: even if all that came are those of one user they are too few.
// Where rows were deleted as well it may be wrong, until walkAfter at the longest.
func (w *waiting) idle(p Policy, hot int64, now time.Time) bool {
	return now.Sub(w.at) < p.MaxAge/walkAfter && hot-w.rows < int64(p.MinRows-w.most) &&
		(w.users == 0 || w.oldest >= clock.SeqAt(now.Add(-p.MaxAge)))
}

// walkAfter is the part of the longest age of rows behind which a shard is walked
// whatever came.
const walkAfter = 8

// walks keeps the last walk of each shard. It is safe for concurrent use, and
// empty at the start of the process.
type walks struct {
	mu  sync.Mutex
	all map[shardOf]waiting
}

type shardOf struct {
	table ident.TableID
	shard ident.ShardID
}

func (w *walks) get(s shardOf) (last waiting, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	last, ok = w.all[s]
	return last, ok
}

func (w *walks) put(s shardOf, last waiting) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all == nil {
		w.all = make(map[shardOf]waiting)
	}
	w.all[s] = last
}

// keep forgets the tables that are not there any more.
func (w *walks) keep(there func(ident.TableID) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for s := range w.all {
		if !there(s.table) {
			delete(w.all, s)
		}
	}
}
