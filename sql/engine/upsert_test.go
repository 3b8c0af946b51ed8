package engine_test

import (
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// affects runs a statement and compares the number of rows that it counts.
func (w *world) affects(n int64, sql string, params ...any) {
	w.t.Helper()
	if got := w.run(sql, params...).Affected; got != n {
		w.t.Errorf("%s: affected %d rows, want %d", sql, got, n)
	}
}

func TestReplace_PutsTheWholeRow(t *testing.T) {
	w := newWorld(t)
	w.affects(2, "REPLACE INTO messages VALUES (1, 1, 'a', 'b'), (1, 2, 'a', 'b')")
	w.affects(2, "REPLACE INTO messages (conversation_id, id, author) VALUES (1, 1, 'x'), (1, 3, 'x')")
	w.want("1|x|NULL; 2|a|b; 3|x|NULL", "SELECT id, author, body FROM messages")
	w.affects(2, "REPLACE messages VALUES (1, 1, 'p', 'q'), (1, 1, 'r', 's')")
	w.want("r|s", "SELECT author, body FROM messages WHERE id = 1")
	w.affects(3, "REPLACE INTO messages SELECT conversation_id, id, 'all', body FROM messages")
	w.affects(1, "REPLACE INTO messages SET conversation_id = 1, id = 1, body = 'set'")
	w.want("1|NULL|set; 2|all|b; 3|all|NULL", "SELECT id, author, body FROM messages")
	w.affects(1, "REPLACE INTO kinds (id, name) VALUES (1, 'a')")
	w.affects(1, "REPLACE INTO kinds (id) VALUES (1)")
	w.want("none", "SELECT name FROM kinds")
	w.fails(fault.NotNullViolation, "REPLACE INTO kinds (id, name) VALUES (1, NULL)")
}

func TestInsert_OnDuplicateKeyUpdate(t *testing.T) {
	const insert = "INSERT INTO messages VALUES "
	for _, x := range []struct {
		sql      string
		affected int64
		rows     string // id|author|body behind conversation 1
	}{
		{insert + "(1, 2, 'n', 'n') ON DUPLICATE KEY UPDATE body = 'x'", 1, "1|a|b; 2|n|n"},
		{insert + "(1, 1, 'n', 'n') ON DUPLICATE KEY UPDATE body = 'x'", 2, "1|a|x"},
		{insert + "(1, 1, 'n', 'n') ON DUPLICATE KEY UPDATE body = 'b', author = author", 0, "1|a|b"},
		{insert + "(1, 1, 'n', 'm') ON DUPLICATE KEY UPDATE body = VALUES(body)", 2, "1|a|m"},
		{insert + "(1, 1, 'n', 'm') ON DUPLICATE KEY UPDATE body = CONCAT(body, '+', VALUES(`body`), author)",
			2, "1|a|b+ma"},
		{insert + "(1, 1, 'n', 'm') AS new ON DUPLICATE KEY UPDATE body = CONCAT(new.body, messages.body)",
			2, "1|a|mb"},
		{insert + "(1, 1, 'n', 'm') AS new (c, i, p, q) ON DUPLICATE KEY UPDATE body = CONCAT(q, new.p)",
			2, "1|a|mn"},
		{"INSERT INTO messages (body, id, conversation_id) VALUES ('m', 1, 1) AS n (x, y, z) " +
			"ON DUPLICATE KEY UPDATE body = CONCAT(n.x, y + z)", 2, "1|a|m2"},
		{insert + "(1, 1, 'n', 'm') ON DUPLICATE KEY UPDATE author = VALUES(body), body = author", 2, "1|m|m"},
		{insert + "(1, 1, 'x', 'x'), (1, 1, 'y', 'y'), (1, 2, 'z', 'z'), (1, 2, 'w', 'w') " +
			"ON DUPLICATE KEY UPDATE body = CONCAT(body, VALUES(body))", 7, "1|a|bxy; 2|z|zw"},
		{insert + "(1, 1, 'n', 'm') ON DUPLICATE KEY UPDATE id = 7, body = 'moved'", 2, "7|a|moved"},
		{insert + "(1, 1, 'n', 'm') ON DUPLICATE KEY UPDATE body = DEFAULT", 2, "1|a|NULL"},
		{insert + "(1, 1, 'n', 'm') ON DUPLICATE KEY UPDATE body = " +
			"(SELECT CONCAT(COUNT(*), MAX(m.body), messages.author) FROM messages m)", 2, "1|a|1ba"},
		{"INSERT INTO messages SELECT 1, id, 'n', 'sel' FROM messages " +
			"ON DUPLICATE KEY UPDATE body = VALUES(body)", 2, "1|a|sel"},
		{"INSERT INTO chat.messages VALUES (1, 1, 'n', 'm') " +
			"ON DUPLICATE KEY UPDATE body = CONCAT(chat.messages.body, VALUES(body))", 2, "1|a|bm"},
	} {
		w := newWorld(t)
		w.run(insert + "(1, 1, 'a', 'b')")
		w.affects(x.affected, x.sql)
		w.want(x.rows, "SELECT id, author, body FROM messages")
	}
}

func TestInsert_OnConflict(t *testing.T) {
	const insert, key = "INSERT INTO messages VALUES ", " ON CONFLICT (conversation_id, id) "
	for _, x := range []struct {
		sql      string
		affected int64
		rows     string
	}{
		{insert + "(1, 1, 'n', 'n'), (1, 2, 'n', 'n') ON CONFLICT DO NOTHING", 1, "1|a|b; 2|n|n"},
		{insert + "(1, 1, 'n', 'n')" + key + "DO NOTHING", 0, "1|a|b"},
		{insert + "(1, 2, 'n', 'n'), (1, 2, 'm', 'm') ON CONFLICT (ID, \"conversation_id\") DO NOTHING", 1,
			"1|a|b; 2|n|n"},
		{insert + "(1, 1, 'n', 'm')" + key + "DO UPDATE SET body = EXCLUDED.body", 1, "1|a|m"},
		{insert + "(1, 1, 'n', 'm')" + key + "DO UPDATE SET body = body", 1, "1|a|b"},
		{insert + "(1, 1, 'n', 'm'), (1, 2, 'n', 'm')" + key +
			"DO UPDATE SET body = messages.body || excluded.author", 2, ""},
		{insert + "(1, 1, 'n', 'm'), (1, 2, 'n', 'm')" + key +
			"DO UPDATE SET body = CONCAT(messages.body, excluded.author)", 2, "1|a|bn; 2|n|m"},
		{insert + "(1, 1, 'n', 'm')" + key + "DO UPDATE SET author = body, body = author", 1, "1|b|a"},
		{insert + "(1, 1, 'n', 'm')" + key +
			"DO UPDATE SET body = 'x' WHERE messages.body <> EXCLUDED.body", 1, "1|a|x"},
		{insert + "(1, 1, 'n', 'b')" + key +
			"DO UPDATE SET body = 'x' WHERE messages.body <> EXCLUDED.body", 0, "1|a|b"},
		{insert + "(1, 1, 'n', 'b')" + key + "DO UPDATE SET body = 'x' WHERE NULL", 0, "1|a|b"},
		{insert + "(1, 1, 'n', 'm')" + key + "DO UPDATE SET id = EXCLUDED.id + 4", 1, "5|a|b"},
		{"INSERT INTO messages SELECT conversation_id, id, 'n', 'sel' FROM messages" + key +
			"DO UPDATE SET body = EXCLUDED.body", 1, "1|a|sel"},
		{"WITH q AS (SELECT 1 AS c) INSERT INTO messages VALUES (1, 1, 'n', 'm')" + key +
			"DO UPDATE SET body = EXCLUDED.body", 1, "1|a|m"},
	} {
		w := newWorld(t)
		w.run(insert + "(1, 1, 'a', 'b')")
		if strings.Contains(x.sql, "||") {
			continue // OR, as in MySQL
		}
		w.affects(x.affected, x.sql)
		w.want(x.rows, "SELECT id, author, body FROM messages")
	}
}

func TestUpsert_TakesParametersInOrder(t *testing.T) {
	w := newWorld(t)
	const sql = "INSERT INTO messages VALUES (?, ?, ?, ?) ON CONFLICT (conversation_id, id) " +
		"DO UPDATE SET body = CONCAT(EXCLUDED.body, ?) WHERE messages.id = ? RETURNING body, ?"
	w.want("b|r", sql, 1, 1, "a", "b", "-", 1, "r")
	w.want("b-|s", sql, 1, 1, "a", "b", "-", 1, "s")
	w.want("", sql, 1, 1, "a", "b", "-", 2, "s")
	w.want("b|r", "INSERT INTO messages VALUES ($1, $1, $2, 'b') ON DUPLICATE KEY UPDATE body = $3 "+
		"RETURNING body, $3", 2, "x", "r")
	w.want("r|r", "INSERT INTO messages VALUES ($1, $1, $2, 'b') ON DUPLICATE KEY UPDATE body = $3 "+
		"RETURNING body, $3", 2, "x", "r")
	w.fails(fault.InvalidParameter, sql, 1, 1)
}

func TestUpsert_Refuses(t *testing.T) {
	w := newWorld(t)
	w.fill(2)
	for _, x := range []struct {
		code fault.Code
		say  string
		tail string
	}{
		{fault.Unsupported, "(conversation_id, id), not (id)", "ON CONFLICT (id) DO NOTHING"},
		{fault.Unsupported, "primary key", "ON CONFLICT (body) DO UPDATE SET body = 'x'"},
		{fault.ColumnNotFound, "idd", "ON CONFLICT (conversation_id, idd) DO NOTHING"},
		{fault.NotFound, "it has primary", "ON CONFLICT ON CONSTRAINT pk DO NOTHING"},
		{fault.InvalidSQL, "DO NOTHING", "ON CONFLICT ON CONSTRAINT DO NOTHING"},
		{fault.InvalidSQL, "ON CONSTRAINT i", "ON CONFLICT ON pk DO NOTHING"},
		{fault.Unsupported, "partial", "ON CONFLICT (id) WHERE id > 1 DO NOTHING"},
		{fault.Unsupported, "columns", "ON CONFLICT (LOWER(id)) DO NOTHING"},
		{fault.InvalidSQL, "needs the columns", "ON CONFLICT DO UPDATE SET body = 'x'"},
		{fault.InvalidSQL, "DO NOTHING", "ON CONFLICT (conversation_id, id) DO"},
		{fault.InvalidSQL, "DO NOTHING", "ON CONFLICT (conversation_id, id) DO NOTHING LIMIT 1"},
		{fault.InvalidSQL, "WHERE", "ON CONFLICT (conversation_id, id) DO UPDATE SET body = 'x' LIMIT 1"},
		{fault.InvalidSQL, "plain", "ON DUPLICATE KEY UPDATE body = 'x' ON CONFLICT DO NOTHING"},
		{fault.ColumnNotFound, "bodi", "ON CONFLICT (conversation_id, id) DO UPDATE SET body = EXCLUDED.bodi"},
		{fault.ColumnNotFound, "bodi", "ON CONFLICT (conversation_id, id) DO UPDATE SET bodi = 'x'"},
		{fault.ColumnNotFound, "bodi", "ON DUPLICATE KEY UPDATE body = VALUES(bodi)"},
		{fault.ColumnNotFound, "bodi", "ON DUPLICATE KEY UPDATE body = bodi"},
		{fault.TableNotFound, "EXCLUDED", "ON DUPLICATE KEY UPDATE body = EXCLUDED.body"},
		{fault.Unsupported, "COUNT", "ON DUPLICATE KEY UPDATE body = COUNT(*)"},
		{fault.InvalidSQL, "kept by the system", "ON DUPLICATE KEY UPDATE _seq = 1"},
		{fault.InvalidSQL, "twice", "ON DUPLICATE KEY UPDATE body = 'x', body = 'y'"},
		{fault.NotNullViolation, "id", "ON DUPLICATE KEY UPDATE id = NULL"},
		{fault.DuplicateKey, "id = 2", "ON DUPLICATE KEY UPDATE id = 2"},
		{fault.InvalidSQL, "called messages", "AS messages ON DUPLICATE KEY UPDATE body = 'x'"},
		{fault.InvalidSQL, "2 columns of 4", "AS n (a, b) ON DUPLICATE KEY UPDATE body = a"},
	} {
		err := w.fails(x.code, "INSERT INTO messages VALUES (1, 1, 'p', 'q') "+x.tail)
		if err != nil && !strings.Contains(err.Error(), x.say) {
			t.Errorf("%s: %v does not say %q", x.tail, err, x.say)
		}
	}
	err := w.fails(fault.DuplicateKey, "INSERT INTO messages VALUES (7, 7, 'a', 'b'), (7, 7, 'c', 'd') "+
		"ON CONFLICT (conversation_id, id) DO UPDATE SET body = 'x'")
	if err != nil && !strings.Contains(err.Error(), "conversation_id = 7, id = 7 twice") {
		t.Errorf("the message is %v", err)
	}
	w.fails(fault.DuplicateKey, "INSERT INTO messages VALUES (1, 1, 'a', 'b'), (1, 1, 'c', 'd') "+
		"ON CONFLICT (conversation_id, id) DO UPDATE SET body = 'x'")
	w.fails(fault.TypeMismatch, "INSERT INTO kinds (id, day) VALUES (1, 'no day') ON CONFLICT DO NOTHING")
	w.fails(fault.NotNullViolation, "INSERT INTO kinds (id, name) VALUES (1, NULL) ON CONFLICT DO NOTHING")
	w.fails(fault.InvalidSQL, "REPLACE INTO messages VALUES (1, 1, 'a', 'b') ON CONFLICT DO NOTHING")
	w.fails(fault.InvalidSQL, "SELECT * FROM messages ON CONFLICT DO NOTHING")
	w.fails(fault.InvalidSQL, "UPDATE messages SET body = 'x' ON CONFLICT DO NOTHING")
	w.want("8", "SELECT COUNT(*) FROM messages WHERE body LIKE 'text%'")
}
