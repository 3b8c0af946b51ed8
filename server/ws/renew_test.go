package ws_test

import (
	"fmt"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/servertest"
)

func TestLive_GoesOnOverSchemaChanges(t *testing.T) {
	s := servertest.WithMessages(t)
	sql := func(text string) { t.Helper(); s.MustSQL(t, user("alice"), text) }
	alter := func(text string) { t.Helper(); s.MustSQL(t, servertest.Root(), text) }
	c := login(t, s, "alice")
	sql("INSERT INTO chat.messages VALUES (1, 'one')")
	c.subscribe("a", "SELECT id, body FROM chat.messages")
	c.ready("a")

	// The columns are the same: it goes on where it was.
	alter("ALTER TABLE chat.messages ADD COLUMN likes INT DEFAULT 3")
	sql("INSERT INTO chat.messages VALUES (2, 'two', 5)")
	m := c.expect(wire.TypeSchema)
	if m.text("subscription_id") != "a" || m["schema_version"] != 2.0 || len(m["schema"].([]any)) != 2 {
		t.Errorf("schema = %v", m)
	}
	if m := c.expect(wire.TypeChange); m["rows"].([]any)[0].(map[string]any)["id"] != "2" {
		t.Errorf("change = %v", m)
	}

	// They are not what they were: a new snapshot follows.
	alter("ALTER TABLE chat.messages DROP COLUMN body, ADD COLUMN body TEXT DEFAULT 'new'")
	c.expect(wire.TypeSchema)
	if m := c.expect(wire.TypeResync); m.text("reason") != "schema_changed" {
		t.Errorf("resync = %v", m)
	}
	if n := c.ready("a"); n != 2 {
		t.Errorf("%d rows", n)
	}
	sql("UPDATE chat.messages SET body = 'x' WHERE id = 1")
	m = c.expect(wire.TypeChange)
	old := m["old_values"].([]any)[0].(map[string]any)
	if m.text("change_type") != "update" || old["body"] != "new" {
		t.Errorf("change = %v", m)
	}

	alter("TRUNCATE TABLE chat.messages")
	c.expect(wire.TypeSchema)
	c.expect(wire.TypeResync)
	if n := c.ready("a"); n != 0 {
		t.Errorf("%d rows of a truncated table", n)
	}
	sql("INSERT INTO chat.messages (id) VALUES (1)")
	c.expect(wire.TypeChange)

	// The query does not compile any more: it ends, and says why.
	alter("ALTER TABLE chat.messages RENAME COLUMN body TO text")
	if m := c.expect(wire.TypeError); m.text("code") != "COLUMN_NOT_FOUND" {
		t.Errorf("error = %v", m)
	}
	if m := c.expect(wire.TypeUnsubscribed); m.text("reason") != "schema_changed" {
		t.Errorf("unsubscribed = %v", m)
	}
	c.subscribe("a", "SELECT * FROM chat.messages")
	if n := c.ready("a"); n != 1 {
		t.Errorf("%d rows", n)
	}
}

func TestLive_CursorsFromBeforeTruncate(t *testing.T) {
	s := servertest.WithMessages(t)
	s.MustSQL(t, user("alice"), "INSERT INTO chat.messages VALUES (1, 'one')")
	c := login(t, s, "alice")
	c.subscribe("a", "SELECT * FROM chat.messages")
	seq := c.expect(wire.TypeInitialData)["batch_control"].(map[string]any)["last_seq_id"].(string)
	s.MustSQL(t, servertest.Root(), "TRUNCATE TABLE chat.messages")
	d := login(t, s, "alice")
	d.send(`{"type":"subscribe","subscription":{"id":"b","sql":"SELECT * FROM chat.messages",`+
		`"options":{"from":%q}}}`, seq)
	d.expect(wire.TypeSubscriptionAck)
	d.expect(wire.TypeResync)
	if n := d.ready("b"); n != 0 {
		t.Errorf("%d rows", n)
	}
}

// Each shard has seqs of its own: a cursor of one on which nothing was written
// since the table was made is one of its history.
func TestLive_ResumesOnEveryShard(t *testing.T) {
	s := servertest.WithMessages(t)
	for i := range 12 {
		name := fmt.Sprintf("user-%d", i)
		c := login(t, s, name)
		c.subscribe("a", "SELECT * FROM chat.messages")
		control := c.expect(wire.TypeInitialData)["batch_control"].(map[string]any)
		c.conn.Close()
		s.MustSQL(t, user(name), "INSERT INTO chat.messages VALUES (1, 'missed')")
		c = login(t, s, name)
		c.send(`{"type":"subscribe","subscription":{"id":"a","sql":"SELECT * FROM chat.messages",`+
			`"options":{"from":%q}}}`, control["last_seq_id"])
		c.expect(wire.TypeSubscriptionAck)
		if n := c.ready("a"); n != 0 {
			t.Errorf("%s: %d rows of a snapshot", name, n)
		}
		c.expect(wire.TypeChange)
	}
}
