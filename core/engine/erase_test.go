package engine_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/badgerkv"
	"github.com/kalamdb/kalamdb-go/store/pebblekv"
)

// mentions closes the database, returns the keys of tables in which a text stands,
// and opens it again.
func (b *bench) mentions(dir, text string) (keys []string) {
	b.t.Helper()
	b.close()
	open := pebblekv.Opener(pebblekv.Options{})
	if b.opt.Storage == engine.Badger {
		open = badgerkv.Opener(badgerkv.Options{})
	}
	name := string(b.opt.Storage)
	if name == "" {
		name = pebblekv.Name
	}
	db, err := store.Open(dir, store.Options{Engine: name, OpenEngine: open})
	if err != nil {
		b.t.Fatal(err)
	}
	v := db.View()
	for _, p := range db.Partitions() {
		if s := string(p.Name); !strings.HasPrefix(s, "user.") && !strings.HasPrefix(s, "stream.") {
			continue
		}
		it := v.Scan(p, store.Range{})
		for it.Next() {
			if bytes.Contains(it.Key(), []byte(text)) {
				keys = append(keys, fmt.Sprintf("%s %q", p.Name, it.Key()))
			}
		}
		if err := it.Close(); err != nil {
			b.t.Fatal(err)
		}
	}
	v.Release()
	if err := db.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.open()
	return keys
}

// account is who has rows of every kind: hot and cold, changed and deleted ones, in
// tables with indexes, and in a stream.
func (b *bench) account(id engine.Identity, n int) {
	b.t.Helper()
	b.run(root, fmt.Sprintf("CREATE USER '%s' WITH PASSWORD 'a long password' ROLE user", id.Caller))
	b.fill(id, 0, n)
	b.run(root, fmt.Sprintf("FLUSH TABLE chat.messages FOR USER '%s'", id.Caller))
	testkit.Eventually(b.t, 20*time.Second, "the flush to end", func() bool {
		return b.rows(root, "SELECT COUNT(*) FROM system.jobs WHERE status <> 'completed'") == "0"
	})
	b.run(id, "UPDATE chat.messages SET content = 'again' WHERE id = 1")
	b.run(id, "DELETE FROM chat.messages WHERE id = 2")
	b.run(id, "INSERT INTO chat.tags VALUES (1, 'a', 'x'), (2, 'b', 'x')")
	b.run(id, "DELETE FROM chat.tags WHERE id = 2")
	b.run(id, "INSERT INTO chat.typing VALUES (1, 'here')")
}

func (b *bench) tables() {
	b.t.Helper()
	b.chat()
	b.run(root, "CREATE USER TABLE chat.tags (id INT PRIMARY KEY, name TEXT UNIQUE, color TEXT, "+
		"INDEX (color))")
	b.run(root, "CREATE STREAM TABLE chat.typing (id INT PRIMARY KEY, s TEXT, INDEX (s)) "+
		"WITH (TTL = '1000h')")
}

func (b *bench) undamaged() {
	b.t.Helper()
	for _, table := range []string{"chat.messages", "chat.tags", "chat.typing"} {
		for _, r := range b.run(root, "CHECK TABLE "+table).Rows {
			if r[4].Str() != "ok" {
				b.t.Errorf("%s: %s %s: %s", table, r[0].Str(), r[1].Str(), r[5].Text())
			}
		}
	}
}

// A dropped user can be restored for a while. Then all that the user had goes from
// every table and every tier, and nothing else does.
func TestEngine_erasesDroppedUsers(t *testing.T) {
	for _, storage := range []engine.Storage{engine.Pebble, engine.Badger} {
		t.Run(string(storage), func(t *testing.T) {
			dir := t.TempDir()
			now, move := at(time.Now())
			b := open(t, dir, engine.Options{
				Storage: storage, RootPassword: "a password", FlushCheck: 10 * time.Millisecond, Now: now,
				UserRetention: 24 * time.Hour, HistoryRetention: 1000 * time.Hour, Shards: 1,
			})
			b.tables()
			b.account(alice, 1200)
			b.account(bob, 20)
			b.fails(root, fault.AlreadyExists, "RESTORE USER 'alice'")
			b.fails(root, fault.UserNotFound, "RESTORE USER 'nobody'")
			b.fails(alice, fault.PermissionDenied, "RESTORE USER 'alice'")
			b.run(root, "DROP USER 'alice'")
			move(23 * time.Hour)
			b.run(root, "RESTORE USER 'alice'")
			if _, err := b.db.Auth().Login(t.Context(), "alice", "a long password"); err != nil {
				t.Error(err)
			}
			b.want(alice, "1199", "SELECT COUNT(*) FROM chat.messages")
			b.run(root, "DROP USER 'alice'")
			move(25 * time.Hour)
			const jobs = "SELECT status, message FROM system.jobs WHERE kind = 'cleanup' AND status <> 'skipped'"
			testkit.Eventually(t, 30*time.Second, "the rows to be removed", func() bool {
				return b.rows(root, jobs) == "completed 1201 rows of user alice removed from 3 tables; "+
					"their files go with the next sweeps"
			})
			b.fails(root, fault.UserNotFound, "RESTORE USER 'alice'")
			move(2 * time.Minute)
			testkit.Eventually(t, 20*time.Second, "the files to go", func() bool {
				return len(files(t, dir)) == 1
			})
			testkit.Eventually(t, 20*time.Second, "the manifest to forget them", func() bool {
				return b.rows(root, "SELECT COUNT(*) FROM system.manifest") == "1"
			})
			b.undamaged()
			b.want(bob, "19 again", "SELECT COUNT(*), MIN(content) FROM chat.messages")
			b.want(bob, "1 a x", "SELECT id, name, color FROM chat.tags WHERE color = 'x'")
			b.want(root, "19 1", "SELECT SUM(CASE WHEN table_name = 'messages' THEN `rows` ELSE 0 END), "+
				"SUM(CASE WHEN table_name = 'tags' THEN `rows` ELSE 0 END) FROM system.partitions")
			for _, key := range b.mentions(dir, "alice") {
				if !strings.Contains(key, `"merased\x00`) {
					t.Errorf("left is %s", key)
				}
			}
		})
	}
}

// Who is created under the id of a dropped user finds nothing, loses nothing, and a
// cursor from before is void.
func TestEngine_createsUsersAnew(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir, engine.Options{RootPassword: "a password", Shards: 1})
	b.tables()
	b.account(alice, 30)
	resumes := func(from clock.Seq, want bool) {
		t.Helper()
		sub, err := b.db.Subscribe(t.Context(), alice, engine.Subscription{
			SQL: "SELECT * FROM chat.messages", Options: live.SubscribeOptions{From: &from}})
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Close(live.Unsubscribed)
		resync, begun := false, false
		testkit.Eventually(t, 10*time.Second, "the subscription to begin", func() bool {
			msgs, _, err := sub.Poll(t.Context(), 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range msgs {
				switch m.(type) {
				case live.Resync:
					resync = true
				case live.Batch:
					begun = true
				}
			}
			return begun
		})
		if resync == want {
			t.Errorf("from %d it is told to resync: %v", from, resync)
		}
	}
	_, before := b.written("INSERT INTO chat.messages VALUES (1, 100, 'last')")
	b.run(root, "DROP USER 'alice'")
	b.run(root, "CREATE USER 'alice' WITH PASSWORD 'another password' ROLE user")
	for _, sql := range []string{"chat.messages", "chat.tags", "chat.typing"} {
		b.want(alice, "0", "SELECT COUNT(*) FROM "+sql)
	}
	b.run(alice, "INSERT INTO chat.tags VALUES (7, 'a', 'x'), (8, 'b', 'y')")
	_, after := b.written("INSERT INTO chat.messages VALUES (1, 1, 'new')")
	b.want(root, "completed", "SELECT status FROM system.jobs WHERE kind = 'cleanup'")
	resumes(before, false)
	resumes(after, true)
	b.close()
	b.open()
	b.run(root, "FLUSH ALL")
	b.want(alice, "new", "SELECT content FROM chat.messages")
	b.want(alice, "7 a\n8 b", "SELECT id, name FROM chat.tags ORDER BY name")
	b.undamaged()
}

// A removal that is cut off anywhere goes on behind the next start, and in between
// the tables are not said to be damaged.
func TestEngine_goesOnErasingAfterARestart(t *testing.T) {
	dir := t.TempDir()
	now, move := at(time.Now())
	b := open(t, dir, engine.Options{RootPassword: "a password", Now: now, Shards: 1,
		FlushCheck: 10 * time.Millisecond, HistoryRetention: 1000 * time.Hour})
	b.tables()
	var rows []string
	for i := range 6000 {
		rows = append(rows, fmt.Sprintf("(%d, 'n%d', 'c')", i+10, i))
	}
	b.run(alice, "INSERT INTO chat.tags VALUES "+strings.Join(rows, ", "))
	b.account(alice, 10)
	b.account(bob, 10)
	b.run(root, "DROP USER 'alice'")
	move(8 * 24 * time.Hour)
	left := func() string {
		return b.rows(root, "SELECT SUM(`rows`) FROM system.partitions WHERE table_name = 'tags'")
	}
	all, cuts := left(), 0
	for range 200 {
		testkit.Eventually(t, 20*time.Second, "the removal to go on", func() bool {
			now := left()
			defer func() { all = now }()
			return now != all || now == "1"
		})
		if all == "1" {
			break
		}
		cuts++
		b.close() // cuts the job
		b.open()
		b.undamaged()
		b.fails(root, fault.UserNotFound, "RESTORE USER 'alice'")
	}
	if cuts == 0 {
		t.Error("the removal was never cut off")
	}
	testkit.Eventually(t, 20*time.Second, "the removal to end", func() bool {
		return b.rows(root, "SELECT status FROM system.jobs WHERE kind = 'cleanup'") == "completed"
	})
	b.undamaged()
	b.want(bob, "1 a x", "SELECT id, name, color FROM chat.tags")
	for _, key := range b.mentions(dir, string(ident.UserID("alice"))) {
		if !strings.Contains(key, `"merased\x00`) && !strings.Contains(key, `"salice`) &&
			!strings.Contains(key, `"ualice`) { // a segment that is to be swept
			t.Errorf("left is %s", key)
		}
	}
}
