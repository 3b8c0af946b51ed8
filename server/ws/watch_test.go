package ws_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/servertest"
)

// refusal runs a statement that fails and returns the code.
func refusal(t *testing.T, s *servertest.Server, who servertest.Header, sql string) string {
	t.Helper()
	_, answer := s.SQL(t, who, wire.SQLRequest{SQL: sql})
	if answer.Error == nil {
		t.Fatalf("%s did not fail", sql)
	}
	return string(answer.Error.Code)
}

func rows(r []wire.Result) [][]any { return r[0].Rows }

func TestLiveQueries_SeenKilledAndTraced(t *testing.T) {
	s := servertest.WithMessages(t)
	alice, bob := user("alice"), user("bob")
	c := login(t, s, "alice")
	c.send(`{"type":"subscribe","subscription":{"id":"a","sql":` +
		`"SELECT id FROM chat.messages WHERE body <> 'x' OPTIONS","options":{}}}`)
	c.expectError("INVALID_SQL")
	c.subscribe("a", "SUBSCRIBE TO chat.messages WHERE body <> 'x' OPTIONS (policy = 'conflate')")
	c.ready("a")
	s.MustSQL(t, alice, "INSERT INTO chat.messages VALUES (1, 'one'), (2, 'x')")
	c.expect(wire.TypeChange)

	const seen = "SELECT id, user_id, acting_for, namespace, table_name, state, policy, lag_ms, " +
		"queued, queued_bytes, delivered, conflated, connection FROM system.live_queries"
	mine := rows(s.MustSQL(t, alice, seen))
	if len(mine) != 1 {
		t.Fatalf("alice sees %v", mine)
	}
	id := fmt.Sprint(mine[0][0])
	want := fmt.Sprint([]any{id, "alice", "alice", "chat", "messages", "live", "conflate", "0",
		"0", "0", "1", "0", c.conn.LocalAddr()})
	if got := fmt.Sprint(mine[0]); got != want {
		t.Errorf("live query %s, want %s", got, want)
	}
	if got := rows(s.MustSQL(t, bob, "SHOW LIVE QUERIES")); len(got) != 0 {
		t.Errorf("bob sees %v", got)
	}
	if got := rows(s.MustSQL(t, servertest.Root(), "SHOW LIVE QUERIES")); len(got) != 1 {
		t.Errorf("root sees %v", got)
	}

	trace := func(who servertest.Header, key string) string {
		t.Helper()
		var out []string
		for _, r := range rows(s.MustSQL(t, who, fmt.Sprintf("TRACE DELIVERY '%s' FOR %s", id, key))) {
			out = append(out, fmt.Sprint(r[2:6], r[6] != nil))
		}
		return strings.Join(out, " ")
	}
	if got, want := trace(alice, "1"), "[insert delivered insert <nil>] true"; got != want {
		t.Errorf("trace %s, want %s", got, want)
	}
	if got, want := trace(servertest.Root(), "2"), "[insert filtered <nil> <nil>] false"; got != want {
		t.Errorf("trace %s, want %s", got, want)
	}
	for sql, code := range map[string]string{
		"TRACE DELIVERY '" + id + "' FOR (1, 2)": "INVALID_PARAMETER",
		"TRACE DELIVERY '" + id + "' FOR 'one'":  "TYPE_MISMATCH",
		"TRACE DELIVERY 'live-0' FOR 1":          "NOT_FOUND",
		"KILL LIVE QUERY 'live-0'":               "NOT_FOUND",
	} {
		if got := refusal(t, s, alice, sql); got != code {
			t.Errorf("%s: %s, want %s", sql, got, code)
		}
	}
	for _, sql := range []string{"TRACE DELIVERY '" + id + "' FOR 1", "KILL LIVE QUERY '" + id + "'"} {
		if got := refusal(t, s, bob, sql); got != "NOT_FOUND" {
			t.Errorf("%s by another user: %s", sql, got)
		}
	}

	s.MustSQL(t, servertest.Root(), "KILL LIVE QUERY '"+id+"'")
	if m := c.expect(wire.TypeUnsubscribed); m.text("reason") != "killed" || m.text("seq") == "" {
		t.Errorf("unsubscribed = %v", m)
	}
	c.subscribe("a", "SELECT * FROM chat.messages")
	c.ready("a")
	mine = rows(s.MustSQL(t, alice, "SHOW LIVE QUERIES"))
	s.MustSQL(t, alice, fmt.Sprintf("KILL LIVE QUERY '%s'", mine[0][0]))
	c.expect(wire.TypeUnsubscribed)
	audited := rows(s.MustSQL(t, servertest.Root(),
		"SELECT actor, acting_for FROM system.audit_log WHERE kind = 'KILL LIVE QUERY'"))
	if fmt.Sprint(audited) != "[[root alice]]" {
		t.Errorf("audited %v", audited)
	}
}

func TestStreams_Shown(t *testing.T) {
	s := servertest.WithMessages(t)
	s.MustSQL(t, servertest.Root(), "CREATE STREAM TABLE chat.events (id INT PRIMARY KEY) "+
		"WITH (TTL = '1h', SCOPE = 'namespace')")
	s.MustSQL(t, servertest.Root(), "INSERT INTO chat.events VALUES (1)")
	c := login(t, s, "alice")
	c.subscribe("a", "SELECT * FROM chat.events")
	c.ready("a")
	const sql = "SELECT namespace, name, scope, ttl, `rows`, live_queries, created_by FROM system.streams"
	for _, q := range []struct {
		who  servertest.Header
		want string
	}{
		{servertest.Root(), "[[chat events namespace 1h 1 1 root]]"},
		{user("alice"), "[[chat events namespace 1h <nil> 1 root]]"},
		{user("bob"), "[[chat events namespace 1h <nil> 0 root]]"},
	} {
		if got := fmt.Sprint(rows(s.MustSQL(t, q.who, sql))); got != q.want {
			t.Errorf("streams %s, want %s", got, q.want)
		}
	}
	if got := rows(s.MustSQL(t, user("bob"), "SHOW STREAMS")); len(got) != 1 {
		t.Errorf("SHOW STREAMS = %v", got)
	}
}
