package httpapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
	"github.com/kalamdb/kalamdb-go/server/servertest"
)

// endlessReads are statements over 3,000 rows that take minutes, each in
// another part of the query engine.
var endlessReads = map[string]string{
	"a join": "SELECT COUNT(*) FROM chat.messages a JOIN chat.messages b ON a.body < b.body " +
		"CROSS JOIN chat.messages c",
	"a join by hash": "SELECT COUNT(*) FROM chat.messages a CROSS JOIN chat.messages b " +
		"JOIN chat.messages c ON a.body = c.body",
	"a left join": "SELECT COUNT(*) FROM chat.messages a LEFT JOIN (chat.messages b " +
		"CROSS JOIN chat.messages c) ON a.body > b.body AND c.body > a.body",
	"a sort of few": "SELECT a.id FROM chat.messages a, chat.messages b, chat.messages c " +
		"ORDER BY b.body, c.body LIMIT 5",
	"groups": "SELECT a.id, COUNT(*) FROM chat.messages a, chat.messages b, chat.messages c " +
		"GROUP BY a.id",
	"distinct": "SELECT DISTINCT a.id % 7 FROM chat.messages a, chat.messages b, chat.messages c",
	"a filter that nothing passes": "SELECT a.id FROM chat.messages a, chat.messages b, " +
		"chat.messages c WHERE CONCAT(a.body, b.body, c.body) = 'x'",
	"a subquery for each row": "SELECT COUNT(*) FROM chat.messages a WHERE (SELECT COUNT(*) " +
		"FROM chat.messages b, chat.messages c WHERE b.body < a.body) < 0",
	"EXISTS": "SELECT COUNT(*) FROM chat.messages a WHERE NOT EXISTS (SELECT 1 " +
		"FROM chat.messages b, chat.messages c WHERE b.id + c.id = -1 - a.id)",
	"a union": "SELECT a.id FROM chat.messages a, chat.messages b, chat.messages c " +
		"UNION SELECT 1 ORDER BY 1 LIMIT 1",
}

func TestSQL_EndsWithItsClient(t *testing.T) {
	s := servertest.WithMessages(t)
	fill(t, s, 3000)
	for name, sql := range endlessReads {
		t.Run(name, func(t *testing.T) {
			conn := begin(t, s, sql, "application/json")
			servertest.Eventually(t, "the statement runs", func() bool { return views(t, s) == 1 })
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			left := time.Now()
			servertest.Eventually(t, "the statement ends", func() bool { return views(t, s) == 0 })
			if took := time.Since(left); took > 20*time.Second {
				t.Errorf("it went on for %s", took)
			}
		})
	}
}

func TestSQL_StatementTimeout(t *testing.T) {
	s := servertest.WithMessages(t, "KALAMDB_LIMITS_STATEMENT_TIMEOUT=500ms")
	for i := range 6 {
		fillFrom(t, s, 500*i, 500)
	}
	for name, sql := range endlessReads {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			status, answer := s.SQL(t, user("alice"), wire.SQLRequest{SQL: sql})
			if answer.Error == nil || answer.Error.Code != fault.StatementTimeout ||
				status != fault.StatementTimeout.Info().HTTP || status == http.StatusOK {
				t.Errorf("%d %+v", status, answer.Error)
			}
			if took := time.Since(start); took > 20*time.Second { // they would take hours
				t.Errorf("it took %s", took)
			}
		})
	}
	if n := views(t, s); n != 0 {
		t.Errorf("%d views were not released", n)
	}
}
