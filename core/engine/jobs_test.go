package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// heldFlush is a flush that runs until it is let go, in place of the real one.
func heldFlush() (job.Kind, chan error) {
	let := make(chan error)
	return job.Kind{Name: job.Flush, Resume: true, Run: func(ctx context.Context, w *job.Work) error {
		w.Say("user %s", w.Params[job.ForUser])
		select {
		case err := <-let:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}}, let
}

// job runs a statement that answers one job and returns its id.
func (b *bench) job(id engine.Identity, sql string) string {
	b.t.Helper()
	rows := b.run(id, sql).Rows
	if len(rows) != 1 || rows[0][0].IsNull() {
		b.t.Fatalf("%s answers %v", sql, rows)
	}
	return rows[0][0].Str()
}

func TestEngine_Jobs(t *testing.T) {
	kind, let := heldFlush()
	dir := t.TempDir()
	b := open(t, dir, engine.Options{RootPassword: "a password", JobKinds: []job.Kind{kind}})
	b.chat()
	id := b.job(service, "FLUSH TABLE chat.messages FOR USER 'alice'")
	const state = "SELECT kind, status, namespace, table_name, user_id, parameters, attempts " +
		"FROM system.jobs"
	wantState := func(want string) {
		t.Helper()
		testkit.Eventually(t, 10*time.Second, "the jobs to be "+want, func() bool {
			return b.rows(root, state) == want
		})
	}
	wantState(`flush running chat messages app {"user":"alice"} 1`)
	err := b.fails(root, fault.StatementTimeout, "WAIT FOR JOB '"+id+"' TIMEOUT '1s'")
	if !strings.Contains(err.Error(), "running") {
		t.Errorf("%v", err)
	}
	b.want(service, "user alice", "SELECT message FROM system.jobs")
	b.want(alice, "", "SELECT * FROM system.jobs")
	b.want(alice, "", "SHOW JOBS")
	b.fails(alice, fault.NotFound, "KILL JOB '"+id+"'")
	b.fails(alice, fault.NotFound, "WAIT FOR JOB '"+id+"'")
	b.fails(alice, fault.PermissionDenied, "FLUSH TABLE chat.messages")

	b.close() // it is taken up again
	b.open()
	wantState(`flush running chat messages app {"user":"alice"} 2`)
	let <- nil
	wantEnd := func(id, status, message string) {
		t.Helper()
		r := b.run(root, "WAIT FOR JOB '"+id+"'").Rows[0]
		if r[0].Str() != id || r[2].Str() != status || r[4].Text() != message {
			t.Errorf("job %s ended as %v", id, r)
		}
	}
	wantEnd(id, "completed", "user alice")
	b.fails(root, fault.InvalidParameter, "KILL JOB '"+id+"'")

	second := b.job(root, "STORAGE FLUSH TABLE chat.messages")
	b.run(service, "KILL JOB '"+second+"'")
	wantEnd(second, "cancelled", "killed by app")
	b.want(root, "app root KILL JOB  success 1", auditRows)
	b.want(root, "2", "SELECT count(*) FROM system.jobs")
	b.want(root, "jobs_cancelled 1\njobs_completed 1\njobs_running 0", `SELECT name, value
		FROM system.stats WHERE name IN ('jobs_completed', 'jobs_cancelled', 'jobs_running')`)
}

func TestEngine_FlushAll(t *testing.T) {
	kind, let := heldFlush()
	b := open(t, "", engine.Options{Storage: engine.Memory, JobKinds: []job.Kind{kind},
		Jobs: job.Options{Running: 1, Queue: 1}})
	b.chat()
	b.run(root, "CREATE SHARED TABLE chat.vault (id INT PRIMARY KEY)")
	b.run(root, "CREATE STREAM TABLE chat.typing (id INT PRIMARY KEY) WITH (TTL = '1h')")
	b.run(root, "CREATE NAMESPACE other; CREATE TABLE other.t (id INT PRIMARY KEY)")
	b.fails(root, fault.NamespaceNotFound, "FLUSH ALL IN nowhere")
	b.fails(root, fault.Unsupported, "FLUSH TABLE chat.typing")
	b.fails(root, fault.Unsupported, "FLUSH TABLE system.users")
	b.fails(root, fault.InvalidParameter, "FLUSH TABLE chat.vault FOR USER 'alice'")
	b.fails(service, fault.TableNotFound, "FLUSH TABLE chat.vault")
	if rows := b.run(root, "FLUSH ALL IN other").Rows; len(rows) != 1 || rows[0][4].Str() != "t" {
		t.Errorf("got %v", rows)
	}
	let <- nil // it has its turn, and ended
	rows := b.run(service, "FLUSH ALL").Rows
	if len(rows) != 2 || rows[0][4].Str() != "messages" || rows[1][4].Str() != "t" {
		t.Fatalf("a flush of all that the service may see is %v", rows)
	}
	rows = b.run(root, "FLUSH ALL").Rows
	skipped := 0
	for _, r := range rows {
		if r[2].Str() == string(job.Skipped) && r[0].IsNull() && strings.Contains(r[5].Str(), "waiting") {
			skipped++
		}
	}
	if len(rows) != 3 || skipped == 0 {
		t.Errorf("with a full queue it is %v", rows)
	}
}
