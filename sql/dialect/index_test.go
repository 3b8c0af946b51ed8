package dialect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

func TestParse_IndexesOfTables(t *testing.T) {
	for body, want := range map[string]string{
		"a INT PRIMARY KEY, b TEXT, INDEX i (b)":                         "1 i(b)",
		"a INT PRIMARY KEY, b TEXT, KEY I (B ASC, a)":                    "1 i(b a)",
		"a INT PRIMARY KEY, b TEXT UNIQUE":                               "1 b(b)!",
		"a INT PRIMARY KEY, b TEXT UNIQUE KEY NOT NULL, index (b)":       "1 b(b)!, 2 b_2(b)",
		"a INT PRIMARY KEY, b TEXT, UNIQUE (a, b), UNIQUE KEY a (b)":     "1 a_2(a b)!, 2 a(b)!",
		"a INT PRIMARY KEY, UNIQUE INDEX u USING BTREE (a) USING BTREE":  "1 u(a)!",
		"a INT PRIMARY KEY, CONSTRAINT c UNIQUE (a)":                     "1 c(a)!",
		"a INT PRIMARY KEY, CONSTRAINT UNIQUE KEY k (a)":                 "1 k(a)!",
		"a INT PRIMARY KEY, key INT, `index` INT, unique INT, KEY (key)": "1 key(key)",
		"INDEX (b), b TEXT, a INT PRIMARY KEY":                           "1 b(b)",
	} {
		n, ok := mustParse(t, "CREATE TABLE t ("+body+")").Node.(*ast.CreateTable)
		if !ok {
			t.Fatalf("%s is no CREATE TABLE", body)
		}
		def := n.Table()
		var got []string
		for i := range def.Indexes {
			x := &def.Indexes[i]
			s := fmt.Sprintf("%d %s(%s)", x.ID, x.Name, strings.Join(def.IndexColumns(x), " "))
			if x.Unique {
				s += "!"
			}
			got = append(got, s)
		}
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
		def.Name, def.Namespace = "t", "n"
		again, ok := mustParse(t, ddl.ShowCreate(def)).Node.(*ast.CreateTable)
		if !ok || fmt.Sprint(again.Indexes) != fmt.Sprint(n.Indexes) {
			t.Errorf("%s is not read back", ddl.ShowCreate(def))
		}
	}
}

func TestParse_IndexStatements(t *testing.T) {
	for text, want := range map[string]string{
		"CREATE INDEX i ON t (a)":                                 "create .t {i [a] false false}",
		"create unique index if not exists I on n.t (A asc, b)":   "create n.t {i [a b] true true}",
		"CREATE INDEX `i` USING BTREE ON t (a) USING BTREE":       "create .t {i [a] false false}",
		"CREATE INDEX i ON t USING btree (a)":                     "create .t {i [a] false false}",
		"DROP INDEX i ON n.t":                                     "drop n.t {i false}",
		"DROP INDEX IF EXISTS I ON t":                             "drop .t {i true}",
		"SHOW INDEX FROM n.t":                                     "show n.t",
		"SHOW KEYS IN t":                                          "show .t",
		"ALTER TABLE t ADD INDEX i (a), ADD UNIQUE (b, a)":        "{i [a] false false}{ [b a] true false}",
		"ALTER TABLE t ADD KEY (a)":                               "{ [a] false false}",
		"ALTER TABLE t ADD CONSTRAINT c UNIQUE (a)":               "{c [a] true false}",
		"ALTER TABLE t DROP INDEX i, DROP KEY k, DROP COLUMN c":   "{i false}{k false}{c false}",
		"ALTER TABLE t DROP INDEX IF EXISTS i":                    "{i true}",
		"ALTER TABLE t DROP index":                                "{index false}",
		"ALTER TABLE t ADD index TEXT, ADD unique INT, ADD k INT": "columns index unique k",
	} {
		var got string
		switch n := mustParse(t, text).Node.(type) {
		case *ast.CreateIndex:
			got = fmt.Sprintf("create %s.%s %v", n.Namespace, n.Name, n.Index)
		case *ast.DropIndex:
			got = fmt.Sprintf("drop %s.%s %v", n.Namespace, n.Name, n.Index)
		case *ast.ShowIndexes:
			got = fmt.Sprintf("show %s.%s", n.Namespace, n.Name)
		case *ast.AlterTable:
			got = actionTexts(n.Actions)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func actionTexts(actions []ddl.Action) (s string) {
	for _, a := range actions {
		switch a := a.(type) {
		case *ddl.AddIndex:
			s += fmt.Sprint(*a)
		case *ddl.DropIndex:
			s += fmt.Sprint(*a)
		case *ddl.DropColumn:
			s += fmt.Sprint(*a)
		case *ddl.AddColumn:
			if s == "" {
				s = "columns"
			}
			s += " " + a.Column.Name
		}
	}
	return s
}

func TestParse_RefusesIndexes(t *testing.T) {
	for text, want := range map[string]fault.Code{
		"CREATE INDEX ON t (a)":                       fault.InvalidSQL,
		"CREATE INDEX i":                              fault.InvalidSQL,
		"CREATE INDEX i ON t":                         fault.InvalidSQL,
		"CREATE INDEX i ON t ()":                      fault.InvalidSQL,
		"CREATE INDEX i ON t (a":                      fault.InvalidSQL,
		"CREATE INDEX i ON t (a) WHERE a > 1":         fault.Unsupported,
		"CREATE INDEX i ON t (lower(a))":              fault.Unsupported,
		"CREATE INDEX CONCURRENTLY i ON t (a)":        fault.Unsupported,
		"CREATE INDEX i ON system.users (id)":         fault.InvalidParameter,
		"CREATE INDEX `a b` ON t (a)":                 fault.InvalidParameter,
		"CREATE INDEX primary ON t (a)":               fault.InvalidParameter,
		"CREATE INDEX i ON t (?)":                     fault.Unsupported,
		"CREATE UNIQUE TABLE t (a INT PRIMARY KEY)":   fault.InvalidSQL,
		"DROP INDEX i":                                fault.InvalidSQL,
		"DROP INDEX n.i":                              fault.InvalidSQL,
		"DROP INDEX i ON t CASCADE":                   fault.InvalidSQL,
		"SHOW INDEX":                                  fault.InvalidSQL,
		"SHOW INDEX FROM t WHERE Key_name = 'a'":      fault.Unsupported,
		"ALTER TABLE t ADD INDEX i (a), ADD c INT":    fault.Unsupported,
		"ALTER TABLE t DROP INDEX i, ADD INDEX i (a)": fault.Unsupported,
		"ALTER TABLE t ADD c INT UNIQUE":              fault.Unsupported,
		"CREATE INDEX i ON t (" + strings.Repeat("a,", ddl.MaxIndexColumns) + "a)": fault.InvalidParameter,
		"CREATE TABLE t (a INT PRIMARY KEY" +
			strings.Repeat(", KEY (a)", ddl.MaxIndexes+1) + ")": fault.InvalidParameter,
	} {
		if _, err := dialect.Parse(text, dialect.Limits{}); fault.CodeOf(err) != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
