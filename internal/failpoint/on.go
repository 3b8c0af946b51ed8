//go:build failpoint

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// variable says where the process ends, and clock by how much its clock is ahead.
const (
	variable = "FAILPOINT"
	clock    = "FAILPOINT_CLOCK"
)

var (
	chosen, left = parse(os.Getenv(variable))
	hits         atomic.Int64
	ahead        = parseAhead(os.Getenv(clock))
)

func parseAhead(s string) time.Duration {
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		fmt.Fprintf(os.Stderr, "%s=%s: not a time such as 90s\n", clock, s)
		os.Exit(2)
	}
	return d
}

// Now returns the time, as far ahead as was chosen.
func Now() time.Time { return time.Now().Add(ahead) }

// parse reads "point" or "point:n". A test that names no step must not pass as
// one that never comes to it.
func parse(s string) (p Point, n int64) {
	name, count, counted := strings.Cut(s, ":")
	n = 1
	if counted {
		var err error
		if n, err = strconv.ParseInt(count, 10, 64); err != nil || n < 1 {
			refuse(s)
		}
	}
	if name == "" {
		return "", 0
	}
	for _, p := range All() {
		if string(p) == name {
			return p, n
		}
	}
	refuse(s)
	return "", 0
}

func refuse(s string) {
	fmt.Fprintf(os.Stderr, "%s=%s: not a step, or not a step:number\n", variable, s)
	os.Exit(2)
}

// Here ends the process when it is at the chosen step for the chosen time.
func Here(p Point) {
	if p != chosen || hits.Add(1) != left {
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "failpoint:", err)
		os.Exit(2)
	}
	select {} // the signal may come after Kill returned
}
