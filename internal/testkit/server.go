package testkit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
)

// Server is a server that a test talks to: a process of its own, or the one
// that KALAM_TEST_URL names.
type Server struct {
	URL     string
	process *blackbox.Process // nil for a server that was running before
	root    string            // Authorization of the root user
}

// Start starts a server in a temporary folder and stops it at the test's end,
// which fails when the server ends badly. env holds further KALAMDB_...
// variables. With KALAM_TEST_URL the running server is used instead; a test
// that needs its own process skips itself then.
func Start(t testing.TB, env ...string) *Server {
	t.Helper()
	if url := os.Getenv(envURL); url != "" {
		return &Server{
			URL:  url,
			root: blackbox.Basic(blackbox.RootUser, os.Getenv(envPassword)),
		}
	}
	p, err := blackbox.Start(t.Context(), blackbox.Options{
		Binary:  Binary(t, "kalamdb-server"),
		DataDir: filepath.Join(t.TempDir(), "data"),
		Env:     env,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{
		URL:     p.URL,
		process: p,
		root:    blackbox.Basic(blackbox.RootUser, blackbox.RootPassword),
	}
	t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			t.Errorf("stop the server: %v", err)
		}
		if t.Failed() {
			t.Logf("the server's last lines:\n%s", p.Tail(40))
		}
	})
	return s
}

// Process returns the server's process, and skips the test when the server is
// not the test's own.
func (s *Server) Process(t testing.TB) *blackbox.Process {
	t.Helper()
	if s.process == nil {
		t.Skip("needs a server process of its own; unset " + envURL)
	}
	return s.process
}

// CrashAndRestart kills the server as a crash would and starts it again.
func (s *Server) CrashAndRestart(t testing.TB) {
	t.Helper()
	p := s.Process(t)
	p.Kill()
	if err := p.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Root returns a client of the root user.
func (s *Server) Root() *blackbox.Client {
	return &blackbox.Client{URL: s.URL, Authorization: s.root}
}

// User returns a client signed in as user with role user: by a token signed
// with the server's own secret, or on a server that was running before by an
// account that is made for it.
func (s *Server) User(t testing.TB, user string) *blackbox.Client {
	t.Helper()
	if s.process != nil {
		return &blackbox.Client{URL: s.URL, Authorization: blackbox.Bearer(user, time.Now())}
	}
	const password = "a-password-of-tests"
	Must(t, s.Root(), fmt.Sprintf(
		"CREATE USER IF NOT EXISTS '%s' WITH PASSWORD '%s' ROLE user", user, password))
	return &blackbox.Client{URL: s.URL, Authorization: blackbox.Basic(user, password)}
}

// Namespace makes a namespace of the test's own and drops it at its end.
func (s *Server) Namespace(t testing.TB) string {
	t.Helper()
	ns := fmt.Sprintf("t_%x", rand.Uint64())
	Must(t, s.Root(), "CREATE NAMESPACE "+ns)
	if s.process == nil {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
			defer cancel()
			if _, err := s.Root().SQL(ctx, "DROP NAMESPACE "+ns+" CASCADE"); err != nil {
				t.Errorf("drop the test's namespace: %v", err)
			}
		})
	}
	return ns
}

// Dial opens a WebSocket with the client's credentials and closes it at the
// test's end.
func Dial(t testing.TB, c *blackbox.Client) *blackbox.Socket {
	t.Helper()
	s, err := blackbox.Dial(t.Context(), c.URL, c.Header())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Must runs a statement and fails the test when it fails.
func Must(t testing.TB, c *blackbox.Client, sql string, params ...any) *blackbox.Result {
	t.Helper()
	r, err := run(t, c, sql, params...)
	if err != nil {
		t.Fatalf("%s: %v", clip(sql), err)
	}
	return r
}

// WantRows runs a statement and fails the test when its rows, as text, are
// not those given, in that order.
func WantRows(t testing.TB, c *blackbox.Client, sql string, want ...[]string) {
	t.Helper()
	got := Must(t, c, sql).Strings()
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("%s:\n got %v\nwant %v", clip(sql), got, want)
	}
}

// WantCode runs a statement and fails the test when it does not fail with one
// of the codes.
func WantCode(t testing.TB, c *blackbox.Client, sql string, codes ...string) {
	t.Helper()
	r, err := run(t, c, sql)
	var e *blackbox.Error
	switch {
	case err == nil:
		t.Errorf("%s: succeeded with %v, want %v", clip(sql), r.Strings(), codes)
	case !errors.As(err, &e):
		t.Errorf("%s: %v, want %v", clip(sql), err, codes)
	case !slices.Contains(codes, e.Code):
		t.Errorf("%s: %v, want %v", clip(sql), e, codes)
	}
}

// run runs a statement that no test expects to take long, in cleanups too.
func run(
	t testing.TB, c *blackbox.Client, sql string, params ...any,
) (*blackbox.Result, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
	defer cancel()
	return c.SQL(ctx, sql, params...)
}

func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
