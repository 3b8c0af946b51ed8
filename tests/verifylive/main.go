// Command verifylive proves the promises of live queries on a server of its
// own, which it kills on the way: the long run of make verify-live. It exits
// with 1 when there was a fault.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/cli/verify"
	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ok, err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "verifylive:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context) (ok bool, err error) {
	binary := flag.String("bin", "bin/kalamdb-server", "server to start")
	engine := flag.String("engine", "pebble", "its storage engine")
	flush := flag.Duration("flush", 0, "how often all rows are moved to the cold tier; 0 never")
	restart := flag.Duration("restart", 20*time.Second, "how often the server is killed; 0 never")
	o := verify.Options{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flag.DurationVar(&o.Duration, "duration", 30*time.Minute, "how long to write at most")
	flag.Int64Var(&o.Changes, "changes", 1_000_000, "how many rows to change; 0 for no limit")
	flag.IntVar(&o.Users, "users", 16, "users with rows of their own")
	flag.IntVar(&o.Subscribers, "subscribers", 16, "sockets, each with four queries")
	flag.IntVar(&o.Writers, "writers", 4, "statements at once")
	flag.Float64Var(&o.Rate, "rate", 0, "statements a second; 0 for as many as go")
	flag.DurationVar(&o.KillSockets, "kill-sockets", time.Second, "how often a connection is broken")
	flag.IntVar(&o.Stall, "stall", 2, "sockets that do not read, in turns")
	flag.Uint64Var(&o.Seed, "seed", 0, "of all that is random")
	flag.Parse()

	dir, err := os.MkdirTemp("", "kalamdb-verify-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir) // what is left lies in the temporary folder
	p, err := blackbox.Start(ctx, blackbox.Options{Binary: *binary,
		DataDir: filepath.Join(dir, "data"), Env: []string{"KALAMDB_STORAGE_ENGINE=" + *engine}})
	if err != nil {
		return false, err
	}
	defer p.Kill()
	o.Client, err = client.New(client.Options{URL: p.URL, User: blackbox.RootUser,
		Password: blackbox.RootPassword, MaxAttempts: 100})
	if err != nil {
		return false, err
	}
	defer o.Client.Close() // it holds no subscriptions
	if o.RestartEvery = *restart; *restart > 0 {
		o.Restart = func(ctx context.Context) error {
			p.Kill()
			return p.Restart(ctx)
		}
	} else {
		o.RestartEvery = time.Hour
	}
	ended := make(chan struct{})
	moving, stop := context.WithCancel(ctx)
	go func() {
		defer close(ended)
		move(moving, p.URL, *flush)
	}()
	report, err := verify.Run(ctx, o)
	stop()
	<-ended
	if report == nil {
		return false, err
	}
	_, werr := report.WriteTo(os.Stdout)
	if err == nil {
		err = werr
	}
	return report.OK(), err
}

// move has all rows flushed again and again. Statements fail while the server is
// down, which is no matter here: what has to come is not changed by a flush.
func move(ctx context.Context, url string, every time.Duration) {
	if every == 0 {
		return
	}
	root := &blackbox.Client{URL: url,
		Authorization: blackbox.Basic(blackbox.RootUser, blackbox.RootPassword)}
	tick := time.NewTicker(every)
	defer tick.Stop()
	moves, failed := 0, 0
	for {
		select {
		case <-ctx.Done():
			fmt.Fprintf(os.Stderr, "verifylive: flushed %d times, %d failed\n", moves, failed)
			return
		case <-tick.C:
		}
		if _, err := root.SQL(ctx, "FLUSH ALL"); err != nil {
			failed++
		} else {
			moves++
		}
	}
}
