package verify

import (
	"fmt"
	"math"
	"sync"
	"time"
)

// Faults are what must not be. Each is a number of events or rows.
type Faults struct {
	Lost          int64 // had to come and did not
	Duplicated    int64 // came twice
	OutOfOrder    int64 // came behind what they precede
	WrongFiltered int64 // do not match the query, or are told as what they are not
	WrongValues   int64 // hold other values than were written
	WrongRows     int64 // of a state of a View, or of a table at the end
}

// Sum returns the number of all faults.
func (f Faults) Sum() int64 {
	return f.Lost + f.Duplicated + f.OutOfOrder + f.WrongFiltered + f.WrongValues + f.WrongRows
}

// tally counts what checkers see. It is safe for concurrent use.
type tally struct {
	mu        sync.Mutex
	faults    Faults
	examples  []string // of the first faults
	events    int64
	appends   int64 // of the events
	states    int64 // of Views
	snapshots int64
	resyncs   int64
	steady    histogram // latencies on connections that were left alone
	all       histogram
}

// maxExamples bounds the faults that are described.
const maxExamples = 20

// fault counts n faults in a field of t.faults.
func (t *tally) fault(field *int64, n int64, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*field += n
	if n > 0 && len(t.examples) < maxExamples {
		t.examples = append(t.examples, fmt.Sprintf(format, args...))
	}
}

func (t *tally) add(field *int64, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*field += n
}

func (t *tally) latency(d time.Duration, steady bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all.add(d)
	if steady {
		t.steady.add(d)
	}
}

// histogram counts durations in steps of 2 percent, from a microsecond to an
// hour.
type histogram struct {
	counts [1200]int64
	n      int64
	max    time.Duration
}

const step = 1.02

func (h *histogram) add(d time.Duration) {
	us := max(float64(d.Microseconds()), 1)
	i := int(math.Log(us) / math.Log(step))
	h.counts[min(i, len(h.counts)-1)]++
	h.n++
	h.max = max(h.max, d)
}

// Latency is the distribution of the times from the sending of a statement to
// the arrival of its events.
type Latency struct {
	Events             int64
	P50, P95, P99, Max time.Duration
}

func (h *histogram) latency() Latency {
	return Latency{h.n, h.percentile(0.50), h.percentile(0.95), h.percentile(0.99), h.max}
}

func (h *histogram) percentile(p float64) time.Duration {
	rank, seen := int64(math.Ceil(p*float64(h.n))), int64(0)
	for i, n := range h.counts {
		if seen += n; n > 0 && seen >= rank {
			us := math.Pow(step, float64(i+1))
			return min(time.Duration(us*float64(time.Microsecond)), h.max)
		}
	}
	return 0
}
