package httpapi_test

import (
	"net/http"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/servertest"
)

func TestSQL_ReturningHasRowsAndCounts(t *testing.T) {
	s := servertest.WithMessages(t)
	const upsert = "INSERT INTO chat.messages VALUES (1, 'x') " +
		"ON DUPLICATE KEY UPDATE body = VALUES(body) RETURNING id, body, _seq"
	for i, want := range []int64{1, 0} {
		r := s.MustSQL(t, user("alice"), upsert)[0]
		if r.RowCount != want || len(r.Rows) != 1 || r.Rows[0][0] != "1" || r.Rows[0][1] != "x" {
			t.Errorf("run %d: %+v", i, r)
		}
		if seq, ok := r.Rows[0][2].(string); !ok || want == 1 && seq == "" {
			t.Errorf("run %d: _seq is %v", i, r.Rows[0][2])
		}
		if len(r.Schema) != 3 || r.Schema[0].Name != "id" || r.Schema[2].DataType != "BigInt" {
			t.Errorf("schema = %+v", r.Schema)
		}
	}
	r := s.MustSQL(t, user("alice"), "REPLACE INTO chat.messages VALUES (1, 'y')")[0]
	if r.RowCount != 1 || len(r.Rows) != 0 || r.Message != "1 row written" {
		t.Errorf("REPLACE gave %+v", r)
	}
	status, a := s.SQL(t, user("alice"), wire.SQLRequest{SQL: "DELETE FROM chat.messages RETURNING nobody"})
	if status != http.StatusBadRequest && status != http.StatusNotFound || codeOf(a.Error) != fault.ColumnNotFound {
		t.Errorf("%d %+v", status, a.Error)
	}
	r = s.MustSQL(t, user("alice"), "DELETE FROM chat.messages RETURNING *")[0]
	if r.RowCount != 1 || len(r.Rows) != 1 || r.Rows[0][1] != "y" || r.Seq == "" {
		t.Errorf("DELETE gave %+v", r)
	}
}
