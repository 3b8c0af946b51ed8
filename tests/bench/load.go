package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// outcome is what a load came to.
type outcome struct {
	perSecond float64
	latencies []time.Duration // sorted
	cpu       usage           // of all of it
}

// at returns the latency below which the given share of all lies.
func (o outcome) at(share float64) time.Duration {
	if len(o.latencies) == 0 {
		return 0
	}
	return o.latencies[min(int(float64(len(o.latencies))*share), len(o.latencies)-1)]
}

// client is one of the clients of a load.
type client struct {
	step  func(n int) error // does the n-th unit of work
	close func()            // lets go of its connections; may be nil
}

// drive runs clients at once for a duration, each doing one step after
// another, and stops at the first error. pid is the server that they load.
func drive(ctx context.Context, pid, clients int, d time.Duration,
	make func(i int) (client, error),
) (outcome, error) {
	var running []client
	for i := range clients {
		c, err := make(i)
		if err != nil {
			return outcome{}, err
		}
		if c.close != nil {
			defer c.close()
		}
		running = append(running, c)
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		all  []time.Duration
		errs []error
	)
	before, err := cpuOf(pid)
	if err != nil {
		return outcome{}, err
	}
	start := time.Now()
	for _, c := range running {
		wg.Go(func() {
			took, err := repeat(ctx, c.step)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			errs = append(errs, err)
		})
	}
	wg.Wait()
	elapsed := time.Since(start)
	after, err := cpuOf(pid)
	slices.Sort(all)
	return outcome{float64(len(all)) / elapsed.Seconds(), all, after.since(before)},
		errors.Join(append(errs, err)...)
}

func repeat(ctx context.Context, step func(n int) error) ([]time.Duration, error) {
	var took []time.Duration
	for n := 0; ctx.Err() == nil; n++ {
		from := time.Now()
		if err := step(n); err != nil {
			return took, err
		}
		took = append(took, time.Since(from))
	}
	return took, nil
}

// load drives the clients that f tells of and reports its rate, its latencies
// and what a step of it took of the processors.
func (b *bench) load(
	ctx context.Context, f Figure, pid int, make func(i int) (client, error),
) error {
	if !b.loads.MatchString(f.Name) {
		return nil
	}
	o, err := drive(ctx, pid, f.Clients, b.duration, make)
	if err != nil {
		return err
	}
	steps := float64(max(len(o.latencies), 1))
	name := f.Name
	for _, part := range []struct {
		suffix, unit string
		value        float64
	}{
		{"", "per second", o.perSecond},
		{"_p50", "ms", millis(o.at(0.5))},
		{"_p99", "ms", millis(o.at(0.99))},
		{"_cpu_server", "µs each", float64(o.cpu.server.Microseconds()) / steps},
		{"_cpu_client", "µs each", float64(o.cpu.client.Microseconds()) / steps},
	} {
		f.Name, f.Unit, f.Value = name+part.suffix, part.unit, part.value
		if err := b.report(f); err != nil {
			return err
		}
	}
	return nil
}
