// Command bench measures a server from outside and prints one line of JSON for
// each figure, with the durability that was in force. Where PostgreSQL is
// installed the same work is done on it in the same run.
//
// The load generator shares the machine with the server, so it is kept cheap:
// its own HTTP over kept connections, one goroutine for each client.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"time"
)

// Figure is one line of the output.
type Figure struct {
	Name       string  `json:"name"`
	Value      float64 `json:"value"`
	Unit       string  `json:"unit"`
	Durability string  `json:"durability"` // "sync", or "none" where nothing is written
	Clients    int     `json:"clients"`
	Cores      int     `json:"cores"`
	Conditions string  `json:"conditions"`
}

// bench is one run: what to measure, for how long, and where figures go.
type bench struct {
	binary   string
	duration time.Duration  // of each measured load
	only     *regexp.Regexp // parts
	loads    *regexp.Regexp // of a part
	print    func(Figure) error
	million  int       // size of what is large
	notes    io.Writer // what was skipped, for people
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == crowdArg {
		if err := serveCrowd(os.Args[2], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "crowd:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	bin := flag.String("bin", "bin/kalamdb-server", "the server to measure")
	only := flag.String("only", "", "run only the parts that match this expression")
	loads := flag.String("load", "", "of them, run only the loads that match this expression")
	duration := flag.Duration("time", 5*time.Second, "how long each load runs")
	million := flag.Int("million", 1_000_000, "how many users, or rows, the large parts have")
	table := flag.Bool("table", false, "print a table for docs/benchmarks.md instead of JSON")
	flag.Parse()
	parts, err := regexp.Compile(*only)
	wanted, loadsErr := regexp.Compile(*loads)
	if err := errors.Join(err, loadsErr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	b := &bench{binary: *bin, duration: *duration, only: parts, loads: wanted, million: *million,
		notes: os.Stderr}
	b.print = func(f Figure) error { return json.NewEncoder(os.Stdout).Encode(f) }
	if *table {
		fmt.Print("| figure | value | unit | clients | durability | conditions |\n" +
			"| --- | ---: | --- | ---: | --- | --- |\n")
		b.print = func(f Figure) error {
			_, err := fmt.Printf("| %s | %.5g | %s | %d | %s | %s |\n",
				f.Name, f.Value, f.Unit, f.Clients, f.Durability, f.Conditions)
			return err
		}
	}
	if err := b.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (b *bench) run(ctx context.Context) error {
	parts := []struct {
		name  string
		run   func(context.Context) error
		large bool // takes minutes: runs only when it is asked for
	}{
		{"start", b.start, false},
		{"kalamdb", b.kalamdb, false},
		{"notify", b.notify, false},
		{"append", b.appended, false},
		{"stalled", b.stalled, false},
		{"subscriptions", b.subscriptions, false},
		{"reconnect", b.reconnect, false},
		{"rooms", b.rooms, false},
		{"fanout", b.fanout, false},
		{"own", b.own, false},
		{"users", b.users, true},
		{"cold", b.cold, true},
		{"points", b.points, true},
		{"shapes", b.shapes, true},
		{"flushing", b.flushing, true},
		{"postgres", b.postgres, false},
	}
	for _, p := range parts {
		if !b.only.MatchString(p.name) || p.large && b.only.String() == "" {
			continue
		}
		if err := p.run(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

// report prints a figure.
func (b *bench) report(f Figure) error {
	f.Cores = runtime.NumCPU()
	f.Value = math.Round(f.Value*1000) / 1000
	return b.print(f)
}
