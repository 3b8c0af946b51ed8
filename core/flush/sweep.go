package flush

import (
	"context"
	"errors"
	"time"

	"github.com/kalamdb/kalamdb-go/core/job"
)

// sweepWait bounds how long a sweep waits for readers of earlier states. Those
// who read longer are met by the next sweep.
const sweepWait = time.Minute

// sweep takes away the files of a table that nothing points to.
func (m *Mover) sweep(ctx context.Context, w *job.Work) error {
	t, err := m.table(w)
	if err != nil {
		return err
	}
	all := 0
	for _, s := range t.Shards(m.DB.Shards()) {
		for more := true; more; {
			waiting, cancel := context.WithTimeout(ctx, sweepWait)
			var n int
			n, more, err = m.Tier.Sweep(waiting, t, s)
			cancel()
			if all += n; err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
				w.Say("%d files deleted; others are still read", all)
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
	w.Say("%d files deleted", all)
	return nil
}
