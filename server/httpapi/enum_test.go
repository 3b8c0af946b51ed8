package httpapi_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/servertest"
)

func TestSQL_RepeatedReturningShowsLabels(t *testing.T) {
	s := servertest.WithMessages(t)
	s.MustSQL(t, servertest.Root(), "CREATE TABLE chat.tasks (id INT PRIMARY KEY, "+
		"state ENUM('open', 'done') NOT NULL DEFAULT 'open', near EMBEDDING(2))")
	for range 2 {
		_, answer := s.SQL(t, user("alice"), wire.SQLRequest{RequestID: "once",
			SQL: "INSERT INTO chat.tasks (id, near) VALUES (1, ?) RETURNING *", Params: []any{[]any{1, 0.5}}})
		if answer.Error != nil {
			t.Fatalf("%+v", answer.Error)
		}
		r := answer.Results[0]
		if r.Schema[1].DataType != "Enum" || r.Rows[0][1] != "open" || len(r.Rows[0][2].([]any)) != 2 {
			t.Errorf("%+v", r)
		}
	}
	if got := s.MustSQL(t, user("alice"), "SELECT COUNT(*) FROM chat.tasks")[0].Rows[0][0]; got != "1" {
		t.Errorf("%v rows", got)
	}
}
