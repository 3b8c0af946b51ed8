// Package nemesis has a cluster of real servers under load while it causes faults:
// nodes are killed, paused and restarted, links between them are cut, late or lossy,
// disks fill up, clocks differ. Then it judges what clients were told all the while:
//
//   - operations on single keys are linearizable (porcupine);
//   - transfers between accounts keep the total, in every read, and each one that was
//     acknowledged happened once;
//   - counters have been raised exactly as often as was acknowledged;
//   - live queries that go on at other nodes tell of each change once, in order;
//   - all nodes answer alike in the end.
//
// Run owns every process and goroutine it starts and has ended them when it returns.
package nemesis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Options says what is done. Binary and Dir are required.
type Options struct {
	Binary   string        // the server; with the tag failpoint its clock can be wrong
	Dir      string        // where the nodes have their folders, and histories go
	Nodes    int           // 0 means 3
	Duration time.Duration // of the load; 0 means a minute
	Faults   []Fault       // that are caused; nil means all that this machine can
	Seed     uint64        // of all that is random; 0 takes one
	Logger   *slog.Logger  // hears of each fault; nil discards
}

func (o Options) withDefaults() Options {
	if o.Nodes == 0 {
		o.Nodes = 3
	}
	if o.Duration == 0 {
		o.Duration = time.Minute
	}
	if o.Faults == nil {
		o.Faults = Faults()
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Report says what was done, and every violation that was found.
type Report struct {
	Seed       uint64
	Ops        map[string]int // by kind of load
	Attempts   int64          // requests that were sent
	Answered   int64          // of them, with success
	Heard      map[string]int // answers that were none or an error, by code
	Faults     map[Fault]int
	LeftOut    map[string]string // what was not done, and why
	Unknown    int               // operations whose outcome nobody told
	Events     int               // of live queries
	Resumed    int               // live queries that went on from a cursor
	Violations []string
}

// WriteTo prints the report for people.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	n, err := fmt.Fprintf(w, "seed %d: operations %v, %d with an unknown outcome; %d requests, "+
		"%d answered, else %v; %d live events, resumed %d times; faults %v; %d violations\n",
		r.Seed, r.Ops, r.Unknown, r.Attempts, r.Answered, r.Heard, r.Events, r.Resumed, r.Faults,
		len(r.Violations))
	line := func(format string, args ...any) {
		m, werr := fmt.Fprintf(w, format, args...)
		n, err = n+m, errors.Join(err, werr)
	}
	for _, what := range slices.Sorted(maps.Keys(r.LeftOut)) {
		line("left out: %s: %s\n", what, r.LeftOut[what])
	}
	for _, v := range r.Violations {
		line("violation: %s\n", v)
	}
	return int64(n), err
}

// run is what goes on.
type run struct {
	Options
	nodes      []*node
	net        *network // nil when there are no links to cut
	more       string   // further lines of each node's config
	began      time.Time
	transports []*http.Transport
	stopped    chan struct{} // closed when no further operation is to begin

	attempts, acknowledged atomic.Int64

	mu     sync.Mutex
	report Report
}

// maxViolations bounds a report: what is wrong once is often wrong everywhere.
const maxViolations = 50

func (r *run) violation(what, format string, args ...any) {
	text := what + ": " + fmt.Sprintf(format, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.report.Violations) < maxViolations {
		r.report.Violations = append(r.report.Violations, text)
		r.Logger.Error("violation", "what", text)
	}
}

func (r *run) count(kind string) {
	r.mu.Lock()
	r.report.Ops[kind]++
	r.mu.Unlock()
}

func (r *run) unknown() {
	r.mu.Lock()
	r.report.Unknown++
	r.mu.Unlock()
}

// heard counts an answer that was none or an error, and shows the first of each kind.
func (r *run) heard(code string, err error) {
	r.mu.Lock()
	r.report.Heard[code]++
	first := r.report.Heard[code] == 1
	r.mu.Unlock()
	if first {
		r.Logger.Info("heard", "code", code, "for example", err)
	}
}

func (r *run) leaveOut(what string, why error) {
	r.mu.Lock()
	r.report.LeftOut[what] = why.Error()
	r.mu.Unlock()
}

// over reports whether no further operation is to begin.
func (r *run) over(ctx context.Context) bool {
	select {
	case <-r.stopped:
		return true
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

// load is one way of using the cluster, with what has to hold of it.
type load interface {
	// setUp makes the tables.
	setUp(ctx context.Context) error
	// work runs until the run is over.
	work(ctx context.Context)
	// check judges what was seen, when all faults are healed.
	check(ctx context.Context) error
}

func newRun(o Options) *run {
	r := &run{Options: o.withDefaults(), stopped: make(chan struct{})}
	r.report = Report{Seed: r.Seed, Ops: map[string]int{}, Heard: map[string]int{},
		Faults: map[Fault]int{}, LeftOut: map[string]string{}}
	return r
}

// Run does it. The error is of what could not be done at all.
func Run(ctx context.Context, o Options) (*Report, error) {
	r := newRun(o)
	err := r.all(ctx)
	r.report.Attempts, r.report.Answered = r.attempts.Load(), r.acknowledged.Load()
	if err != nil {
		err = fmt.Errorf("seed %d: %w", r.Seed, err)
	}
	return &r.report, err
}

func (r *run) all(ctx context.Context) (err error) {
	if err := r.prepare(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.takeDown()) }()
	if err := r.launchAll(ctx); err != nil {
		return err
	}
	loads := []load{newRegisters(r), newBank(r), newCounters(r), newFeed(r)}
	for _, l := range loads {
		if err := l.setUp(ctx); err != nil {
			return err
		}
	}
	if err := r.underFaults(ctx, loads); err != nil {
		return err
	}
	for _, l := range loads {
		if err := l.check(ctx); err != nil {
			return err
		}
	}
	return r.checkAlike(ctx)
}

// underFaults has the loads at work while faults are caused and, when they are healed,
// until what is under way has been answered.
func (r *run) underFaults(ctx context.Context, loads []load) error {
	r.began = time.Now()
	var wg sync.WaitGroup
	for _, l := range loads {
		wg.Go(func() { l.work(ctx) })
	}
	err := r.cause(ctx)
	close(r.stopped)
	wg.Wait()
	return errors.Join(err, ctx.Err())
}

// takeDown ends all that was started.
func (r *run) takeDown() error {
	for _, n := range r.nodes {
		n.kill()
	}
	for _, t := range r.transports {
		t.CloseIdleConnections()
	}
	var errs []error
	if r.net != nil {
		errs = append(errs, r.net.close())
	}
	for _, n := range r.nodes {
		if n.small {
			errs = append(errs, dropDisk(n.dataDir()))
		}
	}
	return errors.Join(errs...)
}
