package e2e_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/internal/blackbox"
	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

// bind inserts rows of a stream that vanish with the connection.
func bind(t *testing.T, s *blackbox.Socket, request, sql string) {
	t.Helper()
	send(t, s, map[string]any{
		"type": "query", "id": request, "request_id": request, "sql": sql, "bind": true,
	})
	m := read(t, s)
	for m.Type == "change" {
		m = read(t, s)
	}
	if m.Type != "result" || m.Status != "success" {
		t.Fatalf("%s: %s", sql, m.Raw)
	}
}

func TestBoundRows_vanishWhenTheServerIsKilled(t *testing.T) {
	for _, engine := range []string{"pebble", "badger"} {
		t.Run("on "+engine, func(t *testing.T) {
			s := testkit.Start(t, "KALAMDB_STORAGE_ENGINE="+engine)
			ns := s.Namespace(t)
			root, alice := s.Root(), s.User(t, "alice")
			testkit.Must(t, root, "CREATE STREAM TABLE "+ns+".presence (who TEXT PRIMARY KEY, state TEXT) "+
				"WITH (TTL = '1h')")
			socket := testkit.Dial(t, alice)
			bind(t, socket, "one", "INSERT INTO "+ns+".presence VALUES ('phone', 'on'), ('laptop', 'on')")
			other := testkit.Dial(t, alice)
			bind(t, other, "two", "INSERT INTO "+ns+".presence VALUES ('tv', 'on')")
			testkit.Must(t, alice, "INSERT INTO "+ns+".presence VALUES ('stays', 'on')")
			testkit.Must(t, alice, "UPDATE "+ns+".presence SET state = 'away' WHERE who = 'phone'")
			testkit.WantRows(t, alice, "SELECT who FROM "+ns+".presence",
				[]string{"laptop"}, []string{"phone"}, []string{"stays"}, []string{"tv"})
			s.CrashAndRestart(t)
			testkit.WantRows(t, alice, "SELECT who FROM "+ns+".presence", []string{"stays"})

			socket = testkit.Dial(t, alice)
			defer socket.Close()
			bind(t, socket, "three", "INSERT INTO "+ns+".presence VALUES ('phone', 'on')")
			again := testkit.Dial(t, alice)
			defer again.Close()
			bind(t, again, "three", "INSERT INTO "+ns+".presence VALUES ('phone', 'on')")
			watcher := testkit.Dial(t, alice)
			defer watcher.Close()
			subscribe(t, watcher, "w", "SELECT who FROM "+ns+".presence")
			snapshot(t, watcher, "w")
			socket.Close()
			testkit.Must(t, alice, "INSERT INTO "+ns+".presence VALUES ('later', 'on')")
			if m := nextChange(t, watcher); m.Rows[0]["who"] != "later" {
				t.Errorf("in place of the row that came: %s", m.Raw)
			}
			again.Close()
			if m := nextChange(t, watcher); m.ChangeType != "delete" {
				t.Errorf("in place of the row that went: %s", m.Raw)
			}
			testkit.WantRows(t, alice, "SELECT who FROM "+ns+".presence",
				[]string{"later"}, []string{"stays"})
		})
	}
}
