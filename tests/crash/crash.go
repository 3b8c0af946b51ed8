// Package crash proves that nothing is lost when the server is killed while
// rows move to the cold tier. It writes rows of many users and of a shared
// table, has them flushed and compacted all the while, ends the server at a
// named step or at a random moment, starts it again, and compares all it can
// read with what was acknowledged; then it compares the files of the storage
// with the manifest.
//
// Each round is one such life of the server. Run owns every goroutine it
// starts and has waited for them when it returns.
package crash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/failpoint"
)

// Options says what is done. Binary, DataDir and Rounds are required.
type Options struct {
	Binary  string        // the server; with the tag failpoint it ends at named steps
	DataDir string        // its data directory, not there yet
	Engine  string        // storage engine; "" means pebble
	Rounds  int           // how often the server is killed
	Users   int           // with rows of their own; 0 means 20
	Keys    int           // of each user; 0 means 150
	Life    time.Duration // of the server at most, from its start to its end; 0 means 3 s
	Seed    uint64        // of all that is random; 0 takes one
	// Points are the steps at which the server is ended in turn, with a random
	// moment after each; none means random moments only.
	Points []failpoint.Point
	Logger *slog.Logger // hears of each round; nil discards
}

func (o Options) withDefaults() Options {
	if o.Engine == "" {
		o.Engine = "pebble"
	}
	if o.Users == 0 {
		o.Users = 20
	}
	if o.Keys == 0 {
		o.Keys = 150
	}
	if o.Life == 0 {
		o.Life = 3 * time.Second
	}
	if o.Seed == 0 {
		o.Seed = rand.Uint64()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Report says what was done, and every fault that was found.
type Report struct {
	Seed       uint64
	Rounds     int
	Statements int64                   // that were acknowledged
	Unsure     int                     // that were cut off, of them Applied were there
	Applied    int                     //
	Reads      int64                   // compared while rows moved
	Moves      map[string]int          // jobs that completed, by kind
	Ended      map[failpoint.Point]int // lives that ended at a step; "" at a random moment
	Rows       int                     // at the end, of them Cold point to a file
	Cold       int64
	Files      int // at the end
	Swept      int // files that were found without an entry, and were gone later
	Faults     []string
}

// WriteTo prints the report for people.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	n, err := fmt.Fprintf(w, "seed %d: %d rounds, %d statements, %d cut off of which %d were there, "+
		"%d reads beside moving rows, jobs %v, ended at %v, %d rows at the end, %d of them cold "+
		"in %d files, %d files swept, %d faults\n", r.Seed, r.Rounds, r.Statements, r.Unsure,
		r.Applied, r.Reads, r.Moves, r.Ended, r.Rows, r.Cold, r.Files, r.Swept, len(r.Faults))
	for _, f := range r.Faults {
		m, werr := fmt.Fprintln(w, "fault:", f)
		n, err = n+m, errors.Join(err, werr)
	}
	return int64(n), err
}

// run is what goes on.
type run struct {
	Options
	process *blackbox.Process
	root    *blackbox.Client
	realms  []*realm
	rand    *rand.Rand    // of the goroutine that calls Run
	ahead   time.Duration // of the server's clock

	mu     sync.Mutex
	report Report
}

// maxFaults bounds a report: what is wrong once is often wrong everywhere.
const maxFaults = 50

func (r *run) fault(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.report.Faults) < maxFaults {
		r.report.Faults = append(r.report.Faults, fmt.Sprintf(format, args...))
	}
}

func (r *run) failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.report.Faults) > 0
}

// Run does the rounds, and stops behind one with a fault: the data directory is
// then as it was found. The error is of what could not be done at all.
func Run(ctx context.Context, o Options) (*Report, error) {
	r := &run{Options: o.withDefaults()}
	r.rand = rand.New(rand.NewPCG(r.Seed, 1))
	r.report = Report{Seed: r.Seed, Moves: map[string]int{}, Ended: map[failpoint.Point]int{}}
	if err := r.setUp(ctx); err != nil {
		return &r.report, fmt.Errorf("seed %d: %w", r.Seed, err)
	}
	defer r.process.Kill()
	for round := range r.Rounds {
		if err := r.round(ctx, round); err != nil {
			return &r.report, fmt.Errorf("seed %d, round %d: %w", r.Seed, round, err)
		}
		r.report.Rounds++
		if r.failed() {
			break
		}
	}
	return &r.report, nil
}

// Settings of the server under test: what is done by hand in a long life has to
// happen within seconds.
func (r *run) env(extra ...string) []string {
	return append([]string{
		"KALAMDB_STORAGE_ENGINE=" + r.Engine,
		"KALAMDB_FLUSH_CHECK_INTERVAL=50ms", "KALAMDB_FLUSH_ROWS=300", "KALAMDB_FLUSH_MIN_ROWS=5",
		"KALAMDB_FLUSH_COMPACT_SEGMENTS=3",
		"KALAMDB_RETENTION_DELETED_ROWS=1s",
		"KALAMDB_LIVE_HISTORY_RETENTION=" + historyRetention.String(),
		"FAILPOINT_CLOCK=" + r.ahead.String(),
	}, extra...)
}

// historyRetention is the shortest there may be, which is longer than a life of
// the server.
const historyRetention = time.Minute

// pass has the server's clock go so far ahead, from its next start on, that what
// was done before is history that goes.
func (r *run) pass() {
	r.ahead += 2 * historyRetention
	for _, m := range r.realms {
		if m.table == userTable {
			m.client.Authorization = blackbox.Bearer(m.name, time.Now().Add(r.ahead))
		}
	}
}

func (r *run) setUp(ctx context.Context) (err error) {
	r.process, err = blackbox.Start(ctx, blackbox.Options{
		Binary: r.Binary, DataDir: r.DataDir, Env: r.env(),
	})
	if err != nil {
		return err
	}
	r.root = &blackbox.Client{URL: r.process.URL,
		Authorization: blackbox.Basic(blackbox.RootUser, blackbox.RootPassword)}
	for _, sql := range []string{
		"CREATE NAMESPACE app",
		"CREATE USER TABLE " + userTable + " " + columns + " WITH (DELETED_RETENTION = '1s')",
		"CREATE SHARED TABLE " + sharedTable + " " + columns,
	} {
		if _, err := r.root.SQL(ctx, sql); err != nil {
			r.process.Kill()
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	r.addRealms()
	return nil
}

// round is one life of the server, and the look at what it left.
func (r *run) round(ctx context.Context, n int) error {
	point := r.point(n)
	if err := r.live(ctx, n, point); err != nil {
		return err
	}
	r.process.SetEnv(r.env()...)
	if err := r.process.Restart(ctx); err != nil {
		return err
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	r.Logger.Info("round", "n", n, "point", point, "statements", r.report.Statements,
		"reads", r.report.Reads, "jobs", fmt.Sprint(r.report.Moves), "rows", r.report.Rows,
		"cold", r.report.Cold, "files", r.report.Files, "faults", len(r.report.Faults))
	return nil
}

// point returns where the server ends in a round; "" is anywhere.
func (r *run) point(round int) failpoint.Point {
	if len(r.Points) == 0 || round%2 == 1 {
		return ""
	}
	return r.Points[round/2%len(r.Points)]
}

// live has writers and movers at work until the server has ended.
func (r *run) live(ctx context.Context, n int, point failpoint.Point) error {
	if point != "" {
		r.process.Kill()
		if point == failpoint.RetainPurged {
			r.pass()
		}
		r.process.SetEnv(r.env(fmt.Sprintf("FAILPOINT=%s:%d", point, 1+r.rand.IntN(4)))...)
		if err := r.process.Restart(ctx); err != nil {
			return err
		}
	}
	life := r.Life
	if point == "" {
		life = time.Duration(r.rand.Int64N(int64(r.Life)))
	}
	ctx, cancel := context.WithTimeout(ctx, life)
	defer cancel()
	var wg sync.WaitGroup
	for i, one := range r.realms {
		random := rand.New(rand.NewPCG(r.Seed, uint64(n)<<32|uint64(i)))
		wg.Go(func() { r.write(ctx, one, random) })
	}
	for i, mover := range movers {
		random := rand.New(rand.NewPCG(r.Seed, uint64(n)<<32|1<<20|uint64(i)))
		wg.Go(func() { r.move(ctx, mover, random) })
	}
	random := rand.New(rand.NewPCG(r.Seed, uint64(n)<<32|2<<20))
	wg.Go(func() { r.leave(ctx, random) })
	for r.process.Alive() && ctx.Err() == nil {
		wait(ctx, 5*time.Millisecond)
	}
	if r.process.Alive() {
		point = ""
	}
	// What was under way is cut off here, whatever ended the life.
	r.process.Kill()
	cancel()
	wg.Wait()
	r.report.Ended[point]++
	return nil
}

// wait returns after d, or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
