package failpoint_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kalamdb/kalamdb-go/internal/failpoint"
)

// TestHere builds a program with and without the tag and has it end.
func TestHere(t *testing.T) {
	bin := t.TempDir()
	for _, tags := range []string{"failpoint", "none"} {
		out, err := exec.Command("go", "build", "-tags", tags, "-o", filepath.Join(bin, tags),
			"./steps").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for _, c := range []struct {
		tags, env, clock string
		lines            int
		ahead            string
		killed           bool
		status           int
	}{
		{"none", "segment_there:3", "90s", 5, "0s", false, 0},
		{"failpoint", "", "", 5, "0s", false, 0},
		{"failpoint", "", "90s", 5, "1m30s", false, 0},
		{"failpoint", "segment_there", "", 1, "0s", true, -1},
		{"failpoint", "sweep_dying:3", "", 3, "0s", true, -1},
		{"failpoint", "sweep_dying:6", "", 5, "0s", false, 0},
		{"failpoint", "sweep_dieing", "", 0, "", false, 2},
		{"failpoint", "sweep_dying:0", "", 0, "", false, 2},
		{"failpoint", "", "late", 0, "", false, 2},
		{"failpoint", "", "-1s", 0, "", false, 2},
	} {
		cmd := exec.Command(filepath.Join(bin, c.tags))
		cmd.Env = append(os.Environ(), "FAILPOINT="+c.env, "FAILPOINT_CLOCK="+c.clock)
		out, _ := cmd.Output()
		state := cmd.ProcessState
		status, ok := state.Sys().(syscall.WaitStatus)
		if !ok {
			t.Fatalf("no status of a process: %v", state)
		}
		killed := status.Signaled() && status.Signal() == syscall.SIGKILL
		lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
		_, ahead, _ := strings.Cut(lines[0], " ")
		if got := strings.Count(string(out), "\n"); got != c.lines || ahead != c.ahead ||
			killed != c.killed || state.ExitCode() != c.status {
			t.Errorf("%s with %q and %q: %d lines, ahead by %q, %v", c.tags, c.env, c.clock,
				got, ahead, state)
		}
	}
}

func TestAll_namesDiffer(t *testing.T) {
	seen := map[failpoint.Point]bool{}
	for _, p := range failpoint.All() {
		if p == "" || seen[p] {
			t.Errorf("%q is there twice", p)
		}
		seen[p] = true
	}
	if len(seen) == 0 {
		t.Error("there are none")
	}
}
