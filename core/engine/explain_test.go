package engine_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/core/engine"
)

// explainBench has alice's messages 1 to 100 of conversation 1, and rooms.
func explainBench(t *testing.T) *bench {
	t.Helper()
	b := inMemory(t)
	b.chat()
	b.run(root, `CREATE SHARED TABLE chat.rooms (id BIGINT PRIMARY KEY, name TEXT)
		WITH (ACCESS = 'public')`)
	b.run(root, "CREATE SHARED TABLE chat.hidden (id BIGINT PRIMARY KEY)")
	for id := range 100 {
		b.run(alice, "INSERT INTO chat.messages VALUES (1, ?, 'x')", id+1)
	}
	return b
}

func TestEngine_Explain(t *testing.T) {
	b := explainBench(t)
	const point = "SELECT content FROM chat.messages WHERE conversation = 1 AND id = 2"
	b.run(alice, point)
	for _, tt := range []struct{ name, sql, want string }{
		{"a row by its key", point, `Direct plan, kept|
  Row of chat.messages by PRIMARY: conversation = 1 AND id = 2|` +
			`chat.messages key PRIMARY conversation = 1 AND id = 2`},
		{"the last of a range", `SELECT content FROM chat.messages WHERE conversation = 1
			AND id <= 9 ORDER BY id DESC LIMIT 5`, `Direct plan, made now|
  Limit: 5|
    Range of chat.messages by PRIMARY: conversation = 1 AND id <= 9, backward|` +
			`chat.messages range PRIMARY conversation = 1 AND id <= 9`},
		{"a filter besides the key", `SELECT id FROM chat.messages WHERE conversation = 1
			AND content = 'it''s' LIMIT 5 OFFSET 2`, `Direct read|
  Limit: 5 behind the first 2|
    Filter: conversation = 1 and content = 'it\'s'|
      Range of chat.messages by PRIMARY: conversation = 1|` +
			`chat.messages range PRIMARY conversation = 1`},
		{"the query engine", `SELECT content FROM chat.messages WHERE conversation = 1
			AND UPPER(content) = 'X' ORDER BY id DESC LIMIT 4`, `Query engine|
  Limit: 4|
    Project: messages.content|
      Filter: ((messages.conversation = 1) AND (upper(messages.content) = 'X'))|
        Range of chat.messages by PRIMARY: conversation = 1, backward, ` +
			`columns conversation, id, content|chat.messages range PRIMARY conversation = 1`},
		{"a join by key", `SELECT r.name FROM chat.messages m JOIN chat.rooms r
			ON r.id = m.conversation WHERE m.conversation > 5`, `Query engine|
  Project: r.name|
    Lookup join|
      Filter: (m.conversation > 5)|
        Range of chat.messages by PRIMARY: conversation > 5, columns conversation|` +
			`chat.messages range PRIMARY conversation > 5
      Rows of chat.rooms by PRIMARY = m.conversation, columns id, name|` +
			`chat.rooms lookup PRIMARY m.conversation`},
		{"groups", `SELECT conversation, COUNT(*), MAX(id) FROM chat.messages
			WHERE conversation > 0 GROUP BY conversation ORDER BY conversation DESC`, `Direct plan, made now|
  Sort: conversation DESC|
    Group by conversation: conversation, COUNT(*), MAX(id)|
      Range of chat.messages by PRIMARY: conversation > 0|` +
			`chat.messages range PRIMARY conversation > 0`},
		{"an aggregate", "SELECT AVG(id) FROM chat.messages", `Direct plan, made now|
  Aggregate: AVG(id)|
    All rows of chat.messages|chat.messages scan  `},
		{"a system table", "SELECT name FROM system.tables", `Query engine|
  All rows of system.tables, columns name|system.tables made  `},
		{"another user's rows", "EXECUTE AS USER 'alice' (EXPLAIN SELECT id FROM chat.messages)",
			`Direct plan, made now|
  All rows of chat.messages|chat.messages scan  `},
	} {
		t.Run(tt.name, func(t *testing.T) {
			who, sql := alice, "EXPLAIN "+tt.sql
			if strings.HasPrefix(tt.sql, "EXECUTE") {
				who, sql = service, tt.sql
			}
			var lines []string
			for _, r := range b.run(who, sql).Rows {
				line := r[0].Text() + "|" + r[1].Text()
				if r[1].Text() != "" {
					line += " " + r[2].Text() + " " + r[3].Text() + " " + r[4].Text()
				}
				lines = append(lines, line)
			}
			if got := strings.Join(lines, "\n"); got != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, tt.want)
			}
		})
	}
}

func TestEngine_ExplainAnalyze(t *testing.T) {
	b := explainBench(t)
	for sql, want := range map[string]string{
		"SELECT id FROM chat.messages WHERE conversation = 1 AND id > 90":      "Rows: 10 Rows read: 10",
		"SELECT id FROM chat.messages WHERE content = 'x' AND id = 7":          "Rows: 1 Rows read: 100",
		"SELECT COUNT(*), UPPER(content) FROM chat.messages GROUP BY content":  "Rows: 1 Rows read: 100",
		"SELECT COUNT(*) FROM chat.messages WHERE conversation = 1 AND id < 9": "Rows: 1 Rows read: 8",
	} {
		rows := strings.Split(b.rows(alice, "EXPLAIN ANALYZE "+sql), "\n")
		tail := rows[max(0, len(rows)-3):]
		for i := range tail {
			tail[i] = strings.TrimSpace(tail[i])
		}
		if got := strings.Join(tail[:2], " "); got != want {
			t.Errorf("%s: %s, want %s", sql, got, want)
		}
		if !regexp.MustCompile(`^Time: \d+\.\d{3} ms$`).MatchString(tail[2]) {
			t.Errorf("%s: %q", sql, tail[2])
		}
	}
}

func TestEngine_ExplainNeedsTheRightsOfTheSelect(t *testing.T) {
	b := explainBench(t)
	for _, form := range []string{"EXPLAIN ", "EXPLAIN ANALYZE "} {
		b.fails(alice, fault.PermissionDenied, form+"SELECT * FROM chat.bob.messages")
		b.fails(alice, fault.PermissionDenied, form+"SELECT * FROM system.stats")
		b.fails(alice, fault.TableNotFound, form+"SELECT * FROM chat.hidden")
		b.fails(alice, fault.TableNotFound, form+"SELECT * FROM chat.rooms r, chat.hidden h")
		b.fails(root, fault.UserRequired, form+"SELECT * FROM chat.user.messages")
		b.fails(alice, fault.ColumnNotFound, form+"SELECT nothing FROM chat.rooms")
		b.fails(alice, fault.Unsupported, form+"SELECT SLEEP(1)")
		b.fails(alice, fault.Unsupported, form+"DELETE FROM chat.messages")
	}
	b.want(alice, "100", "SELECT COUNT(*) FROM chat.messages")
}

// EXPLAIN tells what a read would meet of files, and system.stats what reads have.
func TestEngine_ExplainColdRows(t *testing.T) {
	b := open(t, "", engine.Options{Storage: engine.Memory, Cold: cold.Options{SegmentRows: 2000}})
	b.run(root, "CREATE NAMESPACE chat")
	b.run(root, "CREATE TABLE chat.m (id BIGINT PRIMARY KEY, n BIGINT, body TEXT, INDEX by_n (n))")
	for from := 0; from < 10_000; from += 500 {
		var rows []string
		for i := from; i < from+500; i++ {
			rows = append(rows, fmt.Sprintf("(%d, %d, 'text %d')", i, i/2000, i))
		}
		b.run(alice, "INSERT INTO chat.m VALUES "+strings.Join(rows, ","))
	}
	if _, err := b.db.Flush(t.Context(), "chat", "m", "alice"); err != nil {
		t.Fatal(err)
	}
	b.run(alice, "INSERT INTO chat.m VALUES (10000, 9, 'hot')")
	for sql, want := range map[string]string{
		"SELECT body FROM chat.m WHERE body LIKE '%7%'": "Cold rows: 5 segments, 5 with 10000 rows scanned",
		"SELECT body FROM chat.m WHERE id >= 4000 AND body > 'text 9'": "Cold rows: 5 segments, " +
			"2 left out by key, 2 by statistics, 1 with 2000 rows scanned",
		"SELECT COUNT(*), MAX(body) FROM chat.m WHERE id < 4000 AND UPPER(body) = 'X' AND n + 0 = 1": "Cold " +
			"rows: 5 segments, 3 left out by key, 2 with 4000 rows scanned",
		"SELECT n, SUM(id) FROM chat.m GROUP BY n":  "Cold rows: 5 segments, 5 with 10000 rows scanned",
		"SELECT body FROM chat.m WHERE body = 'no'": "Cold rows: 5 segments, 5 by statistics, none is read",
		"SELECT body FROM chat.m ORDER BY id DESC LIMIT 5": "Cold rows: 5 segments, 5 with 10000 rows, " +
			"which are fetched by their places",
		"SELECT body FROM chat.m WHERE id = 7": "",
		"SELECT body FROM chat.m WHERE n = 2":  "",
		"SELECT COUNT(*) FROM chat.m":          "",
	} {
		var got []string
		for _, r := range b.run(alice, "EXPLAIN "+sql).Rows {
			if text := strings.TrimSpace(r[0].Text()); strings.HasPrefix(text, "Cold") {
				got = append(got, text)
			}
		}
		if strings.Join(got, "; ") != want {
			t.Errorf("%s:\n got %q\nwant %q", sql, got, want)
		}
	}
	before := b.db.Cold().Figures()
	b.run(alice, "SELECT body FROM chat.m WHERE id >= 4000 AND body > 'text 9'")
	b.run(alice, "SELECT body FROM chat.m WHERE id = 7")
	f := b.db.Cold().Figures()
	if f.Scans-before.Scans != 1 || f.SegmentsPruned-before.SegmentsPruned != 2 ||
		f.GroupsRead-before.GroupsRead != 3 || f.GroupsPruned-before.GroupsPruned != 2 ||
		f.RowsScanned-before.RowsScanned != 2000 {
		t.Errorf("before %+v, after %+v", before, f)
	}
	r := b.run(root, "SELECT value FROM system.stats WHERE name = 'cold_groups_pruned'")
	if len(r.Rows) != 1 || r.Rows[0][0].Int() != f.GroupsPruned {
		t.Errorf("system.stats says %v, not %d", r.Rows, f.GroupsPruned)
	}
}
