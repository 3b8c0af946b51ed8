package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dolthub/go-mysql-server/sql/expression/function"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/engine"
)

func TestFunctions_KnowAllOfTheLibrary(t *testing.T) {
	known := map[string]engine.Use{}
	for _, f := range engine.Functions() {
		known[strings.ToLower(f.Name)] = f.Use
	}
	w := newWorld(t)
	for _, f := range function.BuiltIns {
		name := f.FunctionName()
		if strings.HasPrefix(name, "st_") {
			w.fails(fault.Unsupported, "SELECT "+name+"(1)")
			continue
		}
		if known[name] == 0 {
			t.Errorf("function %s is in no list: it is refused until it is looked at", name)
		}
	}
	w.fails(fault.InvalidSQL, "SELECT NO_SUCH_FUNCTION(1)")
	for name, use := range known {
		if _, err := w.try("SELECT " + name + "()"); use == engine.Refused && err == nil {
			t.Errorf("%s is called although it is refused", name)
		}
	}
}

func TestRun_BoundsResults(t *testing.T) {
	w := newWorldWith(t, engine.Options{MaxMemoryBytes: 1 << 20, MaxStringBytes: 1 << 18})
	w.fill(100)
	w.run("INSERT INTO rooms VALUES (1, REPEAT('x', 200000))")
	for _, sql := range []string{
		"SELECT REPEAT('x', 300000000)", "SELECT SPACE(300000000)", "SELECT LPAD('a', 300000000, 'b')",
		"SELECT RPAD('a', 300000000, 'b')", "SELECT REPEAT(REPEAT('x', 200000), 2000000)",
		"SELECT REPLACE(REPEAT('a', 200000), 'a', REPEAT('b', 200000))",
		"SELECT CONCAT(title, title) FROM rooms", "SELECT CONCAT_WS(title, 1, 2, 3) FROM rooms",
		"SELECT HEX(title) FROM rooms", "SELECT TO_BASE64(title) FROM rooms", "SELECT QUOTE(title) FROM rooms",
		"SELECT INSERT(title, 1, 0, title) FROM rooms", "SELECT MAKE_SET(3, title, title) FROM rooms",
		"SELECT EXPORT_SET(5, title, 'N', ',', 64) FROM rooms", "SELECT JSON_QUOTE(title) FROM rooms",
		"SELECT JSON_ARRAY(title, title) FROM rooms", "SELECT JSON_OBJECT('a', title, 'b', title) FROM rooms",
		"SELECT REGEXP_REPLACE(title, 'x', 'yyyy') FROM rooms", "SELECT CAST('a' AS BINARY(300000000))",
		"SELECT RANDOM_BYTES(300000000)", "SELECT FORMAT(1.5, 300000000)", "SELECT ROUND(1.5, 300000000)",
		"INSERT INTO rooms VALUES (2, REPEAT('x', 300000000))",
		"SELECT a.id FROM messages a, messages b ORDER BY a.body, b.body",
		"SELECT COUNT(*) FROM (SELECT a.id, b.body FROM messages a, messages b ORDER BY b.body LIMIT 100000) q",
		"SELECT a.body, b.id, COUNT(*) FROM messages a, messages b GROUP BY a.body, b.id, a.id",
		"SELECT JSON_ARRAYAGG(a.body) FROM messages a, messages b",
		"SELECT ROW_NUMBER() OVER (ORDER BY a.body) FROM messages a, messages b",
		"WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r, messages WHERE n < 9) SELECT COUNT(*) FROM r",
		"SELECT DISTINCT a.conversation_id, a.id, b.conversation_id, b.id FROM messages a, messages b",
		"SELECT a.conversation_id, a.id, b.conversation_id, b.id FROM messages a, messages b UNION SELECT 1, 1, 1, 1",
		"SELECT a.conversation_id, a.id, b.conversation_id, b.id FROM messages a, messages b EXCEPT SELECT 1, 1, 1, 1",
		"SELECT 'x', 1 INTERSECT SELECT a.body, b.id FROM messages a, messages b",
		"SELECT a.body, b.id FROM messages a, messages b UNION ALL SELECT 'x', 1 ORDER BY 1, 2",
		"SELECT id FROM rooms WHERE title IN (SELECT CONCAT(a.body, b.id) FROM messages a, messages b)",
		"SELECT COUNT(*) FROM rooms r JOIN (SELECT CONCAT(a.body, b.id) AS x FROM messages a, messages b) q ON q.x = r.title",
		"INSERT INTO messages SELECT a.conversation_id, a.id * 1000 + b.id, b.body, a.body FROM messages a, messages b",
	} {
		start := time.Now()
		_, err := w.try(sql)
		if code := fault.CodeOf(err); code != fault.ResultTooLarge {
			t.Errorf("%s: got %v", sql, err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s took %v", sql, took)
		}
	}
	w.want("160000", "SELECT COUNT(*) FROM messages a, messages b")
	w.want("400", "SELECT COUNT(*) FROM messages")
}

func TestRun_StopsWithItsContext(t *testing.T) {
	w := newWorld(t)
	w.fill(500)
	env := w.env
	env.View = w.db.View()
	defer env.View.Release()
	for _, sql := range []string{
		"SELECT COUNT(*) FROM messages a, messages b, messages c, messages d WHERE a.body = d.author",
		"SELECT a.body FROM messages a, messages b, messages c WHERE a.body = 'nothing'",
		"UPDATE messages SET body = (SELECT COUNT(*) FROM messages a, messages b, messages c)",
		"SELECT DISTINCT a.author FROM messages a, messages b, messages c",
		"SELECT a.author FROM messages a, messages b, messages c UNION SELECT 'x'",
		"SELECT a.author FROM messages a, messages b, messages c EXCEPT SELECT 'x'",
		"SELECT 'x' INTERSECT SELECT a.author FROM messages a, messages b, messages c",
		"SELECT 1 FROM messages WHERE author = 'x' OR 'x' NOT IN (SELECT a.author FROM messages a, messages b, messages c) " +
			"AND 'y' NOT IN (SELECT a.author FROM messages a, messages b, messages c)",
		"SELECT author FROM messages m WHERE NOT EXISTS " +
			"(SELECT 1 FROM messages a LEFT JOIN messages b ON a.body = m.author WHERE b.body = 'x')",
		"SELECT a.author, COUNT(*) FROM messages a, messages b, messages c GROUP BY a.author",
		"SELECT COUNT(DISTINCT a.author) FROM messages a, messages b, messages c",
		"SELECT a.id FROM messages a, messages b, messages c ORDER BY a.id LIMIT 1",
		"SELECT a.id FROM messages a LEFT JOIN messages b ON a.body < b.body JOIN messages c ON c.body <> 'x'",
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		start := time.Now()
		err := func() error {
			res, err := w.engine.Run(ctx, &dialect.Statement{Text: sql}, &env)
			if err != nil {
				return err
			}
			defer res.Rows.Close()
			for {
				if _, err := res.Rows.Next(ctx); err != nil {
					return err
				}
			}
		}()
		cancel()
		if !fault.Is(err, fault.StatementTimeout) || time.Since(start) > 5*time.Second {
			t.Errorf("%s: got %v after %v", sql, err, time.Since(start))
		}
	}
}

func TestRun_MapsErrors(t *testing.T) {
	w := newWorld(t)
	w.fill(2)
	for _, x := range []struct {
		code fault.Code
		sql  string
		say  string
	}{
		{fault.ColumnNotFound, "SELECT bdy FROM messages", "did you mean body?"},
		{fault.ColumnNotFound, "SELECT m.bdy FROM messages m", "did you mean body?"},
		{fault.ColumnNotFound, "SELECT id FROM messages WHERE autor = 'x'", "did you mean author?"},
		{fault.ColumnNotFound, "UPDATE messages SET bdy = 'x'", "did you mean body?"},
		{fault.ColumnNotFound, "SELECT other.messages.id FROM messages", "reads no table other.messages"},
		{fault.TableNotFound, "SELECT * FROM mesages", "did you mean chat.messages?"},
		{fault.TableNotFound, "SELECT x.* FROM messages", "no table called x"},
		{fault.NamespaceNotFound, "SELECT * FROM chta.messages", "chta"},
		{fault.TableNotFound, "SELECT x.id FROM messages", "x"},
		{fault.InvalidSQL, "SELEC 1", "SELEC"},
		{fault.InvalidSQL, "SELECT 1 +", ""},
		{fault.InvalidSQL, "SELECT id, COUNT(*) FROM messages GROUP BY", ""},
		{fault.InvalidSQL, "SELECT ABS()", ""},
		{fault.InvalidSQL, "SELECT (SELECT id, body FROM messages)", ""},
		{fault.InvalidSQL, "SELECT 1 UNION SELECT 1, 2", ""},
		{fault.InvalidParameter, "SELECT * FROM chat.`a\tb`.messages", "control"},
		{fault.EmptySQL, "-- nothing", ""},
	} {
		err := w.fails(x.code, x.sql)
		if err != nil && !strings.Contains(err.Error(), x.say) {
			t.Errorf("%s: %v does not say %q", x.sql, err, x.say)
		}
		if err != nil && strings.Contains(err.Error(), "616c696365") {
			t.Errorf("%s: %v shows the name of a database of ours", x.sql, err)
		}
	}
	w.env.Namespace = ""
	w.fails(fault.NamespaceNotFound, "SELECT * FROM messages")
}

func TestRun_SurvivesHostileNumbers(t *testing.T) {
	w := newWorld(t)
	for _, sql := range []string{
		"SELECT CAST('1e999999999' AS DECIMAL(65, 30))", "SELECT 1e400", "SELECT '1e999999999' + 1",
		"SELECT CAST(1e308 AS DECIMAL(65, 30)) * 2", "SELECT POW(10, 400)", "SELECT EXP(1000)",
		"SELECT '1e999999999' = 1.5", "SELECT 9223372036854775807 + 1", "SELECT -9223372036854775808 DIV -1",
		"SELECT 1 / 0", "SELECT 5 % 0", "SELECT 1 << 1000000", "SELECT ROUND(1e300, 30)",
		"SELECT TRUNCATE('1e999999999', 2)", "SELECT 99999999999999999999999999999999999999999999999999999999999999999999.5 * 2",
		"SELECT DATE_ADD('2020-01-01', INTERVAL 999999999999 YEAR)", "SELECT FROM_UNIXTIME(1e18)",
		"SELECT MAKEDATE(1, 1)", "SELECT STR_TO_DATE('x', '%Y')", "SELECT CONV('zz', 36, 99)",
		"SELECT LPAD('a', -1, 'b')", "SELECT REPEAT('a', -1)", "SELECT INET_NTOA(-1)", "SELECT CHAR(256, 1e30)",
		"SELECT JSON_EXTRACT('[1]', '$[999999999999999999999]')", "SELECT REGEXP_LIKE('a', '(')",
		"SELECT SUBSTRING('abc', -9223372036854775808)", "SELECT BIN_TO_UUID('x')", "SELECT UNHEX('zz')",
		"SELECT x > 1.5 FROM (SELECT '1e999999999' AS x) q", "SELECT (SELECT '1e999999999') > 1.5",
		"WITH q AS (SELECT '1e999999999' AS x) SELECT x + 1, -x, x = 1.5 FROM q",
		"SELECT * FROM (SELECT 1.5 AS x UNION SELECT '1e999999999') q WHERE x > 1.5",
		"SELECT id FROM messages WHERE id = (SELECT '1e999999999')",
		"SELECT id FROM messages WHERE id = CONCAT('1e999999999')",
		"SELECT id FROM kinds WHERE price IN (SELECT '1e999999999')",
		"SELECT x FROM (SELECT '1e999999999' AS x) q JOIN messages m ON m.id = q.x",
		"SELECT SUM(x), MAX(x) + 1 FROM (SELECT '1e999999999' AS x) q",
		"SELECT CASE '1e999999999' WHEN 1.5 THEN 1 END, IF(CONCAT('1e999999999'), 1, 2)",
		"SELECT JSON_UNQUOTE(JSON_ARRAY('1e999999999')) > 1.5, CONCAT('1e999999999') BETWEEN 1.5 AND 2",
		"SELECT JSON_VALUE('\"1e999999999\"', '$' RETURNING DECIMAL), INSTR('a', '1e999999999')",
		"SELECT CAST(JSON_EXTRACT('\"1e999999999\"', '$') AS DECIMAL(65,30))",
		"SELECT JSON_SET('[1]', '1e999999999', 1), STRCMP('1e999999999', 1.5)",
		"SELECT LAG('1e999999999', 1, 1.5) OVER () > 1.5 FROM messages",
		"INSERT INTO kinds (id, price) VALUES (1, 1e300)", "INSERT INTO kinds (id, ratio) VALUES (1, '1e999')",
	} {
		done := make(chan error, 1)
		go func() {
			_, err := w.try(sql)
			done <- err
		}()
		select {
		case err := <-done:
			if fault.Is(err, fault.Internal) {
				t.Errorf("%s: %v", sql, err)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%s runs for more than 5 seconds", sql)
		}
	}
}

func TestRun_WorksForSeveralUsersAtOnce(t *testing.T) {
	w := newWorld(t)
	users := []string{"alice", "bob", "al", "Alice"}
	worlds := make([]*world, len(users))
	for i, u := range users {
		worlds[i] = w.as(idOf(u))
		worlds[i].seq = w.seq
		worlds[i].run("INSERT INTO messages VALUES (1, ?, ?, 'x')", i, u)
		w.seq = worlds[i].seq
	}
	errs := make(chan error)
	for _, u := range worlds {
		go func() {
			for i := range 50 {
				res, err := u.try("SELECT author, COUNT(*) FROM messages WHERE conversation_id = ? GROUP BY author", 1)
				if err == nil && show(res.rows) != string(u.env.Caller)+"|1" {
					err = fmt.Errorf("round %d: %s sees %s", i, u.env.Caller, show(res.rows))
				}
				if err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range worlds {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
