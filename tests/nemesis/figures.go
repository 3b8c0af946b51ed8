package nemesis

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// figureClients is how many clients insert at the same time.
const figureClients = 64

// Figures measures a cluster of its own that is left in peace, but for the nodes that it
// kills to see how long clients wait and how fast one comes back. Each part takes
// o.Duration. It judges nothing.
func Figures(ctx context.Context, o Options, w io.Writer) (err error) {
	o.Faults = []Fault{}
	r := newRun(o)
	r.more = "flush.check_interval = \"1h\"\n" // what is measured is the hot tier
	if err := r.prepare(); err != nil {
		return err
	}
	defer func() {
		if closing := r.takeDown(); err == nil {
			err = closing
		}
	}()
	if err := r.launchAll(ctx); err != nil {
		return err
	}
	c := r.caller("figures", "")
	for _, sql := range []string{"CREATE NAMESPACE nemesis",
		"CREATE USER TABLE nemesis.figures (id BIGINT PRIMARY KEY, body TEXT NOT NULL)"} {
		if _, err := c.ask(ctx, sql); err != nil {
			return err
		}
	}
	for _, part := range []func(context.Context, io.Writer) error{
		r.idle, r.inserts, r.failover, r.comeback,
	} {
		if err := part(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// idle tells what each node uses while nobody asks for anything.
func (r *run) idle(ctx context.Context, w io.Writer) error {
	wait(ctx, 5*time.Second) // what the start has left to do
	before := make([]time.Duration, len(r.nodes))
	for i, n := range r.nodes {
		var err error
		if before[i], _, err = n.uses(); err != nil {
			return err
		}
	}
	began := time.Now()
	wait(ctx, r.Duration)
	for i, n := range r.nodes {
		cpu, bytes, err := n.uses()
		if err != nil {
			return err
		}
		share := 100 * float64(cpu-before[i]) / float64(time.Since(began))
		if _, err := fmt.Fprintf(w, "idle: node %d: %.1f %% of a core, %d MB resident\n",
			n.id, share, bytes/1e6); err != nil {
			return err
		}
	}
	return nil
}

// uses returns the processor time and the resident bytes of the process.
func (n *node) uses() (cpu time.Duration, bytes int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", n.cmd.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 22 {
		return 0, 0, fmt.Errorf("a status of %d fields", len(fields))
	}
	var numbers [3]int64 // user and system time in ticks of 10 ms, pages
	for i, at := range []int{11, 12, 21} {
		if numbers[i], err = strconv.ParseInt(fields[at], 10, 64); err != nil {
			return 0, 0, err
		}
	}
	return time.Duration(numbers[0]+numbers[1]) * 10 * time.Millisecond,
		numbers[2] * int64(os.Getpagesize()), nil
}

// load64 has clients insert rows of their own users until ctx ends, at the nodes given,
// and returns how many were acknowledged.
func (r *run) load64(ctx context.Context, name string, nodes []*node, rows int) int64 {
	var done atomic.Int64
	var wg sync.WaitGroup
	for i := range figureClients {
		c := r.caller(fmt.Sprintf("%s-%d", name, i), fmt.Sprintf("figure%d", i))
		wg.Go(func() {
			for k := 0; ctx.Err() == nil; k++ {
				var values []string
				for row := range rows {
					values = append(values, fmt.Sprintf("(%d, '%s')",
						time.Since(r.began).Nanoseconds()*1000+int64(row), strings.Repeat("x", 100)))
				}
				n := nodes[(i+k)%len(nodes)]
				_, err := c.once(ctx, n, blackbox.Request{SQL: "INSERT INTO nemesis.figures VALUES " +
					strings.Join(values, ", "), RequestID: fmt.Sprintf("%s-%d", c.name, k)})
				if err == nil {
					done.Add(int64(rows))
				}
			}
		})
	}
	wg.Wait()
	return done.Load()
}

// inserts tells how many rows a second 64 clients insert, one in each statement.
func (r *run) inserts(ctx context.Context, w io.Writer) error {
	r.began = time.Now()
	bounded, cancel := context.WithTimeout(ctx, r.Duration)
	defer cancel()
	n := r.load64(bounded, "insert", r.nodes, 1)
	_, err := fmt.Fprintf(w, "inserts: %d clients: %.0f a second\n", figureClients,
		float64(n)/time.Since(r.began).Seconds())
	return err
}

// failover tells how long a client that tries again waits at most while each node dies
// in turn.
func (r *run) failover(ctx context.Context, w io.Writer) error {
	for _, victim := range r.nodes {
		c := r.caller(fmt.Sprintf("failover-%d", victim.id), "figure0")
		var longest time.Duration
		ended := make(chan struct{})
		over, stop := context.WithCancel(ctx)
		go func() { // ends with over
			defer close(ended)
			for k := 0; over.Err() == nil; k++ {
				began := time.Now()
				_, err := c.ask(ctx, fmt.Sprintf("INSERT INTO nemesis.figures VALUES (%d, 'f')",
					-int64(victim.id)*1_000_000-int64(k)))
				if took := time.Since(began); err == nil && took > longest {
					longest = took
				}
			}
		}()
		wait(ctx, time.Second)
		victim.kill()
		wait(ctx, r.Duration)
		stop()
		<-ended
		if err := r.launchAll(ctx); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "failover: node %d killed: the longest write took %v\n",
			victim.id, longest.Round(time.Millisecond)); err != nil {
			return err
		}
	}
	return nil
}

// comeback tells how long a node takes to have what it missed while it was away, and
// what is written meanwhile.
func (r *run) comeback(ctx context.Context, w io.Writer) error {
	const rowsEach = 50
	last := r.nodes[len(r.nodes)-1]
	rest := r.nodes[:len(r.nodes)-1]
	last.kill()
	bounded, cancel := context.WithTimeout(ctx, r.Duration)
	began := time.Now()
	missed := r.load64(bounded, "away", rest, rowsEach)
	cancel()
	rate := float64(missed) / time.Since(began).Seconds()
	during, stop := context.WithCancel(ctx)
	var meanwhile int64
	var wg sync.WaitGroup
	began = time.Now()
	wg.Go(func() { meanwhile = r.load64(during, "back", rest, rowsEach) })
	err := r.launchAll(ctx)
	for i := 0; err == nil && i < figureClients; i++ { // behind a barrier of each shard
		c := r.caller(fmt.Sprintf("seen-%d", i), fmt.Sprintf("figure%d", i))
		_, err = c.through(ctx, last, "SELECT MAX(id) FROM nemesis.figures")
	}
	took := time.Since(began)
	stop()
	wg.Wait()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "comeback: away for %d rows at %.0f a second, back after %v with %.0f "+
		"rows a second written meanwhile\n", missed, rate, took.Round(time.Millisecond),
		float64(meanwhile)/took.Seconds())
	return err
}
