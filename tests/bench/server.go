package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// server is a server process in a folder of its own.
type server struct {
	*blackbox.Process
	dir string
}

func (b *bench) launch(ctx context.Context, env ...string) (*server, error) {
	dir, err := os.MkdirTemp("", "kalamdb-bench-")
	if err != nil {
		return nil, err
	}
	p, err := blackbox.Start(ctx, blackbox.Options{
		Binary: b.binary, DataDir: filepath.Join(dir, "data"), Env: env,
	})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &server{p, dir}, nil
}

func (s *server) close() error { return errors.Join(s.Stop(), os.RemoveAll(s.dir)) }

func (s *server) host() string { return strings.TrimPrefix(s.URL, "http://") }

func (s *server) root() *blackbox.Client {
	return &blackbox.Client{URL: s.URL,
		Authorization: blackbox.Basic(blackbox.RootUser, blackbox.RootPassword)}
}

// dial opens a connection signed in as a user.
func (s *server) dial(user string) (*conn, error) {
	return dial(s.host(), blackbox.Bearer(user, time.Now()), "")
}

// start measures the time from exec to the first healthy answer, and the
// memory of a server that does nothing.
func (b *bench) start(ctx context.Context) (err error) {
	s, err := b.launch(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	const rounds = 7
	var took []time.Duration
	for range rounds {
		if err := s.Stop(); err != nil {
			return err
		}
		from := time.Now()
		if err := s.Restart(ctx); err != nil {
			return err
		}
		took = append(took, time.Since(from))
	}
	slices.Sort(took)
	err = b.report(Figure{Name: "start", Value: millis(took[rounds/2]), Unit: "ms",
		Durability: "none", Conditions: "exec to first healthy answer, existing data directory, " +
			"median of 7"})
	if err != nil {
		return err
	}
	if err := wait(ctx, 2*time.Second); err != nil {
		return err
	}
	for _, part := range []struct{ name, key, what string }{
		{"idle_rss", keyResident, "all resident memory"},
		{"idle_rss_own", keyAnonymous, "without the pages of the binary, which the system can drop"},
	} {
		bytes, err := memory(s.PID(), part.key)
		if err != nil {
			fmt.Fprintf(b.notes, "skipped: %s: %v\n", part.name, err)
			continue
		}
		err = b.report(Figure{Name: part.name, Value: bytes / (1 << 20), Unit: "MB",
			Durability: "none", Conditions: "2 s after a start, no connection; " + part.what})
		if err != nil {
			return err
		}
	}
	return nil
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Lines of /proc/<pid>/status.
const (
	keyResident  = "VmRSS:"
	keyAnonymous = "RssAnon:"
)

// memory reads a figure of a process in bytes, where the system tells it under
// /proc.
func memory(pid int, key string) (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb * 1024, err
		}
	}
	return 0, fmt.Errorf("no %s in /proc", key)
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
