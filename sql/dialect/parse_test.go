package dialect_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

func ptr[T any](v T) *T { return &v }

// mustParse parses a text that must hold exactly one statement.
func mustParse(t testing.TB, text string) dialect.Statement {
	t.Helper()
	sts, err := dialect.Parse(text, dialect.Limits{})
	if err != nil {
		t.Fatalf("Parse(%q): %v", text, err)
	}
	if len(sts) != 1 {
		t.Fatalf("Parse(%q) gave %d statements", text, len(sts))
	}
	return sts[0]
}

func TestParse_OwnStatements(t *testing.T) {
	ref := ast.TableRef{Namespace: "chat", Name: "m"}
	for _, c := range []struct {
		text string
		kind dialect.Kind
		want dialect.Node
	}{
		{"create namespace Chat", dialect.CreateNamespace, &ast.CreateNamespace{Name: "chat"}},
		{"CREATE NAMESPACE IF NOT EXISTS `chat` WITH (Team = 'a''b', n = -5, w = on)",
			dialect.CreateNamespace, &ast.CreateNamespace{Name: "chat", IfNotExists: true,
				Options: map[string]string{"team": "a'b", "n": "-5", "w": "on"}}},
		{"ALTER NAMESPACE chat SET (k = 'v')", dialect.AlterNamespace,
			&ast.AlterNamespace{Name: "chat", Set: map[string]string{"k": "v"}}},
		{"DROP NAMESPACE chat", dialect.DropNamespace, &ast.DropNamespace{Name: "chat"}},
		{"DROP NAMESPACE chat RESTRICT", dialect.DropNamespace, &ast.DropNamespace{Name: "chat"}},
		{"DROP NAMESPACE IF EXISTS chat CASCADE", dialect.DropNamespace,
			&ast.DropNamespace{Name: "chat", IfExists: true, Cascade: true}},
		{"SHOW NAMESPACES", dialect.ShowNamespaces, &ast.ShowNamespaces{}},
		{"SHOW DATABASES", dialect.ShowNamespaces, &ast.ShowNamespaces{}},
		{"USE chat", dialect.UseNamespace, &ast.UseNamespace{Name: "chat"}},
		{"USE NAMESPACE chat", dialect.UseNamespace, &ast.UseNamespace{Name: "chat"}},
		{"USE system", dialect.UseNamespace, &ast.UseNamespace{Name: "system"}},
		{"DROP TABLE chat.m", dialect.DropTable, &ast.DropTable{Namespace: "chat", Name: "m"}},
		{"DROP SHARED TABLE IF EXISTS m", dialect.DropTable,
			&ast.DropTable{Name: "m", Kind: ddl.SharedTable, IfExists: true}},
		{"SHOW TABLES", dialect.ShowTables, &ast.ShowTables{}},
		{"SHOW TABLES FROM chat", dialect.ShowTables, &ast.ShowTables{Namespace: "chat"}},
		{"SHOW TABLES IN SYSTEM", dialect.ShowTables, &ast.ShowTables{Namespace: "system"}},
		{"DESCRIBE Chat.M", dialect.DescribeTable, &ast.DescribeTable{TableRef: ref}},
		{`desc "chat"."m"`, dialect.DescribeTable, &ast.DescribeTable{TableRef: ref}},
		{"DESCRIBE TABLE chat.m", dialect.DescribeTable, &ast.DescribeTable{TableRef: ref}},
		{"SHOW COLUMNS FROM chat.m", dialect.DescribeTable, &ast.DescribeTable{TableRef: ref}},
		{"DESCRIBE system.users", dialect.DescribeTable,
			&ast.DescribeTable{TableRef: ast.TableRef{Namespace: "system", Name: "users"}}},
		{"SHOW CREATE TABLE chat.m", dialect.ShowCreateTable, &ast.ShowCreateTable{TableRef: ref}},
		{"CREATE USER 'alice@example.com' WITH PASSWORD 'p' ROLE service EMAIL 'a@b.c'",
			dialect.CreateUser, &ast.CreateUser{ID: "alice@example.com", Password: ptr("p"),
				Role: ident.RoleService, Email: "a@b.c"}},
		{`CREATE USER IF NOT EXISTS "auth0|1" ROLE 'DBA' PASSWORD 'it''s'`, dialect.CreateUser,
			&ast.CreateUser{ID: "auth0|1", Password: ptr("it's"), Role: ident.RoleDBA, IfNotExists: true}},
		{"CREATE USER Bob IDENTIFIED BY 'p'", dialect.CreateUser,
			&ast.CreateUser{ID: "Bob", Password: ptr("p"), Role: ident.RoleUser}},
		{"CREATE USER 'sso'", dialect.CreateUser, &ast.CreateUser{ID: "sso", Role: ident.RoleUser}},
		{"ALTER USER 'a' SET PASSWORD 'q'", dialect.AlterUser,
			&ast.AlterUser{ID: "a", Password: ptr("q")}},
		{"ALTER USER a SET STORAGE = 'Cold-2'", dialect.AlterUser,
			&ast.AlterUser{ID: "a", Storage: ptr(ident.StorageID("cold-2"))}},
		{"ALTER USER a SET STORAGE NULL", dialect.AlterUser,
			&ast.AlterUser{ID: "a", Storage: ptr(ident.StorageID(""))}},
		{"ALTER USER a SET STORAGE ''", dialect.AlterUser,
			&ast.AlterUser{ID: "a", Storage: ptr(ident.StorageID(""))}},
		{"CREATE USER 'u' STORAGE cold", dialect.CreateUser,
			&ast.CreateUser{ID: "u", Role: ident.RoleUser, Storage: "cold"}},
		{"CREATE STORAGE IF NOT EXISTS 'S3-eu' TYPE 'S3' WITH (URI = 's3://b', credentials = '{}', " +
			"user_tables_template = 'u', shared_tables_template = '')", dialect.CreateStorage,
			&ast.CreateStorage{ID: "s3-eu", IfNotExists: true, Type: "s3",
				StorageSettings: ast.StorageSettings{URI: ptr("s3://b"), Credentials: ptr("{}"),
					UserTemplate: ptr("u"), SharedTemplate: ptr("")}}},
		{"ALTER STORAGE cold SET (uri = '/x')", dialect.AlterStorage, &ast.AlterStorage{ID: "cold",
			StorageSettings: ast.StorageSettings{URI: ptr("/x")}}},
		{"DROP STORAGE IF EXISTS cold", dialect.DropStorage,
			&ast.DropStorage{ID: "cold", IfExists: true}},
		{"SHOW STORAGES", dialect.ShowStorages, &ast.ShowStorages{}},
		{"CHECK STORAGE 'cold'", dialect.CheckStorage, &ast.CheckStorage{ID: "cold"}},
		{"ALTER USER a SET ROLE dba, EMAIL ''", dialect.AlterUser,
			&ast.AlterUser{ID: "a", Role: ptr(ident.RoleDBA), Email: ptr("")}},
		{"DROP USER 'a'", dialect.DropUser, &ast.DropUser{ID: "a"}},
		{"DROP USER IF EXISTS 'a'", dialect.DropUser, &ast.DropUser{ID: "a", IfExists: true}},
		{"RESTORE USER 'a'", dialect.RestoreUser, &ast.RestoreUser{ID: "a"}},
		{"SHOW USERS", dialect.ShowUsers, &ast.ShowUsers{}},
		{"SHOW SETTINGS", dialect.ShowSettings, &ast.ShowSettings{}},
		{"SHOW LIVE QUERIES", dialect.ShowLiveQueries, &ast.ShowLiveQueries{}},
		{"FLUSH TABLE chat.m", dialect.FlushTable, &ast.FlushTable{TableRef: ref}},
		{"storage flush table chat.m for user 'a b'", dialect.FlushTable,
			&ast.FlushTable{TableRef: ref, User: "a b"}},
		{"FLUSH ALL", dialect.FlushAll, &ast.FlushAll{}},
		{"STORAGE FLUSH ALL IN chat", dialect.FlushAll, &ast.FlushAll{Namespace: "chat"}},
		{"COMPACT TABLE chat.m", dialect.CompactTable, &ast.CompactTable{TableRef: ref}},
		{"STORAGE COMPACT TABLE chat.m", dialect.CompactTable, &ast.CompactTable{TableRef: ref}},
		{"SHOW MANIFEST FOR chat.m", dialect.ShowManifest, &ast.ShowManifest{TableRef: ref}},
		{"SHOW STATS FOR TABLE chat.m", dialect.ShowStats, &ast.ShowStats{TableRef: ref}},
		{"CHECK TABLE chat.m", dialect.CheckTable, &ast.CheckTable{TableRef: ref}},
		{"SHOW CLUSTER", dialect.ShowCluster, &ast.ShowCluster{}},
		{"cluster join '4=h:1'", dialect.ClusterJoin, &ast.ClusterJoin{Address: "4=h:1"}},
		{"CLUSTER LEAVE 1023", dialect.ClusterLeave, &ast.ClusterLeave{Node: 1023}},
		{"CLUSTER REPLACE 2 WITH '4=h:1/2'", dialect.ClusterReplace,
			&ast.ClusterReplace{Node: 2, Address: "4=h:1/2"}},
		{"CLUSTER TRANSFER LEADER OF 0 TO 3", dialect.ClusterTransfer, &ast.ClusterTransfer{To: 3}},
		{"CLUSTER REBALANCE", dialect.ClusterRebalance, &ast.ClusterRebalance{}},
		{"SET READ STALENESS '1m'", dialect.SetStaleness, &ast.SetStaleness{Age: time.Minute}},
		{"SET READ STALENESS OFF", dialect.SetStaleness, &ast.SetStaleness{}},
		{"SHOW JOBS", dialect.ShowJobs, &ast.ShowJobs{}},
		{"KILL JOB 'x'", dialect.KillJob, &ast.KillJob{ID: "x"}},
		{"WAIT FOR JOB 'x'", dialect.WaitForJob, &ast.WaitForJob{ID: "x"}},
		{"WAIT FOR JOB 'x' TIMEOUT '1m30s'", dialect.WaitForJob,
			&ast.WaitForJob{ID: "x", Timeout: 90 * time.Second}},
		{"WAIT FOR JOB 'x' TIMEOUT 5", dialect.WaitForJob,
			&ast.WaitForJob{ID: "x", Timeout: 5 * time.Second}},
		{"KILL LIVE QUERY 'live-7'", dialect.KillLiveQuery, &ast.KillLiveQuery{ID: "live-7"}},
		{"TRACE DELIVERY 'live-7' FOR -4", dialect.TraceDelivery,
			&ast.TraceDelivery{ID: "live-7", Key: []string{"-4"}}},
		{"TRACE DELIVERY 'live-7' FOR (42, 'it''s')", dialect.TraceDelivery,
			&ast.TraceDelivery{ID: "live-7", Key: []string{"42", "it's"}}},
		{"SHOW STREAMS", dialect.ShowStreams, &ast.ShowStreams{}},
		{"SUBSCRIBE TO chat.m OPTIONS (policy = 'conflate')", dialect.Subscribe,
			&ast.Subscribe{Query: "SELECT * FROM chat.m", Offset: -1,
				Options: ast.SubscribeOptions{Policy: "conflate"}}},
		{"SUBSCRIBE TO chat.m", dialect.Subscribe,
			&ast.Subscribe{Query: "SELECT * FROM chat.m", Offset: -1}},
		{"SUBSCRIBE TO ns.alice.m WHERE a = ')' OPTIONS (last_rows = 0)", dialect.Subscribe,
			&ast.Subscribe{Query: "SELECT * FROM ns.alice.m WHERE a = ')'", Offset: -1,
				Options: ast.SubscribeOptions{LastRows: ptr(0)}}},
		{"SUBSCRIBE SELECT a FROM m WHERE (a) IN (1) OPTIONS (batch_size = 10, from = '7')",
			dialect.Subscribe, &ast.Subscribe{Query: "SELECT a FROM m WHERE (a) IN (1)", Offset: 10,
				Options: ast.SubscribeOptions{BatchSize: ptr(10), From: ptr(clock.Seq(7))}}},
		{"SUBSCRIBE TO SELECT options FROM m", dialect.Subscribe,
			&ast.Subscribe{Query: "SELECT options FROM m", Offset: 13}},
	} {
		t.Run(c.text, func(t *testing.T) {
			st := mustParse(t, " /* note */ "+c.text+" -- end\n;")
			if st.Kind != c.kind {
				t.Errorf("kind is %v, want %v", st.Kind, c.kind)
			}
			if !reflect.DeepEqual(st.Node, c.want) {
				t.Errorf("node is %#v, want %#v", st.Node, c.want)
			}
			if st.Text != c.text {
				t.Errorf("text is %q", st.Text)
			}
		})
	}
}

func TestParse_Explain(t *testing.T) {
	for sql, want := range map[string]ast.Explain{
		"EXPLAIN SELECT 1":                          {Query: "SELECT 1", Offset: 8},
		"explain /* a */ analyze (SELECT 1) ;":      {Analyze: true, Query: "(SELECT 1)", Offset: 24},
		"EXPLAIN WITH a AS (SELECT 1) SELECT 1":     {Query: "WITH a AS (SELECT 1) SELECT 1", Offset: 8},
		"EXECUTE AS USER 'a' (EXPLAIN VALUES (1));": {Query: "VALUES (1)", Offset: 8},
		"EXPLAIN LIVE SELECT 1":                     {Live: true, Query: "SELECT 1", Offset: 13},
	} {
		list, err := dialect.Parse(sql, dialect.Limits{})
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		if n, ok := list[0].Node.(*ast.Explain); !ok || *n != want || list[0].Kind != dialect.Explain {
			t.Errorf("%s is %s %+v, want %+v", sql, list[0].Kind, list[0].Node, want)
		}
	}
}

func TestParse_EngineStatements(t *testing.T) {
	for text, want := range map[string]dialect.Kind{
		"SELECT 1":                             dialect.Select,
		"(SELECT 1)":                           dialect.Select,
		"((select 1)) UNION (SELECT 2)":        dialect.Select,
		"WITH a AS (SELECT 1) SELECT * FROM a": dialect.Select,
		"VALUES ROW(1)":                        dialect.Select,
		"INSERT INTO t VALUES (1)":             dialect.Insert,
		"UPDATE t SET a = 1":                   dialect.Update,
		"DELETE FROM t":                        dialect.Delete,
		"WITH a AS (SELECT (1)), b(x) AS (SELECT 2) DELETE FROM t": dialect.Delete,
		"WITH a AS (SELECT 1) UPDATE t SET x = 1":                  dialect.Update,
	} {
		st := mustParse(t, text)
		if st.Kind != want || st.Node != nil || st.Text != text {
			t.Errorf("%q is %v with node %v and text %q, want %v", text, st.Kind, st.Node, st.Text, want)
		}
	}
}

func TestParse_SplitsAtSemicolons(t *testing.T) {
	text := "SELECT ';' ; -- not ; here\n;; EXECUTE AS USER 'al;ice' ( SHOW TABLES; ) ; " +
		"/* ; */ SELECT `a;b`, \"c;d\" FROM t # ;\n"
	sts, err := dialect.Parse(text, dialect.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, st := range sts {
		got = append(got, st.Text)
		if text[st.Offset:st.Offset+len(st.Text)] != st.Text {
			t.Errorf("offset %d of %q is wrong", st.Offset, st.Text)
		}
	}
	want := []string{"SELECT ';'", "SHOW TABLES", "SELECT `a;b`, \"c;d\" FROM t"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("texts are %q, want %q", got, want)
	}
	if sts[1].As != "al;ice" || sts[1].Kind != dialect.ShowTables || sts[0].As != "" {
		t.Errorf("acting users are %q and %q", sts[0].As, sts[1].As)
	}
}

func TestParse_ReturnsTheStatementsBeforeAFailure(t *testing.T) {
	sts, err := dialect.Parse("SELECT 1; USE chat; SELEC 2; SELECT 3", dialect.Limits{})
	e := fault.From(err)
	if len(sts) != 2 || e.Code != fault.InvalidSQL || e.Statement != 3 || e.Position != 21 {
		t.Errorf("got %d statements and %+v", len(sts), e)
	}
	if !strings.Contains(e.Message, "did you mean SELECT?") {
		t.Errorf("message is %q", e.Message)
	}
}

func TestParse_Refuses(t *testing.T) {
	for _, c := range []struct {
		text string
		code fault.Code
		pos  int    // 0: not looked at
		says string // part of the message
	}{
		{"", fault.EmptySQL, 0, ""},
		{" ; -- nothing\n ; /* */", fault.EmptySQL, 0, ""},
		{"hello world", fault.InvalidSQL, 1, `"hello" is no statement`},
		{"SHWO TABLES", fault.InvalidSQL, 1, "did you mean SHOW?"},
		{"; 42", fault.InvalidSQL, 3, "expected a statement"},
		{"()", fault.InvalidSQL, 2, "expected a statement"},
		{"SELECT 'open", fault.InvalidSQL, 8, "not closed"},
		{"SELECT /* open", fault.InvalidSQL, 8, "not closed"},
		{"SELECT (1", fault.InvalidSQL, 8, "not closed"},
		{"SELECT 1)", fault.InvalidSQL, 9, "closes nothing"},
		{"SELECT \xff", fault.MalformedRequest, 8, "UTF-8"},
		{"SELECT '\x00'", fault.MalformedRequest, 9, "NUL"},
		{"SELECT /*! 1 */ 2", fault.Unsupported, 8, "executable comments"},
		{"SELECT /*M! 1 */ 2", fault.Unsupported, 8, "executable comments"},
		{"SELECT 4//2", fault.InvalidSQL, 9, "//"},
		{"SELECT {", fault.InvalidSQL, 8, "unexpected character"},
		{"SELECT :v1", fault.InvalidSQL, 8, "unexpected character"},
		{"SELECT größe", fault.InvalidSQL, 10, "quoted"},
		{"LOAD DATA INFILE 'x' INTO TABLE t", fault.Unsupported, 1, "LOAD DATA is not supported"},
		{"KILL 5", fault.Unsupported, 1, "KILL is"},
		{"KILL JOB x", fault.InvalidSQL, 10, "the id of a job"},
		{"KILL JOB ''", fault.InvalidSQL, 10, "the id of a job"},
		{"WAIT 'x'", fault.InvalidSQL, 6, "FOR"},
		{"WAIT FOR JOB 'x' TIMEOUT", fault.InvalidSQL, 24, "a value"},
		{"WAIT FOR JOB 'x' TIMEOUT '1y'", fault.InvalidParameter, 26, "no duration"},
		{"WAIT FOR JOB 'x' TIMEOUT '61m'", fault.InvalidParameter, 26, "at most 1 hour"},
		{"FLUSH TABLES", fault.Unsupported, 7, "use FLUSH TABLE t"},
		{"FLUSH TABLE", fault.InvalidSQL, 11, "the name of a table"},
		{"FLUSH TABLE a, b", fault.InvalidSQL, 14, "the end"},
		{"FLUSH TABLE t FOR 'a'", fault.InvalidSQL, 19, "USER"},
		{"STORAGE DROP", fault.InvalidSQL, 9, "FLUSH or COMPACT"},
		{"COMPACT t", fault.InvalidSQL, 9, "TABLE"},
		{"SHOW MANIFEST", fault.InvalidSQL, 13, "FOR"},
		{"SHOW STATS FOR t", fault.InvalidSQL, 16, "TABLE"},
		{"KILL LIVE QUERY 7", fault.InvalidSQL, 17, "the id of a live query"},
		{"KILL LIVE QUERY ''", fault.InvalidSQL, 17, "the id of a live query"},
		{"KILL LIVE QUERY 'x' 'y'", fault.InvalidSQL, 21, ""},
		{"TRACE 'x'", fault.InvalidSQL, 7, "DELIVERY"},
		{"TRACE DELIVERY 'x'", fault.InvalidSQL, 18, "FOR"},
		{"TRACE DELIVERY 'x' FOR id", fault.InvalidSQL, 24, "a value of the primary key"},
		{"TRACE DELIVERY 'x' FOR (1, 2", fault.InvalidSQL, 24, "not closed"},
		{"TRACE DELIVERY 'x' FOR ()", fault.InvalidSQL, 25, "a value of the primary key"},
		{"TRACE DELIVERY 'x' FOR 1, 2", fault.InvalidSQL, 25, ""},
		{"LOCK TABLES t WRITE", fault.Unsupported, 1, "LOCK TABLES is"},
		{"CALL p()", fault.Unsupported, 1, "CALL"},
		{"SET GLOBAL x = 1", fault.Unsupported, 1, "SET GLOBAL is"},
		{"SET @x = 1", fault.Unsupported, 1, "SET is"},
		{"GRANT ALL ON *.* TO 'a'@'%'", fault.Unsupported, 1, "GRANT"},
		{"CREATE VIEW v AS SELECT 1", fault.Unsupported, 1, "CREATE VIEW"},
		{"CREATE PROCEDURE p() SELECT 1", fault.Unsupported, 1, "CREATE PROCEDURE"},
		{"CREATE TRIGGER t", fault.Unsupported, 1, "CREATE TRIGGER"},
		{"CREATE DATABASE d", fault.Unsupported, 8, "CREATE NAMESPACE"},
		{"CREATE STREAM s (id INT)", fault.InvalidSQL, 15, "TABLE"},
		{"CREATE FULLTEXT INDEX i ON t (a)", fault.Unsupported, 1, "CREATE FULLTEXT"},
		{"CREATE STORAGE s", fault.InvalidSQL, 16, "TYPE"},
		{"CREATE STORAGE 'a b' TYPE s3", fault.InvalidParameter, 16, "storage id"},
		{"CREATE STORAGE s TYPE s3", fault.InvalidSQL, 24, "WITH"},
		{"CREATE STORAGE s TYPE s3 WITH (colour = 'red')", fault.InvalidParameter, 32, "URI"},
		{"CREATE STORAGE s TYPE s3 WITH (uri 'x')", fault.InvalidSQL, 36, "found something else"},
		{"CREATE STORAGE s TYPE s3 WITH (uri = 'x') 'y'", fault.InvalidSQL, 43, "found something"},
		{"ALTER STORAGE s SET ()", fault.InvalidSQL, 21, "sets nothing"},
		{"DROP STORAGE", fault.InvalidSQL, 12, "the id of a storage"},
		{"CHECK STORAGE s t", fault.InvalidSQL, 17, "the end"},
		{"CREATE TABEL t (id INT)", fault.InvalidSQL, 8, "did you mean TABLE?"},
		{"CREATE OR REPLACE TABLE t (id INT)", fault.Unsupported, 8, "OR REPLACE"},
		{"CREATE", fault.InvalidSQL, 6, "expected NAMESPACE"},
		{"BEGIN ISOLATION LEVEL SERIALIZABLE", fault.Unsupported, 7, "modes"},
		{"START TRANSACTION READ ONLY", fault.Unsupported, 19, "modes"},
		{"START SLAVE", fault.InvalidSQL, 7, "TRANSACTION"},
		{"COMMIT AND CHAIN", fault.Unsupported, 8, "savepoints"},
		{"ROLLBACK TO s", fault.Unsupported, 10, "savepoints"},
		{"COMMIT now", fault.InvalidSQL, 8, ""},
		{"BACKUP DATABASE TO STORAGE 's'", fault.Unsupported, 1, "BACKUP DATABASE"},
		{"SHOW TABLS", fault.InvalidSQL, 6, "did you mean TABLE"},
		{"SHOW TABLES LIKE 'a%'", fault.Unsupported, 13, "LIKE"},
		{"SHOW USERS now", fault.InvalidSQL, 12, "expected the end"},
		{"SHOW LIVE", fault.InvalidSQL, 9, "QUERIES"},
		{"EXPLAIN LIVE ANALYZE SELECT 1", fault.Unsupported, 14, "EXPLAIN ANALYZE"},
		{"EXPLAIN ANALYZE DELETE FROM t", fault.Unsupported, 17, "EXPLAIN DELETE"},
		{"EXPLAIN FORMAT = tree SELECT 1", fault.Unsupported, 9, "EXPLAIN FORMAT"},
		{"EXPLAIN t", fault.Unsupported, 9, "use DESCRIBE"},
		{"EXPLAIN n.t", fault.Unsupported, 9, "use DESCRIBE"},
		{"EXPLAIN t x", fault.InvalidSQL, 9, "SELECT to explain"},
		{"EXPLAIN", fault.InvalidSQL, 7, "SELECT to explain"},
		{"SHOW TRANSACTIONS", fault.Unsupported, 1, "system.transactions"},
		{"SHOW SESSIONS", fault.Unsupported, 1, "system.live_queries"},
		{"DESCRIBE SELECT 1", fault.Unsupported, 10, "EXPLAIN"},
		{"DESCRIBE ns.user.t", fault.InvalidSQL, 17, "namespace.table"},
		{"WITH a", fault.InvalidSQL, 6, "behind WITH"},
		{"PREPARE p FROM 'SELECT 1'", fault.Unsupported, 1, "PREPARE"},
		{"EXECUTE p", fault.Unsupported, 1, "EXECUTE of prepared"},
		{"EXECUTE AS USER 'a' SELECT 1", fault.InvalidSQL, 21, "( and a statement"},
		{"EXECUTE AS USER 'a' ()", fault.InvalidSQL, 22, "needs a statement"},
		{"EXECUTE AS USER 'a' (SELECT 1) x", fault.InvalidSQL, 32, "behind )"},
		{"EXECUTE AS USER 'a' (SELECT 1; SELECT 2)", fault.InvalidSQL, 30, "one statement"},
		{"EXECUTE AS USER 'a' (EXECUTE AS USER 'b' (SELECT 1))", fault.InvalidSQL, 22, "inside"},
		{"EXECUTE AS USER 'system' (SELECT 1)", fault.InvalidParameter, 17, "reserved"},
		{"EXECUTE AS USER '' (SELECT 1)", fault.InvalidParameter, 17, "empty"},
		{"EXECUTE AS USER $1 (SELECT 1)", fault.Unsupported, 17, "parameters"},
		{"CREATE NAMESPACE system", fault.InvalidParameter, 18, "reserved"},
		{"CREATE NAMESPACE n WITH (a = 'x', A = 'y')", fault.InvalidParameter, 35, "twice"},
		{"CREATE NAMESPACE n WITH (a 'x')", fault.InvalidSQL, 28, "expected ="},
		{"ALTER NAMESPACE n SET ()", fault.InvalidSQL, 23, "sets nothing"},
		{"DROP NAMESPACE system", fault.InvalidParameter, 16, "reserved"},
		{"DROP TABLE system.users", fault.InvalidParameter, 12, "reserved"},
		{"DROP TABLE a, b", fault.Unsupported, 13, "several"},
		{"DROP TABLE", fault.InvalidSQL, 10, "end of the statement"},
		{"CREATE USER 'a' ROLE system", fault.InvalidParameter, 22, "unknown role"},
		{"CREATE USER 'a' PASSWORD ''", fault.InvalidParameter, 26, "password"},
		{"CREATE USER 'a' PASSWORD ?", fault.Unsupported, 26, "parameters"},
		{"CREATE USER 'a' PASSWORD 'p' PASSWORD 'q'", fault.InvalidSQL, 30, "twice"},
		{"CREATE USER 'a' OAUTH '{}'", fault.Unsupported, 17, "OAUTH"},
		{"CREATE USER 'a' WITH API KEY", fault.Unsupported, 22, "API"},
		{"CREATE USER 'a' EMAIL 'x'", fault.InvalidParameter, 23, "email"},
		{"CREATE USER 'a\nb'", fault.InvalidParameter, 13, "control"},
		{"ALTER USER 'a'", fault.InvalidSQL, 14, "SET"},
		{"ALTER USER 'a' SET", fault.InvalidSQL, 18, "PASSWORD"},
		{"ALTER USER 'a' SET STORAGE '../s'", fault.InvalidParameter, 28, "storage id"},
		{"ALTER USER 'a' SET STORAGE", fault.InvalidSQL, 26, "the id of a storage"},
		{"SUBSCRIBE TO", fault.InvalidSQL, 12, "table or SELECT"},
		{"SUBSCRIBE TO t OPTIONS (rows = 1)", fault.InvalidParameter, 25, "last_rows, from"},
		{"SUBSCRIBE TO t OPTIONS (last_rows = -1)", fault.InvalidParameter, 25, "from 0"},
		{"SUBSCRIBE TO t OPTIONS (batch_size = 0)", fault.InvalidParameter, 25, "from 1"},
		{"SUBSCRIBE TO t OPTIONS (from = 'x')", fault.InvalidParameter, 25, "seq"},
	} {
		t.Run(c.text, func(t *testing.T) {
			_, err := dialect.Parse(c.text, dialect.Limits{})
			e := fault.From(err)
			if e == nil {
				t.Fatal("accepted")
			}
			if e.Code != c.code || c.pos != 0 && e.Position != c.pos ||
				!strings.Contains(e.Message, c.says) {
				t.Errorf("got %s at %d: %s; want %s at %d with %q",
					e.Code, e.Position, e.Message, c.code, c.pos, c.says)
			}
		})
	}
}
