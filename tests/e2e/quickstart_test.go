package e2e_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// home is a folder laid out as the repository is after make build, with a
// server running from it that was told nothing but its port.
type home struct {
	dir, url string
}

func newHome(t *testing.T) home {
	t.Helper()
	h := home{dir: t.TempDir()}
	if err := os.Mkdir(filepath.Join(h.dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kalamdb-server", "kalam"} {
		binary, err := os.ReadFile(testkit.Binary(t, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(h.dir, "bin", name), binary, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	port := freePort(t)
	h.url = "http://localhost:" + port
	server := exec.Command("bin/kalamdb-server")
	server.Dir, server.Env = h.dir, append(h.env(), "KALAMDB_SERVER_PORT="+port)
	var log buffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(server, syscall.SIGTERM); err != nil {
			t.Errorf("stop the server: %v\n%s", err, log.String())
		}
	})
	testkit.Eventually(t, patience, "the server is healthy", func() bool {
		return blackbox.Healthy(t.Context(), h.url)
	})
	return h
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

// env is an environment without settings, and with a home folder of its own.
func (h home) env() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "TERM=dumb"}
}

// command makes a block of the README runnable here: the same text, with the
// port of this server.
func (h home) command(script string) *exec.Cmd {
	script = strings.ReplaceAll(script, "http://localhost:8080", h.url)
	script = strings.ReplaceAll(script, "bin/kalam ", "bin/kalam --url "+h.url+" ")
	cmd := exec.Command("sh", "-e", "-c", script)
	cmd.Dir, cmd.Env = h.dir, h.env()
	// Its own process group, so that an interrupt reaches what the shell runs.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// stop sends a signal and waits; ending by the signal is no error.
func stop(cmd *exec.Cmd, sig syscall.Signal) error {
	target := cmd.Process.Pid
	if cmd.SysProcAttr != nil && cmd.SysProcAttr.Setpgid {
		target = -target
	}
	if err := syscall.Kill(target, sig); err != nil {
		return err
	}
	err := cmd.Wait()
	if state, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && state.Signal() == sig {
		return nil
	}
	return err
}

// buffer is a bytes.Buffer that a process writes while the test reads it.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// blocks returns the code blocks of the README whose fence says name.
func blocks(t *testing.T, name string) []string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for i, part := range strings.Split(string(readme), "```") {
		if body, ok := strings.CutPrefix(part, "sh "+name+"\n"); ok && i%2 == 1 {
			found = append(found, body)
		}
	}
	if len(found) == 0 {
		t.Fatalf("the README has no block %q", name)
	}
	return found
}

// What the README tells a newcomer to type does what it says.
func TestQuickstart_theReadmeWorks(t *testing.T) {
	h := newHome(t)
	for i, script := range blocks(t, "quickstart") {
		if strings.Contains(script, "curl") {
			if _, err := exec.LookPath("curl"); err != nil {
				t.Log("skipped: the README's call over HTTP: curl is not installed")
				continue
			}
		}
		out, err := h.command(script).CombinedOutput()
		if err != nil {
			t.Fatalf("%s\n%v\n%s", script, err, out)
		}
		sees, not := "hello from alice", "hello from bob"
		if i == 1 {
			sees, not = not, sees
		}
		if !strings.Contains(string(out), sees) || strings.Contains(string(out), not) {
			t.Errorf("%s\nprints\n%s", script, out)
		}
	}

	live := h.command(blocks(t, "live")[0])
	var told buffer
	live.Stdout, live.Stderr = &told, &told
	if err := live.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(live, syscall.SIGINT); err != nil {
			t.Errorf("the live query ends with %v\n%s", err, told.String())
		}
	}()
	testkit.Eventually(t, patience, "the live query has its snapshot", func() bool {
		return strings.Contains(told.String(), "hello from alice")
	})
	if out, err := h.command(blocks(t, "then")[0]).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	testkit.Eventually(t, patience, "the new row arrives", func() bool {
		return strings.Contains(told.String(), "and there it is")
	})
}
