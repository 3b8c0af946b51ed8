package nemesis

import (
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// TestRun is a short run with the faults that need nothing of the machine; make nemesis
// does a long one with all.
func TestRun(t *testing.T) {
	bin := filepath.Join(t.TempDir(), "kalamdb-server")
	root, err := testkit.Root()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "build", "-tags=gms_pure_go,failpoint", "-o", bin,
		"./server/cmd/kalamdb-server")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	report, err := Run(t.Context(), Options{
		Binary: bin, Dir: t.TempDir(), Duration: 12 * time.Second,
		Faults: []Fault{Kill, Pause, Restart},
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	var text strings.Builder
	if _, werr := report.WriteTo(&text); werr != nil {
		t.Error(werr)
	}
	t.Log(text.String())
	if err != nil || len(report.Violations) > 0 {
		t.Fatal(err, report.Violations)
	}
	for _, kind := range []string{"registers", "bank", "bank reads", "counters", "feed"} {
		if report.Ops[kind] == 0 {
			t.Errorf("no operation on %s", kind)
		}
	}
	if len(report.Faults) == 0 || report.Events == 0 || report.Resumed == 0 {
		t.Error("next to nothing was done")
	}
}

// TestRegisterModel has the model refuse what a register can't answer.
func TestRegisterModel(t *testing.T) {
	op := func(client int, call, back int64, in request, out reply) porcupine.Operation {
		return porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: back}
	}
	put := request{key: "k", action: insert, to: 1}
	change := request{key: "k", action: swap, from: 1, to: 2}
	get := request{key: "k", action: read}
	tests := []struct {
		name string
		want bool
		ops  []porcupine.Operation
	}{
		{"in order", true, []porcupine.Operation{
			op(0, 0, 1, get, reply{value: absent}), op(0, 2, 3, put, reply{done: true}),
			op(0, 4, 5, change, reply{done: true}), op(0, 6, 7, get, reply{value: 2}),
			op(0, 8, 9, request{key: "k", action: remove}, reply{done: true}),
			op(0, 10, 11, get, reply{value: absent}),
		}},
		{"a stale read", false, []porcupine.Operation{
			op(0, 0, 1, put, reply{done: true}), op(1, 2, 3, get, reply{value: absent}),
		}},
		{"a lost write", false, []porcupine.Operation{
			op(0, 0, 1, put, reply{done: true}), op(0, 2, 3, change, reply{done: true}),
			op(1, 4, 5, get, reply{value: 1}),
		}},
		{"a swap twice", false, []porcupine.Operation{
			op(0, 0, 1, put, reply{done: true}), op(0, 2, 3, change, reply{done: true}),
			op(1, 4, 5, change, reply{done: true}),
		}},
		{"an unknown write that is seen late", true, []porcupine.Operation{
			op(0, 0, 100, put, reply{unknown: true}), op(1, 2, 3, get, reply{value: absent}),
			op(1, 4, 5, get, reply{value: 1}),
		}},
		{"an unknown write that is seen and goes again", false, []porcupine.Operation{
			op(0, 0, 100, put, reply{unknown: true}), op(1, 2, 3, get, reply{value: 1}),
			op(1, 4, 5, get, reply{value: absent}),
		}},
		{"other keys are others", true, []porcupine.Operation{
			op(0, 0, 1, put, reply{done: true}),
			op(1, 2, 3, request{key: "l", action: read}, reply{value: absent}),
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := porcupine.CheckOperations(registerModel, tt.ops); got != tt.want {
				t.Errorf("linearizable: %t", got)
			}
		})
	}
}

func testRun() *run {
	return &run{Options: Options{}.withDefaults(), report: Report{Heard: map[string]int{}}}
}

func TestBank_total(t *testing.T) {
	r := testRun()
	b := newBank(r)
	b.total("t", [][]string{{"90"}, {"110"}}, 2)
	if len(r.report.Violations) != 0 {
		t.Error(r.report.Violations)
	}
	b.total("t", [][]string{{"90"}, {"100"}}, 2)
	b.total("t", [][]string{{"200"}}, 2)
	if len(r.report.Violations) != 2 {
		t.Errorf("half a transfer and a missing account: %q", r.report.Violations)
	}
}

// TestFollower tells a follower what a server must not tell.
func TestFollower(t *testing.T) {
	row := func(id, n string) []map[string]any { return []map[string]any{{"id": id, "n": n}} }
	change := func(kind, id, n string) *blackbox.Message {
		return &blackbox.Message{Type: "change", ChangeType: kind, Rows: row(id, n)}
	}
	tests := []struct {
		name  string
		tell  []*blackbox.Message
		fault bool
	}{
		{"in order", []*blackbox.Message{change("insert", "1", "1"), change("insert", "2", "2"),
			change("update", "1", "3")}, false},
		{"twice", []*blackbox.Message{change("insert", "1", "1"), change("insert", "1", "1")}, true},
		{"a gap", []*blackbox.Message{change("insert", "1", "1"), change("insert", "3", "3")}, true},
		{"an update of nothing", []*blackbox.Message{change("update", "1", "1")}, true},
		{"a delete", []*blackbox.Message{change("insert", "1", "1"), change("delete", "1", "2")}, true},
		{"no number", []*blackbox.Message{change("insert", "1", "x")}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := testRun()
			l := &follower{run: r, caller: &caller{name: "t"}, rows: map[string]int64{}}
			for _, m := range tt.tell {
				l.change(m)
			}
			if l.fatal != tt.fault || (len(r.report.Violations) > 0) != tt.fault {
				t.Errorf("fault %t, %q", l.fatal, r.report.Violations)
			}
		})
	}
}
