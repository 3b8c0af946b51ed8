package verify

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Report is the outcome.
type Report struct {
	Faults   Faults
	Examples []string // descriptions of the first faults

	Statements, Changes int64         // that were written
	Took                time.Duration // to write them
	Events              int64         // that were told to all subscribers
	Appends             int64         // of them, told as the text that was appended
	States              int64         // of Views
	Snapshots, Resyncs  int64
	Kills, Restarts     int64
	Users, Sockets      int
	Seed                uint64

	// Steady are events on connections that nothing was done to since the
	// statement was sent, All are all.
	Steady, All Latency
}

// OK reports whether there were no faults.
func (r *Report) OK() bool { return r.Faults.Sum() == 0 }

func (r *run) report() *Report {
	t := &r.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	return &Report{Faults: t.faults, Examples: t.examples,
		Statements: r.statements.Load(), Changes: r.changes.Load(), Took: r.took,
		Events: t.events, Appends: t.appends, States: t.states,
		Snapshots: t.snapshots, Resyncs: t.resyncs,
		Kills: r.kills.Load(), Restarts: r.restarts.Load(),
		Users: len(r.users), Sockets: len(r.subscribers), Seed: r.o.Seed,
		Steady: t.steady.latency(), All: t.all.latency()}
}

// WriteTo writes the report for people. It implements io.WriterTo.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-16s %s\n", name, fmt.Sprintf(format, args...))
	}
	rate := float64(r.Changes) / max(r.Took.Seconds(), 1e-9)
	line("written", "%d changes by %d statements in %s (%.0f changes/s)",
		r.Changes, r.Statements, r.Took.Round(time.Millisecond), rate)
	line("followed", "%d events (%d of appended text) on %d sockets of %d users, "+
		"%d snapshots, %d resyncs; %d states of %d views", r.Events, r.Appends, r.Sockets, r.Users,
		r.Snapshots, r.Resyncs, r.States, r.Users)
	line("harm", "%d connections broken, %d restarts (seed %d)", r.Kills, r.Restarts, r.Seed)
	for _, l := range []struct {
		name string
		Latency
	}{{"latency", r.Steady}, {"with all harm", r.All}} {
		line(l.name, "p50 %s, p95 %s, p99 %s, max %s over %d events", round(l.P50), round(l.P95),
			round(l.P99), round(l.Max), l.Events)
	}
	f := r.Faults
	for _, c := range []struct {
		name string
		n    int64
	}{{"lost", f.Lost}, {"duplicated", f.Duplicated}, {"out of order", f.OutOfOrder},
		{"wrongly filtered", f.WrongFiltered}, {"wrong values", f.WrongValues},
		{"wrong rows", f.WrongRows}} {
		line(c.name, "%d", c.n)
	}
	for _, e := range r.Examples {
		fmt.Fprintf(&b, "  %s\n", e)
	}
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
