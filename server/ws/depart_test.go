package ws_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/servertest"
)

// withPresence has a stream of whoever is in a room, which alice may write.
func withPresence(t *testing.T) *servertest.Server {
	t.Helper()
	s := servertest.WithMessages(t)
	s.MustSQL(t, servertest.Root(), "CREATE STREAM TABLE chat.presence (room INT, who TEXT, "+
		"PRIMARY KEY (room, who)) WITH (TTL = '1h', SCOPE = 'namespace'); "+
		"CREATE STREAM TABLE chat.typing (id INT PRIMARY KEY) WITH (TTL = '1h'); "+
		"CREATE USER 'alice' WITH PASSWORD 'secret-secret' ROLE service")
	return s
}

// ask runs a query over the socket and returns its code, "" when it went well.
func (c *client) ask(sql string, bind bool) string {
	c.t.Helper()
	c.send(`{"type":"query","id":"q","sql":%q,"bind":%v}`, sql, bind)
	m := c.expect(wire.TypeResult)
	if e, failed := m["error"].(map[string]any); failed {
		return fmt.Sprint(e["code"])
	}
	return ""
}

func alice(t *testing.T, s *servertest.Server) *client {
	t.Helper()
	c := dial(t, s, basic("alice", "secret-secret"))
	c.expect(wire.TypeAuthSuccess)
	return c
}

func present(t *testing.T, s *servertest.Server) string {
	t.Helper()
	return fmt.Sprint(rows(s.MustSQL(t, servertest.Root(), "SELECT who FROM chat.presence")))
}

func TestQuery_Bind(t *testing.T) {
	s := withPresence(t)
	watcher := login(t, s, "bob")
	watcher.subscribe("a", "SELECT who FROM chat.presence WHERE room = 1")
	watcher.ready("a")
	first, second := alice(t, s), alice(t, s)
	for _, c := range []struct {
		c    *client
		sql  string
		code string
	}{
		{first, "INSERT INTO chat.presence VALUES (1, 'a'), (1, 'b')", ""},
		{first, "INSERT INTO chat.typing VALUES (1)", ""},
		{second, "INSERT INTO chat.presence VALUES (1, 'b')", "DUPLICATE_KEY"},
		{second, "REPLACE INTO chat.presence VALUES (1, 'b'), (2, 'c')", ""}, // takes b over
		{second, "INSERT INTO chat.messages VALUES (1, 'x')", "INVALID_PARAMETER"},
		{second, "SELECT 1", ""},
		{second, "UPDATE chat.typing SET id = 2", "INVALID_PARAMETER"},
		{second, "BEGIN; INSERT INTO chat.typing VALUES (3)", "UNSUPPORTED"},
	} {
		if got := c.c.ask(c.sql, true); got != c.code {
			t.Errorf("%s: %q, want %q", c.sql, got, c.code)
		}
	}
	if got := refusal(t, s, servertest.Root(), "SELECT * FROM system.bound_rows"); got != "TABLE_NOT_FOUND" {
		t.Errorf("what is bound is shown: %s", got)
	}
	second.ask("ROLLBACK", false)
	for range 2 {
		watcher.expect(wire.TypeChange)
	}
	first.conn.Close()
	m := watcher.expect(wire.TypeChange)
	if old := fmt.Sprint(m["old_values"]); m.text("change_type") != "delete" ||
		!strings.Contains(old, "who:a") {
		t.Errorf("change = %v", m)
	}
	if got := present(t, s); got != "[[b] [c]]" {
		t.Errorf("present after the first has left: %s", got)
	}
	servertest.Eventually(t, "alice's row of her own stream is gone", func() bool {
		return len(rows(s.MustSQL(t, servertest.Basic("alice", "secret-secret"),
			"SELECT * FROM chat.typing"))) == 0
	})
	second.send(`{"type":"authenticate","method":"jwt","token":%q}`, servertest.Token("bob", 1e12))
	second.expect(wire.TypeAuthSuccess)
	if got := present(t, s); got != "[]" {
		t.Errorf("present after the second became another user: %s", got)
	}
}

func TestAuthenticate_OnDisconnect(t *testing.T) {
	s := withPresence(t)
	open := func(statements string) *client {
		c := dial(t, s, nil)
		c.send(`{"type":"authenticate","method":"basic","username":"alice","password":"secret-secret",`+
			`"on_disconnect":%s}`, statements)
		return c
	}
	for statements, code := range map[string]string{
		`["SELECT 1"]`:      "INVALID_PARAMETER",
		`["DROP TABLE t"]`:  "INVALID_PARAMETER",
		`["INSERT INTO"]`:   "", // judged when it runs
		`[""]`:              "EMPTY_SQL",
		`["BEGIN; COMMIT"]`: "INVALID_PARAMETER",
		`["` + strings.Repeat("x", 17<<10) + `"]`:                         "INVALID_PARAMETER",
		`[` + strings.Repeat(`"DELETE FROM t",`, 16) + `"DELETE FROM t"]`: "INVALID_PARAMETER",
	} {
		c := open(statements)
		if m := c.recv(); m.text("code") != code {
			t.Errorf("%.40s: %v, want %q", statements, m, code)
		}
		c.conn.Close()
	}
	gone := func(c *client, id int) {
		t.Helper()
		c.conn.Close()
		servertest.Eventually(t, "the row is there", func() bool {
			return len(rows(s.MustSQL(t, servertest.Basic("alice", "secret-secret"),
				"SELECT * FROM chat.messages WHERE id = $1", id))) == 1
		})
	}
	c := open(`["INSERT INTO chat.nothing VALUES (1)", "INSERT INTO chat.messages VALUES (1, 'left')"]`)
	c.expect(wire.TypeAuthSuccess)
	gone(c, 1)

	c = open(`["INSERT INTO chat.messages VALUES (2, 'left')"]`)
	c.expect(wire.TypeAuthSuccess)
	c.send(`{"type":"authenticate","method":"basic","username":"alice","password":"secret-secret"}`)
	c.expect(wire.TypeAuthSuccess)
	gone(c, 2)

	c = open(`["INSERT INTO chat.messages VALUES (3, 'left')"]`)
	c.expect(wire.TypeAuthSuccess)
	c.send(`{"type":"authenticate","method":"jwt","token":%q}`, servertest.Token("bob", 1e12))
	c.expect(wire.TypeAuthSuccess)
	gone(c, 3)

	c = open(`["INSERT INTO chat.messages VALUES (4, 'left')"]`)
	c.expect(wire.TypeAuthSuccess)
	r, _ := s.Do(t, http.MethodPost, wire.PathLogout, nil, servertest.Basic("alice", "secret-secret"))
	if r.StatusCode != http.StatusOK {
		t.Fatalf("logout: %d", r.StatusCode)
	}
	c.expectClose()
	servertest.Eventually(t, "it is not run for who was logged out", func() bool {
		return strings.Contains(s.Log.String(), "on_disconnect was not run")
	})
}
