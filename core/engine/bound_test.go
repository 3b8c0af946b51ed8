package engine_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/core/engine"
)

// Rows that were bound when the process ended are removed by the next start,
// and no others.
func TestEngine_BoundRowsOfACrash(t *testing.T) {
	b := open(t, t.TempDir(), engine.Options{RootPassword: "root-password"})
	b.run(root, "CREATE NAMESPACE chat")
	b.run(root, "CREATE STREAM TABLE chat.presence (room INT, who TEXT, PRIMARY KEY (room, who)) "+
		"WITH (TTL = '1h')")
	b.run(root, "CREATE STREAM TABLE chat.gone (id INT PRIMARY KEY) WITH (TTL = '1h')")
	s := b.db.NewSession() // is never closed
	for _, sql := range []string{
		"INSERT INTO chat.presence VALUES (1, 'it''s'), (2, 'x')", "INSERT INTO chat.gone VALUES (1)",
	} {
		err := b.db.Execute(t.Context(), alice, engine.Request{SQL: sql, Session: s, Bind: true},
			func(*engine.Result) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
	}
	b.run(alice, "INSERT INTO chat.presence VALUES (3, 'stays')")
	b.run(bob, "INSERT INTO chat.presence VALUES (1, 'it''s')")
	b.run(root, "DROP TABLE chat.gone")
	b.close()
	b.open()
	b.want(alice, "3 stays", "SELECT * FROM chat.presence")
	b.want(bob, "1 it's", "SELECT * FROM chat.presence")
	b.run(alice, "INSERT INTO chat.presence VALUES (2, 'x')") // bound no more
	b.close()
	b.open()
	b.want(alice, "2 x\n3 stays", "SELECT * FROM chat.presence")
}

// A request that is repeated over another connection has its rows bound to
// that one: those that are there still, and that nobody has bound since.
func TestEngine_BindAgain(t *testing.T) {
	b := open(t, t.TempDir(), engine.Options{RootPassword: "root-password"})
	b.run(root, "CREATE NAMESPACE chat")
	b.run(root, "CREATE STREAM TABLE chat.presence (id INT PRIMARY KEY, who TEXT) WITH (TTL = '1h')")
	send := func(s *engine.Session, request, sql string, bind bool) (message string) {
		t.Helper()
		err := b.db.Execute(t.Context(), alice,
			engine.Request{SQL: sql, Session: s, Bind: bind, RequestID: request},
			func(r *engine.Result) error { message = r.Message; return nil })
		if err != nil {
			t.Fatal(err)
		}
		return message
	}
	end := func(s *engine.Session) {
		t.Helper()
		if err := s.Unbind(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	insert := "INSERT INTO chat.presence VALUES (1, 'x'), (2, 'x'), (3, 'x')"
	first, second, third := b.db.NewSession(), b.db.NewSession(), b.db.NewSession()
	if got := send(first, "r", insert, true); got != "3 rows inserted" {
		t.Errorf("first: %s", got)
	}
	send(third, "other", "REPLACE INTO chat.presence VALUES (3, 'y')", true)
	b.run(alice, "UPDATE chat.presence SET who = 'z' WHERE id = 1")
	for range 2 {
		if got := send(second, "r", insert, true); got != "3 rows inserted" {
			t.Errorf("repeated: %s", got)
		}
	}
	end(first) // has lost them all
	b.want(alice, "1 z\n2 x\n3 y", "SELECT * FROM chat.presence")
	send(third, "r", insert, false) // does not ask for it
	end(third)
	b.want(alice, "1 z\n2 x", "SELECT * FROM chat.presence")
	end(second)
	b.want(alice, "", "SELECT * FROM chat.presence")

	late := b.db.NewSession()
	if got := send(late, "r", insert, true); got != "3 rows inserted" {
		t.Errorf("repeated when they are gone: %s", got)
	}
	b.run(alice, insert) // others, of the same keys
	end(late)
	b.want(alice, "1 x\n2 x\n3 x", "SELECT * FROM chat.presence")
}
