package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/live"
)

// after runs statements one by one and writes down what a viewer is told of
// each.
func (v *viewer) after(sql string, want string) {
	v.t.Helper()
	v.mayRun(alice, sql)
	v.check()
	if got := v.told(); got != want {
		v.t.Errorf("%s\n after %s\n got  %s\n want %s", v.sql, sql, got, want)
	}
}

func notesBench(t *testing.T, o live.Options) *bench {
	t.Helper()
	b := liveBench(t, o)
	for i := range 6 {
		b.run(alice, fmt.Sprintf("INSERT INTO chat.notes VALUES (1, %d, %d, 'a', NULL)", i+1, 10*(i+1)))
	}
	return b
}

func TestEngine_LiveWindow(t *testing.T) {
	b := notesBench(t, live.Options{})
	v := b.view(alice, "SELECT id, n, conv FROM chat.notes WHERE topic = 'a' ORDER BY n DESC LIMIT 3", true)
	v.check()
	v.after("INSERT INTO chat.notes VALUES (1, 7, 55, 'a', NULL)",
		"delete/leave 1|4|40 @2; insert 7|55|1 @1.")
	v.after("INSERT INTO chat.notes VALUES (1, 8, 5, 'a', NULL)", "")
	v.after("INSERT INTO chat.notes VALUES (1, 9, 99, 'b', NULL)", "")
	v.after("UPDATE chat.notes SET n = 70 WHERE id = 5", "update 5|70|1 @0.")
	v.after("UPDATE chat.notes SET n = 65 WHERE id = 5", "update 5|65|1 @0.")
	v.after("UPDATE chat.notes SET n = 57 WHERE id = 5", "update 5|57|1 @1.")
	v.after("UPDATE chat.notes SET d = 1 WHERE id = 5", "")
	v.after("UPDATE chat.notes SET topic = 'b' WHERE id = 6",
		"delete/leave 1|6|60 @0; insert/enter 4|40|1 @2.")
	v.after("DELETE FROM chat.notes WHERE id = 7", "delete 1|7|55 @1; insert/enter 3|30|1 @2.")
	v.after("UPDATE chat.notes SET n = 80 WHERE id = 1",
		"delete/leave 1|3|30 @2; insert/enter 1|80|1 @0.")
	v.after("DELETE FROM chat.notes",
		"delete 1|4|40 @2; delete 1|5|57 @1; delete 1|1|80 @0.")
}

// A window of the key is read by a short scan, and its rows are found when many
// more have gone than are in reserve.
func TestEngine_LiveWindowIsRefilled(t *testing.T) {
	b := liveBench(t, live.Options{ScanRows: 5})
	for i := range 100 {
		b.run(alice, fmt.Sprintf("INSERT INTO chat.notes VALUES (1, %d, 0, 'a', NULL)", i))
	}
	v := b.view(alice, "SELECT conv, id FROM chat.notes WHERE conv = 1 ORDER BY id DESC LIMIT 4", true)
	v.check()
	for _, from := range []int{98, 90, 60, 2} {
		b.run(alice, fmt.Sprintf("DELETE FROM chat.notes WHERE id >= %d", from))
		v.check()
	}
	if v.resyncs != nil {
		t.Errorf("resyncs %v", v.resyncs)
	}
}

// Where the key is not shown, a row that moves goes and comes.
func TestEngine_LiveWindowWithoutKey(t *testing.T) {
	b := notesBench(t, live.Options{})
	v := b.view(alice, "SELECT n FROM chat.notes ORDER BY n LIMIT 3", true)
	v.check()
	v.after("UPDATE chat.notes SET n = 25 WHERE id = 1",
		"delete/leave 1|1|10 @0; insert/enter 25 @1.")
	v.after("UPDATE chat.notes SET n = 26 WHERE id = 1", "update 26 @1.")
}

func TestEngine_LoadOlder(t *testing.T) {
	b := notesBench(t, live.Options{WindowRows: 5})
	v := b.view(alice, "SELECT id FROM chat.notes ORDER BY n LIMIT 2", true)
	other := b.view(alice, v.sql, true)
	other.drain()
	v.drain()
	for _, n := range []int{0, -1, 4} {
		if err := v.sub.LoadOlder(n); !fault.Is(err, fault.InvalidParameter) {
			t.Errorf("load %d more: %v", n, err)
		}
	}
	if err := v.sub.LoadOlder(2); err != nil {
		t.Fatal(err)
	}
	v.sql = strings.Replace(v.sql, "2", "4", 1)
	v.check()
	v.after("UPDATE chat.notes SET topic = 'c' WHERE id = 4", "")
	v.after("DELETE FROM chat.notes WHERE id = 3", "delete 1|3 @2; insert/enter 5 @3.")
	v.after("DELETE FROM chat.notes WHERE id > 4", "delete 1|5 @3.")
	if err := v.sub.LoadOlder(1); err != nil { // there are none
		t.Fatal(err)
	}
	v.sql = strings.Replace(v.sql, "4", "5", 1)
	v.check()
	v.after("INSERT INTO chat.notes (conv, id, n) VALUES (1, 9, 1)", "insert 9 @0.")
	if other.check(); other.told() != "delete/leave 1|2 @1; insert 9 @0." {
		t.Error("the one who shares the result was told something else")
	}
	rows := b.view(alice, "SELECT * FROM chat.notes", false)
	if err := rows.sub.LoadOlder(1); !fault.Is(err, fault.LiveUnsupportedQuery) {
		t.Errorf("load_older of a query of rows: %v", err)
	}
}

func TestEngine_LiveAggregates(t *testing.T) {
	b := notesBench(t, live.Options{})
	v := b.view(alice, "SELECT topic, COUNT(*) FROM chat.notes GROUP BY topic", false)
	v.check()
	v.after("UPDATE chat.notes SET topic = 'b' WHERE id < 3", "update a|4; insert b|2.")
	v.after("DELETE FROM chat.notes WHERE topic = 'b'", "delete b|2.")
	v.after("UPDATE chat.notes SET n = 0", "")
	m := b.view(alice, "SELECT MIN(n), MAX(n) AS top, SUM(d), AVG(n), COUNT(d) FROM chat.notes", false)
	m.check()
	m.after("UPDATE chat.notes SET n = id, d = '0.5' WHERE id < 5", "update 0|4|1.00|1.7500|2.")
	m.after("DELETE FROM chat.notes WHERE n = 0", "update 3|4|1.00|3.5000|2.")
	m.after("INSERT INTO chat.notes (conv, id, n) VALUES (9, 1, 4)", "update 3|4|1.00|3.6667|2.")
	m.after("DELETE FROM chat.notes WHERE conv = 1 AND n = 4", "update 3|4|0.50|3.5000|1.")
	m.after("DELETE FROM chat.notes", "update NULL|NULL|NULL|NULL|0.")
	if e := len(v.resyncs) + len(m.resyncs); e != 0 {
		t.Errorf("%d resyncs", e)
	}
}

func TestEngine_LiveReevaluated(t *testing.T) {
	b := notesBench(t, live.Options{RerunInterval: -1})
	j := b.view(alice, "SELECT n, title FROM chat.notes n JOIN chat.topics USING (topic)", false)
	j.check()
	b.run(alice, "UPDATE chat.notes SET n = 3 WHERE id > 4")
	j.check()
	j.told()
	b.run(alice, "DELETE FROM chat.notes WHERE id < 3")
	b.run(alice, "UPDATE chat.notes SET n = 0 WHERE id < 5")
	j.check()
	j.told()
	b.run(root, "UPDATE chat.topics SET title = 'Pears' WHERE topic = 'a'")
	if j.drain(); j.told() != "" {
		t.Error("a change of a shared table was followed")
	}
	j.after("UPDATE chat.notes SET n = 4 WHERE id = 6", "delete 0|Apples; delete 0|Apples; "+
		"delete 3|Apples; delete 3|Apples; insert 0|Pears; insert 0|Pears; insert 3|Pears; insert 4|Pears.")
}

// Runs keep their distance, and what comes meanwhile is told together.
func TestEngine_LiveReevaluatedAtABoundedRate(t *testing.T) {
	b := notesBench(t, live.Options{RerunInterval: 300 * time.Millisecond})
	v := &viewer{bench: b, who: alice, sql: "SELECT COUNT(*) AS c FROM chat.notes HAVING c > 0", batch: 9}
	woken := make(chan struct{}, 1)
	sub, err := b.db.Subscribe(t.Context(), alice, engine.Subscription{SQL: v.sql, Notify: func() {
		select {
		case woken <- struct{}{}:
		default:
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	v.sub = sub
	v.drain()
	start := time.Now()
	for i := range 20 {
		b.run(alice, fmt.Sprintf("INSERT INTO chat.notes (conv, id) VALUES (2, %d)", i))
		v.drain()
	}
	if got := v.told(); got != "" && time.Since(start) < 300*time.Millisecond {
		t.Errorf("told %s within the interval", got)
	}
	testkit.Eventually(t, 5*time.Second, "the last state is told", func() bool {
		select {
		case <-woken:
		case <-time.After(time.Second):
		}
		v.drain()
		return strings.HasSuffix(texts(v.rows)[0], "26")
	})
	if n := len(v.events); n > 3 {
		t.Errorf("%d changes were told one by one", n)
	}
}

func TestEngine_LiveKeptResume(t *testing.T) {
	b := notesBench(t, live.Options{RerunInterval: -1})
	views := []*viewer{
		b.view(alice, "SELECT id, n FROM chat.notes WHERE topic = 'a' ORDER BY n DESC LIMIT 3", true),
		b.view(alice, "SELECT SUM(n) FROM chat.notes", false),
	}
	for i, v := range views {
		v.check()
		v.reconnect()
		v.check()
		if v.resyncs != nil {
			t.Errorf("%s: nothing had changed: %v", v.sql, v.resyncs)
		}
		b.run(bob, "INSERT INTO chat.notes VALUES (1, 1, 1, 'a', NULL)")
		b.run(alice, "REPLACE INTO chat.tags VALUES (1, 'x')")
		if i == 0 {
			b.run(alice, "INSERT INTO chat.notes VALUES (3, 1, 1, 'z', NULL)")
			b.run(alice, "DELETE FROM chat.notes WHERE conv = 3")
		}
		b.mayRun(bob, "DELETE FROM chat.notes")
		v.reconnect()
		v.check()
		if v.resyncs != nil {
			t.Errorf("%s: what had changed is not of the result: %v", v.sql, v.resyncs)
		}
		b.run(alice, "UPDATE chat.notes SET n = n + 1 WHERE id = 6")
		v.reconnect()
		v.check()
		if fmt.Sprint(v.resyncs) != "[state_not_kept]" || v.told() != "" {
			t.Errorf("%s: %v", v.sql, v.resyncs)
		}
		v.after("UPDATE chat.notes SET n = n + 1 WHERE id = 6", v.lastRow())
		v.resyncs, v.cursor = nil, 1<<62
		v.reconnect()
		v.check()
		if fmt.Sprint(v.resyncs) != "[cursor_unknown]" {
			t.Errorf("%s: a cursor of the future: %v", v.sql, v.resyncs)
		}
	}
}

// lastRow is what the update of the note with the highest n tells.
func (v *viewer) lastRow() string {
	if v.ordered {
		return "update 6|62 @0."
	}
	return "update 214."
}

func TestEngine_LiveKeptRefuses(t *testing.T) {
	b := liveBench(t, live.Options{WindowRows: 10, ResultRows: 2, RerunInterval: -1})
	b.run(root, "CREATE STREAM TABLE chat.all (id INT PRIMARY KEY) WITH (TTL = '1h', SCOPE = 'namespace')")
	zero := 0
	for _, x := range []struct {
		sql  string
		o    live.SubscribeOptions
		code fault.Code
	}{
		{"SELECT * FROM chat.notes LIMIT 11", live.SubscribeOptions{}, fault.LiveUnsupportedQuery},
		{"SELECT * FROM chat.notes LIMIT 9 OFFSET 2", live.SubscribeOptions{}, fault.LiveUnsupportedQuery},
		{"SELECT * FROM chat.notes LIMIT 9", live.SubscribeOptions{LastRows: &zero}, fault.InvalidParameter},
		{"SELECT n.id FROM chat.notes n, chat.all a", live.SubscribeOptions{}, fault.LiveUnsupportedQuery},
		{"SELECT COUNT(*) FROM chat.topics", live.SubscribeOptions{}, fault.LiveSharedTable},
		{"SELECT COUNT(*) FROM chat.bob.notes", live.SubscribeOptions{}, fault.PermissionDenied},
	} {
		_, err := b.db.Subscribe(t.Context(), alice, engine.Subscription{SQL: x.sql, Options: x.o})
		if !fault.Is(err, x.code) {
			t.Errorf("%s: %v, want %s", x.sql, err, x.code)
		}
	}
	b.run(alice, "INSERT INTO chat.notes (conv, id) VALUES (1, 1), (1, 2)")
	v := b.view(alice, "SELECT * FROM chat.notes ORDER BY id", true)
	v.check()
	b.run(alice, "INSERT INTO chat.notes (conv, id) VALUES (1, 3)")
	msgs, _, err := v.sub.Poll(t.Context(), 10)
	if err != nil || len(msgs) != 1 {
		t.Fatal(msgs, err)
	}
	if end, ok := msgs[0].(live.Ended); !ok || end.Reason != live.Failed ||
		!fault.Is(end.Err, fault.ResultTooLarge) {
		t.Errorf("a result that is too large: %+v", msgs[0])
	}
}

// A Poll whose context ends loses nothing.
func TestEngine_LiveKeptPollIsCancelled(t *testing.T) {
	b := notesBench(t, live.Options{RerunInterval: -1})
	v := b.view(alice, "SELECT COUNT(*) FROM chat.notes", false)
	v.check()
	b.run(alice, "DELETE FROM chat.notes WHERE id = 1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := v.sub.Poll(ctx, 9); !fault.Is(err, fault.Cancelled) {
		t.Errorf("got %v", err)
	}
	v.check()
}

func TestEngine_LiveDropsWhatItFollows(t *testing.T) {
	b := liveBench(t, live.Options{})
	v := b.view(alice, "SELECT n.id, t.tag FROM chat.notes n JOIN chat.tags t USING (id)", false)
	v.drain()
	b.run(root, "DROP TABLE chat.tags")
	msgs, _, err := v.sub.Poll(t.Context(), 9)
	if err != nil || len(msgs) != 1 {
		t.Fatal(msgs, err)
	}
	if end, ok := msgs[0].(live.Ended); !ok || end.Reason != live.TableDropped {
		t.Errorf("got %+v", msgs[0])
	}
}

func TestEngine_ExplainLive(t *testing.T) {
	b := liveBench(t, live.Options{})
	for sql, want := range map[string][]string{
		"SELECT * FROM chat.notes WHERE n > 1":                {"kind rows", "follows chat.notes", "key conv, id"},
		"SELECT id FROM chat.notes ORDER BY n LIMIT 3":        {"kind window", "change costs a read by key"},
		"SELECT topic, SUM(d) FROM chat.notes GROUP BY topic": {"kind aggregate", "key topic", "MIN or MAX"},
		"SELECT n.id, title FROM chat.notes n JOIN chat.topics USING (topic)": {"kind re-evaluated",
			"reads without following chat.topics", "every 100ms", "key the whole row", "resync"},
	} {
		got := strings.Join(strings.Fields(b.one(alice, "EXPLAIN LIVE "+sql)), " ")
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("%s: %s\nlacks %q", sql, got, w)
			}
		}
	}
	for _, sql := range []string{"EXPLAIN LIVE SELECT * FROM chat.topics", "SUBSCRIBE TO chat.topics"} {
		_, err := b.db.Query(t.Context(), alice, sql)
		if !fault.Is(err, fault.LiveSharedTable) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	if got := b.one(alice, "SUBSCRIBE TO SELECT id FROM chat.notes LIMIT 3"); !strings.Contains(got, "window") {
		t.Errorf("SUBSCRIBE TO tells %s", got)
	}
}

// one answers a statement's rows in one text.
func (b *bench) one(who engine.Identity, sql string) string {
	b.t.Helper()
	res, err := b.db.Query(b.t.Context(), who, sql)
	if err != nil {
		b.t.Fatalf("%s: %v", sql, err)
	}
	return strings.ReplaceAll(strings.Join(texts(res.Rows), "\n"), "|", " ")
}
