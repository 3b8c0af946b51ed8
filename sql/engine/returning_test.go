package engine_test

import (
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

func TestReturning_ShowsTheRowsOfTheStatement(t *testing.T) {
	const values = "INSERT INTO messages VALUES (1, 1, 'n', 'm'), (1, 7, 'n', 'm') "
	for _, x := range []struct{ sql, rows string }{
		{"INSERT INTO messages VALUES (30, 2, 'a', 'b'), (30, 1, 'c', 'd') RETURNING *", "30|2|a|b; 30|1|c|d"},
		{"INSERT INTO messages VALUES (30, 2, 'a', 'b') returning messages.*, id + 1 AS next", "30|2|a|b|3"},
		{"INSERT INTO messages SELECT 9, id, author, body FROM messages WHERE conversation_id = 1 " +
			"RETURNING id, UPPER(body)", "1|TEXT 1; 2|TEXT 2"},
		{values + "ON DUPLICATE KEY UPDATE body = VALUES(body) RETURNING id, author, body", "1|u1|m; 7|n|m"},
		{values + "ON DUPLICATE KEY UPDATE id = id RETURNING id, body", "1|text 1; 7|m"},
		{values + "ON CONFLICT DO NOTHING RETURNING id", "7"},
		{values + "ON CONFLICT (conversation_id, id) DO UPDATE SET body = 'x' RETURNING id, body", "1|x; 7|m"},
		{values + "ON CONFLICT (conversation_id, id) DO UPDATE SET body = 'x' WHERE false RETURNING id", "7"},
		{"REPLACE INTO messages VALUES (1, 1, 'n', 'm') RETURNING *", "1|1|n|m"},
		{"UPDATE messages SET body = CONCAT(body, '!') WHERE conversation_id = 1 RETURNING id, body",
			"1|text 1!; 2|text 2!"},
		{"UPDATE messages m SET id = id + 5 WHERE m.id = 2 AND conversation_id < 3 RETURNING m.id, m.*",
			"7|1|7|u2|text 2; 7|2|7|u2|text 2"},
		{"UPDATE messages SET id = 1 WHERE id = 99 RETURNING *", ""},
		{"DELETE FROM messages WHERE id = 1 AND conversation_id < 3 RETURNING conversation_id, _deleted, " +
			"_seq > 0", "1|false|true; 2|false|true"},
		{"DELETE FROM messages RETURNING (SELECT COUNT(*) FROM messages) AS before_it", "8; 8; 8; 8; 8; 8; 8; 8"},
		{"DELETE FROM chat.messages WHERE id = 2 AND conversation_id = 1 " +
			"RETURNING chat.messages.id, (SELECT MAX(r.id) FROM messages r WHERE r.id < messages.id)", "2|1"},
		{"DELETE FROM messages WHERE body = 'RETURNING' RETURNING id", ""},
		{"UPDATE messages SET body = 'x' WHERE id = 1 AND conversation_id = 1 RETURNING _deleted, EXISTS " +
			"(SELECT 1 FROM messages m WHERE m.id = messages.id)", "false|true"},
	} {
		w := newWorld(t)
		w.fill(2)
		w.want(x.rows, x.sql)
	}
}

func TestReturning_DescribesItsColumns(t *testing.T) {
	w := newWorld(t)
	res := w.run("INSERT INTO kinds (id, day) VALUES (1, '2026-01-02') RETURNING *")
	if len(res.Columns) != len(testTables()[1].Columns) {
		t.Fatalf("there are %d columns", len(res.Columns))
	}
	for i, c := range testTables()[1].Columns {
		got := res.Columns[i]
		if got.Name != c.Name || got.Kind != c.Type.Kind || got.Key != (i == 0) || got.NotNull != c.NotNull {
			t.Errorf("column %s is %+v", c.Name, got)
		}
	}
	res = w.run("UPDATE kinds SET tiny = 3 RETURNING id AS n, tiny * 2 AS twice, price, day")
	for i, want := range []string{"n", "twice", "price", "day"} {
		if res.Columns[i].Name != want {
			t.Errorf("column %d is %+v", i, res.Columns[i])
		}
	}
	if !res.Columns[0].Key || res.Columns[1].Key || res.Columns[3].Kind != value.Date {
		t.Errorf("columns are %+v", res.Columns)
	}
}

func TestReturned_FillSetsWhatTheCommitGave(t *testing.T) {
	w := newWorld(t)
	w.fill(1)
	w.run("UPDATE messages SET body = 'same'")
	res := w.run("INSERT INTO messages VALUES (5, 1, 'a', 'b'), (1, 1, 'a', 'same'), (4, 1, 'a', 'b'), " +
		"(5, 1, 'a', 'c') ON DUPLICATE KEY UPDATE body = VALUES(body) RETURNING _seq, id, _updated AS at, _seq AS s")
	if got := show(res.rows); !strings.HasPrefix(got, "NULL|1|NULL|NULL; ") {
		t.Errorf("before the commit the rows are %s", got)
	}
	before := res.Returned.Rows[1][0]
	first := clock.SeqAt(testNow.Add(1e9))
	res.Returned.Fill(first)
	for i, want := range []clock.Seq{first, clock.Seq(before.Int()), first + 1, first} {
		r := res.Returned.Rows[i]
		if r[0].Int() != int64(want) || r[3] != r[0] || r[2] != value.NewTimestamp(want.Time()) {
			t.Errorf("row %d is %s, want seq %d", i, show(res.Returned.Rows[i:i+1]), want)
		}
	}
	if before.IsNull() {
		t.Error("a row that stays has no seq")
	}
}

// writeOnly lets a user write tables and read none.
type writeOnly struct{}

func (writeOnly) CheckTable(_ *ddl.Table, _ ident.UserID, write bool) error {
	if write {
		return nil
	}
	return fault.New(fault.PermissionDenied, "not yours to read")
}

func TestReturning_Refuses(t *testing.T) {
	w := newWorld(t)
	w.fill(2)
	for _, x := range []struct {
		code fault.Code
		tail string
	}{
		{fault.InvalidSQL, "RETURNING"},
		{fault.InvalidSQL, "RETURNING id FROM messages"},
		{fault.InvalidSQL, "RETURNING id WHERE id = 1"},
		{fault.InvalidSQL, "RETURNING DISTINCT id"},
		{fault.InvalidSQL, "RETURNING id RETURNING id"},
		{fault.ColumnNotFound, "RETURNING idd"},
		{fault.TableNotFound, "RETURNING other.*"},
		{fault.TableNotFound, "RETURNING other.id"},
		{fault.Unsupported, "RETURNING COUNT(*)"},
		{fault.Unsupported, "RETURNING ROW_NUMBER() OVER (ORDER BY id)"},
		{fault.Unsupported, "RETURNING _seq + 1"},
		{fault.Unsupported, "RETURNING DATE(_updated)"},
		{fault.Unsupported, "RETURNING (SELECT messages._seq)"},
		{fault.Unsupported, "RETURNING SLEEP(1)"},
		{fault.Unsupported, "RETURNING @@version"},
		{fault.PermissionDenied, "RETURNING (SELECT MAX(id) FROM chat.bob.messages)"},
	} {
		if code := fault.CodeOf(w.fails(x.code, "UPDATE messages SET body = 'x' "+x.tail)); code != x.code {
			t.Errorf("%s: %v", x.tail, code)
		}
	}
	w.want("0", "SELECT COUNT(*) FROM messages WHERE body = 'x'")
	w.fails(fault.InvalidSQL, "SELECT id FROM messages RETURNING id, id")
	w.env.Rights = writeOnly{}
	w.affects(1, "REPLACE INTO messages VALUES (1, 1, 'a', 'b')")
	w.fails(fault.PermissionDenied, "REPLACE INTO messages VALUES (1, 1, 'a', 'b') RETURNING id")
}
