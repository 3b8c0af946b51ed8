package engine_test

import (
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// In messages, conversation_id and id are the key.
func TestRun_RefusesColumnsThatDifferWithinAGroup(t *testing.T) {
	w := newWorld(t)
	w.fill(4)
	for _, x := range []struct{ sql, column string }{
		{"SELECT author, body FROM messages GROUP BY author", "body"},
		{"SELECT author, UPPER(m.body) FROM messages m GROUP BY author", "body"},
		{"SELECT author, COUNT(*) + id FROM messages GROUP BY author", "id"},
		{"SELECT * FROM messages GROUP BY id", "conversation_id"},
		{"SELECT id, author FROM messages GROUP BY id", "author"},
		{"SELECT id, _seq FROM messages GROUP BY id", "_seq"},
		{"SELECT id + 1 FROM messages GROUP BY id + 2", "id"},
		{"SELECT author FROM messages GROUP BY author ORDER BY body", "body"},
		{"SELECT author FROM messages GROUP BY author HAVING body > 'a'", "body"},
		{"SELECT d.a, d.b FROM (SELECT author a, body b FROM messages) d GROUP BY d.a", "b"},
		{"SELECT a, b FROM (SELECT author a, body b FROM messages) d GROUP BY a", "b"},
		{"SELECT x.id, y.body FROM messages x JOIN messages y ON y.id = x.id GROUP BY x.id", "body"},
		{"SELECT x.id, x.author FROM messages x LEFT JOIN messages y ON x.author = 'a' AND " +
			"y.id = x.id GROUP BY x.id", "author"},
		{"SELECT author, body FROM messages GROUP BY 1", "body"},
		{"SELECT author, COUNT(*) FROM messages", "author"},
		{"SELECT COUNT(*) FROM messages HAVING body > 'a'", "body"},
		{"SELECT author, (SELECT MAX(u.body) FROM messages u WHERE u.id = t.id) FROM messages t " +
			"GROUP BY author", "id"},
		{"SELECT COUNT(*), (SELECT title FROM rooms u WHERE u.id = t.id) FROM messages t", "id"},
		{"SELECT author, (SELECT COUNT(*) FROM rooms WHERE title > body) FROM messages t " +
			"GROUP BY author", "body"},
		{"SELECT author FROM messages t GROUP BY author " +
			"HAVING EXISTS (SELECT 1 FROM rooms r WHERE r.id = t.id)", "id"},
		{"SELECT author FROM messages t GROUP BY author " +
			"ORDER BY (SELECT MAX(u.id) FROM messages u WHERE u.id = t.id)", "id"},
		{"SELECT author, (SELECT COUNT(*) FROM rooms u WHERE u.id IN (SELECT t.id)) FROM messages t " +
			"GROUP BY author", "id"},
		{"SELECT * FROM (SELECT author, id FROM messages) d GROUP BY d.author", "id"},
		{"SELECT *, COUNT(*) FROM (SELECT author, id FROM messages) d", "author"},
		{"SELECT body FROM (SELECT author, body FROM messages) d JOIN rooms r ON r.id = 1 " +
			"GROUP BY author", "body"},
		{"WITH d AS (SELECT author, id FROM messages) SELECT * FROM d GROUP BY author", "id"},
		{"WITH d (x, y) AS (SELECT author, id FROM messages) SELECT * FROM d GROUP BY x", "y"},
	} {
		f := fault.From(w.fails(fault.InvalidSQL, x.sql))
		named := strings.Contains(x.sql, x.column)
		if !strings.Contains(f.Message, "column "+x.column+" is neither grouped") ||
			(f.Position > 0) != named {
			t.Errorf("%s: %v at %d", x.sql, f, f.Position)
		}
	}
}

func TestRun_TakesColumnsThatAreTheSameInAGroup(t *testing.T) {
	w := newWorld(t)
	w.fill(4)
	for _, sql := range []string{
		"SELECT author, MAX(body), COUNT(*) FROM messages GROUP BY author",
		"SELECT author a, COUNT(*) c FROM messages GROUP BY a HAVING c > 0 ORDER BY c, a",
		"SELECT UPPER(author) FROM messages m GROUP BY upper(m.author)",
		"SELECT (id + 1) * 2 FROM messages GROUP BY id + 1",
		"SELECT author, COUNT(*) FROM messages GROUP BY 1 ORDER BY 2",
		"SELECT * FROM messages GROUP BY conversation_id, id",
		"SELECT id, author FROM messages WHERE conversation_id = 1 GROUP BY id",
		"SELECT id, author, _seq FROM messages GROUP BY id, conversation_id ORDER BY body",
		"SELECT x.id, y.body FROM messages x JOIN messages y ON y.id = x.id AND " +
			"y.conversation_id = x.conversation_id GROUP BY x.id, x.conversation_id",
		"SELECT x.id, y.body FROM messages x LEFT JOIN messages y ON y.id = x.id AND " +
			"y.conversation_id = x.conversation_id GROUP BY x.id, x.conversation_id",
		"SELECT id, COUNT(*) FROM messages x JOIN messages y USING (id) GROUP BY id",
		"SELECT author, 7, CASE WHEN author = 'a' THEN COUNT(*) END FROM messages GROUP BY author",
		"SELECT author, (SELECT COUNT(*) FROM messages i WHERE i.author = o.author) " +
			"FROM messages o GROUP BY author",
		"SELECT (SELECT MAX(o.id) FROM messages i GROUP BY i.author LIMIT 1) FROM messages o",
		"SELECT COUNT(*) c, MAX(id) FROM messages HAVING c > 1 ORDER BY id",
		"SELECT author, COUNT(*) OVER () FROM messages",
		"SELECT author, COUNT(*) FROM messages WHERE author = 'a'",
		"SELECT author, (SELECT COUNT(*) FROM messages) FROM messages",
		"SELECT d.a, COUNT(*) FROM (SELECT author a FROM messages) d GROUP BY d.a",
		"SELECT * FROM (SELECT author, id FROM messages) d GROUP BY author, d.id",
		"WITH d (x, y) AS (SELECT author, id FROM messages) SELECT * FROM d GROUP BY x, y",
		"SELECT *, COUNT(*) FROM (SELECT 1 AS a UNION SELECT 2) d GROUP BY a",
		"SELECT d.*, r.id FROM (SELECT * FROM texts) d JOIN rooms r ON TRUE GROUP BY k, u, n, r.id",
		"SELECT author, (SELECT COUNT(*) FROM rooms r WHERE r.title > author) FROM messages " +
			"GROUP BY author",
		"SELECT author, (SELECT MAX(CONCAT(t.author, u.title)) FROM rooms u) FROM messages t " +
			"GROUP BY author",
		"SELECT author, (SELECT MAX(id) FROM rooms) FROM messages GROUP BY author",
	} {
		if _, err := w.try(sql); err != nil {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

func TestRun_RefusesAnAggregateOfTheOuterQuery(t *testing.T) {
	w := newWorld(t)
	for _, sql := range []string{
		"SELECT author, (SELECT MAX(t.id) FROM rooms u) FROM messages t GROUP BY author",
		"SELECT author, (SELECT COUNT(t.author) FROM rooms u) FROM messages t GROUP BY author",
		"SELECT author FROM messages t GROUP BY author HAVING 1 IN (SELECT u.id FROM rooms u " +
			"WHERE u.id = MAX(t.id))",
	} {
		err := w.fails(fault.Unsupported, sql)
		if err != nil && !strings.Contains(err.Error(), "outside of the query it stands in") {
			t.Errorf("%s: %v", sql, err)
		}
	}
}
