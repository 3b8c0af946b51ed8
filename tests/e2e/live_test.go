package e2e_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

func TestLive_tellsEachKindOfChange(t *testing.T) {
	s := testkit.Start(t)
	ns := s.Namespace(t)
	alice := s.User(t, "alice")
	testkit.Must(t, s.Root(), "CREATE USER TABLE "+ns+".todo (id BIGINT PRIMARY KEY, "+
		"text TEXT, done BOOLEAN NOT NULL DEFAULT FALSE)")
	testkit.Must(t, alice, "INSERT INTO "+ns+".todo (id, text) VALUES (1, 'one'), (2, 'two')")

	socket := testkit.Dial(t, alice)
	subscribe(t, socket, "open", "SELECT id, text FROM "+ns+".todo WHERE done = FALSE")
	if rows := snapshot(t, socket, "open"); len(rows) != 2 || rows[0]["id"] != "1" {
		t.Fatalf("snapshot has %v", rows)
	}

	steps := []struct {
		sql, kind, reason, id string
	}{
		{"INSERT INTO todo (id, text) VALUES (3, 'three')", "insert", "", "3"},
		{"UPDATE todo SET text = 'drei' WHERE id = 3", "update", "", "3"},
		{"UPDATE todo SET done = TRUE WHERE id = 1", "delete", "leave", "1"},
		{"UPDATE todo SET done = FALSE WHERE id = 1", "insert", "enter", "1"},
		{"DELETE FROM todo WHERE id = 2", "delete", "", "2"},
		{"INSERT INTO todo (id, text) VALUES (2, 'again')", "insert", "", "2"},
	}
	alice.Namespace = ns
	last := ""
	for _, step := range steps {
		testkit.Must(t, alice, step.sql)
		m := nextChange(t, socket)
		rows := m.Rows
		if step.kind == "delete" {
			rows = m.OldValues
		}
		if m.ChangeType != step.kind || m.Reason != step.reason || len(rows) != 1 ||
			rows[0]["id"] != step.id || !m.Commit {
			t.Errorf("%s: told %s", step.sql, m.Raw)
		}
		if !later(m.Seq, last) {
			t.Errorf("%s: seq %s is not behind %s", step.sql, m.Seq, last)
		}
		last = m.Seq
	}
	// What the query does not see is not told.
	testkit.Must(t, alice, "INSERT INTO todo (id, text, done) VALUES (4, 'done', TRUE)")
	testkit.Must(t, alice, "INSERT INTO todo (id, text) VALUES (5, 'five')")
	if m := nextChange(t, socket); m.Rows[0]["id"] != "5" {
		t.Errorf("told %s", m.Raw)
	}
}

// A statement of several rows is one commit: its last row says so.
func TestLive_marksTheEndOfACommit(t *testing.T) {
	s := testkit.Start(t)
	ns := s.Namespace(t)
	alice := s.User(t, "alice")
	testkit.Must(t, s.Root(), "CREATE USER TABLE "+ns+".t (id BIGINT PRIMARY KEY)")
	socket := testkit.Dial(t, alice)
	subscribe(t, socket, "s", "SELECT * FROM "+ns+".t")
	snapshot(t, socket, "s")

	testkit.Must(t, alice, "INSERT INTO "+ns+".t (id) VALUES (1), (2), (3)")
	var ids []any
	var m *blackbox.Message
	for len(ids) < 3 {
		if m != nil && m.Commit {
			t.Errorf("marked as the end after %v", ids)
		}
		m = nextChange(t, socket)
		for _, r := range m.Rows {
			ids = append(ids, r["id"])
		}
	}
	if !m.Commit {
		t.Errorf("the last message of the commit is %s", m.Raw)
	}
}

func TestLive_stopsWhenAsked(t *testing.T) {
	s := testkit.Start(t)
	ns := s.Namespace(t)
	alice := s.User(t, "alice")
	testkit.Must(t, s.Root(), "CREATE USER TABLE "+ns+".t (id BIGINT PRIMARY KEY)")
	socket := testkit.Dial(t, alice)
	subscribe(t, socket, "s", "SELECT * FROM "+ns+".t")
	snapshot(t, socket, "s")
	open := "SELECT user_id FROM system.live_queries WHERE query LIKE '%" + ns + "%'"
	testkit.WantRows(t, s.Root(), open, []string{"alice"})

	send(t, socket, map[string]any{"type": "unsubscribe", "subscription_id": "s"})
	if m := read(t, socket); m.Type != "unsubscribed" || m.SubscriptionID != "s" {
		t.Errorf("got %s", m.Raw)
	}
	testkit.Must(t, alice, "INSERT INTO "+ns+".t (id) VALUES (1)")
	send(t, socket, map[string]any{"type": "ping"})
	if m := read(t, socket); m.Type != "pong" {
		t.Errorf("got %s", m.Raw)
	}
	testkit.WantRows(t, s.Root(), open)
}
