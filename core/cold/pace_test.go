package cold

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// In the package itself: how long a rest takes can be seen by a clock that stands
// still only.
func TestPace_RestsWhileOthersWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes uint64
		p := newPace(func() uint64 { return changes })
		rest := func(work time.Duration) time.Duration {
			<-time.After(work)
			from := time.Now()
			p.rest(t.Context())
			return time.Since(from)
		}
		const work = 3 * time.Millisecond
		if got := rest(work); got != 0 {
			t.Errorf("it rested %v beside nobody", got)
		}
		changes++
		if got := rest(work); got != work {
			t.Errorf("it rested %v beside a writer, behind work of %v", got, work)
		}
		if got := rest(time.Second); got != 0 {
			t.Errorf("it rested %v a second behind the last change", got)
		}
		changes++
		if got := rest(time.Second); got != mostRest {
			t.Errorf("it rested %v and not %v", got, mostRest)
		}
		changes++
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		<-time.After(work)
		from := time.Now()
		if p.rest(ended); time.Since(from) != 0 {
			t.Errorf("it rested %v though its context had ended", time.Since(from))
		}
	})
}
