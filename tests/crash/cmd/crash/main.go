// Command crash kills a server of its own many times while rows move to the
// cold tier, and compares what is left with what was acknowledged: the long run
// of make crash. It exits with 1 when there was a fault.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/failpoint"
	"github.com/kalamdb/kalamdb-go/tests/crash"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ok, err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "crash:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context) (ok bool, err error) {
	o := crash.Options{Points: failpoint.All(), Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flag.StringVar(&o.Binary, "bin", "bin/kalamdb-server-failpoint",
		"server to start, built with the tag failpoint")
	flag.StringVar(&o.Engine, "engine", "pebble", "its storage engine")
	flag.IntVar(&o.Rounds, "rounds", 200, "how often the server is killed")
	flag.IntVar(&o.Users, "users", 20, "users with rows of their own")
	flag.IntVar(&o.Keys, "keys", 150, "keys of each")
	flag.DurationVar(&o.Life, "life", 3*time.Second, "how long the server lives at most")
	flag.Uint64Var(&o.Seed, "seed", 0, "of all that is random; 0 takes one")
	keep := flag.String("keep", "", "where the data goes and stays; otherwise a temporary folder")
	flag.Parse()
	o.DataDir = *keep
	if *keep == "" {
		dir, err := os.MkdirTemp("", "kalamdb-crash-")
		if err != nil {
			return false, err
		}
		o.DataDir = filepath.Join(dir, "data")
		defer func() {
			if ok {
				err = errors.Join(err, os.RemoveAll(dir))
			} else {
				fmt.Fprintln(os.Stderr, "crash: what was found is left in", dir)
			}
		}()
	}
	report, err := crash.Run(ctx, o)
	_, werr := report.WriteTo(os.Stdout)
	return err == nil && len(report.Faults) == 0, errors.Join(err, werr)
}
