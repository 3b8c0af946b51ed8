package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/pebblekv"
)

const auditRows = "SELECT actor, acting_for, kind, object, outcome, count FROM system.audit_log " +
	"WHERE acting_for IS NOT NULL ORDER BY acting_for, kind, object, outcome"

// at returns a clock that stands still until it is moved.
func at(start time.Time) (now func() time.Time, move func(time.Duration)) {
	var unix atomic.Int64
	unix.Store(start.UnixNano())
	return func() time.Time { return time.Unix(0, unix.Load()) },
		func(d time.Duration) { unix.Add(int64(d)) }
}

func TestEngine_AuditsActsForOthers(t *testing.T) {
	now, move := at(time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC))
	b := open(t, "", engine.Options{Storage: engine.Memory, Now: now})
	b.chat()
	b.run(root, "CREATE SHARED TABLE chat.rooms (id BIGINT PRIMARY KEY) WITH (ACCESS = 'public')")
	for id := range 3 {
		b.run(service, fmt.Sprintf("INSERT INTO chat.alice.messages VALUES (1, %d, 'secret')", id))
	}
	b.fails(service, fault.DuplicateKey, "INSERT INTO chat.alice.messages VALUES (1, 1, 'secret')")
	b.run(service, "EXECUTE AS USER 'alice' (UPDATE chat.messages SET content = 'y' WHERE id = 1)")
	asBob := service
	asBob.As = "bob"
	b.run(asBob, "SELECT m.id FROM chat.messages m, chat.rooms r, chat.alice.messages a")
	b.run(asBob, "SELECT 1")
	b.run(asBob, "SHOW TABLES IN chat")
	b.fails(asBob, fault.TableNotFound, "SELECT * FROM chat.nothing")
	own := service
	own.As = own.Caller
	b.run(own, "SELECT * FROM chat.messages")
	b.run(own, "SELECT * FROM chat.app.messages")
	b.run(alice, "SELECT * FROM chat.alice.messages")
	b.fails(alice, fault.PermissionDenied, "SELECT * FROM chat.bob.messages")
	b.want(root, `app alice INSERT chat.messages DUPLICATE_KEY 1
app alice INSERT chat.messages success 3
app alice SELECT chat.messages success 1
app alice UPDATE chat.messages success 1
app bob SELECT  TABLE_NOT_FOUND 1
app bob SELECT  success 1
app bob SELECT chat.messages success 1
app bob SELECT chat.rooms success 1`, auditRows)

	b.run(service, "INSERT INTO chat.alice.messages VALUES (1, 6, 'secret')")
	b.want(root, "4", "SELECT count FROM system.audit_log WHERE kind = 'INSERT' "+
		"AND outcome = 'success'")

	move(time.Minute)
	b.run(service, "INSERT INTO chat.alice.messages VALUES (1, 7, 'secret')")
	b.run(root, "SELECT id FROM chat.alice.messages WHERE id = 7 AND conversation = 1")
	b.want(root, "2026-01-02T03:04:00Z 4\n2026-01-02T03:05:00Z 1", `SELECT time, count
		FROM system.audit_log WHERE kind = 'INSERT' AND outcome = 'success'`)
	b.want(root, "1", "SELECT count FROM system.audit_log WHERE actor = 'root' AND kind = 'SELECT'")
	all := b.rows(root, "SELECT * FROM system.audit_log")
	if strings.Contains(all, "secret") {
		t.Errorf("a literal is in the log:\n%s", all)
	}
	for _, id := range []engine.Identity{alice, service} {
		b.fails(id, fault.PermissionDenied, "SELECT * FROM system.audit_log")
	}
}

func TestEngine_AuditsSubscriptions(t *testing.T) {
	b := inMemory(t)
	b.chat()
	id := service
	id.As = "alice"
	sub, err := b.db.Subscribe(t.Context(), id, engine.Subscription{
		SQL: "SELECT * FROM chat.messages", ID: "1", Notify: func() {}, Remote: "192.0.2.1",
	})
	if err != nil {
		t.Fatal(err)
	}
	sub.Close("")
	b.want(root, "app alice SUBSCRIBE chat.messages success 1", auditRows)
	b.want(root, "192.0.2.1", "SELECT remote_address FROM system.audit_log WHERE kind = 'SUBSCRIBE'")
}

func TestEngine_AuditsChanges(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, engine.Options{RootPassword: "a password"})
	b.chat()
	b.fails(root, fault.AlreadyExists, "CREATE NAMESPACE chat")
	b.run(root, "CREATE USER 'carol' WITH PASSWORD 'hunter22hunter' ROLE user")
	b.run(root, "ALTER USER 'carol' SET PASSWORD 'hunter33hunter'")
	b.run(root, "DROP USER 'carol'")
	b.run(root, "ALTER TABLE chat.messages ADD COLUMN note TEXT DEFAULT 'hunter44'")
	b.run(root, "TRUNCATE TABLE chat.messages")
	req := engine.Request{SQL: "USE chat; DROP TABLE messages", RequestID: "r1", Remote: "192.0.2.1"}
	if err := b.db.Execute(t.Context(), root, req, func(*engine.Result) error { return nil }); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b.fails(alice, fault.PermissionDenied, "CREATE NAMESPACE mine")
	}
	b.close()
	b.open()
	b.want(root, `root  CREATE NAMESPACE chat success 1
root  CREATE USER TABLE chat.messages success 1
root  CREATE NAMESPACE chat ALREADY_EXISTS 1
root  CREATE USER carol success 1
root  ALTER USER carol success 1
root  DROP USER carol success 1
root  ALTER TABLE chat.messages success 1
root  TRUNCATE TABLE chat.messages success 1
root  DROP TABLE chat.messages success 1
alice  CREATE NAMESPACE  PERMISSION_DENIED 3`, `SELECT actor, acting_for, kind, object, outcome, count
		FROM system.audit_log ORDER BY actor DESC, time`)
	b.want(root, "r1 192.0.2.1",
		"SELECT request_id, remote_address FROM system.audit_log WHERE kind = 'DROP TABLE'")
	if all := b.rows(root, "SELECT * FROM system.audit_log"); strings.Contains(all, "hunter") {
		t.Errorf("a password is in the log:\n%s", all)
	}
}

func TestEngine_AuditIsTrimmed(t *testing.T) {
	now, move := at(time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC))
	b := open(t, "", engine.Options{
		Storage: engine.Memory, Now: now, AuditRetention: time.Hour,
	})
	b.chat()
	for i := range 1200 {
		if i%300 == 0 {
			move(time.Minute)
		}
		b.run(service, fmt.Sprintf("SELECT id FROM chat.u%d.messages", i))
	}
	b.want(root, "1202", "SELECT COUNT(*) FROM system.audit_log")
	trim := func(want string) {
		t.Helper()
		if err := b.db.TrimAudit(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.want(root, want, "SELECT COUNT(*) FROM system.audit_log")
	}
	trim("1202")
	move(time.Hour - 2*time.Minute)
	trim("900")
	move(time.Hour)
	trim("0")
}

// An app server that acts for thousands of users makes no sync of its own for
// each, and whoever reads the log sees all of it.
func TestEngine_AuditIsWrittenTogether(t *testing.T) {
	now, _ := at(time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC))
	b := open(t, "", engine.Options{Storage: engine.Memory, Now: now})
	b.chat()
	before := b.commands(t)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 2500 {
				sql := fmt.Sprintf("SELECT id FROM chat.u%d_%d.messages", w, i)
				_, err := b.db.Query(context.Background(), service, sql)
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if n := b.commands(t) - before; n > 100 {
		t.Errorf("%d commands for 10,000 acts", n)
	}
	b.want(root, "10000 10000", `SELECT COUNT(*), SUM(count) FROM system.audit_log
		WHERE kind = 'SELECT'`)
}

func (b *bench) commands(t *testing.T) int64 {
	t.Helper()
	rows := b.run(root, "SELECT value FROM system.stats WHERE name = 'commit_commands'").Rows
	v, err := value.Convert(value.Int64, rows[0][0])
	if err != nil {
		t.Fatal(err)
	}
	return v.Int()
}

// TestEngine_AuditPacksActsForMany acts for many users at once, whose acts are one
// stored entry, and again in the same minute and the next.
func TestEngine_AuditPacksActsForMany(t *testing.T) {
	const users = 600 // more than an entry has
	now, move := at(time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC))
	dir := t.TempDir()
	b := open(t, dir, engine.Options{Storage: engine.Pebble, Now: now})
	b.chat()
	act := func(from, to, id int) {
		t.Helper()
		for u := from; u < to; u++ {
			b.run(service, fmt.Sprintf("INSERT INTO chat.user%d.messages VALUES (1, %d, 'x')", u, id))
		}
	}
	const counts = "SELECT count, COUNT(*) FROM system.audit_log WHERE kind = 'INSERT' " +
		"AND object = 'chat.messages' GROUP BY count ORDER BY count"
	act(0, users, 1)
	b.want(root, "1 600", counts)
	b.want(root, "600", "SELECT COUNT(DISTINCT acting_for) FROM system.audit_log "+
		"WHERE actor = 'app' AND outcome = 'success' AND time = '2026-01-02 03:04:00'")
	move(time.Second)
	act(590, 610, 2) // ten of them for the first time: a row each
	b.want(root, "1 600\n2 10", counts)
	b.want(root, "2026-01-02T03:04:00Z 2 ", "SELECT time, count, request_id "+
		"FROM system.audit_log WHERE acting_for = 'user595' AND kind = 'INSERT'")
	b.close()
	if n := storedAudits(t, dir); n > users/4 {
		t.Errorf("%d entries are stored of acts for %d users", n, users)
	}
	b.open()
	act(0, users, 3) // nobody remembers that they had acted
	b.want(root, "1 10\n2 590\n3 10", counts)
	move(time.Minute)
	act(0, users, 4)
	b.want(root, "1 610\n2 590\n3 10", counts)
}

// storedAudits returns how many entries the log of a closed engine has.
func storedAudits(t *testing.T, dir string) (n int) {
	t.Helper()
	db, err := store.Open(dir, store.Options{Engine: pebblekv.Name, Shards: 10,
		OpenEngine: pebblekv.Opener(pebblekv.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	v := db.View()
	err = catalog.KeptAudit.Each(db, v, func(func(any) error) error {
		n++
		return nil
	})
	v.Release()
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	return n
}
