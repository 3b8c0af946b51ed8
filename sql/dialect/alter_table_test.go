package dialect_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// alters are ALTER TABLE statements with their actions; they are seeds of
// FuzzParse as well.
var alters = map[string][]ddl.Action{
	"ALTER TABLE chat.t ADD COLUMN a INT": {&ddl.AddColumn{Column: ddl.Column{
		ID: 1, Name: "a", Type: ddl.Type{Kind: value.Int32}}}},
	"alter user table T add if not exists A varchar(5) not null default 'x' comment 'c'": {
		&ddl.AddColumn{IfNotExists: true, Column: ddl.Column{ID: 1, Name: "a", NotNull: true,
			Type: ddl.Type{Kind: value.Text, Length: 5}, Default: &ddl.Default{Text: "x"}, Comment: "c"}}},
	"ALTER TABLE t ADD COLUMN (a INT, b BIGINT AUTO_INCREMENT), DROP COLUMN c": {
		&ddl.AddColumn{Column: ddl.Column{ID: 1, Name: "a", Type: ddl.Type{Kind: value.Int32}}},
		&ddl.AddColumn{Column: ddl.Column{ID: 1, Name: "b", Type: ddl.Type{Kind: value.Int64},
			Default: ddl.FuncDefault(ddl.FuncSnowflake)}},
		&ddl.DropColumn{Name: "c"}},
	"ALTER TABLE t DROP IF EXISTS `b`, RENAME COLUMN a TO B": {
		&ddl.DropColumn{Name: "b", IfExists: true}, &ddl.RenameColumn{From: "a", To: "b"}},
	"ALTER TABLE t ADD key TEXT, DROP key, RENAME key TO index": {
		&ddl.AddColumn{Column: ddl.Column{ID: 1, Name: "key", Type: ddl.Type{Kind: value.Text}}},
		&ddl.DropColumn{Name: "key"}, &ddl.RenameColumn{From: "key", To: "index"}},
	"ALTER TABLE t MODIFY COLUMN a BIGINT UNSIGNED NULL": {&ddl.ModifyColumn{Column: ddl.Column{
		ID: 1, Name: "a", Type: ddl.Type{Kind: value.Uint64}}}},
	"ALTER TABLE t ALTER COLUMN a SET DEFAULT -5, ALTER b DROP DEFAULT": {
		&ddl.SetDefault{Name: "a", Default: &ddl.Default{Text: "-5"}}, &ddl.SetDefault{Name: "b"}},
	"ALTER TABLE t ALTER a SET DEFAULT NOW(), ALTER b SET DEFAULT TRUE, ALTER c SET DEFAULT NULL": {
		&ddl.SetDefault{Name: "a", Default: ddl.FuncDefault(ddl.FuncNow)},
		&ddl.SetDefault{Name: "b", Default: &ddl.Default{Text: "1"}},
		&ddl.SetDefault{Name: "c", Default: &ddl.Default{Text: "NULL", Null: true}}},
	"ALTER SHARED TABLE IF EXISTS t SET (ACCESS_LEVEL = 'Public', CODEC = json, COMMENT = 'x')": {
		&ddl.SetOptions{Access: access(ddl.Public), Codec: codec(serde.JSON), Comment: text("x")}},
	"ALTER TABLE t SET (STORAGE_ID = 'b', FLUSH_POLICY = 'rows:5', USE_USER_STORAGE = false, " +
		"DELETED_RETENTION_HOURS = 2)": {&ddl.SetOptions{Storage: ptr(ident.StorageID("b")),
		Flush: &ddl.FlushPolicy{Rows: 5}, UserStorage: ptr(false), DeletedRetention: ptr(2 * time.Hour)}},
	"ALTER TABLE t SET (FLUSH_POLICY = 'default', DELETED_RETENTION = 'default')": {
		&ddl.SetOptions{Flush: &ddl.FlushPolicy{}, DeletedRetention: ptr(time.Duration(0))}},
}

func access(a ddl.Access) *ddl.Access { return &a }
func codec(c serde.ID) *serde.ID      { return &c }
func text(s string) *string           { return &s }

func TestParse_AlterTable(t *testing.T) {
	for src, want := range alters {
		st := mustParse(t, src)
		n, ok := st.Node.(*ast.AlterTable)
		if !ok || st.Kind != dialect.AlterTable || n.Name != "t" ||
			!reflect.DeepEqual(n.Actions, want) {
			t.Errorf("%s\n got %+v", src, st.Node)
			continue
		}
		if n.IfExists != strings.Contains(src, "TABLE IF EXISTS") ||
			(n.Kind == ddl.SharedTable) != strings.Contains(src, "SHARED") {
			t.Errorf("%s: %+v", src, n)
		}
	}
	for src, ns := range map[string]string{"TRUNCATE TABLE a.t": "a", "truncate T": "", "TRUNCATE table.t": "table"} {
		n, ok := mustParse(t, src).Node.(*ast.TruncateTable)
		if !ok || string(n.Namespace) != ns || n.Name != "t" {
			t.Errorf("%s: %+v", src, n)
		}
	}
	if n, ok := mustParse(t, "DESC a.t HISTORY").Node.(*ast.DescribeTable); !ok || !n.History {
		t.Errorf("DESC a.t HISTORY: %+v", n)
	}
}

func TestParse_RefusesAlterations(t *testing.T) {
	for _, c := range []struct {
		text string // behind ALTER TABLE t
		code fault.Code
		says string
	}{
		{"", fault.InvalidSQL, "ADD, DROP, RENAME"},
		{"ADD", fault.InvalidSQL, "name of a column"},
		{"ADD COLUMN", fault.InvalidSQL, "name of a column"},
		{"ADD a", fault.InvalidSQL, "a type"},
		{"ADD a INT,", fault.InvalidSQL, "ADD, DROP"},
		{"ADD a INT FIRST", fault.Unsupported, "FIRST"},
		{"ADD a INT AFTER b", fault.Unsupported, "AFTER"},
		{"ADD a INT PRIMARY KEY", fault.Unsupported, "primary key"},
		{"ADD a INT CHECK (a > 0)", fault.Unsupported, "CHECK"},
		{"ADD _a INT", fault.InvalidParameter, "reserved"},
		{"ADD a INT DEFAULT 'x'", fault.TypeMismatch, ""},
		{"ADD (a INT", fault.InvalidSQL, "not closed"},
		{"ADD PRIMARY KEY (a)", fault.Unsupported, "ADD PRIMARY"},
		{"ADD FOREIGN KEY (a) REFERENCES b (c)", fault.Unsupported, "ADD FOREIGN"},
		{"ADD CONSTRAINT c FOREIGN KEY (a)", fault.Unsupported, "ADD CONSTRAINT"},
		{"DROP PRIMARY KEY", fault.Unsupported, "DROP PRIMARY"},
		{"DROP COLUMN", fault.InvalidSQL, "name of a column"},
		{"DROP COLUMN a CASCADE", fault.Unsupported, "CASCADE"},
		{"RENAME TO x", fault.Unsupported, "can't be renamed"},
		{"RENAME COLUMN a", fault.InvalidSQL, "TO"},
		{"RENAME a TO _seq", fault.InvalidParameter, "reserved"},
		{"MODIFY a", fault.InvalidSQL, "a type"},
		{"CHANGE a b INT", fault.Unsupported, "MODIFY COLUMN"},
		{"ALTER a TYPE BIGINT", fault.Unsupported, "MODIFY COLUMN"},
		{"ALTER a SET NOT NULL", fault.Unsupported, "MODIFY COLUMN"},
		{"ALTER a", fault.InvalidSQL, "SET DEFAULT"},
		{"ALTER a SET DEFAULT", fault.InvalidSQL, "literal"},
		{"ALTER a SET DEFAULT 1 + 1", fault.Unsupported, "expressions"},
		{"ALTER a SET DEFAULT SLEEP(1)", fault.Unsupported, "SLEEP"},
		{"SET ()", fault.InvalidSQL, "sets nothing"},
		{"SET (TYPE = 'SHARED')", fault.Unsupported, "can't change"},
		{"SET (TTL = '5s')", fault.Unsupported, "TTL of a STREAM table can't change"},
		{"SET (TTL_SECONDS = 5)", fault.Unsupported, "can't change"},
		{"SET (SCOPE = 'user')", fault.Unsupported, "SCOPE of a STREAM table can't change"},
		{"SET (COLOUR = 'red')", fault.InvalidParameter, "unknown table option"},
		{"SET (ACCESS = 'all')", fault.InvalidParameter, "unknown access"},
		{"SET (ACCESS = 'public', ACCESS_LEVEL = 'private')", fault.InvalidParameter, "twice"},
		{"SET (STORAGE = 'a', STORAGE_ID = 'a')", fault.InvalidParameter, "twice"},
		{"SET (FLUSH_POLICY = 'rows:x')", fault.InvalidParameter, "rows of a flush policy"},
		{"SET (DELETED_RETENTION_HOURS = '1d')", fault.InvalidParameter, "number of hours"},
		{"SET (CODEC = 'xml')", fault.InvalidParameter, ""},
		{"OWNER TO bob", fault.Unsupported, "OWNER"},
		{"ADD a INT ADD b INT", fault.InvalidSQL, "clause of the column"},
	} {
		_, err := dialect.Parse("ALTER TABLE t "+c.text, dialect.Limits{})
		if fault.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		if e := fault.From(err); e.Position < 1 {
			t.Errorf("%q: no position", c.text)
		}
	}
	for _, src := range []string{"TRUNCATE", "TRUNCATE TABLE", "TRUNCATE a, b", "TRUNCATE t CASCADE",
		"TRUNCATE system.users", "ALTER TABLE system.users ADD a INT",
		"DESCRIBE t HISTORY 5", "ALTER TABLE a.b.c ADD d INT"} {
		if _, err := dialect.Parse(src, dialect.Limits{}); err == nil {
			t.Errorf("%s is taken", src)
		}
	}
}
