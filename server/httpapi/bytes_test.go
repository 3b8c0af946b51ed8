package httpapi_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/servertest"
)

func TestSQL_BytesAreBase64InAndOut(t *testing.T) {
	s := servertest.WithMessages(t)
	s.MustSQL(t, servertest.Root(), "CREATE TABLE chat.blobs (id INT PRIMARY KEY, b BYTES, t TEXT)")
	for i, sql := range []string{
		"INSERT INTO chat.blobs VALUES (?, ?, ?)",
		"INSERT INTO chat.blobs (id, b, t) VALUES ($1, ($2), CONCAT($3, ''))",
		"INSERT INTO chat.blobs VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING",
	} {
		s.MustSQL(t, user("alice"), sql, i, "AP8=", "AP8=")
	}
	s.MustSQL(t, user("alice"), "INSERT INTO chat.blobs VALUES (3, 'AP8=', 'a literal is what it says')")
	s.MustSQL(t, user("alice"), "INSERT INTO chat.blobs (id) VALUES (4)")
	s.MustSQL(t, user("alice"), "UPDATE chat.blobs SET b = ? WHERE id = 4", "AP8=")
	s.MustSQL(t, user("alice"), "INSERT INTO chat.blobs (id) VALUES (5)")
	s.MustSQL(t, user("alice"), "UPDATE chat.blobs SET b = ? WHERE t IS NULL AND id > 4", "AP8=")
	rows := s.MustSQL(t, user("alice"), "SELECT id, HEX(b), b, t FROM chat.blobs ORDER BY id")[0].Rows
	for i, r := range rows {
		hex, out := "00FF", "AP8="
		if i == 3 {
			hex, out = "4150383D", "QVA4PQ=="
		}
		if r[1] != hex || r[2] != out || i < 3 && r[3] != "AP8=" {
			t.Errorf("row %d is %v", i, r)
		}
	}
	for sql, want := range map[string]string{
		"SELECT COUNT(*) FROM chat.blobs WHERE b = ?":               "5",
		"SELECT COUNT(*) FROM chat.blobs WHERE ? <> b":              "1",
		"SELECT COUNT(*) FROM chat.blobs WHERE b IN (?, x'00')":     "5",
		"SELECT COUNT(*) FROM chat.blobs WHERE b BETWEEN ? AND 'z'": "6",
		"SELECT COUNT(*) FROM chat.blobs WHERE t = ?":               "3",
	} {
		if got := s.MustSQL(t, user("alice"), sql, "AP8=")[0].Rows[0][0]; got != want {
			t.Errorf("%s: %v, want %s", sql, got, want)
		}
	}
	for _, sql := range []string{"INSERT INTO chat.blobs (id, b) VALUES (9, ?)",
		"UPDATE chat.blobs SET b = ? WHERE id = 1", "SELECT id FROM chat.blobs WHERE b = ?"} {
		_, answer := s.SQL(t, user("alice"), wire.SQLRequest{SQL: sql, Params: []any{"no base64!"}})
		if answer.Error == nil || answer.Error.Code != fault.TypeMismatch {
			t.Errorf("%s: %+v", sql, answer.Error)
		}
	}
}
