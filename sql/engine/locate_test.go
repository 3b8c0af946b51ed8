package engine_test

import (
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

func TestRun_SaysWhere(t *testing.T) {
	w := newWorld(t)
	w.fill(2)
	w.run("INSERT INTO stock VALUES (1, 1, 2, 'x'), (2, 1, 2, 'x')")
	for _, x := range []struct {
		code fault.Code
		sql  string // ~ stands before what is wrong
		say  string
	}{
		{fault.ColumnNotFound, "SELECT id, ~bdy FROM messages", "did you mean body?"},
		{fault.ColumnNotFound, "SELECT id FROM messages m WHERE ~m.autor = 'x'", "did you mean author?"},
		{fault.ColumnNotFound, "SELECT id FROM messages ORDER BY id, ~bdy", "did you mean body?"},
		{fault.ColumnNotFound, "SELECT 'the bdy', id FROM messages GROUP BY id, ~`bdy`", "did you mean body?"},
		{fault.ColumnNotFound, "UPDATE messages SET ~bdy = 'x'", "did you mean body?"},
		{fault.ColumnNotFound, "INSERT INTO messages (id, ~bdy) VALUES (1, 'x')", "did you mean body?"},
		{fault.ColumnNotFound, "DELETE FROM messages WHERE ~bdy = 1", "did you mean body?"},
		{fault.TableNotFound, "SELECT * FROM ~mesages", "did you mean chat.messages?"},
		{fault.TableNotFound, "SELECT mesages.id FROM ~chat.mesages", "did you mean chat.messages?"},
		{fault.TableNotFound, "SELECT * FROM messages a JOIN ~chat.user.mesages b", "did you mean"},
		{fault.TableNotFound, "SELECT ~x.id FROM messages", "no table called x"},
		{fault.TableNotFound, "INSERT INTO ~mesages VALUES (1)", "did you mean"},
		{fault.TableNotFound, "UPDATE ~mesages SET id = 1", "did you mean"},
		{fault.TableNotFound, "DELETE FROM ~mesages", "did you mean"},
		{fault.NamespaceNotFound, "SELECT * FROM ~chta.messages", "did you mean chat?"},
		{fault.InvalidSQL, "SELECT ~COALESC(id, 1) FROM messages", "did you mean COALESCE?"},
		{fault.InvalidSQL, "SELECT ~id FROM messages a, messages b", "ambiguous"},
		{fault.InvalidSQL, "INSERT INTO messages (id, author) VALUES (1, 'a'), ~(2)", "1 values for 2"},
		{fault.NotNullViolation, "INSERT INTO messages (conversation_id, ~id) VALUES (1, NULL)", "id"},
		{fault.TypeMismatch, "INSERT INTO messages (conversation_id, ~id) VALUES (1, 'x')", "id"},
		{fault.ValueOutOfRange, "INSERT INTO messages (conversation_id, ~id) VALUES (1, 1e30)", "id"},
		{fault.CheckViolation, "UPDATE stock SET unit = 'x', ~low = 0", "positive"},
		{fault.CheckViolation, "UPDATE stock SET ~high = 0 WHERE id = 1", "ordered"},
		{fault.CheckViolation, "INSERT INTO stock (id, ~low) SELECT 9, 0", "positive"},
		{fault.CheckViolation, "~INSERT INTO stock SELECT 9, 0, 1, 'x'", "positive"},
		{fault.CheckViolation, "INSERT INTO stock VALUES (8, 1, 2, 'x'), ~(9, 0, 1, 'x')", "positive"},
		{fault.DuplicateKey, "UPDATE stock SET high = 5, ~id = 2 WHERE id = 1", "id = 2"},
		{fault.DuplicateKey, "INSERT INTO stock (low, ~id) SELECT 1, 2", "id = 2"},
		{fault.DuplicateKey, "~INSERT INTO stock SELECT * FROM stock", "id = 1"},
		{fault.TypeMismatch, "UPDATE stock SET high = 5, ~low = 'x' WHERE id = 1", "low"},
		{fault.TypeMismatch, "UPDATE stock SET high = 5, ~low = CONCAT('x', id)", "low"},
		{fault.TypeMismatch, "INSERT INTO stock (id, ~low) SELECT 9, 'x'", "low"},
		{fault.ValueOutOfRange, "UPDATE stock SET ~low = 1e30 WHERE id = 1", "low"},
		{fault.NotNullViolation, "UPDATE stock SET low = 1, ~id = NULL", "id"},
		{fault.ValueOutOfRange, "SELECT id, id + ~9223372036854775807 FROM messages", "BIGINT"},
		{fault.ValueOutOfRange, "SELECT id FROM messages WHERE id = ~'1e9999'", "1e9999"},
		{fault.ValueOutOfRange, "~SELECT (id + 9223372036854775806) * (id + 5) FROM messages", "BIGINT"},
		{fault.ValueOutOfRange, "UPDATE messages SET body = 1, author = id * ~9223372036854775807", "BIGINT"},
		{fault.InvalidSQL, "UPDATE messages SET ~body = 1, body = 2", "twice"},
	} {
		at := strings.IndexByte(x.sql, '~')
		sql := strings.Replace(x.sql, "~", "", 1)
		_, err := w.try(sql)
		f := fault.From(err)
		if f == nil || f.Code != x.code || f.Position != at+1 || !strings.Contains(f.Message, x.say) {
			t.Errorf("%s\ngot %+v\nwant %s at %d, saying %q", sql, f, x.code, at+1, x.say)
		}
	}
}

func TestCompileLive_SaysWhere(t *testing.T) {
	w := newWorld(t)
	for _, x := range []struct {
		code fault.Code
		sql  string // ~ stands before what is wrong
	}{
		{fault.ColumnNotFound, "SELECT * FROM messages WHERE ~autor = 'x'"},
		{fault.ColumnNotFound, "SELECT id, ~bdy FROM messages"},
		{fault.ColumnNotFound, "SELECT COUNT(~bdy) FROM messages"},
		{fault.TableNotFound, "SELECT * FROM ~mesages"},
		{fault.LiveUnsupportedQuery, "SELECT ~SLEEP(1) FROM messages"},
	} {
		at := strings.IndexByte(x.sql, '~')
		_, _, err := w.live(strings.Replace(x.sql, "~", "", 1))
		if f := fault.From(err); f == nil || f.Code != x.code || f.Position != at+1 {
			t.Errorf("%s\ngot %+v\nwant %s at %d", x.sql, f, x.code, at+1)
		}
	}
}
