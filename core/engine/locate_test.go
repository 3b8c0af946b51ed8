package engine_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/engine"
)

// An error of any statement of a request says which one, and where in the
// whole text, on the direct path as in the query engine.
func TestEngine_ErrorsSayWhere(t *testing.T) {
	db, err := engine.Open("", engine.Options{Storage: engine.Memory})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	root := engine.Identity{Caller: "root", Role: ident.RoleDBA}
	alice := engine.Identity{Caller: "alice", Role: ident.RoleUser}
	for _, s := range []string{"CREATE NAMESPACE w", "CREATE TABLE w.t (id INT PRIMARY KEY, body TEXT NOT NULL)",
		"CREATE TABLE w.c (id INT PRIMARY KEY, n INT UNIQUE CHECK (n > 0))",
		"CREATE SHARED TABLE w.hidden (id INT PRIMARY KEY) WITH (ACCESS = 'private')"} {
		if _, err := db.Query(t.Context(), root, s); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		sql                 string
		code                fault.Code
		statement, position int
	}{
		{"SELECT 1; SELECT id FROM w.tt", fault.TableNotFound, 2, 26},
		{"SELECT id FROM w.t WHERE id = 1;\n SELECT bdy FROM w.t WHERE id = 1", fault.ColumnNotFound, 2, 42},
		{"INSERT INTO w.t (id, bdy) VALUES (1, 'x')", fault.ColumnNotFound, 1, 22},
		{"INSERT INTO w.t (id, body) VALUES (1, NULL)", fault.NotNullViolation, 1, 22},
		{"SELECT 1; UPDATE w.t SET body = NULL WHERE id = 1; DELETE FROM w.t WHERE ix = 1",
			fault.ColumnNotFound, 3, 74},
		{"SELECT 1; INSERT INTO w.c VALUES (1, 1), (2, 2), (1, 3)", fault.DuplicateKey, 2, 50},
		{"INSERT INTO w.c VALUES (1, 1), (2, 1)", fault.DuplicateKey, 1, 32},
		{"INSERT INTO w.c (id, n) VALUES (1, 1), (2, -1)", fault.CheckViolation, 1, 40},
		{"INSERT INTO w.t (id) VALUES (1)", fault.NotNullViolation, 1, 29},
		{"SELECT id FROM w.hidden", fault.TableNotFound, 1, 16},
		{"SELECT id FROM w.hiddem", fault.TableNotFound, 1, 16},
		{"EXPLAIN SELECT bdy FROM w.t", fault.ColumnNotFound, 1, 16},
	} {
		_, err := db.Query(t.Context(), alice, c.sql)
		f := fault.From(err)
		if f == nil || f.Code != c.code || f.Statement != c.statement || f.Position != c.position {
			t.Errorf("%s\ngot %+v\nwant %s of statement %d at %d", c.sql, f, c.code, c.statement, c.position)
		}
	}
}
