package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/engine"
)

// sender runs requests under a request id and writes down all of their results.
func (b *bench) sender(request string) func(sql string) string {
	return func(sql string) string {
		b.t.Helper()
		var out []string
		err := b.db.Execute(b.t.Context(), alice, engine.Request{SQL: sql, RequestID: request},
			func(r *engine.Result) error {
				line := fmt.Sprint(r.Affected, " ", r.Message, " ", r.Seq)
				for i := range r.Columns {
					line += fmt.Sprintf(" %+v", r.Columns[i])
				}
				for r.Rows != nil {
					vals, err := r.Rows.Next(b.t.Context())
					if err != nil {
						break
					}
					line += " ["
					for _, v := range vals {
						line += v.Kind().String() + " " + v.Text() + ","
					}
				}
				out = append(out, line)
				return nil
			})
		if err != nil {
			b.t.Fatalf("%s: %v", sql, err)
		}
		return strings.Join(out, "\n")
	}
}

func TestEngine_ReturningShowsTheSeqOfTheCommit(t *testing.T) {
	b := inMemory(t)
	b.chat()
	out := b.run(alice, "INSERT INTO chat.messages VALUES (1, 2, 'a'), (1, 1, 'b') "+
		"RETURNING id, _seq, _updated AS at, content")
	if out.Affected != 2 || out.Message != "2 rows inserted" || len(out.Rows) != 2 {
		t.Fatalf("got %+v", out)
	}
	for _, r := range out.Rows {
		b.want(alice, fmt.Sprintf("%s %s %s", r[1].Text(), r[2].Text(), r[3].Text()),
			"SELECT _seq, _updated, content FROM chat.messages WHERE conversation = 1 AND id = ?", r[0])
	}
	if last := out.Rows[1][1].Text(); !strings.HasSuffix(out.Seq, ":"+last) {
		t.Errorf("the last row has seq %s, the result %s", last, out.Seq)
	}
	seq := b.rows(alice, "SELECT _seq FROM chat.messages WHERE id = 1")
	b.want(alice, "1 "+seq, "INSERT INTO chat.messages VALUES (1, 1, 'b') "+
		"ON DUPLICATE KEY UPDATE content = VALUES(content) RETURNING id, _seq")
	b.want(alice, "1 "+seq, "DELETE FROM chat.messages WHERE id = 1 RETURNING id, _seq")
	b.want(alice, "3", "REPLACE INTO chat.messages VALUES (1, 3, 'c') RETURNING id")
	b.want(alice, "2\n3", "SELECT id FROM chat.messages")
}

func TestEngine_ReturningIsRecordedForARepeat(t *testing.T) {
	b := open(t, t.TempDir(), engine.Options{})
	b.chat()
	for i, sql := range []string{
		"INSERT INTO chat.messages VALUES (1, 1, 'once'), (1, 2, 'q\"') RETURNING *, _seq, _updated, NULL AS n, id / 3",
		"UPDATE chat.messages SET content = UUID() RETURNING content, _seq, _deleted",
		"DELETE FROM chat.messages WHERE id = 2 RETURNING id, _seq",
		"DELETE FROM chat.messages WHERE id = 77 RETURNING id, _seq",
		"INSERT INTO chat.messages VALUES (1, 1, 'x') ON CONFLICT DO NOTHING RETURNING _seq",
		"REPLACE INTO chat.messages VALUES (1, 1, 'x') RETURNING _seq, content",
		"BEGIN; INSERT INTO chat.messages VALUES (5, 1, 'a') RETURNING id, content; " +
			"DELETE FROM chat.messages WHERE id = 4; UPDATE chat.messages SET content = UUID() RETURNING content; COMMIT",
	} {
		send := b.sender(fmt.Sprint("r", i))
		first := send(sql)
		if again := send(sql); again != first {
			t.Errorf("%s: a repeat gave\n%s\nwant\n%s", sql, again, first)
		}
		b.close()
		b.open()
		if again := b.sender(fmt.Sprint("r", i))(sql); again != first {
			t.Errorf("%s: after a restart a repeat gave\n%s\nwant\n%s", sql, again, first)
		}
	}
}

func TestEngine_ReturningTooLargeToRecord(t *testing.T) {
	b := inMemory(t)
	b.chat()
	const sql = "INSERT INTO chat.messages VALUES (1, 1, REPEAT('x', 70000)) RETURNING content"
	send := b.sender("r")
	if first := send(sql); len(first) < 70000 || strings.Contains(first, "too large") {
		t.Errorf("the first answer has %d bytes", len(first))
	}
	if again := send(sql); !strings.HasPrefix(again, "1 1 row inserted; the rows of RETURNING were too large") ||
		strings.Contains(again, "xx") || !strings.Contains(again, "Name:content") {
		t.Errorf("a repeat gave %s", again)
	}
	b.want(alice, "1", "SELECT COUNT(*) FROM chat.messages")
	send = b.sender("tx")
	const tx = "BEGIN; INSERT INTO chat.messages VALUES (2, 1, REPEAT('x', 70000)), (2, 2, 'small'); " +
		"DELETE FROM chat.messages WHERE id = 1 RETURNING content; " +
		"DELETE FROM chat.messages WHERE id = 2 RETURNING content; COMMIT"
	first, again := send(tx), send(tx)
	if len(first) < 140000 || len(again) > 1000 || strings.Count(again, "too large") != 1 ||
		!strings.Contains(again, "small") {
		t.Errorf("a repeated transaction gave %.2000s", again)
	}
}

func TestEngine_Checks(t *testing.T) {
	b := open(t, t.TempDir(), engine.Options{})
	b.run(root, "CREATE NAMESPACE app")
	b.run(root, `CREATE SHARED TABLE app.stock (id INT PRIMARY KEY CHECK (id > 0),
		low INT, high INT CONSTRAINT top CHECK (high < 100) NOT NULL,
		CONSTRAINT Ordered CHECK (low <= high /* both */ OR low IS NULL), CHECK (low <> 13))
		WITH (ACCESS = 'public')`)
	show := b.rows(root, "SHOW CREATE TABLE app.stock")
	for _, want := range []string{"CONSTRAINT `chk_1` CHECK (id > 0)", "CONSTRAINT `top` CHECK (high < 100)",
		"CONSTRAINT `ordered` CHECK (low <= high OR low IS NULL)", "CONSTRAINT `chk_2` CHECK (low <> 13)"} {
		if !strings.Contains(strings.ReplaceAll(show, `"`, "`"), want) {
			t.Errorf("%s does not have %s", show, want)
		}
	}
	b.run(root, "DROP TABLE app.stock")
	b.run(root, show[strings.Index(show, "CREATE"):])
	b.close()
	b.open()
	b.run(root, "INSERT INTO app.stock VALUES (1, 2, 3), (2, NULL, 4)")
	for sql, name := range map[string]string{
		"INSERT INTO app.stock VALUES (0, 2, 3)":                                           "chk_1",
		"INSERT INTO app.stock (id, high) VALUES (3, 100)":                                 "top",
		"UPDATE app.stock SET low = 9 WHERE id = 1":                                        "ordered",
		"UPDATE app.stock SET low = 13, high = 20 WHERE id = 1":                            "chk_2",
		"REPLACE INTO app.stock VALUES (1, 5, 4)":                                          "ordered",
		"INSERT INTO app.stock VALUES (1, 1, 1) ON CONFLICT (id) DO UPDATE SET high = 120": "top",
	} {
		if err := b.fails(root, fault.CheckViolation, sql); err == nil || !strings.Contains(err.Error(), "CHECK "+name) {
			t.Errorf("%s: %v does not name %s", sql, err, name)
		}
	}
	b.want(root, "1 2 3\n2  4", "SELECT id, COALESCE(low, ''), high FROM app.stock")
	for sql, code := range map[string]fault.Code{
		"CREATE TABLE app.t (id INT PRIMARY KEY, CHECK (idd > 0))":                                          fault.InvalidSQL,
		"CREATE TABLE app.t (id INT PRIMARY KEY, CHECK (id > idd))":                                         fault.ColumnNotFound,
		"CREATE TABLE app.t (id INT PRIMARY KEY, CHECK (id > (SELECT 1)))":                                  fault.Unsupported,
		"CREATE TABLE app.t (id TIMESTAMP PRIMARY KEY, CHECK (id < NOW()))":                                 fault.Unsupported,
		"CREATE TABLE app.t (id INT PRIMARY KEY CHECK (id > 0) NOT ENFORCED)":                               fault.Unsupported,
		"CREATE TABLE app.t (id INT PRIMARY KEY, CONSTRAINT a CHECK (id > 0), CONSTRAINT A CHECK (id < 9))": fault.InvalidSQL,
		"CREATE TABLE app.t (id INT PRIMARY KEY CHECK ())":                                                  fault.InvalidSQL,
		"CREATE TABLE app.t (id INT PRIMARY KEY CHECK (id > $1))":                                           fault.Unsupported,
		"CREATE TABLE app.t (id INT PRIMARY KEY CHECK (id > )":                                              fault.InvalidSQL,
		"CREATE TABLE app.t (id INT PRIMARY KEY, CHECK id > 0)":                                             fault.InvalidSQL,
	} {
		b.fails(root, code, sql)
	}
	b.fails(root, fault.TableNotFound, "SELECT * FROM app.t")
}
