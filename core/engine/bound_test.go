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
