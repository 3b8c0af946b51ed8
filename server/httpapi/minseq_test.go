package httpapi_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/servertest"
)

func TestSQL_MinSeq(t *testing.T) {
	s := servertest.WithMessages(t, "KALAMDB_LIMITS_STATEMENT_TIMEOUT=300ms")
	seq := s.MustSQL(t, user("alice"), "INSERT INTO chat.messages VALUES (1, 'a')")[0].Seq
	for value, want := range map[string]fault.Code{
		seq: "", seq + ", 0:1": "", "": "",
		"soon": fault.InvalidParameter, "99:1": fault.InvalidParameter,
		seq + "0": fault.StatementTimeout,
	} {
		_, answer := s.SQL(t, user("alice"), wire.SQLRequest{SQL: "SELECT id FROM chat.messages"},
			servertest.With(wire.HeaderMinSeq, value))
		switch e := answer.Error; {
		case want == "" && (e != nil || answer.Results[0].RowCount != 1):
			t.Errorf("%q: %+v", value, answer)
		case want != "" && (e == nil || e.Code != want):
			t.Errorf("%q: %+v, want %s", value, e, want)
		}
	}
}
