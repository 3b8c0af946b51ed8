package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/live"
)

func TestMain(m *testing.M) { testkit.Main(m) }

var (
	root    = engine.Identity{Caller: "root", Role: ident.RoleDBA}
	service = engine.Identity{Caller: "app", Role: ident.RoleService}
	alice   = engine.Identity{Caller: "alice", Role: ident.RoleUser}
	bob     = engine.Identity{Caller: "bob", Role: ident.RoleUser}
)

// bench is an open engine whose calls fail the test.
type bench struct {
	t   *testing.T
	db  *engine.Engine
	dir string
	opt engine.Options
}

func open(t *testing.T, dir string, o engine.Options) *bench {
	t.Helper()
	b := &bench{t: t, dir: dir, opt: o}
	b.open()
	t.Cleanup(func() { b.close() })
	return b
}

func (b *bench) open() {
	b.t.Helper()
	db, err := engine.Open(b.dir, b.opt)
	if err != nil {
		b.t.Fatal(err)
	}
	b.db = db
}

func (b *bench) close() {
	b.t.Helper()
	if err := b.db.Close(); err != nil {
		b.t.Error(err)
	}
}

func inMemory(t *testing.T) *bench {
	return open(t, "", engine.Options{Storage: engine.Memory})
}

func (b *bench) run(id engine.Identity, sql string, params ...any) engine.Table {
	b.t.Helper()
	out, err := b.db.Query(b.t.Context(), id, sql, params...)
	if err != nil {
		b.t.Fatalf("%s as %s: %v", sql, id.Caller, err)
	}
	return out
}

func (b *bench) fails(id engine.Identity, code fault.Code, sql string, params ...any) error {
	b.t.Helper()
	_, err := b.db.Query(b.t.Context(), id, sql, params...)
	if fault.CodeOf(err) != code {
		b.t.Errorf("%s as %s: %v, want %s", sql, id.Caller, err, code)
	}
	return err
}

// rows returns a result as lines of values with a space between them.
func (b *bench) rows(id engine.Identity, sql string, params ...any) string {
	b.t.Helper()
	var lines []string
	for _, r := range b.run(id, sql, params...).Rows {
		var cells []string
		for _, v := range r {
			cells = append(cells, v.Text())
		}
		lines = append(lines, strings.Join(cells, " "))
	}
	return strings.Join(lines, "\n")
}

func (b *bench) want(id engine.Identity, want, sql string, params ...any) {
	b.t.Helper()
	if got := b.rows(id, sql, params...); got != want {
		b.t.Errorf("%s as %s:\n%s\nwant:\n%s", sql, id.Caller, got, want)
	}
}

func (b *bench) chat() {
	b.t.Helper()
	b.run(root, "CREATE NAMESPACE chat")
	b.run(root, `CREATE USER TABLE chat.messages (conversation BIGINT, id BIGINT,
		content TEXT NOT NULL, PRIMARY KEY (conversation, id))`)
}

func TestEngine_UsersHaveRowsOfTheirOwn(t *testing.T) {
	b := inMemory(t)
	b.chat()
	b.run(alice, "INSERT INTO chat.messages VALUES (1, 1, 'from alice')")
	b.run(bob, "INSERT INTO chat.messages VALUES (1, 1, 'from bob')")
	b.want(alice, "from alice", "SELECT content FROM chat.messages")
	b.want(bob, "from bob", "SELECT content FROM chat.user.messages")
	b.want(root, "", "SELECT content FROM chat.messages")
	b.want(root, "from bob", "SELECT content FROM chat.bob.messages")
	b.want(service, "from alice", "EXECUTE AS USER 'alice' (SELECT content FROM chat.user.messages)")
	b.fails(alice, fault.PermissionDenied, "SELECT * FROM chat.bob.messages")
	b.fails(alice, fault.PermissionDenied, "SELECT * FROM chat.nobody.messages")
	b.fails(alice, fault.PermissionDenied, "EXECUTE AS USER 'bob' (SELECT * FROM chat.messages)")
	b.fails(root, fault.UserRequired, "SELECT * FROM chat.user.messages")
	b.fails(bob, fault.DuplicateKey, "INSERT INTO chat.messages VALUES (1, 1, 'again')")
	b.run(bob, "UPDATE chat.messages SET content = 'changed' WHERE conversation = 1 AND id = 1")
	b.run(bob, "DELETE FROM chat.messages WHERE content = 'changed'")
	b.want(bob, "", "SELECT content FROM chat.messages")
	b.want(alice, "from alice", "SELECT content FROM chat.messages")
}

func TestEngine_PartitionsOfFiveTables(t *testing.T) {
	b := inMemory(t)
	b.run(root, "CREATE NAMESPACE app")
	for i := range 5 {
		b.run(root, fmt.Sprintf("CREATE TABLE app.t%d (id BIGINT PRIMARY KEY)", i))
	}
	b.want(root, "50", "SELECT COUNT(*) FROM system.partitions WHERE namespace = 'app'")
	b.run(root, "CREATE SHARED TABLE app.s (id BIGINT PRIMARY KEY)")
	b.want(root, "51", "SELECT COUNT(*) FROM system.partitions")
	b.run(alice, "INSERT INTO app.t0 VALUES (1), (2), (3)")
	b.want(root, "3", "SELECT SUM(`rows`) FROM system.partitions WHERE table_name = 't0'")
	b.run(root, "DROP NAMESPACE app CASCADE")
	b.want(root, "0", "SELECT COUNT(*) FROM system.partitions")
}

func TestEngine_NamesCanBeUsedAgain(t *testing.T) {
	b := inMemory(t)
	b.chat()
	b.run(alice, "INSERT INTO chat.messages VALUES (1, 1, 'old')")
	b.fails(root, fault.NotEmpty, "DROP NAMESPACE chat")
	b.fails(root, fault.AlreadyExists, "CREATE TABLE chat.messages (id INT PRIMARY KEY)")
	b.run(root, "CREATE TABLE IF NOT EXISTS chat.messages (id INT PRIMARY KEY)")
	b.run(root, "DROP TABLE chat.messages")
	b.fails(alice, fault.TableNotFound, "SELECT * FROM chat.messages")
	b.run(root, "CREATE TABLE chat.messages (id INT PRIMARY KEY, other TEXT)")
	b.want(alice, "", "SELECT * FROM chat.messages")
	b.run(root, "DROP TABLE chat.messages")
	b.run(root, "DROP NAMESPACE chat")
	b.fails(root, fault.NamespaceNotFound, "SHOW TABLES IN chat")
}

func TestEngine_SharedTables(t *testing.T) {
	b := inMemory(t)
	b.run(root, "CREATE NAMESPACE app")
	for _, access := range []string{"public", "restricted", "private"} {
		b.run(root, fmt.Sprintf(
			"CREATE SHARED TABLE app.%s (id INT PRIMARY KEY, v TEXT) WITH (ACCESS = '%[1]s')", access))
		b.run(root, fmt.Sprintf("INSERT INTO app.%s VALUES (1, 'x')", access))
	}
	b.want(alice, "x", "SELECT v FROM app.public")
	b.fails(alice, fault.PermissionDenied, "UPDATE app.public SET v = 'y'")
	missing := b.fails(alice, fault.TableNotFound, "SELECT * FROM app.private")
	if other := b.fails(alice, fault.TableNotFound, "SELECT * FROM app.privat"); strings.ReplaceAll(
		missing.Error(), "private", "privat") != other.Error() {
		t.Errorf("a hidden table does not read as a missing one:\n%v\n%v", missing, other)
	}
	b.want(alice, "public", "SELECT name FROM system.tables WHERE namespace = 'app'")
	b.run(service, "UPDATE app.restricted SET v = 'y' WHERE id = 1")
	b.fails(service, fault.TableNotFound, "SELECT * FROM app.private")
	b.fails(alice, fault.TableNotFound, "DESCRIBE app.private")
}

func TestEngine_ConcurrentUpdatesAreAllCounted(t *testing.T) {
	b := inMemory(t)
	b.run(root, "CREATE NAMESPACE app")
	b.run(root, "CREATE TABLE app.counters (id INT PRIMARY KEY, n BIGINT NOT NULL)")
	b.run(alice, "INSERT INTO app.counters VALUES (1, 0)")
	const writers, each = 4, 25
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for done := 0; done < each; {
				_, err := b.db.Query(t.Context(), alice, "UPDATE app.counters SET n = n + 1 WHERE id = 1")
				switch {
				case err == nil:
					done++
				case !fault.Is(err, fault.TransactionConflict):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.want(alice, fmt.Sprint(writers*each), "SELECT n FROM app.counters")
}

func TestEngine_RequestIDs(t *testing.T) {
	b := open(t, t.TempDir(), engine.Options{})
	b.chat()
	send := func(id engine.Identity, request, sql string) (out engine.Result, err error) {
		err = b.db.Execute(t.Context(), id, engine.Request{SQL: sql, RequestID: request},
			func(r *engine.Result) error { out = *r; return nil })
		return out, err
	}
	const insert = "INSERT INTO chat.messages VALUES (1, 1, 'once')"
	first, err := send(alice, "r1", insert)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		again, err := send(alice, "r1", insert)
		if err != nil || again.Seq != first.Seq || again.Affected != 1 || again.Message != first.Message {
			t.Fatalf("a repeat gave %+v, %v, want %+v", again, err, first)
		}
		b.close()
		b.open()
	}
	if _, err := send(alice, "r2", insert); !fault.Is(err, fault.DuplicateKey) {
		t.Errorf("another request: %v", err)
	}
	if _, err := send(alice, "r1", "DELETE FROM chat.messages"); !fault.Is(err, fault.InvalidParameter) {
		t.Errorf("another statement under the same id: %v", err)
	}
	if _, err := send(bob, "r1", insert); err != nil {
		t.Errorf("another user's request of the same id: %v", err)
	}
	b.want(alice, "1", "SELECT COUNT(*) FROM chat.messages")
}

func TestEngine_Restart(t *testing.T) {
	for _, storage := range []engine.Storage{engine.Pebble, engine.Badger} {
		t.Run(string(storage), func(t *testing.T) {
			b := open(t, t.TempDir(), engine.Options{Storage: storage})
			b.chat()
			b.run(root, "CREATE USER 'carol' WITH PASSWORD 'carols secret' ROLE user")
			b.run(alice, "INSERT INTO chat.messages VALUES (1, 1, 'x')")
			before := b.rows(alice, "SELECT _seq FROM chat.messages")
			b.close()
			b.open()
			b.want(alice, before, "SELECT _seq FROM chat.messages")
			if _, err := b.db.Auth().Login(t.Context(), "carol", "carols secret"); err != nil {
				t.Error(err)
			}
			b.close()
			b.opt.Shards = 3
			if _, err := engine.Open(b.dir, b.opt); !fault.Is(err, fault.InvalidParameter) {
				t.Errorf("another number of shards: %v", err)
			}
			b.opt.Shards = 0
			b.open()
		})
	}
}

func TestEngine_RootPassword(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, engine.Options{})
	file := b.db.Auth().RootPasswordFile()
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 || filepath.Dir(file) != dir {
		t.Fatalf("the password file %q: %v %v", file, info, err)
	}
	password, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	login := func(p string) error {
		_, err := b.db.Auth().Login(t.Context(), "root", p)
		return err
	}
	for range 2 {
		if err := login(strings.TrimSpace(string(password))); err != nil {
			t.Fatal(err)
		}
		b.close()
		b.open()
	}
	b.close()
	b.opt.RootPassword = "configured password"
	b.open()
	if err := login("configured password"); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the file of a password that is no longer true is still there")
	}
}

func TestEngine_Users(t *testing.T) {
	b := inMemory(t)
	b.run(root, "CREATE USER 'alice' WITH PASSWORD 'first secret' ROLE user EMAIL 'a@example.com'")
	b.fails(root, fault.AlreadyExists, "CREATE USER 'alice' WITH PASSWORD 'other' ROLE user")
	b.fails(alice, fault.PermissionDenied, "CREATE USER 'eve' WITH PASSWORD 'secret' ROLE dba")
	b.want(alice, "alice user a@example.com", "SELECT id, role, email FROM system.users")
	for _, sql := range []string{"SELECT * FROM system.users", "SHOW USERS"} {
		if text := b.rows(root, sql); strings.Contains(text, "argon2") {
			t.Errorf("%s shows a hash: %s", sql, text)
		}
	}
	b.run(alice, "ALTER USER 'alice' SET PASSWORD 'second secret'")
	b.fails(alice, fault.PermissionDenied, "ALTER USER 'alice' SET ROLE dba")
	b.fails(alice, fault.PermissionDenied, "ALTER USER 'root' SET PASSWORD 'second secret'")
	if _, err := b.db.Auth().Login(t.Context(), "alice", "second secret"); err != nil {
		t.Error(err)
	}
	b.run(root, "DROP USER 'alice'")
	b.fails(root, fault.UserNotFound, "EXECUTE AS USER 'alice' (SELECT 1)")
	b.fails(root, fault.PermissionDenied, "DROP USER 'root'")
	if _, err := b.db.Auth().Login(t.Context(), "alice", "second secret"); !fault.Is(
		err, fault.InvalidCredentials) {
		t.Errorf("a dropped user: %v", err)
	}
}

func TestEngine_SeveralStatements(t *testing.T) {
	b := inMemory(t)
	var messages []string
	err := b.db.Execute(t.Context(), root, engine.Request{SQL: `CREATE NAMESPACE chat; USE chat;
		CREATE TABLE m (id INT PRIMARY KEY); INSERT INTO m VALUES (1); INSERT INTO m VALUES ('x');
		INSERT INTO m VALUES (2)`}, func(r *engine.Result) error {
		messages = append(messages, r.Message)
		return nil
	})
	e := fault.From(err)
	if e == nil || e.Code != fault.TypeMismatch || e.Statement != 5 || len(messages) != 4 {
		t.Fatalf("%+v after %q", e, messages)
	}
	b.want(root, "1", "SELECT * FROM chat.m")
	b.fails(root, fault.InvalidParameter, "SELECT $1; SELECT 2", 1)
	b.fails(root, fault.EmptySQL, " -- nothing\n;")
}

func TestEngine_Live(t *testing.T) {
	b := inMemory(t)
	b.chat()
	b.run(alice, "INSERT INTO chat.messages VALUES (1, 1, 'before')")
	woken := make(chan struct{}, 1)
	sub, err := b.db.Subscribe(t.Context(), alice, engine.Subscription{
		SQL: "SELECT id, content FROM chat.messages WHERE conversation = 1",
		Notify: func() {
			select {
			case woken <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close(live.Unsubscribed)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var seen []string
	until := func(n int) {
		for len(seen) < n {
			msgs, more, err := sub.Poll(ctx, 100)
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, describe(msgs)...)
			if more || len(seen) >= n {
				continue
			}
			select {
			case <-woken:
			case <-ctx.Done():
				t.Fatalf("only got %q", seen)
			}
		}
	}
	until(1)
	b.run(alice, "INSERT INTO chat.messages VALUES (2, 1, 'elsewhere'), (1, 2, 'after')")
	b.run(bob, "INSERT INTO chat.messages VALUES (1, 9, 'not yours')")
	b.run(alice, "UPDATE chat.messages SET content = 'changed' WHERE id = 1 AND conversation = 1")
	b.run(alice, "DELETE FROM chat.messages WHERE id = 2 AND conversation = 1")
	until(4)
	want := "[snapshot 1 before insert 2 after update 1 changed delete 1 2 after]"
	if got := fmt.Sprint(seen); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	b.want(alice, "live", "SELECT state FROM system.live_queries")
	b.want(bob, "", "SELECT state FROM system.live_queries")
	for sql, code := range map[string]fault.Code{
		"SELECT * FROM chat.nothing":                   fault.TableNotFound,
		"SELECT nothing FROM chat.messages":            fault.ColumnNotFound,
		"DELETE FROM chat.messages":                    fault.LiveUnsupportedQuery,
		"SELECT * FROM chat.bob.messages":              fault.PermissionDenied,
		"SELECT * FROM chat.messages WHERE id = NOW()": fault.LiveUnsupportedQuery,
	} {
		_, err := b.db.Subscribe(t.Context(), alice, engine.Subscription{SQL: sql})
		if !fault.Is(err, code) {
			t.Errorf("subscribe to %s: %v, want %s", sql, err, code)
		}
	}
	b.run(root, "DROP TABLE chat.messages")
	testkit.Eventually(t, 5*time.Second, "the live query ends with its table", func() bool {
		msgs, _, err := sub.Poll(t.Context(), 10)
		for _, m := range msgs {
			if end, ok := m.(live.Ended); ok {
				return end.Reason == live.TableDropped
			}
		}
		return err != nil
	})
}

func describe(msgs []live.Message) (out []string) {
	cells := func(rows [][]value.Value) string {
		var s []string
		for _, r := range rows {
			for _, v := range r {
				s = append(s, v.Text())
			}
		}
		return strings.Join(s, " ")
	}
	for _, m := range msgs {
		switch m := m.(type) {
		case live.Batch:
			if len(m.Rows) > 0 {
				out = append(out, "snapshot "+cells(m.Rows))
			}
		case live.Changed:
			rows := m.Rows
			if m.Type == live.Delete {
				rows = m.Old
			}
			text := string(m.Type) + " " + cells(rows)
			if a := m.Append; a != nil {
				text = fmt.Sprintf("append %v %s %d+%s", rows[0][0].Text(), a.Column, a.Offset, a.Text)
			}
			out = append(out, text)
		}
	}
	return out
}

func TestEngine_TrimHistory(t *testing.T) {
	now := time.Now()
	b := open(t, "", engine.Options{
		Storage: engine.Memory, HistoryRetention: time.Hour, Now: func() time.Time { return now },
	})
	b.chat()
	b.run(alice, "INSERT INTO chat.messages VALUES (1, 1, 'a')")
	b.run(alice, "UPDATE chat.messages SET content = 'b'")
	b.want(alice, "", "SELECT id FROM chat.messages WHERE _deleted = TRUE")
	b.run(alice, "DELETE FROM chat.messages")
	b.want(alice, "1", "SELECT id FROM chat.messages WHERE _deleted = TRUE")
	now = now.Add(2 * time.Hour)
	b.run(alice, "INSERT INTO chat.messages VALUES (1, 2, 'c')")
	if err := b.db.TrimHistory(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.want(alice, "", "SELECT id FROM chat.messages WHERE _deleted = TRUE")
	b.want(alice, "2", "SELECT id FROM chat.messages")
}

// Deleted rows are kept as long as their table says, though their history is
// shorter, and never less than that.
func TestEngine_DeletedRetention(t *testing.T) {
	now, move := at(time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC))
	b := open(t, "", engine.Options{
		Storage: engine.Memory, HistoryRetention: time.Hour, DeletedRetention: 3 * time.Hour, Now: now,
	})
	b.run(root, "CREATE NAMESPACE chat")
	for name, retention := range map[string]string{
		"usual": "default", "long": "5h", "short": "1s",
	} {
		b.run(root, "CREATE TABLE chat."+name+" (id INT PRIMARY KEY) DELETED_RETENTION '"+retention+"'")
		b.run(alice, "INSERT INTO chat."+name+" VALUES (1), (2); DELETE FROM chat."+name+" WHERE id = 1")
	}
	for _, step := range []struct{ usual, long, short string }{
		{"1", "1", "1"}, {"1", "1", ""}, {"1", "1", ""}, {"", "1", ""}, {"", "1", ""}, {"", "", ""},
	} {
		if err := b.db.TrimHistory(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.want(alice, step.usual, "SELECT id FROM chat.usual WHERE _deleted = TRUE")
		b.want(alice, step.long, "SELECT id FROM chat.long WHERE _deleted = TRUE")
		b.want(alice, step.short, "SELECT id FROM chat.short WHERE _deleted = TRUE")
		move(time.Hour + time.Second)
	}
	b.want(alice, "2", "SELECT id FROM chat.usual")
}

func TestOpen_Refuses(t *testing.T) {
	for what, o := range map[string]engine.Options{
		"an unknown engine":  {Storage: "paper"},
		"a short jwt secret": {Storage: engine.Memory, JWTSecret: "short"},
		"a short password":   {Storage: engine.Memory, RootPassword: "short"},
	} {
		dir := ""
		if o.Storage == "paper" {
			dir = t.TempDir()
		}
		if db, err := engine.Open(dir, o); !fault.Is(err, fault.InvalidParameter) {
			t.Errorf("%s: %v", what, err)
			if db != nil {
				db.Close()
			}
		}
	}
}
