package httpapi_test

import (
	"fmt"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/servertest"
)

func TestSQL_ActsForOthersAreAudited(t *testing.T) {
	s := servertest.WithMessages(t)
	status, answer := s.SQL(t, servertest.Root(), wire.SQLRequest{
		SQL: "INSERT INTO chat.messages VALUES (1, 'a secret')", RequestID: "r1",
	}, servertest.With(wire.HeaderUserID, "alice"))
	if answer.Error != nil {
		t.Fatal(status, answer.Error)
	}
	got := s.MustSQL(t, servertest.Root(), `SELECT actor, acting_for, kind, object, outcome, count,
		request_id, remote_address FROM system.audit_log WHERE acting_for = 'alice'`)[0].Rows
	want := "[[root alice INSERT chat.messages success 1 r1 127.0.0.1]]"
	if fmt.Sprint(got) != want {
		t.Errorf("the log has %v, want %s", got, want)
	}
}
