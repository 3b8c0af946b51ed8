// Command nemesis has a cluster of its own under load while it causes faults, and judges
// what clients were told: the long run of make nemesis. It exits with 1 when something
// was wrong.
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
	"strings"
	"syscall"
	"time"

	"github.com/kalamdb/kalamdb-go/tests/nemesis"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "nemesis:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context) (ok bool, err error) {
	o := nemesis.Options{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flag.StringVar(&o.Binary, "bin", "bin/kalamdb-server-failpoint",
		"server to start, built with the tag failpoint")
	flag.IntVar(&o.Nodes, "nodes", 3, "how many servers")
	flag.DurationVar(&o.Duration, "duration", 10*time.Minute, "of the load")
	flag.Uint64Var(&o.Seed, "seed", 0, "of all that is random; 0 takes one")
	faults := flag.String("faults", "", "kinds that are caused, with commas between; - is none, "+
		"empty all")
	figures := flag.Bool("figures", false, "measure instead; -duration is of each part")
	keep := flag.String("keep", "", "where the data goes and stays; otherwise a temporary folder")
	flag.Parse()
	if *faults != "" {
		o.Faults = []nemesis.Fault{}
	}
	for name := range strings.SplitSeq(*faults, ",") {
		if name != "" && name != "-" {
			o.Faults = append(o.Faults, nemesis.Fault(name))
		}
	}
	o.Dir = *keep
	if *keep == "" {
		if o.Dir, err = os.MkdirTemp("", "kalamdb-nemesis-"); err != nil {
			return false, err
		}
		defer func() {
			if ok {
				err = errors.Join(err, os.RemoveAll(o.Dir))
			} else {
				fmt.Fprintln(os.Stderr, "nemesis: what was found is left in", o.Dir)
			}
		}()
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return false, err
	}
	if o.Binary, err = filepath.Abs(o.Binary); err != nil {
		return false, err
	}
	if *figures {
		err := nemesis.Figures(ctx, o, os.Stdout)
		return err == nil, err
	}
	report, err := nemesis.Run(ctx, o)
	_, werr := report.WriteTo(os.Stdout)
	return err == nil && len(report.Violations) == 0, errors.Join(err, werr)
}
