package testkit

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// Environment variables that tests honour.
const (
	envURL      = "KALAM_TEST_URL"      // use this running server and start none
	envPassword = "KALAM_PASSWORD"      // root's password of that server
	envBinary   = "KALAM_TEST_BINARIES" // folder with kalamdb-server and kalam already built
)

// The packages that are built for tests, by the name of the binary.
var mains = map[string]string{
	"kalamdb-server": "./server/cmd/kalamdb-server",
	"kalam":          "./cli/cmd/kalam",
}

// built holds the binaries of this test process: built when first asked for,
// removed by Main.
var built struct {
	sync.Mutex
	dir   string
	paths map[string]string
}

// Binary returns the path of kalamdb-server or kalam, built from this
// repository once per test process.
func Binary(t testing.TB, name string) string {
	t.Helper()
	if dir := os.Getenv(envBinary); dir != "" {
		return filepath.Join(dir, name)
	}
	built.Lock()
	defer built.Unlock()
	if p, ok := built.paths[name]; ok {
		return p
	}
	p, err := buildLocked(name)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func buildLocked(name string) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	if built.dir == "" {
		if built.dir, err = os.MkdirTemp("", "kalamdb-test-"); err != nil {
			return "", err
		}
		built.paths = map[string]string{}
	}
	out := filepath.Join(built.dir, name)
	cmd := exec.Command("go", "build", "-tags=gms_pure_go", "-o", out, mains[name])
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", name, err, text)
	}
	built.paths[name] = out
	return out, nil
}

func removeBinary() {
	built.Lock()
	defer built.Unlock()
	if built.dir != "" {
		// What is left lies in the temporary folder.
		_ = os.RemoveAll(built.dir)
	}
}

// closeIdle lets go of kept connections, so that their goroutines are not
// taken for leaks.
func closeIdle() { http.DefaultClient.CloseIdleConnections() }

// Root returns the root folder of the repository: the nearest one above the
// working directory that holds go.work.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.work above the working directory")
		}
		dir = parent
	}
}
