package testkit

import (
	"testing"
	"time"
)

// Eventually waits until cond is true and fails the test when it is not within
// the given time. cond is called from the test's goroutine every few
// milliseconds; what says what was awaited.
//
// Prefer testing/synctest or a channel where the code under test allows it.
func Eventually(t testing.TB, within time.Duration, what string, cond func() bool) {
	t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("after %v still not: %s", within, what)
		}
	}
}
