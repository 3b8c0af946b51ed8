package crash_test

import (
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/failpoint"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/tests/crash"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// TestRun does a few rounds; make crash does very many.
func TestRun(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "kalamdb-server")
	root, err := testkit.Root()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-tags=gms_pure_go,failpoint", "-o", bin,
		"./server/cmd/kalamdb-server")
	cmd.Dir = root
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	report, err := crash.Run(t.Context(), crash.Options{
		Binary: bin, DataDir: filepath.Join(t.TempDir(), "data"), Rounds: 5,
		Users: 8, Keys: 60, Life: 2 * time.Second, Points: failpoint.All(),
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	var text strings.Builder
	if _, werr := report.WriteTo(&text); werr != nil {
		t.Error(werr)
	}
	t.Log(text.String())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Faults) > 0 {
		t.Fail()
	}
	if report.Rounds != 5 || report.Statements == 0 || report.Reads == 0 ||
		report.Moves["flush completed"] == 0 {
		t.Error("next to nothing was done")
	}
}
