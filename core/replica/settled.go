package replica

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
)

// unfinished bounds how long a read or a write waits for a transaction over several
// shards that another has begun. It is above what it takes to recover one whose
// coordinator is gone.
const unfinished = 3 * patience

// SettledView returns a view that a look finds settled, with a reference for the
// caller. It waits for transactions that are in the middle, up to a bound. Barriers on
// the look's shards come before.
func SettledView(ctx context.Context, db *store.DB, log Log, look *apply.Look) (
	*store.View, error,
) {
	var bounded context.Context // made for who has to wait
	for {
		v := db.View()
		waits, err := look.Settled(v)
		if err == nil && len(waits) == 0 {
			return v, nil
		}
		v.Release()
		if bounded == nil {
			var cancel func()
			bounded, cancel = context.WithTimeout(ctx, unfinished)
			defer cancel()
		}
		for _, w := range waits {
			if err == nil {
				err = log.Await(bounded, w.Shard, w.Seq)
			}
		}
		switch {
		case err != nil && bounded.Err() != nil && ctx.Err() == nil:
			return nil, fault.New(fault.NoQuorum, "a transaction over several shards that this "+
				"would read could not be finished within %s; run it again", unfinished)
		case err != nil:
			return nil, err
		}
	}
}

// The pauses between the tries of who meets an intent, which grow.
const (
	firstPause = 2 * time.Millisecond
	mostPause  = 64 * time.Millisecond
)

// ProposeAll proposes commands together, again and again up to a bound while
// transactions over several shards are in their way. The pauses are random, so that
// two who are in each other's way get out of it.
func ProposeAll(ctx context.Context, log Log, cs []*command.Command) ([]apply.Outcome, error) {
	var until time.Time
	for most := firstPause; ; most = min(2*most, mostPause) {
		outs, err := log.ProposeAll(ctx, cs)
		if err != nil || !locked(outs) {
			return outs, err
		}
		if until.IsZero() {
			until = time.Now().Add(unfinished)
		}
		if time.Now().After(until) || !pause(ctx, most/2+rand.N(most)) {
			return outs, nil
		}
	}
}

// Propose is ProposeAll for one command.
func Propose(ctx context.Context, log Log, c *command.Command) (apply.Outcome, error) {
	out, err := log.Propose(ctx, c)
	if err != nil || !out.Locked {
		return out, err
	}
	outs, err := ProposeAll(ctx, log, []*command.Command{c})
	if err != nil {
		return apply.Outcome{}, err
	}
	return outs[0], nil
}

func locked(outs []apply.Outcome) bool {
	for i := range outs {
		if outs[i].Locked {
			return true
		}
	}
	return false
}
