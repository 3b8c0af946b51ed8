package engine_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

func joined(t *testing.T) *world {
	w := newWorld(t)
	w.run("INSERT INTO messages VALUES (1, 1, 'a', 'x'), (1, 2, 'b', 'x'), (2, 1, 'a', 'x'), (3, 1, 'c', 'x')")
	w.run("INSERT INTO rooms VALUES (1, 'one'), (2, 'two'), (9, 'nine')")
	return w
}

func TestUpdate_OfJoinedTables(t *testing.T) {
	for _, x := range []struct {
		sql      string
		affected int64
		rows     string // conversation_id|id|author|body
	}{
		{"UPDATE messages JOIN rooms ON rooms.id = conversation_id SET messages.body = rooms.title", 3,
			"1|1|a|one; 1|2|b|one; 2|1|a|two; 3|1|c|x"},
		{"UPDATE messages m, rooms r SET m.body = r.title WHERE r.id = m.conversation_id AND m.id = 1", 2,
			"1|1|a|one; 1|2|b|x; 2|1|a|two; 3|1|c|x"},
		{"UPDATE rooms r RIGHT JOIN messages m ON r.id = m.conversation_id SET m.body = COALESCE(r.title, 'none')",
			4, "1|1|a|one; 1|2|b|one; 2|1|a|two; 3|1|c|none"},
		{"UPDATE messages m JOIN rooms r ON r.id < 9 SET m.author = 'z' WHERE m.conversation_id = 1", 2,
			"1|1|z|x; 1|2|z|x; 2|1|a|x; 3|1|c|x"},
		{"UPDATE messages m JOIN rooms r ON r.id = m.conversation_id SET m.author = m.body, m.body = m.author", 3,
			"1|1|x|a; 1|2|x|b; 2|1|x|a; 3|1|c|x"},
		{"UPDATE messages m JOIN messages o ON o.conversation_id = m.conversation_id AND o.id = m.id + 1 " +
			"SET m.body = o.author", 1, "1|1|a|b; 1|2|b|x; 2|1|a|x; 3|1|c|x"},
		{"UPDATE messages JOIN (SELECT MAX(id) AS top FROM rooms) q SET body = q.top WHERE id = 2", 1,
			"1|1|a|x; 1|2|b|9; 2|1|a|x; 3|1|c|x"},
		{"UPDATE chat.messages m JOIN chat.rooms r ON r.id = m.conversation_id SET m.id = r.id + 10 WHERE m.id = 2",
			1, "1|1|a|x; 1|11|b|x; 2|1|a|x; 3|1|c|x"},
		{"DELETE m FROM messages m JOIN rooms r ON r.id = m.conversation_id", 3, "3|1|c|x"},
		{"DELETE FROM m USING messages m JOIN rooms r ON r.id = m.conversation_id WHERE r.title = 'two'", 1,
			"1|1|a|x; 1|2|b|x; 3|1|c|x"},
		{"DELETE messages FROM messages LEFT JOIN rooms r ON r.id = conversation_id WHERE r.id IS NULL", 1,
			"1|1|a|x; 1|2|b|x; 2|1|a|x"},
		{"DELETE m FROM rooms r LEFT JOIN messages m ON r.id = m.conversation_id", 3, "3|1|c|x"},
		{"DELETE m FROM messages m JOIN messages o ON o.author = m.author AND o.conversation_id <> m.conversation_id",
			2, "1|2|b|x; 3|1|c|x"},
		{"DELETE messages FROM messages WHERE id = 2", 1, "1|1|a|x; 2|1|a|x; 3|1|c|x"},
	} {
		w := joined(t)
		w.affects(x.affected, x.sql)
		w.want(x.rows, "SELECT * FROM messages")
		w.want("1|one; 2|two; 9|nine", "SELECT * FROM rooms")
	}
	w := joined(t)
	w.want("1|2|one", "UPDATE messages m JOIN rooms r ON r.id = m.conversation_id SET m.body = r.title "+
		"WHERE m.id = 2 RETURNING m.conversation_id, id, body")
	w.want("2|1|a|x", "DELETE m FROM messages m JOIN rooms r ON r.id = m.conversation_id WHERE r.id = 2 RETURNING *")
	w.affects(1, "UPDATE rooms r JOIN messages m ON m.conversation_id = r.id SET r.title = 'new' WHERE r.id = 1")
}

// readOnly lets a user read shared tables and not write them.
type readOnly struct{ ownRights }

func (r readOnly) CheckTable(t *ddl.Table, owner ident.UserID, write bool) error {
	if write && t.Kind == ddl.SharedTable {
		return fault.New(fault.PermissionDenied, "not yours to write")
	}
	return r.ownRights.CheckTable(t, owner, write)
}

func TestUpdate_OfJoinedTablesRefuses(t *testing.T) {
	w := joined(t)
	const join = "messages m JOIN rooms r ON r.id = m.conversation_id "
	for _, x := range []struct {
		code fault.Code
		sql  string
	}{
		{fault.InvalidSQL, "UPDATE " + join + "SET body = 'x'"},
		{fault.Unsupported, "UPDATE " + join + "SET m.body = 'x', r.title = 'y'"},
		{fault.TableNotFound, "UPDATE " + join + "SET messages.body = 'x'"},
		{fault.TableNotFound, "UPDATE messages SET rooms.title = 'x'"},
		{fault.ColumnNotFound, "UPDATE " + join + "SET m.title = 'x'"},
		{fault.InvalidSQL, "UPDATE " + join + "SET m._seq = 1"},
		{fault.Unsupported, "UPDATE messages m, rooms r SET m.body = 'x' LIMIT 1"},
		{fault.Unsupported, "DELETE m, r FROM " + join},
		{fault.TableNotFound, "DELETE rooms FROM messages WHERE id = 1"},
		{fault.TableNotFound, "DELETE x FROM " + join},
		{fault.Unsupported, "DELETE FROM messages USING rooms WHERE rooms.id = 1"},
		{fault.PermissionDenied, "UPDATE messages m JOIN chat.bob.messages b ON b.id = m.id SET m.body = b.body"},
		{fault.PermissionDenied, "UPDATE messages m JOIN chat.bob.messages b ON b.id = m.id SET b.body = m.body"},
		{fault.PermissionDenied, "DELETE b FROM messages m JOIN chat.bob.messages b ON b.id = m.id"},
		{fault.TableNotFound, "UPDATE (SELECT 1 AS a) q SET q.a = 2"},
	} {
		w.fails(x.code, x.sql)
	}
	w.env.Rights = readOnly{ownRights{"alice"}}
	w.affects(3, "UPDATE "+join+"SET m.body = r.title")
	w.fails(fault.PermissionDenied, "UPDATE "+join+"SET r.title = m.body")
	w.fails(fault.PermissionDenied, "DELETE r FROM "+join)
}
