package ws_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/servertest"
)

func user(name string) servertest.Header {
	return servertest.Bearer(servertest.Token(name, time.Hour))
}

func TestLive_SnapshotThenChanges(t *testing.T) {
	s := servertest.WithMessages(t)
	s.MustSQL(t, user("alice"), "INSERT INTO chat.messages VALUES (1, 'one'), (2, 'two')")
	c := login(t, s, "alice")
	ack := c.subscribe("s1", "SELECT id, body FROM chat.messages WHERE body <> 'hidden'")
	schema := ack["schema"].([]any)
	if len(schema) != 2 || schema[0].(map[string]any)["data_type"] != "BigInt" {
		t.Errorf("ack = %v", ack)
	}
	if n := c.ready("s1"); n != 2 {
		t.Errorf("snapshot of %d rows", n)
	}
	s.MustSQL(t, user("bob"), "INSERT INTO chat.messages VALUES (9, 'of bob')")
	for _, step := range []struct{ sql, kind, reason string }{
		{"INSERT INTO chat.messages VALUES (3, 'three')", "insert", ""},
		{"UPDATE chat.messages SET body = 'THREE' WHERE id = 3", "update", ""},
		{"UPDATE chat.messages SET body = 'hidden' WHERE id = 3", "delete", "leave"},
		{"UPDATE chat.messages SET body = 'back' WHERE id = 3", "insert", "enter"},
		{"DELETE FROM chat.messages WHERE id = 3", "delete", ""},
	} {
		s.MustSQL(t, user("alice"), step.sql)
		m := c.expect(wire.TypeChange)
		if m.text("change_type") != step.kind || m.text("reason") != step.reason ||
			m.text("subscription_id") != "s1" || m["commit"] != true || m.text("seq") == "" {
			t.Errorf("%s: %v", step.sql, m)
		}
		rows, _ := m["rows"].([]any)
		if step.kind == "insert" && (len(rows) != 1 || rows[0].(map[string]any)["id"] != "3") {
			t.Errorf("%s: rows %v", step.sql, rows)
		}
	}
	c.raw(`{"type":"unsubscribe","subscription_id":"s1"}`)
	if m := c.expect(wire.TypeUnsubscribed); m.text("subscription_id") != "s1" {
		t.Errorf("unsubscribed = %v", m)
	}
	s.MustSQL(t, user("alice"), "INSERT INTO chat.messages VALUES (4, 'four')")
	c.raw(`{"type":"ping"}`)
	c.expect(wire.TypePong)
}

func TestLive_BatchesWaitForNextBatch(t *testing.T) {
	s := servertest.WithMessages(t)
	var rows []string
	for i := range 25 {
		rows = append(rows, fmt.Sprintf("(%d, 'x')", i))
	}
	s.MustSQL(t, user("alice"), "INSERT INTO chat.messages VALUES "+strings.Join(rows, ","))
	c := login(t, s, "alice")
	c.raw(`{"type":"subscribe","subscription":{"id":"a","sql":"SELECT * FROM chat.messages",` +
		`"options":{"batch_size":10}}}`)
	c.expect(wire.TypeSubscriptionAck)
	if m := c.expect(wire.TypeInitialData); len(m["rows"].([]any)) != 10 {
		t.Errorf("first batch = %v", m)
	}
	c.raw(`{"type":"ping"}`)
	c.expect(wire.TypePong)
	c.raw(`{"type":"next_batch","subscription_id":"a"}`)
	if n := c.ready("a"); n != 15 {
		t.Errorf("%d further rows", n)
	}
}

func TestLive_IDsAndLimits(t *testing.T) {
	s := servertest.WithMessages(t, "KALAMDB_LIVE_SUBSCRIPTIONS_PER_SOCKET=2",
		"KALAMDB_LIVE_SUBSCRIPTIONS_PER_USER=3")
	const sql = "SELECT * FROM chat.messages"
	c := login(t, s, "alice")
	open := func(c *client, id string) {
		t.Helper()
		c.subscribe(id, sql)
		c.ready(id)
	}
	open(c, "a")
	c.send(`{"type":"subscribe","subscription":{"id":"a","sql":%q}}`, sql)
	if m := c.expectError("ALREADY_EXISTS"); m.text("subscription_id") != "a" {
		t.Errorf("error = %v", m)
	}
	open(c, "b")
	c.send(`{"type":"subscribe","subscription":{"id":"c","sql":%q}}`, sql)
	c.expectError("SUBSCRIPTION_LIMIT")
	other := login(t, s, "alice")
	open(other, "a")
	other.send(`{"type":"subscribe","subscription":{"id":"b","sql":%q}}`, sql)
	other.expectError("SUBSCRIPTION_LIMIT")

	c.send(`{"type":"unsubscribe","subscription_id":"a"}`)
	c.send(`{"type":"subscribe","subscription":{"id":"a","sql":%q}}`, sql)
	c.expect(wire.TypeUnsubscribed)
	c.expect(wire.TypeSubscriptionAck)
	c.ready("a")
}

func TestLive_AuthenticateAgain(t *testing.T) {
	s := servertest.WithMessages(t)
	c := login(t, s, "alice")
	c.subscribe("a", "SELECT * FROM chat.messages")
	c.ready("a")
	c.send(`{"type":"authenticate","method":"jwt","token":%q}`,
		servertest.Token("alice", 2*time.Hour))
	c.expect(wire.TypeAuthSuccess)
	s.MustSQL(t, user("alice"), "INSERT INTO chat.messages VALUES (1, 'still mine')")
	c.expect(wire.TypeChange)

	c.send(`{"type":"authenticate","method":"jwt","token":%q}`,
		servertest.Token("bob", time.Hour))
	seen := map[string]bool{}
	for range 2 {
		seen[c.recv().text("type")] = true
	}
	if !seen["auth_success"] || !seen["unsubscribed"] {
		t.Errorf("messages = %v", seen)
	}
	s.MustSQL(t, user("alice"), "INSERT INTO chat.messages VALUES (2, 'secret')")
	c.raw(`{"type":"query","id":"q","sql":"SELECT * FROM chat.messages"}`)
	m := c.expect(wire.TypeResult)
	if rows := m["results"].([]any)[0].(map[string]any)["rows"].([]any); len(rows) != 0 {
		t.Errorf("bob sees %v", rows)
	}
}

func TestLive_ProgressMovesCursorsOfQuietTables(t *testing.T) {
	s := servertest.WithMessages(t, "KALAMDB_LIVE_PING_INTERVAL=100ms")
	c := login(t, s, "alice")
	c.subscribe("a", "SELECT * FROM chat.messages WHERE id < 0")
	c.ready("a")
	s.MustSQL(t, user("alice"), "INSERT INTO chat.messages VALUES (1, 'not followed')")
	if m := c.expect(wire.TypeProgress); m.text("seq") == "" || m.text("subscription_id") != "a" {
		t.Errorf("progress = %v", m)
	}
}

func TestQuery_AnsweredInOrder(t *testing.T) {
	s := servertest.WithMessages(t)
	c := login(t, s, "alice")
	for i := range 20 {
		c.send(`{"type":"query","id":"q%d","sql":"INSERT INTO chat.messages VALUES (?, ?)",`+
			`"params":[%d,"text"]}`, i, i)
		c.send(`{"type":"query","id":"c%d","sql":"SELECT COUNT(*) FROM chat.messages"}`, i)
	}
	for i := range 20 {
		for _, prefix := range []string{"q", "c"} {
			m := c.expect(wire.TypeResult)
			if want := fmt.Sprintf("%s%d", prefix, i); m.text("id") != want {
				t.Fatalf("got the answer of %v, want %s: %v", m["id"], want, m)
			}
			if _, ok := m["took"].(float64); !ok || m.text("status") != "success" {
				t.Fatalf("result = %v", m)
			}
			if prefix == "c" {
				rows := m["results"].([]any)[0].(map[string]any)["rows"]
				if fmt.Sprint(rows) != fmt.Sprintf("[[%d]]", i+1) {
					t.Errorf("count = %v, want %d", rows, i+1)
				}
			}
		}
	}
}

func TestQuery_Failures(t *testing.T) {
	s := servertest.WithMessages(t)
	c := login(t, s, "alice")
	c.raw(`{"type":"query","id":"x","sql":"SELECT 1; SELECT * FROM chat.nothing"}`)
	m := c.expect(wire.TypeResult)
	fault, _ := m["error"].(map[string]any)
	if m.text("status") != "error" || len(m["results"].([]any)) != 1 ||
		fault["code"] != "TABLE_NOT_FOUND" || fault["statement"] != 2.0 {
		t.Errorf("result = %v", m)
	}
	c.raw(`{"type":"query","id":"z","sql":""}`)
	if m := c.expect(wire.TypeResult); !strings.Contains(fmt.Sprint(m["error"]), "EMPTY_SQL") {
		t.Errorf("result = %v", m)
	}
}

func TestQuery_UseLastsForTheConnection(t *testing.T) {
	s := servertest.WithMessages(t)
	c := login(t, s, "alice")
	c.raw(`{"type":"query","id":"1","sql":"USE chat"}`)
	c.expect(wire.TypeResult)
	c.raw(`{"type":"query","id":"2","sql":"INSERT INTO messages VALUES (1, 'x')"}`)
	if m := c.expect(wire.TypeResult); m.text("status") != "success" {
		t.Errorf("result = %v", m)
	}
	c.subscribe("a", "SELECT * FROM messages")
	if n := c.ready("a"); n != 1 {
		t.Errorf("%d rows", n)
	}
}

// A subscriber that does not read is cut off, and holds up neither the writer
// nor another subscriber.
func TestLive_StalledReader(t *testing.T) {
	s := servertest.WithMessages(t, "KALAMDB_LIVE_WRITE_TIMEOUT=300ms",
		"KALAMDB_LIVE_QUEUE_SIZE=64KiB", "KALAMDB_LIVE_SOCKET_SIZE=64KiB")
	stalled, reader := login(t, s, "alice"), login(t, s, "alice")
	for _, c := range []*client{stalled, reader} {
		c.subscribe("a", "SELECT * FROM chat.messages")
		c.ready("a")
	}
	const rows = 60
	body := strings.Repeat("x", 400<<10)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range rows {
			reader.expect(wire.TypeChange)
		}
	}()
	for i := range rows {
		s.MustSQL(t, user("alice"), "INSERT INTO chat.messages VALUES ($1, $2)", i, body)
	}
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("the other reader was held up")
	}
	servertest.Eventually(t, "the stalled reader is cut off", func() bool {
		return strings.Contains(s.Log.String(), "slow websocket closed")
	})
	s.MustSQL(t, user("alice"), "DELETE FROM chat.messages WHERE id = 0")
	reader.expect(wire.TypeChange)
}

func TestQuery_TransactionOverSeveralQueries(t *testing.T) {
	s := servertest.WithMessages(t)
	c, other := login(t, s, "alice"), login(t, s, "alice")
	ask := func(c *client, sql string) string {
		c.send(`{"type":"query","id":"1","sql":%q}`, sql)
		m := c.expect(wire.TypeResult)
		if e, failed := m["error"].(map[string]any); failed {
			return fmt.Sprint(e["code"])
		}
		return fmt.Sprint(m["results"].([]any)[0].(map[string]any)["rows"])
	}
	const count = "SELECT COUNT(*) FROM chat.messages"
	ask(c, "BEGIN")
	ask(c, "INSERT INTO chat.messages VALUES (1, 'x')")
	for who, want := range map[*client]string{c: "[[1]]", other: "[[0]]"} {
		if got := ask(who, count); got != want {
			t.Errorf("count = %s, want %s", got, want)
		}
	}
	ask(c, "COMMIT")
	if got := ask(other, count); got != "[[1]]" {
		t.Errorf("count after the commit = %s", got)
	}
	ask(c, "BEGIN; DELETE FROM chat.messages")
	c.conn.Close()
	ask(other, "BEGIN")
	if got := ask(other, "COMMIT; "+count); got != "[]" {
		t.Errorf("an empty transaction: %s", got)
	}
	if got := ask(other, count); got != "[[1]]" {
		t.Errorf("count after a client left in a transaction = %s", got)
	}
}
