package e2e_test

import (
	"context"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/cli/verify"
	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// The proof of make verify-live, in seconds: sockets are broken and stalled and
// the server is killed while the writing goes on.
func TestVerify_findsNoFault(t *testing.T) {
	s := testkit.Start(t)
	p := s.Process(t)
	c, err := client.New(client.Options{URL: s.URL, User: blackbox.RootUser,
		Password: blackbox.RootPassword, MaxAttempts: 100})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := verify.Run(t.Context(), verify.Options{Client: c, Duration: 6 * time.Second,
		Subscribers: 8, Stall: 1, KillSockets: 50 * time.Millisecond, RestartEvery: 2 * time.Second,
		Restart: func(ctx context.Context) error {
			p.Kill()
			return p.Restart(ctx)
		}})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if _, err := r.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", b.String())
	if !r.OK() {
		t.Error("there are faults")
	}
	if min(r.Changes, r.Events, r.Kills, r.Restarts, r.States) < 1 || r.Snapshots < 32 {
		t.Errorf("too little was done: %+v", r)
	}
}

// The command does the same on a server that runs already.
func TestVerify_command(t *testing.T) {
	s := testkit.Start(t)
	s.Process(t)
	cmd := exec.CommandContext(t.Context(), testkit.Binary(t, "kalam"), "verify-live", "--url", s.URL,
		"--duration", "2s", "--users", "2", "--kill-sockets", "100ms", "--changes", "2000")
	cmd.Env = []string{"HOME=" + t.TempDir(), "KALAM_PASSWORD=" + blackbox.RootPassword}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, line := range []string{"lost", "duplicated", "out of order", "wrongly filtered"} {
		if !regexp.MustCompile(`(?m)^` + line + ` +0$`).Match(out) {
			t.Errorf("%s is not 0 in\n%s", line, out)
		}
	}
	testkit.WantRows(t, s.Root(), "SELECT name FROM system.namespaces WHERE name LIKE 'verify%'")
}
