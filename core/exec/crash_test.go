package exec_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/audit"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/exec"
	"github.com/kalamdb/kalamdb-go/core/job"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	sqlengine "github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/row"
)

var (
	root  = session.Identity{Caller: "root", Role: ident.RoleDBA}
	alice = session.Identity{Caller: "alice", Role: ident.RoleUser}
)

var errCrash = errors.New("the process is gone")

// mortal is a log that dies behind some commands. The one it dies at is
// applied, or not, but never answered.
type mortal struct {
	replica.Log
	left    chan struct{} // a token for each command that is still answered; nil for all
	applies atomic.Bool
	onFill  func() // is called before the first rows of an index are filled in
}

func (m *mortal) Propose(ctx context.Context, c *command.Command) (apply.Outcome, error) {
	if f := m.onFill; f != nil && len(c.Writes) > 0 && c.Writes[0].Op == command.Fill {
		m.onFill = nil
		f()
	}
	if m.left == nil {
		return m.Log.Propose(ctx, c)
	}
	select {
	case <-m.left:
		return m.Log.Propose(ctx, c)
	default:
	}
	if m.applies.CompareAndSwap(true, false) {
		if _, err := m.Log.Propose(ctx, c); err != nil {
			return apply.Outcome{}, err
		}
	}
	return apply.Outcome{}, errCrash
}

// process is an executor with all below it. A second one over the same store
// is the process after a crash.
type process struct {
	t    *testing.T
	db   *store.DB
	log  *mortal
	x    *exec.Executor
	made exec.Parts // of x
	cat  *catalog.Catalog
	jobs *job.Manager
}

func start(t *testing.T, db *store.DB) *process {
	t.Helper()
	return startPlanning(t, db, false)
}

// startPlanning is start, with all left to the library's planner when planAll.
func startPlanning(t *testing.T, db *store.DB, planAll bool) *process {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	m, err := apply.Open(db)
	must(err)
	ck, err := replica.NewClock(db, time.Now)
	must(err)
	local, err := replica.NewLocal(db, m, ck, replica.Options{})
	must(err)
	p := &process{t: t, db: db, log: &mortal{Log: local}}
	c := &command.Command{Shard: ident.SystemShard, Clock: ck.Now()}
	for _, k := range catalog.AllKept() {
		c.Fences = append(c.Fences, command.Fence{Table: k.Table().ID, Min: k.Table().Version,
			Partition: k.Table().Partition(ident.SystemShard)})
	}
	_, err = local.Propose(t.Context(), c)
	must(err)
	p.cat, err = catalog.Open(db)
	must(err)
	hub := live.New(live.Options{Source: unread{}})
	gen := clock.NewGenerator(time.Now, 0, ck.Now())
	keeper := &exec.Keeper{DB: db, Log: p.log, Clock: ck}
	p.jobs, err = job.Open(t.Context(), job.Kept{DB: db, Propose: keeper.Write}, nil, job.Options{})
	must(err)
	p.made = exec.Parts{
		Keeper: keeper, Machine: m, Catalog: p.cat, Jobs: p.jobs,
		SQL: sqlengine.New(sqlengine.Options{PlanAll: planAll}), PlanAll: planAll, Gen: gen,
		Audit: audit.New(audit.Parts{DB: db, Propose: unheard, Gen: gen, Now: time.Now,
			Logger: slog.New(slog.DiscardHandler)}),
		Hub: hub, Now: time.Now,
	}
	p.x = exec.New(p.made, exec.Limits{})
	return p
}

// unheard takes entries of the audit log and keeps none.
func unheard(context.Context, ...writeset.Write) error { return nil }

// unread is the source of a hub without subscriptions.
type unread struct{ live.Source }

func (p *process) stop() {
	p.t.Helper()
	if _, err := p.jobs.Close(p.t.Context()); err != nil { // none runs
		p.t.Fatal(err)
	}
	if err := p.log.Close(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) query(id session.Identity, sql string) (string, error) {
	var lines []string
	err := p.x.Run(p.t.Context(), id, exec.Request{SQL: sql}, func(r *exec.Result) error {
		for r.Rows != nil {
			vals, err := r.Rows.Next(p.t.Context())
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			var cells []string
			for _, v := range vals {
				cells = append(cells, v.Text())
			}
			lines = append(lines, strings.Join(cells, " "))
		}
		return nil
	})
	return strings.Join(lines, "\n"), err
}

func (p *process) run(id session.Identity, sql string) string {
	p.t.Helper()
	out, err := p.query(id, sql)
	if err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
	return out
}

// TestExecutor_RecoversSchemaChanges has the process die at each command of a
// change, before and after it is applied. After a restart the table is as
// before or as after the change, is written and read, and nothing is left.
func TestExecutor_RecoversSchemaChanges(t *testing.T) {
	for sql, states := range map[string][2]string{
		"ALTER TABLE app.t ADD b INT DEFAULT 7": {"1\n2", "1 7\n2 7"},
		"TRUNCATE TABLE app.t":                  {"1\n2", ""},
		"DROP TABLE app.t":                      {"1\n2", "gone"},
	} {
		for _, applies := range []bool{false, true} {
			before, after := 0, 0
			for lived := 0; ; lived++ {
				if lived > 100 {
					t.Fatalf("%s never ends", sql)
				}
				name := fmt.Sprintf("%s, dies behind %d commands, applied %v", sql, lived, applies)
				got, done := crash(t, name, sql, lived, applies)
				if done {
					break
				}
				switch got {
				case states[0]:
					before++
					if after > 0 {
						t.Errorf("%s: as before, although an earlier crash was after it", name)
					}
				case states[1]:
					after++
				default:
					t.Errorf("%s: %q is neither state", name, got)
				}
			}
			if before == 0 && !applies || after == 0 {
				t.Errorf("%s: %d crashes before, %d after", sql, before, after)
			}
		}
	}
}

// crash runs sql in a process that dies, and returns what the next one finds.
// done says that the statement was answered before.
func crash(t *testing.T, name, sql string, lived int, applies bool) (found string, done bool) {
	t.Helper()
	db, err := store.Open("", store.Options{Engine: memkv.Name, Shards: 3, OpenEngine: memkv.Open})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}()
	p := start(t, db)
	p.run(root, "CREATE NAMESPACE app")
	p.run(root, "CREATE TABLE app.t (id INT PRIMARY KEY)")
	p.run(alice, "INSERT INTO app.t VALUES (1), (2)")
	p.log.left = make(chan struct{}, lived)
	p.log.applies.Store(applies)
	for range lived {
		p.log.left <- struct{}{}
	}
	_, err = p.query(root, sql)
	done = err == nil
	p.stop()

	p = start(t, db)
	defer p.stop()
	if err := p.x.Recover(t.Context()); err != nil {
		t.Fatalf("%s: recover: %v", name, err)
	}
	found, err = p.query(alice, "SELECT * FROM app.t")
	if fault.Is(err, fault.TableNotFound) {
		found = "gone"
	} else if err != nil {
		t.Errorf("%s: read: %v", name, err)
	}
	p.checkWhole(name, found)
	return found, done
}

// checkWhole checks that the table is written by the present version only, and
// that no change has left anything behind.
func (p *process) checkWhole(name, found string) {
	p.t.Helper()
	partitions := 0
	for _, part := range p.db.Partitions() {
		if strings.Contains(string(part.Name), "app") {
			partitions++
		}
	}
	if found == "gone" {
		if partitions != 0 {
			p.t.Errorf("%s: %d partitions of a dropped table", name, partitions)
		}
		return
	}
	def, err := p.cat.Snapshot().Table("app", "t")
	if err != nil {
		p.t.Fatal(err)
	}
	if def.Unfenced || def.Successor != 0 || def.Former != 0 || partitions != 3 {
		p.t.Errorf("%s: %d partitions, definition %+v", name, partitions, def)
	}
	old := &command.Command{Shard: def.Shard("alice", 3), Clock: 1, Writes: []command.Write{{
		Table: def.ID, Schema: def.Version - 1, User: "alice", PK: []byte("x"), Op: row.Insert,
	}}}
	if out, err := p.log.Propose(p.t.Context(), old); err != nil || !out.Stale {
		p.t.Errorf("%s: a write of the version before is taken: %+v %v", name, out, err)
	}
	p.run(alice, "INSERT INTO app.t (id) VALUES (3)")
	p.run(root, "ALTER TABLE app.t ADD c INT DEFAULT 9")
	want := strings.TrimPrefix(found+"\n3", "\n")
	if len(def.Columns) > 1 {
		want += " 7"
	}
	want = strings.ReplaceAll(want, "\n", " 9\n") + " 9"
	if got := p.run(alice, "SELECT * FROM app.t"); got != want {
		p.t.Errorf("%s: then\n%s\nwant\n%s", name, got, want)
	}
	p.run(root, "TRUNCATE TABLE app.t")
	if got := p.run(alice, "SELECT COUNT(*) FROM app.t"); got != "0" {
		p.t.Errorf("%s: %s rows after TRUNCATE", name, got)
	}
}
