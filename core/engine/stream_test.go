package engine_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/live"
)

// streams is an engine with a clock of the test's own and two streams: typing
// of each user, and alarms of the namespace. Rows last ten seconds, and are
// removed when the test says so.
type streams struct {
	*bench
	start  time.Time
	passed atomic.Int64
}

func newStreams(t *testing.T, dir string, storage engine.Storage) *streams {
	s := &streams{start: time.Now().Truncate(time.Millisecond)}
	s.bench = open(t, dir, engine.Options{
		Storage: storage, EvictInterval: time.Hour, Live: live.Options{RerunInterval: -1},
		Now: func() time.Time { return s.start.Add(time.Duration(s.passed.Load())) },
	})
	s.run(root, "CREATE NAMESPACE chat")
	s.run(service, "CREATE STREAM TABLE chat.typing (room INT PRIMARY KEY, who TEXT) "+
		"WITH (TTL = '10s')")
	s.run(root, "CREATE STREAM TABLE chat.alarms (id INT PRIMARY KEY, what TEXT) "+
		"WITH (TTL_SECONDS = 10, SCOPE = 'namespace')")
	return s
}

func (s *streams) pass(d time.Duration) { s.passed.Add(int64(d)) }

func (s *streams) evict() {
	s.t.Helper()
	if err := s.db.EvictExpired(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// stored is the number of rows that the partitions of a stream hold.
func (s *streams) stored(want int, name string) {
	s.t.Helper()
	s.want(root, fmt.Sprint(want), "SELECT `rows` FROM system.streams WHERE name = '"+name+"'")
}

func TestStream_RowsExpireForReaders(t *testing.T) {
	s := newStreams(t, "", engine.Memory)
	s.run(alice, "INSERT INTO chat.typing VALUES (1, 'a')")
	s.pass(9 * time.Second)
	s.run(alice, "INSERT INTO chat.typing VALUES (2, 'b')")
	s.pass(999 * time.Millisecond)
	s.want(alice, "1\n2", "SELECT room FROM chat.typing")
	s.fails(alice, fault.DuplicateKey, "INSERT INTO chat.typing VALUES (1, 'c')")
	s.pass(time.Millisecond)
	for sql, want := range map[string]string{
		"SELECT room FROM chat.typing":                                     "2",
		"SELECT room FROM chat.typing ORDER BY room DESC":                  "2",
		"SELECT who FROM chat.typing WHERE room = 1":                       "",
		"SELECT COUNT(*) FROM chat.typing":                                 "1",
		"SELECT room FROM chat.typing WHERE _deleted = TRUE":               "",
		"SELECT a.room FROM chat.typing a JOIN chat.typing b USING (room)": "2",
		"SELECT room FROM chat.typing WHERE who IN ('a', 'b') OR room = 1": "2",
		"UPDATE chat.typing SET who = 'x' WHERE room = 1":                  "",
		"DELETE FROM chat.typing WHERE room = 1 RETURNING room":            "",
		"SELECT room FROM chat.typing WHERE room BETWEEN 0 AND 1 AND TRUE": "",
	} {
		s.want(alice, want, sql)
	}
	s.stored(2, "typing")
}

func TestStream_AKeyIsFreeWhenItsRowHasExpired(t *testing.T) {
	s := newStreams(t, "", engine.Memory)
	for i, sql := range []string{
		"INSERT INTO chat.typing VALUES (1, 'a')",
		"INSERT INTO chat.typing VALUES (1, 'b')",
		"REPLACE INTO chat.typing VALUES (1, 'c')",
		"INSERT INTO chat.typing VALUES (1, 'd') ON CONFLICT DO NOTHING",
		"INSERT INTO chat.typing VALUES (1, 'e') ON DUPLICATE KEY UPDATE who = 'never'",
	} {
		s.run(alice, sql)
		s.want(alice, string(rune('a'+i)), "SELECT who FROM chat.typing")
		s.stored(1, "typing")
		s.pass(10 * time.Second)
		s.want(alice, "", "SELECT who FROM chat.typing")
	}
	s.run(alice, "INSERT INTO chat.typing VALUES (1, 'f')")
	s.evict()
	s.stored(1, "typing")
	s.want(alice, "f", "SELECT who FROM chat.typing")
}

func TestStream_AnUpdateRenewsARow(t *testing.T) {
	s := newStreams(t, "", engine.Memory)
	s.run(alice, "INSERT INTO chat.typing VALUES (1, 'a'), (2, 'b')")
	s.pass(6 * time.Second)
	s.run(alice, "UPDATE chat.typing SET who = 'A' WHERE room = 1")
	s.pass(6 * time.Second)
	s.evict()
	s.want(alice, "1 A", "SELECT * FROM chat.typing")
	s.stored(1, "typing")
}

func TestStream_Evict(t *testing.T) {
	s := newStreams(t, "", engine.Memory)
	for i := range 1500 { // more than one chunk removes
		s.run(alice, fmt.Sprintf("INSERT INTO chat.typing VALUES (%d, 'a')", i))
	}
	s.run(bob, "INSERT INTO chat.typing VALUES (1, 'b')")
	s.run(bob, "DELETE FROM chat.typing")
	s.run(service, "INSERT INTO chat.alarms VALUES (1, 'fire'), (2, 'flood')")
	s.evict()
	s.stored(1500, "typing")
	s.pass(9 * time.Second)
	s.run(bob, "INSERT INTO chat.typing VALUES (7, 'new')")
	s.pass(time.Second)
	s.stored(1501, "typing")
	s.evict()
	s.stored(1, "typing")
	s.stored(0, "alarms")
	s.want(bob, "7", "SELECT room FROM chat.typing")
	s.want(alice, "0", "SELECT COUNT(*) FROM chat.typing")
	if err := s.db.TrimHistory(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.stored(1, "typing")
}

func TestStream_EvictsByItself(t *testing.T) {
	var passed atomic.Int64
	b := open(t, "", engine.Options{
		Storage: engine.Memory, EvictInterval: time.Millisecond,
		Now: func() time.Time { return time.Now().Add(time.Duration(passed.Load())) },
	})
	b.run(root, "CREATE NAMESPACE chat")
	b.run(root, "CREATE STREAM TABLE chat.typing (room INT PRIMARY KEY) WITH (TTL = '1h')")
	b.run(alice, "INSERT INTO chat.typing VALUES (1), (2)")
	const count = "SELECT `rows` FROM system.streams"
	b.want(root, "2", count)
	passed.Store(int64(time.Hour))
	testkit.Eventually(t, 10*time.Second, "expired rows are removed", func() bool {
		return b.rows(root, count) == "0"
	})
}

func TestStream_Restart(t *testing.T) {
	s := newStreams(t, t.TempDir(), engine.Pebble)
	s.run(alice, "INSERT INTO chat.typing VALUES (1, 'a')")
	s.pass(6 * time.Second)
	s.run(alice, "INSERT INTO chat.typing VALUES (2, 'b')")
	s.close()
	s.open()
	s.want(alice, "1\n2", "SELECT room FROM chat.typing")
	s.pass(4 * time.Second)
	s.want(alice, "2", "SELECT room FROM chat.typing")
	s.run(alice, "INSERT INTO chat.typing VALUES (1, 'again')") // the shard knows the TTL
	s.run(root, "ALTER TABLE chat.typing ADD COLUMN device TEXT DEFAULT 'web'")
	s.want(alice, "1 again web\n2 b web", "SELECT * FROM chat.typing")
	s.run(root, "TRUNCATE TABLE chat.typing")
	s.want(alice, "", "SELECT room FROM chat.typing")
	s.run(alice, "INSERT INTO chat.typing VALUES (1, 'a', 'b')")
	s.pass(10 * time.Second)
	s.run(alice, "INSERT INTO chat.typing VALUES (1, 'a', 'b')")
	s.run(service, "DROP STREAM TABLE chat.typing")
	s.fails(alice, fault.TableNotFound, "SELECT * FROM chat.typing")
}

func TestStream_Transactions(t *testing.T) {
	s := newStreams(t, "", engine.Memory)
	s.run(alice, "INSERT INTO chat.typing VALUES (1, 'a'), (2, 'b')")
	s.pass(5 * time.Second)
	c := s.client(alice)
	c.ok("", "BEGIN")
	c.ok("", "INSERT INTO chat.typing VALUES (3, 'c'); DELETE FROM chat.typing WHERE room = 2")
	s.pass(6 * time.Second)
	c.ok("1,3", "SELECT room FROM chat.typing") // the transaction reads as of its start
	s.want(alice, "", "SELECT room FROM chat.typing")
	c.refused(fault.TransactionConflict, "COMMIT") // row 2 is gone by now
	c.ok("", "BEGIN; INSERT INTO chat.typing VALUES (1, 'again'); COMMIT")
	s.want(alice, "1 again", "SELECT * FROM chat.typing")
}

func TestStream_Rights(t *testing.T) {
	s := newStreams(t, "", engine.Memory)
	const create = "CREATE STREAM TABLE chat.x (id INT PRIMARY KEY) WITH (TTL = '1m')"
	s.fails(alice, fault.PermissionDenied, create)
	s.run(service, create)
	s.fails(alice, fault.PermissionDenied, "DROP STREAM TABLE chat.x")
	s.fails(service, fault.TableNotFound, "DROP USER TABLE chat.x")
	s.run(service, "ALTER STREAM TABLE chat.x SET (COMMENT = 'x'); DROP STREAM TABLE chat.x")

	s.run(alice, "INSERT INTO chat.typing VALUES (1, 'alice')")
	s.want(bob, "", "SELECT * FROM chat.typing")
	s.fails(bob, fault.PermissionDenied, "SELECT * FROM chat.alice.typing")
	s.want(service, "1 alice", "SELECT * FROM chat.alice.typing")

	s.fails(alice, fault.PermissionDenied, "INSERT INTO chat.alarms VALUES (1, 'x')")
	s.fails(alice, fault.InvalidSQL, "SELECT * FROM chat.alice.alarms")
	s.run(service, "INSERT INTO chat.alarms VALUES (1, 'fire')")
	s.run(root, "INSERT INTO chat.alarms VALUES (2, 'flood')")
	s.want(alice, "1 fire\n2 flood", "SELECT * FROM chat.alarms")
	s.want(bob, "alarms namespace 10s NULL\ntyping user 10s NULL",
		"SELECT name, scope, ttl, COALESCE(`rows`, 'NULL') FROM system.streams")
}

func TestStream_Live(t *testing.T) {
	s := newStreams(t, "", engine.Memory)
	s.run(alice, "INSERT INTO chat.typing VALUES (1, 'a')")
	s.run(service, "INSERT INTO chat.alarms VALUES (1, 'fire')")
	s.pass(6 * time.Second)
	s.run(alice, "INSERT INTO chat.typing VALUES (2, 'b')")
	s.run(service, "INSERT INTO chat.alarms VALUES (2, 'flood')")
	s.pass(4 * time.Second)
	mine := s.follow(alice, "SELECT * FROM chat.typing", nil)
	all := s.follow(bob, "SELECT * FROM chat.alarms", nil)
	mine("snapshot 2 b")
	all("snapshot 2 flood")
	s.run(alice, "INSERT INTO chat.typing VALUES (1, 'again')") // its row has expired: an insert
	s.run(service, "UPDATE chat.alarms SET what = 'over' WHERE id = 2")
	mine("insert 1 again")
	all("update 2 over")
	s.pass(6 * time.Second) // 2 b expires, which is not told
	from := clock.Seq(0)
	s.follow(alice, "SELECT * FROM chat.typing", &from)("insert 1 again")
	s.evict()
	s.run(alice, "DELETE FROM chat.typing")
	mine("delete 1 again")
}

// Rows that expire leave windows and what is run again, at the next eviction.
func TestStream_LiveKept(t *testing.T) {
	s := newStreams(t, "", engine.Memory)
	s.run(alice, "INSERT INTO chat.typing VALUES (1, 'a'), (3, 'a')")
	s.run(service, "INSERT INTO chat.alarms VALUES (1, 'fire')")
	s.pass(4 * time.Second)
	s.run(alice, "INSERT INTO chat.typing VALUES (2, 'b'), (4, 'b')")
	window := s.view(alice, "SELECT room FROM chat.typing ORDER BY room LIMIT 2", true)
	count := s.view(alice, "SELECT COUNT(*) AS n FROM chat.typing", false)
	all := s.view(bob, "SELECT what FROM chat.alarms ORDER BY id DESC LIMIT 3", true)
	views := []*viewer{window, count, all}
	check := func(when string, want ...string) {
		t.Helper()
		s.evict()
		for i, v := range views {
			v.drain()
			if got := v.told(); got != want[i] {
				t.Errorf("%s: %s is told %q, want %q", when, v.sql, got, want[i])
			}
		}
	}
	check("at first", "", "", "")
	s.pass(5 * time.Second)
	check("before the first expire", "", "", "")
	s.pass(2 * time.Second)
	for _, v := range views {
		v.drain()
		if got := v.told(); got != "" {
			t.Errorf("before the eviction %s is told %q", v.sql, got)
		}
	}
	check("after the first", "delete 1 @0; insert/enter 4 @1.", "update 2.", "delete 1|fire @0.")
	check("nothing more", "", "", "")
	s.pass(4 * time.Second)
	check("after all", "delete 4 @1; delete 2 @0.", "update 0.", "")
}

// An eviction comes by itself, so subscribers are told within its interval.
func TestStream_LiveKeptIsToldByItself(t *testing.T) {
	b := open(t, "", engine.Options{Storage: engine.Memory, EvictInterval: 10 * time.Millisecond})
	b.run(root, "CREATE NAMESPACE chat")
	b.run(service, "CREATE STREAM TABLE chat.typing (room INT PRIMARY KEY) WITH (TTL = '1s')")
	b.run(alice, "INSERT INTO chat.typing VALUES (1)")
	window := b.follow(alice, "SELECT room FROM chat.typing ORDER BY room LIMIT 2", nil)
	count := b.follow(alice, "SELECT COUNT(*) AS n FROM chat.typing", nil)
	window("snapshot 1")
	count("snapshot 1")
	window("delete 1")
	count("update 0")
}

// follow subscribes, and returns a function that awaits the next message with
// rows and compares it.
func (s *bench) follow(id engine.Identity, sql string, from *clock.Seq) func(want string) {
	s.t.Helper()
	woken := make(chan struct{}, 1)
	sub, err := s.db.Subscribe(s.t.Context(), id, engine.Subscription{
		SQL: sql, Options: live.SubscribeOptions{From: from},
		Notify: func() {
			select {
			case woken <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { sub.Close(live.Unsubscribed) })
	return func(want string) {
		s.t.Helper()
		late := time.After(10 * time.Second)
		for {
			msgs, more, err := sub.Poll(s.t.Context(), 100)
			if err != nil {
				s.t.Fatal(err)
			}
			if got := describe(msgs); len(got) > 0 {
				if strings.Join(got, " ") != want {
					s.t.Errorf("%s hears %q, want %q", id.Caller, got, want)
				}
				return
			}
			if more {
				continue
			}
			select {
			case <-woken:
			case <-late:
				s.t.Fatalf("%s does not hear %q", id.Caller, want)
			}
		}
	}
}
