package engine_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/live"
)

// randomQuery returns a query whose result is kept, and whether it has an order.
func randomQuery(r *rand.Rand) (sql string, ordered bool) {
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	where := pick("", "", " WHERE n > 2", " WHERE conv = 1", " WHERE topic = 'a' OR n IS NULL",
		" WHERE conv = 1 AND id < 6", " WHERE conv > 5", " WHERE UPPER(topic) = 'B'")
	if r.IntN(2) == 0 {
		list := pick("*", "conv, id, n", "n, topic", "id, conv, CONCAT(topic, '!') AS loud")
		order := pick("", " ORDER BY conv, id", " ORDER BY conv DESC, id DESC", " ORDER BY n, conv, id",
			" ORDER BY n DESC, conv, id", " ORDER BY topic DESC, d, conv, id", " ORDER BY d, conv, id DESC",
			" ORDER BY n + id, conv, id", " ORDER BY LENGTH(topic), id, conv")
		limit := fmt.Sprintf(" LIMIT %d", r.IntN(8))
		if r.IntN(3) == 0 {
			limit += fmt.Sprintf(" OFFSET %d", r.IntN(4))
		}
		return "SELECT " + list + " FROM chat.notes" + where + order + limit, true
	}
	switch r.IntN(13) {
	case 0:
		return "SELECT DISTINCT topic FROM chat.notes" + where, false
	case 1:
		return "SELECT topic, COUNT(*), SUM(n), MIN(d) FROM chat.notes" + where + " GROUP BY topic", false
	case 2:
		return "SELECT COUNT(*) AS c, MAX(n) FROM chat.notes" + where, false
	case 3:
		return "SELECT a.conv, a.id, t.tag FROM chat.notes a JOIN chat.tags t ON t.id = a.id", false
	case 4:
		return "SELECT a.conv, a.id, t.id AS tid, t.tag, n FROM chat.notes a " +
			"LEFT JOIN chat.tags t ON t.id = a.id ORDER BY a.conv, a.id, t.tag", true
	case 5:
		return "SELECT conv, id, title FROM chat.notes JOIN chat.topics USING (topic)", false
	case 6:
		return "SELECT conv, id FROM chat.notes WHERE id IN (SELECT id FROM chat.tags)", false
	case 7:
		return "SELECT n FROM chat.notes" + where + " UNION ALL SELECT id FROM chat.tags", false
	case 8, 9, 10, 11:
		calls := []string{"COUNT(*)", "COUNT(n)", "SUM(n)", "SUM(d)", "AVG(n)", "AVG(d)", "MIN(n)",
			"MAX(n)", "MIN(topic)", "MAX(topic)", "MAX(d)", "SUM(conv)"}
		r.Shuffle(len(calls), func(i, j int) { calls[i], calls[j] = calls[j], calls[i] })
		by := pick("", "topic", "conv", "conv, topic", "n")
		list, group := strings.Join(calls[:1+r.IntN(3)], ", "), ""
		if by != "" {
			group = " GROUP BY " + by
			list = pick("", by+", ") + list
		}
		return "SELECT " + list + " FROM chat.notes" + where + group, false
	}
	return "SELECT conv, id, n, ROW_NUMBER() OVER (ORDER BY conv, id) AS r FROM chat.notes" +
		where + " ORDER BY conv DESC, id DESC", true
}

// randomWrite returns statements for one request.
func randomWrite(r *rand.Rand) string {
	row := func() string {
		n, topic := fmt.Sprint(r.IntN(6)), fmt.Sprintf("'%c'", 'a'+rune(r.IntN(3)))
		if r.IntN(5) == 0 {
			n = "NULL"
		}
		if r.IntN(6) == 0 {
			topic = "NULL"
		}
		return fmt.Sprintf("(%d, %d, %s, %s, %d.%02d)", 1+r.IntN(2), r.IntN(9), n, topic,
			r.IntN(3), r.IntN(100))
	}
	columns := "(conv, id, n, topic, d)"
	switch r.IntN(10) {
	case 0, 1, 2:
		return "REPLACE INTO chat.notes " + columns + " VALUES " + row()
	case 3:
		return fmt.Sprintf("UPDATE chat.notes SET n = n + 1 WHERE id = %d", r.IntN(9))
	case 4:
		return fmt.Sprintf("UPDATE chat.notes SET n = %d, topic = 'b' WHERE conv = 1", r.IntN(6))
	case 5:
		return fmt.Sprintf("DELETE FROM chat.notes WHERE id = %d", r.IntN(9))
	case 6:
		return fmt.Sprintf("UPDATE chat.notes SET id = id + 20 WHERE id = %d; "+
			"DELETE FROM chat.notes WHERE id > 20", r.IntN(9))
	case 7:
		return fmt.Sprintf("REPLACE INTO chat.tags VALUES (%d, '%c')", r.IntN(9), 'x'+rune(r.IntN(3)))
	case 8:
		return fmt.Sprintf("DELETE FROM chat.tags WHERE id = %d", r.IntN(9))
	}
	return "BEGIN; REPLACE INTO chat.notes " + columns + " VALUES " + row() +
		"; REPLACE INTO chat.notes " + columns + " VALUES " + row() +
		fmt.Sprintf("; DELETE FROM chat.notes WHERE id = %d; COMMIT", r.IntN(9))
}

// TestEngine_keptResultsEqualSELECT runs random writes, transactions and changes
// of the schema under random windows, aggregates and joins: whoever reads
// everything has what a SELECT answers, readers that are slow and ones that
// resume too.
func TestEngine_keptResultsEqualSELECT(t *testing.T) {
	seed := seedOf(t)
	runs := 12
	if testing.Short() {
		runs = 3
	}
	for i := range runs {
		seed := seed + uint64(i)
		ok := t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			keptModel(t, rand.New(rand.NewPCG(seed, 7)))
		})
		if !ok {
			t.Fatalf("run it again with LIVE_SEED=%d", seed)
		}
	}
}

func keptModel(t *testing.T, r *rand.Rand) {
	b := liveBench(t, live.Options{RerunInterval: -1, ScanRows: 1 + r.IntN(20)})
	var viewers []*viewer
	for range 10 {
		sql, ordered := randomQuery(r)
		viewers = append(viewers, b.view(alice, sql, ordered))
		if r.IntN(3) == 0 { // one that shares the result
			viewers = append(viewers, b.view(alice, sql, ordered))
		}
	}
	added := 0
	for range 80 {
		switch n := r.IntN(40); {
		case n == 0 && added < 3:
			added++
			b.run(root, fmt.Sprintf("ALTER TABLE chat.notes ADD COLUMN c%d INT DEFAULT %d", added, added))
		case n == 1:
			b.run(root, "TRUNCATE TABLE chat.notes")
		case n == 2:
			b.run(root, "UPDATE chat.topics SET title = CONCAT(title, '.')")
			b.mayRun(alice, randomWrite(r)) // the change above is told with the next
			b.run(alice, "REPLACE INTO chat.notes (conv, id) VALUES (9, 9)")
			b.run(alice, "DELETE FROM chat.notes WHERE conv = 9")
		case n == 3:
			b.mayRun(bob, randomWrite(r))
		case n < 8:
			b.moveRows("notes", "alice", n == 4)
		default:
			b.mayRun(alice, randomWrite(r))
		}
		for _, v := range viewers {
			switch r.IntN(8) {
			case 0, 1, 2:
				v.poll(1 + r.IntN(4))
			case 3, 4:
				v.check()
			case 5:
				if r.IntN(4) == 0 {
					v.reconnect()
				}
			}
		}
	}
	for _, v := range viewers {
		v.check()
	}
}

// seedOf returns LIVE_SEED, else a new seed.
func seedOf(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("LIVE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("LIVE_SEED=%d", seed)
	return seed
}

// mayRun runs statements that may meet a duplicate or a NULL.
func (b *bench) mayRun(who engine.Identity, sql string) {
	b.t.Helper()
	for _, s := range strings.Split(sql, "; COMMIT") {
		if strings.HasPrefix(sql, "BEGIN") {
			s = sql
		}
		if s == "" {
			continue
		}
		err := b.db.Execute(b.t.Context(), who, engine.Request{SQL: s}, func(*engine.Result) error {
			return nil
		})
		if err != nil && !fault.Is(err, fault.DuplicateKey) {
			b.t.Fatalf("%s: %v", s, err)
		}
		if s == sql {
			return
		}
	}
}
