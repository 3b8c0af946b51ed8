package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

func TestInsert_FillsInDefaults(t *testing.T) {
	w := newWorld(t)
	w.run("INSERT INTO kinds (flag) VALUES (true)")
	res := w.run("SELECT id, name, at, tiny FROM kinds").rows[0]
	if res[0].Int() == 0 || res[1].Str() != "none" || res[2] != value.NewTimestamp(testNow) || !res[3].IsNull() {
		t.Errorf("defaults are %v", show([][]value.Value{res}))
	}
	w.run("INSERT INTO kinds (id, name) VALUES (DEFAULT, DEFAULT), (7, 'x')")
	w.want("3", "SELECT COUNT(*) FROM kinds")
	w.want("none; none; x", "SELECT name FROM kinds ORDER BY name")
	w.run("UPDATE kinds SET name = DEFAULT, tiny = 3 WHERE id = 7")
	w.want("none|3", "SELECT name, tiny FROM kinds WHERE id = 7")
}

func TestInsert_KeepsEveryKindAsWritten(t *testing.T) {
	w := newWorld(t)
	w.run("INSERT INTO kinds VALUES (1, true, -128, 18446744073709551615, 1.5, 12.345, 'añb', x'00ff', " +
		"'{\"b\": 1, \"a\": [true, null]}', '2026-01-02', '15:04:05.000001', '2026-01-02T03:04:05.000006Z', " +
		"'018f0000-0000-7000-8000-00000000000A', 0.1, '2026-01-02 03:04:05', 32767, 'glad', '[0.5, 1]')")
	const want = "1|true|-128|18446744073709551615|1.5|12.35|añb|\x00\xff|{\"b\":1,\"a\":[true,null]}|2026-01-02|" +
		"15:04:05.000001|2026-01-02T03:04:05.000006Z|018f0000-0000-7000-8000-00000000000a|0.1|2026-01-02T03:04:05Z|32767|glad|[0.5,1]"
	got := show(w.run("SELECT * FROM kinds").rows)
	if strings.ReplaceAll(got, " ", "") != want && got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	w.run("UPDATE kinds SET tiny = 1 WHERE id = 1")
	w.want("1", "SELECT COUNT(*) FROM kinds WHERE uid = '018F0000-0000-7000-8000-00000000000A' AND at = "+
		"'2026-01-02 03:04:05.000006' AND day = '2026-01-02' AND price = 12.35 AND raw = x'00ff' AND wide > 5")
	for i, k := range w.run("SELECT * FROM kinds").Columns {
		if want := testTables()[1].Columns[i].Type.Kind; k.Kind != want {
			t.Errorf("column %s is %s, want %s", k.Name, k.Kind, want)
		}
	}
}

func TestInsert_TakesParametersAndExpressions(t *testing.T) {
	w := newWorld(t)
	w.run("INSERT INTO messages (conversation_id, id, author, body) VALUES ($1, $2 + 1, CONCAT($3, '!'), NULL), "+
		"(-1, (SELECT 5), UPPER('x'), CURRENT_USER_ID())", 1, 2, "ann")
	w.want("-1|5|X|alice; 1|3|ann!|NULL", "SELECT * FROM messages")
	if n := w.run("INSERT INTO messages SELECT conversation_id + 10, id, author, body FROM messages").Affected; n != 2 {
		t.Errorf("INSERT ... SELECT affected %d rows", n)
	}
	w.want("4", "SELECT COUNT(*) FROM messages")
	w.run("INSERT INTO messages (body, id, conversation_id) WITH q AS (SELECT 9 AS n) SELECT 'q', n, n FROM q")
	w.want("q", "SELECT body FROM messages WHERE id = 9")
}

func TestInsert_IsRefusedAsAWhole(t *testing.T) {
	w := newWorld(t)
	w.run("INSERT INTO messages VALUES (1, 1, 'a', 'b')")
	err := w.fails(fault.DuplicateKey, "INSERT INTO messages VALUES (1, 2, 'a', 'b'), (1, 1, 'a', 'b')")
	if err != nil && !strings.Contains(err.Error(), "chat.messages has a row with conversation_id = 1, id = 1") {
		t.Errorf("the message is %v", err)
	}
	w.fails(fault.DuplicateKey, "INSERT INTO messages VALUES (2, 2, 'a', 'b'), (2, 2, 'a', 'b')")
	w.fails(fault.DuplicateKey, "INSERT INTO messages SELECT * FROM messages")
	w.want("1", "SELECT COUNT(*) FROM messages")
	for _, x := range []struct {
		code fault.Code
		sql  string
	}{
		{fault.NotNullViolation, "INSERT INTO messages (id) VALUES (1)"},
		{fault.NotNullViolation, "INSERT INTO messages VALUES (NULL, 1, 'a', 'b')"},
		{fault.NotNullViolation, "INSERT INTO kinds (id, name) VALUES (1, NULL)"},
		{fault.TypeMismatch, "INSERT INTO messages VALUES ('x', 1, 'a', 'b')"},
		{fault.TypeMismatch, "INSERT INTO kinds (id, day) VALUES (1, 'yesterday')"},
		{fault.TypeMismatch, "INSERT INTO kinds (id, doc) VALUES (1, '{')"},
		{fault.TypeMismatch, "INSERT INTO kinds (id, uid) VALUES (1, 'x')"},
		{fault.TypeMismatch, "INSERT INTO kinds (id, flag) VALUES (1, 'maybe')"},
		{fault.ValueOutOfRange, "INSERT INTO kinds (id, tiny) VALUES (1, 128)"},
		{fault.ValueOutOfRange, "INSERT INTO kinds (id, tiny) VALUES (1, 100 + 100)"},
		{fault.ValueOutOfRange, "INSERT INTO kinds (id, wide) VALUES (1, -1)"},
		{fault.ValueOutOfRange, "INSERT INTO kinds (id, price) VALUES (1, 123456789.5)"},
		{fault.ValueOutOfRange, "INSERT INTO kinds (id, name) VALUES (1, 'sixsix')"},
		{fault.ColumnNotFound, "INSERT INTO messages (bodi) VALUES (1)"},
		{fault.InvalidSQL, "INSERT INTO messages (id, id) VALUES (1, 2)"},
		{fault.InvalidSQL, "INSERT INTO messages VALUES (1)"},
		{fault.InvalidSQL, "INSERT INTO messages (id, _seq) VALUES (1, 2)"},
		{fault.InvalidSQL, "UPDATE messages SET _deleted = true"},
		{fault.InvalidSQL, "INSERT INTO messages SELECT 1"},
		{fault.ColumnNotFound, "INSERT INTO messages VALUES (1, 2, author, 'x')"},
		{fault.TableNotFound, "INSERT INTO mesages VALUES (1)"},
		{fault.PermissionDenied, "INSERT INTO system.namespaces VALUES ('x')"},
		{fault.PermissionDenied, "DELETE FROM system.namespaces"},
	} {
		w.fails(x.code, x.sql)
	}
	w.want("1", "SELECT COUNT(*) FROM messages")
	w.want("0", "SELECT COUNT(*) FROM kinds")
}

func TestUpdate_WorksFromLeftToRight(t *testing.T) {
	w := newWorld(t)
	w.run("INSERT INTO kinds (id, tiny, short) VALUES (1, 1, 10), (2, 2, 20)")
	if n := w.run("UPDATE kinds SET tiny = tiny + 1, short = tiny * 10 WHERE id <= 2").Affected; n != 2 {
		t.Errorf("affected %d rows", n)
	}
	w.want("2|20; 3|30", "SELECT tiny, short FROM kinds")
	w.run("UPDATE kinds SET tiny = 100 ORDER BY id DESC LIMIT 1")
	w.want("2; 100", "SELECT tiny FROM kinds")
	w.run("UPDATE kinds k SET k.short = (SELECT COUNT(*) FROM messages) WHERE k.id = ?", 1)
	w.want("0; 30", "SELECT short FROM kinds")
	w.run("UPDATE kinds SET short = short / 4 WHERE id = 2")
	w.want("8", "SELECT short FROM kinds WHERE id = 2")
}

func TestUpdate_MovesRowsToNewKeys(t *testing.T) {
	w := newWorld(t)
	w.fill(3)
	if n := w.run("UPDATE messages SET id = id + 1 WHERE conversation_id = 1").Affected; n != 3 {
		t.Errorf("affected %d rows", n)
	}
	w.want("2|text 1; 3|text 2; 4|text 3", "SELECT id, body FROM messages WHERE conversation_id = 1")
	w.fails(fault.DuplicateKey, "UPDATE messages SET id = 3 WHERE conversation_id = 2")
	w.fails(fault.DuplicateKey, "UPDATE messages SET id = 3 WHERE conversation_id = 2 AND id = 1")
	w.fails(fault.NotNullViolation, "UPDATE messages SET id = NULL")
	w.want("1; 2; 3", "SELECT id FROM messages WHERE conversation_id = 2")
	w.run("UPDATE messages SET id = id WHERE conversation_id = 2")
	w.want("1; 2; 3", "SELECT id FROM messages WHERE conversation_id = 2")
}

func TestWrite_ReadsJustTheKeysItNames(t *testing.T) {
	w := newWorld(t)
	w.fill(100)
	for _, sql := range []string{
		"UPDATE messages SET body = 'x' WHERE conversation_id = 2 AND id = 50",
		"DELETE FROM messages WHERE conversation_id = 2 AND id = 50",
	} {
		if res := w.run(sql); res.read != 1 || res.Affected != 1 {
			t.Errorf("%s: read %d rows, affected %d", sql, res.read, res.Affected)
		}
	}
}

func TestDelete_TakesAnyPredicate(t *testing.T) {
	w := newWorld(t)
	w.fill(5)
	bob := w.as("bob")
	bob.seq = w.seq
	bob.run("INSERT INTO messages VALUES (1, 1, 'bob', 'mine')")
	w.seq = bob.seq
	if n := w.run("DELETE FROM messages WHERE author = 'u1' AND body LIKE 'text%' LIMIT 3").Affected; n != 3 {
		t.Errorf("affected %d rows", n)
	}
	w.want("17", "SELECT COUNT(*) FROM messages")
	w.run("DELETE FROM messages")
	w.want("0", "SELECT COUNT(*) FROM messages")
	bob.want("1", "SELECT COUNT(*) FROM messages")
	w.run("DELETE FROM rooms")
}

func TestInsert_SharedTable(t *testing.T) {
	w := newWorld(t)
	w.run("INSERT INTO chat.rooms VALUES (1, 'one')")
	w.as("bob").want("1|one", "SELECT * FROM rooms")
	w.fails(fault.InvalidSQL, "SELECT * FROM chat.bob.rooms")
}

func TestInsert_ManyRows(t *testing.T) {
	w := newWorld(t)
	var b strings.Builder
	for i := range 700 {
		fmt.Fprintf(&b, ",(1, %d, LOWER('A%d'), 'x')", i, i)
	}
	w.run("INSERT INTO messages VALUES " + b.String()[1:])
	w.want("700|a699", "SELECT COUNT(*), MAX(CASE WHEN id = 699 THEN author END) FROM messages")
}
