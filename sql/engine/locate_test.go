package engine_test

import (
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

func TestRun_SaysWhere(t *testing.T) {
	w := newWorld(t)
	w.fill(2)
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
