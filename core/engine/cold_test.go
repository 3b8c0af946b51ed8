package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/core/engine"
)

// flush moves a user's rows of chat.m to the cold tier, and returns how many went.
func (b *bench) flush(u ident.UserID) int64 {
	b.t.Helper()
	r, err := b.db.Flush(b.t.Context(), "chat", "m", u)
	if err != nil {
		b.t.Fatal(err)
	}
	return r.Swapped
}

// moveRows flushes a user's rows of a table of chat, or compacts its segments.
func (b *bench) moveRows(table ident.TableName, u ident.UserID, compact bool) {
	b.t.Helper()
	var err error
	if compact {
		_, err = b.db.Compact(b.t.Context(), "chat", table, u)
	} else {
		_, err = b.db.Flush(b.t.Context(), "chat", table, u)
	}
	if err == nil {
		_, err = b.db.SweepCold(b.t.Context(), "chat", table)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) compact(u ident.UserID) {
	b.t.Helper()
	if _, err := b.db.Compact(b.t.Context(), "chat", "m", u); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) sweep() int {
	b.t.Helper()
	n, err := b.db.SweepCold(b.t.Context(), "chat", "m")
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// coldBench has a table chat.m with rows 1 to n of alice and bob each, all cold.
func coldBench(t *testing.T, n int, o engine.Options) *bench {
	dir := ""
	if o.Storage != engine.Memory {
		dir = t.TempDir()
	}
	b := open(t, dir, o)
	b.run(root, "CREATE NAMESPACE chat")
	b.run(root, `CREATE TABLE chat.m (id BIGINT PRIMARY KEY, room INT, body TEXT,
		price DECIMAL(10, 2), tag ENUM('a', 'b'), INDEX by_room (room))`)
	for _, who := range []engine.Identity{alice, bob} {
		var rows []string
		for i := 1; i <= n; i++ {
			rows = append(rows, fmt.Sprintf("(%d, %d, '%s %d', %d.5, '%c')",
				i, i%3, who.Caller, i, i, 'a'+byte(i%2)))
		}
		b.run(who, "INSERT INTO chat.m VALUES "+strings.Join(rows, ", "))
	}
	for _, who := range []engine.Identity{alice, bob} {
		if got := b.flush(who.Caller); got != int64(n) {
			t.Fatalf("flushed %d rows of %s", got, who.Caller)
		}
		if got := b.flush(who.Caller); got != 0 {
			t.Fatalf("flushed %d cold rows of %s", got, who.Caller)
		}
	}
	return b
}

// list returns a result as rows with a comma between them.
func (b *bench) list(id engine.Identity, sql string) string {
	b.t.Helper()
	return strings.ReplaceAll(b.rows(id, sql), "\n", ", ")
}

func (b *bench) figure(name string) string {
	b.t.Helper()
	return b.list(root, "SELECT value FROM system.stats WHERE name = '"+name+"'")
}

func TestCold_ReadsAsBefore(t *testing.T) {
	b := coldBench(t, 40, engine.Options{Storage: engine.Memory})
	for sql, want := range map[string]string{
		"SELECT body FROM chat.m WHERE id = 7":                               "alice 7",
		"SELECT body FROM chat.m WHERE id = 77":                              "",
		"SELECT id, body, price, tag FROM chat.m WHERE id = 3":               "3 alice 3 3.50 b",
		"SELECT id FROM chat.m ORDER BY id DESC LIMIT 3":                     "40, 39, 38",
		"SELECT id FROM chat.m WHERE id > 20 AND id < 24":                    "21, 22, 23",
		"SELECT COUNT(*) FROM chat.m":                                        "40",
		"SELECT COUNT(*) FROM chat.m WHERE body LIKE 'alice%'":               "40",
		"SELECT id FROM chat.m WHERE room = 2 ORDER BY id LIMIT 2":           "2, 5",
		"SELECT room, COUNT(*) FROM chat.m GROUP BY room ORDER BY room":      "0 13, 1 14, 2 13",
		"SELECT SUM(price) FROM chat.m WHERE room = 1":                       "294.00",
		"SELECT MAX(body) FROM chat.m":                                       "alice 9",
		"SELECT a.id FROM chat.m a JOIN chat.m b ON a.id = b.id + 38":        "39, 40",
		"SELECT id FROM chat.m WHERE tag = 'a' ORDER BY id LIMIT 2":          "2, 4",
		"SELECT _deleted, body FROM chat.m WHERE id IN (1, 2)":               "false alice 1, false alice 2",
		"SELECT id FROM chat.m WHERE _seq > 0 AND id < 3":                    "1, 2",
		"SELECT id FROM chat.m WHERE id = 5 OR body = 'alice 9' ORDER BY id": "5, 9",
	} {
		if got := b.list(alice, sql); got != want {
			t.Errorf("%s: got %q, want %q", sql, got, want)
		}
	}
	if got := b.list(bob, "SELECT body FROM chat.m WHERE id = 7"); got != "bob 7" {
		t.Errorf("bob has %q", got)
	}
}

// TestCold_HotTierAnswers asks what needs no file.
func TestCold_HotTierAnswers(t *testing.T) {
	b := coldBench(t, 20, engine.Options{Storage: engine.Memory})
	before := b.figure("cold_rows_fetched")
	b.fails(alice, fault.DuplicateKey, "INSERT INTO chat.m (id) VALUES (5)")
	b.fails(alice, fault.DuplicateKey, "INSERT INTO chat.m (id) SELECT 5")
	if got := b.list(alice, "SELECT COUNT(*) FROM chat.m WHERE id > 5"); got != "15" {
		t.Errorf("counted %s", got)
	}
	b.run(alice, "INSERT INTO chat.m (id) VALUES (5) ON CONFLICT DO NOTHING")
	b.run(alice, "INSERT INTO chat.m (id) VALUES (21)")
	if after := b.figure("cold_rows_fetched"); after != before {
		t.Errorf("fetched %s rows, %s before", after, before)
	}
}

func TestCold_Writes(t *testing.T) {
	b := coldBench(t, 20, engine.Options{Storage: engine.Memory})
	b.run(alice, "UPDATE chat.m SET body = 'new' WHERE id = 1")
	b.run(alice, "UPDATE chat.m SET body = CONCAT(body, '!') WHERE id = 2")
	b.run(alice, "UPDATE chat.m SET body = CONCAT(body, '!') WHERE id IN (2, 3)")
	b.run(alice, "UPDATE chat.m SET id = 104 WHERE id = 4")
	b.run(alice, "UPDATE chat.m SET room = 9 WHERE room = 2 AND id < 9")
	b.run(alice, "DELETE FROM chat.m WHERE id = 6")
	b.run(alice, "REPLACE INTO chat.m (id, body) VALUES (7, 'seven')")
	b.run(alice, "INSERT INTO chat.m (id, body) VALUES (10, 'x') "+
		"ON DUPLICATE KEY UPDATE body = CONCAT(body, VALUES(body))")
	if got := b.list(alice, "DELETE FROM chat.m WHERE id = 11 RETURNING body, price"); got !=
		"alice 11 11.50" {
		t.Errorf("DELETE returned %q", got)
	}
	if got := b.list(alice, "UPDATE chat.m SET price = 1 WHERE id = 12 RETURNING body"); got !=
		"alice 12" {
		t.Errorf("UPDATE returned %q", got)
	}
	const all = "SELECT id, room, body, price FROM chat.m ORDER BY id"
	want := "1 1 new 1.50, 2 9 alice 2!! 2.50, 3 0 alice 3! 3.50, 5 9 alice 5 5.50, " +
		"7  seven , 8 9 alice 8 8.50, 9 0 alice 9 9.50, 10 1 alice 10x 10.50, " +
		"12 0 alice 12 1.00, 13 1 alice 13 13.50, 14 2 alice 14 14.50, 15 0 alice 15 15.50, " +
		"16 1 alice 16 16.50, 17 2 alice 17 17.50, 18 0 alice 18 18.50, 19 1 alice 19 19.50, " +
		"20 2 alice 20 20.50, 104 1 alice 4 4.50"
	check := func(when string) {
		t.Helper()
		if got := b.list(alice, all); got != want {
			t.Errorf("%s:\n got %s\nwant %s", when, got, want)
		}
		if got := b.list(alice, "SELECT id FROM chat.m WHERE room = 9 ORDER BY id"); got != "2, 5, 8" {
			t.Errorf("%s: room 9 has %s", when, got)
		}
	}
	check("after writes")
	b.flush("alice")
	check("after a flush")
	b.compact("alice")
	check("after a compaction")
	if n := b.sweep(); n != 2 {
		t.Errorf("swept %d files", n)
	}
	check("after a sweep")
	if got := b.list(bob, "SELECT COUNT(*), MIN(body) FROM chat.m"); got != "20 bob 1" {
		t.Errorf("bob has %s", got)
	}
	if got := b.list(alice, "SELECT body FROM chat.m WHERE _deleted AND id = 6"); got != "alice 6" {
		t.Errorf("the deleted row is %q", got)
	}
}

// TestCold_Transactions writes over rows that become cold while it is open.
func TestCold_Transactions(t *testing.T) {
	b := inMemory(t)
	b.run(root, "CREATE NAMESPACE chat")
	b.run(root, "CREATE TABLE chat.m (id BIGINT PRIMARY KEY, body TEXT, INDEX (body))")
	b.run(alice, "INSERT INTO chat.m VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd')")
	c := b.client(alice)
	in := func(sql string) {
		t.Helper()
		if _, err := c.send(sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	in("BEGIN")
	in("UPDATE chat.m SET body = 'aa' WHERE id = 1")
	if got := b.flush("alice"); got != 4 {
		t.Fatalf("flushed %d rows", got)
	}
	in("UPDATE chat.m SET body = CONCAT(body, 'b') WHERE id = 2")
	in("DELETE FROM chat.m WHERE id = 3")
	in("SELECT * FROM chat.m WHERE id = 4 FOR UPDATE")
	in("COMMIT")
	if got := b.list(alice, "SELECT id, body FROM chat.m ORDER BY id"); got != "1 aa, 2 bb, 4 d" {
		t.Errorf("got %s", got)
	}
	in("BEGIN")
	in("UPDATE chat.m SET body = 'dd' WHERE id = 4")
	in("UPDATE chat.m SET body = 'ddd' WHERE id = 4")
	in("COMMIT")
	if got := b.list(alice, "SELECT id FROM chat.m WHERE body = 'ddd'"); got != "4" {
		t.Errorf("got %s", got)
	}
	if got := b.list(alice, "SELECT id FROM chat.m WHERE body = 'd'"); got != "" {
		t.Errorf("an old entry names %s", got)
	}
}

// TestCold_AlterReadsOldSegments reads rows that were written to a segment before
// the table changed, and fills an index from them.
func TestCold_AlterReadsOldSegments(t *testing.T) {
	b := coldBench(t, 10, engine.Options{Storage: engine.Memory})
	b.run(root, "ALTER TABLE chat.m ADD COLUMN n INT DEFAULT 5")
	b.run(root, "ALTER TABLE chat.m DROP COLUMN price")
	b.run(root, "ALTER TABLE chat.m RENAME COLUMN body TO words")
	b.run(root, "ALTER TABLE chat.m MODIFY COLUMN room BIGINT")
	want := "3 0 alice 3 b 5"
	if got := b.list(alice, "SELECT * FROM chat.m WHERE id = 3"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	b.run(root, "CREATE INDEX by_words ON chat.m (words)")
	if got := b.list(alice, "SELECT id FROM chat.m WHERE words = 'alice 4'"); got != "4" {
		t.Errorf("by the new index: %q", got)
	}
	b.run(alice, "UPDATE chat.m SET n = 6 WHERE id = 4")
	b.flush("alice")
	b.compact("alice")
	if got := b.list(alice, "SELECT * FROM chat.m WHERE id IN (3, 4)"); got !=
		want+", 4 1 alice 4 a 6" {
		t.Errorf("after a compaction: %q", got)
	}
	if n := b.sweep(); n != 2 {
		t.Errorf("swept %d files", n)
	}
	b.run(root, "TRUNCATE TABLE chat.m")
	if got := b.list(alice, "SELECT COUNT(*) FROM chat.m"); got != "0" {
		t.Errorf("after TRUNCATE: %s", got)
	}
	b.run(root, "DROP TABLE chat.m")
}

func TestCold_SharedTable(t *testing.T) {
	b := inMemory(t)
	b.run(root, "CREATE NAMESPACE chat")
	b.run(root, "CREATE SHARED TABLE chat.m (id INT PRIMARY KEY, v TEXT)")
	b.run(root, "INSERT INTO chat.m VALUES (1, 'x'), (2, 'y')")
	if got := b.flush(""); got != 2 {
		t.Errorf("flushed %d rows", got)
	}
	if got := b.list(root, "SELECT v FROM chat.m ORDER BY id DESC"); got != "y, x" {
		t.Errorf("got %s", got)
	}
}

// TestCold_LongScans compares what scans say of many rows before and after they
// became cold: then only the columns that are needed are read.
func TestCold_LongScans(t *testing.T) {
	b := open(t, "", engine.Options{Storage: engine.Memory,
		Cold: cold.Options{CacheBytes: 1, SegmentRows: 700}})
	b.run(root, "CREATE NAMESPACE chat")
	b.run(root, `CREATE TABLE chat.m (id BIGINT PRIMARY KEY, room INT, body TEXT NOT NULL,
		price DECIMAL(10, 2), tag ENUM('a', 'b'), at DATETIME, INDEX by_room (room))`)
	for lo := 0; lo < 3000; lo += 500 {
		var rows []string
		for i := lo; i < lo+500; i++ {
			rows = append(rows, fmt.Sprintf("(%d, %d, 'body %d', %s, '%c', '2026-01-02 03:04:%02d')",
				i, i%5, i*7919%3000, []string{"NULL", "1.25", "-3.5"}[i%3], 'a'+byte(i%2), i%60))
		}
		b.run(alice, "INSERT INTO chat.m VALUES "+strings.Join(rows, ", "))
	}
	b.run(root, "ALTER TABLE chat.m ADD COLUMN n INT DEFAULT 7")
	b.run(alice, "UPDATE chat.m SET n = 8 WHERE id % 11 = 0")
	queries := []string{
		"SELECT COUNT(*), SUM(price), MIN(body), MAX(id) FROM chat.m",
		"SELECT room, COUNT(*), SUM(n) FROM chat.m GROUP BY room",
		"SELECT tag, AVG(price) FROM chat.m GROUP BY tag ORDER BY tag",
		"SELECT id FROM chat.m WHERE body LIKE '%99'",
		"SELECT id, at FROM chat.m WHERE price IS NULL AND tag = 'b' AND n = 8",
		"SELECT id FROM chat.m WHERE room = 3 AND body > 'body 29'",
		"SELECT body FROM chat.m WHERE room = 3 ORDER BY id DESC LIMIT 900",
		"SELECT id, _seq > 0, _deleted FROM chat.m WHERE n + id > 2000",
		"SELECT _seq FROM chat.m",
		"SELECT * FROM chat.m ORDER BY body DESC",
		"SELECT a.id, b.body FROM chat.m a JOIN chat.m b ON b.id = a.id + 1 WHERE a.room = 1",
		"SELECT DISTINCT at FROM chat.m WHERE id BETWEEN 100 AND 2500 ORDER BY at",
		"SELECT id FROM chat.m WHERE (room = 1 OR tag = 'a') AND NOT n = 7",
		"SELECT COUNT(*) FROM chat.m WHERE room IN (1, 2) AND LENGTH(body) = 8",
	}
	before := make([]string, len(queries))
	for i, sql := range queries {
		if before[i] = b.list(alice, sql); before[i] == "" {
			t.Errorf("%s has no rows", sql)
		}
	}
	if got := b.flush("alice"); got != 3000 {
		t.Fatalf("flushed %d rows", got)
	}
	for i, sql := range queries {
		if got := b.list(alice, sql); got != before[i] {
			t.Errorf("%s:\n got %.200s\nwant %.200s", sql, got, before[i])
		}
	}
	b.run(alice, "UPDATE chat.m SET n = n + 1 WHERE room = 2")
	b.run(alice, "DELETE FROM chat.m WHERE tag = 'a' AND price IS NULL")
	want := b.list(alice, "SELECT * FROM chat.m")
	b.flush("alice")
	b.compact("alice")
	if got := b.list(alice, "SELECT * FROM chat.m"); got != want {
		t.Error("rows differ after they were moved again")
	}
}
