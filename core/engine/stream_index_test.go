package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/store/storetest"
)

// twins are two streams with the same rows, one of which has indexes, ENUM
// columns among them: that is not to show in any answer.
type twins struct {
	*streams
	r *rand.Rand
}

func (w *twins) pick(list ...string) string { return list[w.r.IntN(len(list))] }

func (w *twins) state() string { return w.pick("'z'", "'b'", "'a'", "'c'", "NULL") }

// write runs a statement on both; %s is the table.
func (w *twins) write() {
	id, n := w.r.IntN(40), w.r.IntN(4)
	sql := w.pick(
		fmt.Sprintf("INSERT INTO %%s VALUES (%d, %s, %d) ON CONFLICT DO NOTHING", id, w.state(), n),
		fmt.Sprintf("REPLACE INTO %%s VALUES (%d, %s, %d)", id, w.state(), n),
		fmt.Sprintf("INSERT INTO %%s VALUES (%d, 'b', %d) ON DUPLICATE KEY UPDATE n = %d", id, n, n),
		fmt.Sprintf("UPDATE %%s SET state = %s WHERE id < %d AND n = %d", w.state(), id, n),
		fmt.Sprintf("DELETE FROM %%s WHERE state = %s", w.state()),
	)
	w.both(sql, w.mayRun)
}

func (w *twins) both(sql string, run func(engine.Identity, string)) {
	for _, name := range []string{"chat.plain", "chat.indexed"} {
		run(alice, strings.ReplaceAll(sql, "%s", name))
	}
}

// where is a condition that an index may serve, or must not.
func (w *twins) where() string {
	s, n := w.pick("'z'", "'b'", "'a'", "'no label'", "2", "'2'"), w.r.IntN(4)
	return w.pick(
		"state "+w.pick("=", "<", "<=", ">", ">=", "<>", "<=>")+" "+s,
		fmt.Sprintf("state = %s AND n %s %d", s, w.pick("=", "<", ">="), n),
		fmt.Sprintf("state = %s AND state = %s", s, w.pick("'z'", "'a'")),
		fmt.Sprintf("state IN (%s, 'a')", s),
		fmt.Sprintf("state BETWEEN 'a' AND %s", s),
		fmt.Sprintf("state IS NULL AND n > %d", n),
		fmt.Sprintf("n = %d OR state = %s", n, s),
		"state LIKE '%a'",
		"id > 7",
	)
}

func (w *twins) query() {
	sql := "SELECT id, state, n FROM %s WHERE " + w.where()
	ordered := w.r.IntN(2) == 0
	if ordered {
		dir := w.pick("", " DESC")
		sql += fmt.Sprintf(" ORDER BY state%s, n%[1]s, id%[1]s LIMIT %d", dir, 1+w.r.IntN(9))
	}
	switch w.r.IntN(8) {
	case 0:
		sql, ordered = "SELECT state, COUNT(*), MAX(n) FROM %s WHERE "+w.where()+" GROUP BY state", false
	case 1:
		sql, ordered = "SELECT a.id, b.id FROM %s a JOIN %s b ON a.state = b.state AND a.n = b.n", false
	case 2:
		sql, ordered = "SELECT MIN(state), MAX(state) FROM %s WHERE "+w.where(), false
	}
	var answers []string
	w.both(sql, func(who engine.Identity, sql string) {
		rows := strings.Split(w.rows(who, sql), "\n")
		if !ordered {
			slices.Sort(rows)
		}
		answers = append(answers, strings.Join(rows, "\n"))
	})
	if answers[0] != answers[1] {
		w.t.Fatalf("%s:\n%s\nwith indexes:\n%s", sql, answers[0], answers[1])
	}
}

func TestStream_IndexesShowInNoAnswer(t *testing.T) {
	w := &twins{newStreams(t, "", engine.Memory), storetest.Seed(t)}
	for _, name := range []string{"plain", "indexed"} {
		w.run(root, "CREATE STREAM TABLE chat."+name+" (id INT PRIMARY KEY, "+
			"state ENUM('z', 'b', 'a', 'c'), n INT) WITH (TTL = '10s')")
	}
	indexes := []string{"one ON chat.indexed (state)", "two ON chat.indexed (state, n)",
		"three ON chat.indexed (n, state)"}
	for i := range 1500 {
		if at := i % 300; i < 900 && at == 150 {
			w.run(root, "CREATE INDEX "+indexes[i/300])
		}
		w.write()
		w.query()
		if w.r.IntN(3) == 0 {
			w.pass(time.Duration(w.r.IntN(2000)) * time.Millisecond)
		}
		if w.r.IntN(20) == 0 {
			w.evict()
		}
	}
}

func TestStream_AUniqueValueIsFreeWhenItsRowExpires(t *testing.T) {
	s := newStreams(t, "", engine.Memory)
	s.run(root, "CREATE STREAM TABLE chat.seats (id INT PRIMARY KEY, seat TEXT UNIQUE) "+
		"WITH (TTL = '10s', SCOPE = 'namespace')")
	s.run(service, "INSERT INTO chat.seats VALUES (1, 'a'), (2, 'b')")
	s.fails(service, fault.DuplicateKey, "INSERT INTO chat.seats VALUES (3, 'a')")
	s.pass(9 * time.Second)
	s.run(service, "UPDATE chat.seats SET seat = 'b2' WHERE id = 2")
	s.pass(time.Second)
	s.run(service, "INSERT INTO chat.seats VALUES (3, 'a') ON DUPLICATE KEY UPDATE seat = 'no'")
	s.evict()
	s.want(service, "3 a", "SELECT * FROM chat.seats WHERE seat = 'a'")
	s.want(service, "2 b2", "SELECT * FROM chat.seats WHERE seat = 'b2'")
	s.fails(service, fault.DuplicateKey, "INSERT INTO chat.seats VALUES (4, 'a')")
	s.pass(9 * time.Second)
	s.run(service, "INSERT INTO chat.seats VALUES (2, 'c')") // over the expired one
	s.want(service, "2 c", "SELECT * FROM chat.seats WHERE seat = 'c'")
	s.want(service, "", "SELECT * FROM chat.seats WHERE seat = 'b2'")
	s.run(service, "INSERT INTO chat.seats VALUES (5, 'b2')")
	s.pass(10 * time.Second)
	s.evict()
	s.want(service, "0", "SELECT COUNT(*) FROM chat.seats")
	s.run(root, "CREATE UNIQUE INDEX late ON chat.seats (seat, id)")
}
