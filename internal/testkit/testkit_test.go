package testkit_test

import (
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestEventually_waitsForTheState(t *testing.T) {
	calls := 0
	testkit.Eventually(t, time.Minute, "three calls", func() bool {
		calls++
		return calls == 3
	})
	if calls != 3 {
		t.Errorf("cond was called %d times", calls)
	}
}

// recorder is a test that may fail without failing this one.
type recorder struct {
	testing.TB
	failed bool
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(string, ...any) {
	r.failed = true
	panic(r)
}

func TestEventually_failsAfterItsTime(t *testing.T) {
	r := &recorder{TB: t}
	defer func() {
		if recover() != r || !r.failed {
			t.Error("the test was not failed")
		}
	}()
	testkit.Eventually(r, time.Millisecond, "never", func() bool { return false })
}
