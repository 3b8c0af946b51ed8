package cold

import (
	"context"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// A rewrite works as fast as it can while nobody else writes. While others do, it
// rests as long as it works, and has one command under way instead of several:
// they wait for no more than a small one of its commands.
const (
	busyFor  = 50 * time.Millisecond // behind the last change by others
	mostRest = 20 * time.Millisecond
)

// pace is how fast a rewrite works. It is used by one goroutine.
type pace struct {
	changes func() uint64 // grows with the changes of rows
	seen    uint64
	busy    time.Time // until then others write
	began   time.Time // to work, behind the last rest
}

func newPace(changes func() uint64) *pace {
	return &pace{changes: changes, seen: changes(), began: time.Now()}
}

// changes returns a number that grows with each batch that changes rows. Moving
// them changes none.
func (t *Tier) changes() (sum uint64) {
	shards := ident.ShardID(t.DB.Shards()) + 1 // those of users, and that of shared tables
	for s := ident.SystemShard + 1; s <= shards; s++ {
		sum += t.Log.Changes(s)
	}
	return sum
}

// slow reports whether others write.
func (p *pace) slow() bool {
	now := time.Now()
	if n := p.changes(); n != p.seen {
		p.seen, p.busy = n, now.Add(busyFor)
	}
	return now.Before(p.busy)
}

// rest returns at once while nobody else writes, and else when as much time has
// passed as the work since the last rest has taken, or ctx has ended.
func (p *pace) rest(ctx context.Context) {
	if p.slow() {
		wait := time.NewTimer(min(time.Since(p.began), mostRest))
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
		}
	}
	p.began = time.Now()
}
