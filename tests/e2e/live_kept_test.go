package e2e_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// position returns where a change stands in its order, -1 when it does not say.
func position(t *testing.T, m *blackbox.Message) int {
	t.Helper()
	at := struct {
		Position *int `json:"position"`
	}{}
	if err := json.Unmarshal(m.Raw, &at); err != nil {
		t.Fatal(err)
	}
	if at.Position == nil {
		return -1
	}
	return *at.Position
}

// brief writes a change down: what, why, which row, where, and whether it ends
// its commit.
func brief(t *testing.T, m *blackbox.Message, column string) string {
	t.Helper()
	rows := m.Rows
	if m.ChangeType == "delete" {
		rows = m.OldValues
	}
	if len(rows) != 1 {
		t.Fatalf("%d rows in %s", len(rows), m.Raw)
	}
	return fmt.Sprintf("%s %s %v %d %v", m.ChangeType, m.Reason, rows[0][column], position(t, m), m.Commit)
}

func wantChanges(t *testing.T, socket *blackbox.Socket, column string, want ...string) (seq string) {
	t.Helper()
	for _, w := range want {
		m := nextChange(t, socket)
		if got := brief(t, m, column); got != w {
			t.Errorf("told %q, want %q: %s", got, w, m.Raw)
		}
		seq = m.Seq
	}
	return seq
}

// resume subscribes from a cursor and returns the type of the message behind the
// ack.
func resume(t *testing.T, socket *blackbox.Socket, id, sql, from string) *blackbox.Message {
	t.Helper()
	send(t, socket, map[string]any{"type": "subscribe", "subscription": map[string]any{
		"id": id, "sql": sql, "options": map[string]any{"from": from}}})
	if m := read(t, socket); m.Type != "subscription_ack" {
		t.Fatalf("in place of an ack: %s", m.Raw)
	}
	return read(t, socket)
}

func TestLive_keepsAWindow(t *testing.T) {
	s := testkit.Start(t)
	ns := s.Namespace(t)
	alice := s.User(t, "alice")
	testkit.Must(t, s.Root(), "CREATE TABLE "+ns+".m (id BIGINT PRIMARY KEY, n INT, text TEXT)")
	testkit.Must(t, alice, "INSERT INTO "+ns+".m VALUES (1, 10, 'a'), (2, 20, 'b'), (3, 30, 'c'), (4, 40, 'd')")
	sql := "SELECT id, n FROM " + ns + ".m ORDER BY n DESC LIMIT 2"
	socket := testkit.Dial(t, alice)
	subscribe(t, socket, "w", sql)
	if rows := snapshot(t, socket, "w"); fmt.Sprint(rows) != "[map[id:4 n:40] map[id:3 n:30]]" {
		t.Fatalf("snapshot %v", rows)
	}
	testkit.Must(t, alice, "INSERT INTO "+ns+".m VALUES (5, 35, 'e')")
	wantChanges(t, socket, "id", "delete leave 3 1 false", "insert  5 1 true")
	testkit.Must(t, alice, "UPDATE "+ns+".m SET n = 50 WHERE id = 5")
	wantChanges(t, socket, "id", "update  5 0 true")
	testkit.Must(t, alice, "DELETE FROM "+ns+".m WHERE id = 5")
	seq := wantChanges(t, socket, "id", "delete  5 0 false", "insert enter 3 1 true")

	send(t, socket, map[string]any{"type": "load_older", "subscription_id": "w", "count": 1})
	m := read(t, socket)
	if m.Type != "initial_data_batch" || fmt.Sprint(m.Rows) != "[map[id:2 n:20]]" ||
		m.BatchControl.Status != "ready" || !m.BatchControl.HasMore {
		t.Errorf("load_older is answered by %s", m.Raw)
	}
	testkit.Must(t, alice, "UPDATE "+ns+".m SET n = 21 WHERE id = 2")
	last := wantChanges(t, socket, "id", "update  2 2 true")
	for message, code := range map[string]string{
		`{"type":"load_older","subscription_id":"w","count":0}`:       "INVALID_PARAMETER",
		`{"type":"load_older","subscription_id":"w","count":5000}`:    "INVALID_PARAMETER",
		`{"type":"load_older","subscription_id":"nobody","count":1}`:  "NOT_FOUND",
		`{"type":"load_older","subscription_id":"w","count":"three"}`: "MALFORMED_REQUEST",
	} {
		send(t, socket, json.RawMessage(message))
		if m := read(t, socket); m.Type != "error" || m.Code != code {
			t.Errorf("%s: %s", message, m.Raw)
		}
	}
	if m := resume(t, socket, "again", sql, last); m.Type != "initial_data_batch" || len(m.Rows) != 0 ||
		m.BatchControl.Status != "ready" {
		t.Errorf("nothing has changed since: %s", m.Raw)
	}
	if m := resume(t, socket, "late", sql, seq); m.Type != "resync" {
		t.Errorf("the window has changed since: %s", m.Raw)
	}
	if rows := snapshot(t, socket, "late"); len(rows) != 2 {
		t.Errorf("the snapshot behind a resync has %v", rows)
	}
}

func TestLive_keepsAggregatesAndJoins(t *testing.T) {
	s := testkit.Start(t)
	ns := s.Namespace(t)
	alice := s.User(t, "alice")
	for _, sql := range []string{
		"CREATE TABLE " + ns + ".m (id BIGINT PRIMARY KEY, topic TEXT, price DECIMAL(20, 2))",
		"CREATE SHARED TABLE " + ns + ".topics (topic TEXT PRIMARY KEY, title TEXT) WITH (ACCESS = 'public')",
		"INSERT INTO " + ns + ".topics VALUES ('x', 'Ex')",
	} {
		testkit.Must(t, s.Root(), sql)
	}
	testkit.Must(t, alice, "INSERT INTO "+ns+".m VALUES (1, 'x', '900000000000000000.01')")
	socket := testkit.Dial(t, alice)
	subscribe(t, socket, "sum", "SELECT topic, COUNT(*) AS c, SUM(price) AS p FROM "+ns+".m GROUP BY topic")
	if rows := snapshot(t, socket, "sum"); len(rows) != 1 || rows[0]["p"] != "900000000000000000.01" {
		t.Fatalf("snapshot %v", rows)
	}
	testkit.Must(t, alice, "INSERT INTO "+ns+".m VALUES (2, 'x', 0.02)")
	m := nextChange(t, socket)
	if m.ChangeType != "update" || m.Rows[0]["p"] != "900000000000000000.03" || m.Rows[0]["c"] != "2" ||
		m.OldValues[0]["topic"] != "x" || m.OldValues[0]["c"] != "1" || position(t, m) != -1 {
		t.Errorf("told %s", m.Raw)
	}
	testkit.Must(t, alice, "UPDATE "+ns+".m SET topic = 'y' WHERE id = 2")
	wantChanges(t, socket, "topic", "update  x -1 false", "insert  y -1 true")
	testkit.Must(t, alice, "DELETE FROM "+ns+".m WHERE id = 2")
	wantChanges(t, socket, "topic", "delete  y -1 true")

	join := testkit.Dial(t, alice)
	subscribe(t, join, "join",
		"SELECT id, title FROM "+ns+".m JOIN "+ns+".topics USING (topic) WHERE id < 9 ORDER BY id DESC")
	if rows := snapshot(t, join, "join"); fmt.Sprint(rows) != "[map[id:1 title:Ex]]" {
		t.Fatalf("snapshot %v", rows)
	}
	testkit.Must(t, alice, "INSERT INTO "+ns+".m (id, topic) VALUES (3, 'x'), (4, 'z'), (10, 'x')")
	wantChanges(t, join, "id", "insert  3 0 true")
	testkit.Must(t, s.Root(), "UPDATE "+ns+".topics SET title = 'Exes'") // is not followed
	testkit.Must(t, alice, "DELETE FROM "+ns+".m WHERE id = 3")
	wantChanges(t, join, "title", "delete  Ex 1 false", "delete  Ex 0 false", "insert  Exes 0 true")

	send(t, join, map[string]any{"type": "load_older", "subscription_id": "join", "count": 1})
	if m := read(t, join); m.Code != "LIVE_UNSUPPORTED_QUERY" {
		t.Errorf("load_older of a join: %s", m.Raw)
	}
	subscribe(t, join, "shared", "SELECT COUNT(*) FROM "+ns+".topics")
	if m := read(t, join); m.Code != "LIVE_SHARED_TABLE" {
		t.Errorf("a count of a shared table: %s", m.Raw)
	}
}
