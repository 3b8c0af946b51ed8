package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/engine"
)

// fill inserts n messages into each of 4 conversations.
func (w *world) fill(n int) {
	w.t.Helper()
	for c := 1; c <= 4; c++ {
		var b strings.Builder
		for i := 1; i <= n; i++ {
			fmt.Fprintf(&b, ",(%d, %d, 'u%d', 'text %d')", c, i, i%3, i)
		}
		w.run("INSERT INTO messages VALUES " + b.String()[1:])
	}
}

func TestRun_ShowsEachUserTheirOwnRows(t *testing.T) {
	w := newWorld(t)
	w.run("INSERT INTO chat.messages (conversation_id, id, author, body) VALUES (1, 1, 'a', 'hello'), (1, 2, 'b', 'x')")
	w.want("1|1|a|hello; 1|2|b|x", "SELECT * FROM chat.messages")
	w.want("2", "SELECT COUNT(*) FROM messages")
	bob := w.as("bob")
	bob.want("", "SELECT * FROM chat.messages")
	bob.run("INSERT INTO messages VALUES (1, 1, 'bob', 'mine')")
	bob.want("1|1|bob|mine", "SELECT * FROM chat.messages")
	w.want("a; b", "SELECT author FROM chat.user.messages")
	w.want("a; b", `SELECT author FROM chat."alice".messages`)
	w.want("a; b", "SELECT m.author FROM chat.alice.messages AS m")
	w.want("a; b", "SELECT chat.messages.author FROM chat.alice.messages")
	for _, sql := range []string{
		"SELECT * FROM chat.bob.messages",
		`SELECT * FROM chat."bob".messages`,
		"SELECT * FROM `chat@626f62`.messages",
		"SELECT * FROM messages JOIN chat.bob.messages AS b USING (id)",
		"SELECT * FROM messages, chat.bob.messages AS b",
		"SELECT (SELECT COUNT(*) FROM chat.bob.messages)",
		"SELECT * FROM (SELECT * FROM chat.bob.messages) x",
		"WITH x AS (SELECT * FROM chat.bob.messages) SELECT * FROM x",
		"SELECT 1 WHERE EXISTS (SELECT 1 FROM chat.bob.messages)",
		"SELECT 1 UNION SELECT id FROM chat.bob.messages",
		"INSERT INTO chat.bob.messages VALUES (9, 9, 'x', 'x')",
		"INSERT INTO messages SELECT * FROM chat.bob.messages",
		"UPDATE chat.bob.messages SET body = 'x'",
		"UPDATE messages SET body = (SELECT body FROM chat.bob.messages)",
		"DELETE FROM chat.bob.messages",
		"DELETE FROM messages WHERE id IN (SELECT id FROM chat.bob.messages)",
		"SELECT * FROM chat.Alice.messages",
		"SELECT * FROM chat.ali.messages",
	} {
		w.fails(fault.PermissionDenied, sql)
	}
}

func TestRun_NeedsAnActingUserForDotUser(t *testing.T) {
	w := newWorld(t)
	w.env.Role, w.env.Caller = ident.RoleDBA, "root"
	w.fails(fault.UserRequired, "SELECT * FROM chat.user.messages")
	w.env.User = "alice"
	w.want("", "SELECT * FROM chat.user.messages")
	w.env.User, w.env.Rights = "", ownRights{"root"}
	w.want("", "SELECT * FROM messages")
}

func TestRun_ReadsJustTheRowsOfAKeyRange(t *testing.T) {
	w := newWorld(t)
	w.fill(200)
	for _, x := range []struct {
		sql    string
		params []any
		read   int64
		first  string
	}{
		{"SELECT id FROM messages WHERE conversation_id = ? ORDER BY id DESC LIMIT 50", []any{2}, 50, "200"},
		{"SELECT id FROM messages WHERE conversation_id = $1 ORDER BY id DESC LIMIT 50", []any{2}, 50, "200"},
		{"SELECT * FROM messages WHERE conversation_id = 2 ORDER BY id DESC LIMIT 50", nil, 50, "2"},
		{"SELECT id FROM messages WHERE conversation_id = 2 ORDER BY id LIMIT 50", nil, 50, "1"},
		{"SELECT id FROM messages m WHERE m.conversation_id = 2 ORDER BY m.id DESC LIMIT 50", nil, 50, "200"},
		{"SELECT id FROM messages WHERE 2 = conversation_id AND id < 100 ORDER BY id DESC LIMIT 10", nil, 10, "99"},
		{"SELECT id FROM messages WHERE conversation_id = 2 AND id < ? ORDER BY id DESC LIMIT 10", []any{100}, 10, "99"},
		{"SELECT id FROM messages WHERE conversation_id = 2 AND id > 100 ORDER BY id LIMIT 10", nil, 10, "101"},
		{"SELECT id FROM messages WHERE conversation_id = 2 AND id <= 100 ORDER BY id DESC LIMIT 10", nil, 10, "100"},
		{"SELECT id FROM messages WHERE conversation_id = 2 AND id BETWEEN 10 AND 19", nil, 10, "10"},
		{"SELECT id FROM messages WHERE conversation_id = 2 AND id = 7", nil, 1, "7"},
		{"SELECT id FROM messages WHERE conversation_id = 2 AND id = 7 ORDER BY id DESC", nil, 1, "7"},
		{"SELECT id FROM messages WHERE conversation_id = 2 AND id IN (9, 7, 8, 900)", nil, 3, "7"},
		{"SELECT id FROM messages ORDER BY conversation_id, id LIMIT 5", nil, 5, "1"},
		{"SELECT conversation_id FROM messages ORDER BY conversation_id DESC, id DESC LIMIT 5", nil, 5, "4"},
		{"SELECT conversation_id FROM messages ORDER BY conversation_id DESC LIMIT 5", nil, 5, "4"},
		{"SELECT id FROM messages LIMIT 3", nil, 3, "1"},
		{"SELECT id FROM messages WHERE conversation_id = 3 LIMIT 3", nil, 3, "1"},
		{"SELECT COUNT(*) FROM messages WHERE conversation_id = 3", nil, 200, "200"},
		{"SELECT id FROM messages WHERE conversation_id = 3 ORDER BY conversation_id, id DESC LIMIT 4", nil, 4, "200"},
		{"SELECT id FROM messages WHERE conversation_id IN (2, 4) AND id = 3", nil, 2, "3"},
		{"SELECT id FROM messages WHERE conversation_id = 77", nil, 0, ""},
	} {
		res := w.run(x.sql, x.params...)
		if res.read != x.read {
			t.Errorf("%s: read %d rows, want %d", x.sql, res.read, x.read)
		}
		first := ""
		if len(res.rows) > 0 {
			first = res.rows[0][0].Text()
		}
		if first != x.first {
			t.Errorf("%s: first is %q, want %q", x.sql, first, x.first)
		}
	}
}

func TestRun_OrdersByKeyWhenNothingElseIsSaid(t *testing.T) {
	w := newWorld(t)
	w.run("INSERT INTO messages VALUES (3,1,'a','x'),(-1,5,'a','x'),(2,9,'a','x'),(2,-4,'a','x'),(2,3,'a','x')")
	w.want("-1|5; 2|-4; 2|3; 2|9; 3|1", "SELECT conversation_id, id FROM messages")
	w.want("2|-4; 2|3; 2|9; 3|1", "SELECT conversation_id, id FROM messages WHERE conversation_id IN (3, 2)")
	w.want("2|9; 2|3; 2|-4", "SELECT conversation_id, id FROM messages WHERE conversation_id = 2 ORDER BY id DESC")
}

func TestRun_DoesNotReorderWhatAnAliasMeans(t *testing.T) {
	w := newWorld(t)
	w.fill(3)
	w.want("-3; -2; -1", "SELECT -id AS id FROM messages WHERE conversation_id = 1 ORDER BY id")
	w.run("INSERT INTO texts VALUES ('1', '018f0000-0000-7000-8000-000000000002', 1), " +
		"('01', '018f0000-0000-7000-8000-000000000003', 2), ('1.0', '018f0000-0000-7000-8000-000000000001', 3)")
	w.want("3; 1; 2", "SELECT n FROM texts WHERE k = 1 ORDER BY u")
}

func TestRun_HidesSystemColumnsFromStars(t *testing.T) {
	w := newWorld(t)
	w.run("INSERT INTO messages VALUES (1, 1, 'a', 'x')")
	w.run("INSERT INTO rooms VALUES (1, 'one')")
	w.want("1|1|a|x", "SELECT * FROM messages")
	w.want("1|1|a|x", "SELECT m.* FROM messages m")
	w.want("1|1|a|x", "SELECT chat.messages.* FROM messages")
	w.want("1|1|a|x|1|one", "SELECT * FROM messages m JOIN rooms r ON r.id = m.id")
	w.want("1|1|a|x|one", "SELECT * FROM messages NATURAL JOIN rooms")
	w.want("1|1|a|x|one", "SELECT * FROM messages JOIN rooms USING (id)")
	w.want("1|1|a|x", "SELECT * FROM (SELECT * FROM messages) q")
	w.want("0", "SELECT _deleted + 0 FROM messages")
	w.want("1|1|1|a|x|1", "SELECT 1, messages.*, 1 FROM messages")
	if got := w.run("SELECT _seq, _updated, _deleted FROM messages").rows[0]; got[0].Int() == 0 ||
		got[1].Kind() != value.Timestamp || got[2] != value.NewBool(false) {
		t.Errorf("system columns read as %v", got)
	}
	cols := w.run("SELECT id, body AS b, id + 1, _updated FROM messages").Columns
	want := "[{id BigInt true true 0 0 0} {b Text false false 0 0 0} {id + 1 BigInt false true 0 0 0} {_updated Timestamp false true 0 0 0}]"
	if got := fmt.Sprint(cols); got != want {
		t.Errorf("columns\n got %s\nwant %s", got, want)
	}
}

func TestRun_ShowsDeletedRowsOnlyToAWhereThatNamesThem(t *testing.T) {
	w := newWorld(t)
	w.fill(3)
	w.run("DELETE FROM messages WHERE conversation_id = 1 AND id = 2")
	w.want("1; 3", "SELECT id FROM messages WHERE conversation_id = 1")
	w.want("2", "SELECT id FROM messages WHERE conversation_id = 1 AND _deleted")
	w.want("1; 2; 3", "SELECT id FROM messages WHERE conversation_id = 1 AND _deleted IN (true, false)")
	w.want("1; 3", "SELECT id FROM messages WHERE conversation_id = 1 AND _deleted = false")
	w.want("1|2", "SELECT a.id, b.id FROM messages a, messages b WHERE a.conversation_id = 1 AND "+
		"b.conversation_id = 1 AND b._deleted AND a.id = 1")
	if n := w.run("UPDATE messages SET body = 'new' WHERE conversation_id = 1 AND (_deleted OR true)").Affected; n != 2 {
		t.Errorf("an update reached %d rows, want 2", n)
	}
	if n := w.run("DELETE FROM messages WHERE _deleted").Affected; n != 0 {
		t.Errorf("a delete reached %d deleted rows", n)
	}
	w.run("INSERT INTO messages VALUES (1, 2, 'again', 'y')")
	w.want("again", "SELECT author FROM messages WHERE conversation_id = 1 AND id = 2")
}

func TestRun_AnswersUsualQueries(t *testing.T) {
	w := newWorld(t)
	w.fill(6)
	w.run("INSERT INTO rooms VALUES (1, 'one'), (2, 'two'), (9, NULL)")
	for _, x := range [][2]string{
		{"SELECT COALESCE(MAX(id), 0) + 1 FROM messages WHERE conversation_id = 99", "1"},
		{"SELECT COALESCE(MAX(conversation_id), 0) + 1 FROM texts t JOIN messages USING (id)", "?"},
		{"SELECT MAX(id), MIN(id), COUNT(*), SUM(id), AVG(id) FROM messages", "6|1|24|84|3.5000"},
		{"SELECT author, COUNT(*) FROM messages GROUP BY author ORDER BY author", "u0|8; u1|8; u2|8"},
		{"SELECT author FROM messages GROUP BY author HAVING COUNT(*) > 7 ORDER BY author DESC LIMIT 1", "u2"},
		{"SELECT DISTINCT conversation_id FROM messages", "1; 2; 3; 4"},
		{"SELECT r.title, COUNT(*) FROM rooms r LEFT JOIN messages m ON m.conversation_id = r.id GROUP BY r.id, r.title ORDER BY r.id", "one|6; two|6; NULL|1"},
		{"WITH x AS (SELECT id FROM messages WHERE conversation_id = 1) SELECT SUM(id) FROM x", "21"},
		{"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT * FROM n", "1; 2; 3; 4"},
		{"SELECT id, ROW_NUMBER() OVER (PARTITION BY author ORDER BY id DESC) FROM messages WHERE conversation_id = 1 ORDER BY id", "1|2; 2|2; 3|2; 4|1; 5|1; 6|1"},
		{"SELECT id FROM rooms UNION SELECT 3 ORDER BY id DESC LIMIT 2", "9; 3"},
		{"SELECT 1 UNION SELECT 2 ORDER BY 1 DESC", "2; 1"},
		{"SELECT 1 AS a, 'x' UNION SELECT 2, 'a' UNION SELECT 3, 'm' ORDER BY 2", "2|a; 3|m; 1|x"},
		{"SELECT id + 1 FROM rooms UNION SELECT 7 ORDER BY 1 DESC", "10; 7; 3; 2"},
		{"SELECT id FROM messages WHERE conversation_id = (SELECT MIN(id) FROM rooms) AND id > 4", "5; 6"},
		{"SELECT EXISTS (SELECT 1 FROM rooms WHERE id = 9)", "true"},
		{"SELECT CASE WHEN id > 1 THEN 'b' ELSE 'a' END FROM rooms", "a; b; b"},
		{"SELECT '12'::int + 1, id::text FROM rooms WHERE id = 1", "13|1"},
		{"SELECT title FROM rooms WHERE title ILIKE 'O%'", "one"},
		{"SELECT title FROM rooms WHERE title NOT ILIKE 'O%'", "two"},
		{"SELECT \"title\" FROM \"rooms\" WHERE id = 2 -- done", "two"},
		{"SELECT EXTRACT(YEAR FROM NOW()), TRIM(LEADING 'x' FROM 'xxa'), SUBSTRING('abc' FROM 2 FOR 1)", "2026|a|b"},
		{"SELECT 'a' = 'A', 'a' = 'a ', 'a' LIKE 'A'", "false|false|false"},
		{"SELECT GROUP_CONCAT(author ORDER BY id SEPARATOR '-') FROM messages WHERE conversation_id = 1", "u1-u2-u0-u1-u2-u0"},
		{"SELECT JSON_EXTRACT('{\"a\": [1, 2]}', '$.a[1]')", "2"},
		{"SELECT * FROM JSON_TABLE('[1,2]', '$[*]' COLUMNS (n INT PATH '$')) t", "1; 2"},
		{"SELECT NOW(6), CURRENT_DATE(), UTC_TIMESTAMP(6)", "2026-03-04T05:06:07.123456Z|2026-03-04|2026-03-04T05:06:07.123456Z"},
		{"SELECT'', '' AS x, CONCAT('a', ''), '' LIKE ''", "||a|true"},
		{"SELECT CURRENT_USER_ID(), CURRENT_ROLE(), CURRENT_NAMESPACE()", "alice|user|chat"},
		{"SELECT LENGTH(ULID()), LENGTH(UUID_V7()), SNOWFLAKE_ID() > 0", "26|36|true"},
	} {
		if x[1] != "?" {
			w.want(x[1], x[0])
		}
	}
	if a := w.run("SELECT SNOWFLAKE_ID() FROM rooms").rows; a[0][0] == a[1][0] {
		t.Error("SNOWFLAKE_ID() gave the same id for two rows")
	}
}

func TestRun_ChecksParameters(t *testing.T) {
	w := newWorld(t)
	w.want("3|1", "SELECT $2, $1", 1, 3)
	w.want("1|3", "SELECT ?, ?", 1, 3)
	w.want("x'y", "SELECT ?", "x'y")
	w.want("1", "SELECT 1 LIMIT ?", 1)
	w.fails(fault.InvalidParameter, "SELECT $1, ?", 1, 2)
	w.fails(fault.InvalidParameter, "SELECT ?", 1, 2)
	w.fails(fault.InvalidParameter, "SELECT ?")
	w.fails(fault.InvalidParameter, "SELECT $2", 1)
	w.fails(fault.InvalidParameter, "SELECT $0", 1)
	w.fails(fault.InvalidParameter, "SELECT 1 LIMIT ?", "x")
	w.fails(fault.InvalidParameter, "SELECT 1 LIMIT ?", -1)
	w.fails(fault.InvalidSQL, "SELECT :v1", 1)
}

func TestRun_RefusesWhatTheAllowListLacks(t *testing.T) {
	w := newWorld(t)
	for _, sql := range []string{
		"SELECT 1 INTO OUTFILE '/tmp/x'", "SELECT 1 INTO DUMPFILE '/tmp/x'", "SELECT 1 INTO @x",
		"SELECT * FROM messages FOR UPDATE", "SELECT @@version", "SELECT @x", "SET @x = 1", "KILL 1",
		"SHOW VARIABLES", "LOAD DATA INFILE 'x' INTO TABLE messages", "CALL x()", "DO 1", "TRUNCATE messages",
		"DROP TABLE messages", "CREATE TABLE x (a INT)", "ALTER TABLE messages ADD COLUMN x INT", "BEGIN",
		"LOCK TABLES messages READ", "FLUSH TABLES", "ANALYZE TABLE messages", "PREPARE x FROM 'SELECT 1'",
		"SELECT SLEEP(1)", "SELECT LOAD_FILE('/etc/passwd')", "SELECT GET_LOCK('a', 1)", "SELECT BENCHMARK(1, 1)",
		"SELECT CONNECTION_ID()", "SELECT LAST_INSERT_ID()", "SELECT USER()", "SELECT DATABASE()",
		"SELECT * FROM messages WHERE MATCH (body) AGAINST ('x')", "SELECT SQL_CALC_FOUND_ROWS 1",
		"INSERT IGNORE INTO messages VALUES (1, 1, 'a', 'b')",
		"INSERT INTO messages VALUES (1, 1, 'a', 'b') ON CONFLICT (id) DO NOTHING",
		"UPDATE messages m, rooms r SET m.body = 'x', r.title = 'y'",
		"DELETE m, r FROM messages m JOIN rooms r ON r.id = m.id",
		"UPDATE IGNORE messages SET body = 'x'", "SELECT * FROM messages AS OF '2020-01-01'",
		"SELECT ST_ASTEXT(POINT(1, 2))", "SELECT NAME_CONST('a', 1)", "SELECT x.y(1)",
	} {
		_, err := w.try(sql)
		if code := fault.CodeOf(err); code != fault.Unsupported && code != fault.InvalidSQL {
			t.Errorf("%s: got %v", sql, err)
		}
	}
	for _, sql := range []string{"SELECT * FROM information_schema.tables", "SELECT * FROM mysql.user",
		"SELECT * FROM performance_schema.x"} {
		w.fails(fault.Unsupported, sql)
	}
	w.fails(fault.NamespaceNotFound, "SELECT * FROM nowhere.x")
	w.fails(fault.ColumnNotFound, "SELECT version")
	w.fails(fault.ColumnNotFound, "SELECT datadir FROM messages")
}

func TestFunctions_ListsTheTable(t *testing.T) {
	for _, f := range engine.Functions() {
		if f.Name == "SNOWFLAKE_ID" && f.Own && f.Use == engine.Allowed {
			return
		}
	}
	t.Error("SNOWFLAKE_ID is not in the table of functions")
}

func TestRun_NamesColumnsAsTheyAreWritten(t *testing.T) {
	w := newWorld(t)
	w.run("INSERT INTO messages VALUES (1, 1, 'a', 'b')")
	for _, x := range []struct {
		sql, names string
		params     []any
	}{
		{"SELECT $2, $1 FROM messages", "$2 $1", []any{1, 2}},
		{"SELECT  ? , /* x */ ?+1 , id", "? ?+1 id", []any{1, 2}},
		{"SELECT 1 /* x */ + $1", "1 + $1", []any{1}},
		{"SELECT 'x', ('y'), 'a\\_b', LENGTH(\"id\"), \"id\", \"id\" AS a, id::text",
			`x ('y') a\_b LENGTH("id") id a id::text`, nil},
		{"SELECT * FROM (SELECT id + $1, id::int FROM messages) d", "id + $1 id::int", []any{1}},
		{"SELECT $1 FROM messages UNION SELECT $2", "$1", []any{1, 2}},
		{"WITH x AS (SELECT $1) SELECT * FROM x", "$1", []any{1}},
		{"SELECT body ILIKE 'x' FROM messages", "body ILIKE 'x'", nil},
	} {
		if strings.Contains(x.sql, "id") && !strings.Contains(x.sql, "FROM") {
			x.sql += " FROM messages"
		}
		var names []string
		for _, c := range w.run(x.sql, x.params...).Columns {
			names = append(names, c.Name)
		}
		if got := strings.Join(names, " "); got != x.names {
			t.Errorf("%s: columns %s, want %s", x.sql, got, x.names)
		}
	}
	for sql, want := range map[string]string{
		"UPDATE messages SET body = $1 RETURNING  id, $2, body::text":     "id $2 body::text",
		"DELETE FROM messages WHERE body = ? RETURNING /* x */ ?, id + 1": "? id + 1",
	} {
		var names []string
		for _, c := range w.run(sql, "x", "y").Columns {
			names = append(names, c.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: columns %s, want %s", sql, got, want)
		}
	}
}
