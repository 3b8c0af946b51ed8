package engine_test

import (
	"context"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/engine"
)

func TestCheck_IsEnforcedOnEveryWrite(t *testing.T) {
	w := newWorld(t)
	w.run("INSERT INTO stock VALUES (1, 1, 2, 'kg'), (2, NULL, NULL, 'kg'), (3, 9, 2, 'tonnes')")
	for _, x := range []struct{ sql, name string }{
		{"INSERT INTO stock VALUES (4, 0, 2, 'kg')", "positive"},
		{"INSERT INTO stock VALUES (4, 1, 2, 'kg'), (5, 3, 2, 'kg')", "ordered"},
		{"INSERT INTO stock SELECT id + 10, 0, 1, unit FROM stock", "positive"},
		{"REPLACE INTO stock VALUES (1, -1, 2, 'kg')", "positive"},
		{"UPDATE stock SET low = -low WHERE id = 1", "positive"},
		{"UPDATE stock SET unit = 'g' WHERE id = 3", "ordered"},
		{"INSERT INTO stock VALUES (1, 5, 6, 'kg') ON DUPLICATE KEY UPDATE low = VALUES(low)", "ordered"},
		{"INSERT INTO stock VALUES (1, 0, 6, 'kg') ON CONFLICT DO NOTHING", "positive"},
		{"INSERT INTO stock VALUES (1, 5, 6, 'kg') ON CONFLICT (id) DO UPDATE SET low = 4", "ordered"},
	} {
		err := w.fails(fault.CheckViolation, x.sql)
		if err != nil && !strings.Contains(err.Error(), "breaks CHECK "+x.name) {
			t.Errorf("%s: %v does not name %s", x.sql, err, x.name)
		}
	}
	w.want("1|1|2|kg; 2|NULL|NULL|kg; 3|9|2|tonnes", "SELECT * FROM stock")
	w.affects(1, "UPDATE stock SET high = 9, low = 8 WHERE id = 1")
	w.affects(3, "UPDATE stock SET low = NULL")
}

func TestEngine_CompileChecks(t *testing.T) {
	e := engine.New(engine.Options{})
	for _, x := range []struct {
		expr string
		code fault.Code
	}{
		{"id > 0 AND name <> ''", ""},
		{"name LIKE 'a%' OR LENGTH(name) BETWEEN 2 AND 5", ""},
		{"name REGEXP '^[a-z]+$'", ""},
		{"t.id IN (1, 2, 3)", ""},
		{"chat.t.id IS NOT NULL", ""},
		{"prices > 0", fault.ColumnNotFound},
		{"id > (SELECT 1)", fault.Unsupported},
		{"EXISTS (SELECT 1 FROM chat.t)", fault.Unsupported},
		{"at < NOW()", fault.Unsupported},
		{"id <> RAND()", fault.Unsupported},
		{"name = CURRENT_USER_ID()", fault.Unsupported},
		{"COUNT(*) > id", fault.Unsupported},
		{"id > ?", fault.InvalidParameter},
		{"_seq > id", fault.Unsupported},
		{"NOPE(id)", fault.InvalidSQL},
		{"id >", fault.InvalidSQL},
		{"other.id > 1", fault.TableNotFound},
		{"id > @x", fault.Unsupported},
	} {
		def := *testTables()[0]
		def.Name = "t"
		def.Columns = append([]ddl.Column(nil), testTables()[1].Columns...)
		def.PrimaryKey = []int{0}
		def.Checks = []ddl.Check{{Name: "c", Expr: x.expr, Columns: []ident.ColumnID{1}}}
		err := e.CompileChecks(context.Background(), &def)
		if fault.CodeOf(err) != x.code {
			t.Errorf("%s: got %v, want %q", x.expr, err, x.code)
		}
		if err != nil && (!strings.Contains(err.Error(), "CHECK c: ") || strings.Contains(err.Error(), "live")) {
			t.Errorf("%s: the message is %v", x.expr, err)
		}
	}
}
