package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/live"
)

// trace tells what TRACE DELIVERY says of a note, without the times, of which
// it checks that those are there that should be, in their order.
func (v *viewer) trace(key string) string {
	v.t.Helper()
	res, err := v.db.Query(v.t.Context(), alice,
		fmt.Sprintf("TRACE DELIVERY '%s' FOR (1, %s)", v.sub.ID(), key))
	if err != nil {
		v.t.Fatal(err)
	}
	var out []string
	for _, r := range res.Rows {
		var words []string
		for _, i := range []int{2, 3, 4, 5, 8} {
			if !r[i].IsNull() {
				words = append(words, r[i].Text())
			}
		}
		out = append(out, strings.Join(words, " "))
		committed, delivered, evaluated := r[1].Int(), r[6], r[7]
		if d := !delivered.IsNull(); d != (r[3].Str() == "delivered") ||
			d && (delivered.Int() < evaluated.Int() || evaluated.Int() < committed/1000*1000) {
			v.t.Errorf("%v: the times are not those of its outcome", r)
		}
	}
	return strings.Join(out, "; ")
}

func (v *viewer) traces(when, key, want string) {
	v.t.Helper()
	if got := v.trace(key); got != want {
		v.t.Errorf("%s, %s of %s\n is   %s\n want %s", when, key, v.sql, got, want)
	}
}

func TestEngine_TraceOfWindow(t *testing.T) {
	b := notesBench(t, live.Options{})
	v := b.view(alice, "SELECT id, n FROM chat.notes WHERE topic = 'a' ORDER BY n DESC LIMIT 3", true)
	other := b.view(alice, v.sql, true)
	v.traces("before the snapshot", "6", "insert loading")
	v.check()
	other.check()
	v.traces("in the snapshot", "6", "insert snapshot; shown 0")
	v.traces("behind the window", "1", "insert snapshot; hidden")
	b.run(alice, "UPDATE chat.notes SET n = 55 WHERE id = 1")
	v.traces("not looked at", "1", "insert snapshot; update pending; hidden")
	other.check()
	v.traces("told to another", "1", "insert snapshot; update lagging; hidden")
	v.check()
	v.traces("entered", "1", "insert snapshot; update delivered insert enter; shown 1")
	v.traces("pushed out", "4", "insert snapshot; hidden")
	b.run(alice, "UPDATE chat.notes SET n = 56 WHERE id = 1")
	b.run(alice, "UPDATE chat.notes SET n = 1 WHERE id = 1")
	v.check()
	v.traces("left", "1", "insert snapshot; update delivered insert enter; "+
		"update conflated; update delivered delete leave; hidden")
	b.run(alice, "UPDATE chat.notes SET n = 2 WHERE id = 1")
	b.run(alice, "INSERT INTO chat.notes VALUES (1, 20, 99, 'b', NULL)")
	b.run(alice, "UPDATE chat.notes SET d = 7 WHERE id = 6")
	b.run(alice, "DELETE FROM chat.notes WHERE id = 5")
	v.check()
	v.traces("matches, behind the window", "1", "insert snapshot; update delivered insert enter; "+
		"update conflated; update delivered delete leave; update unchanged; hidden")
	v.traces("does not match", "20", "insert filtered; hidden")
	v.traces("what is not shown", "6", "insert snapshot; update unchanged; shown 0")
	v.traces("deleted", "5", "insert snapshot; delete delivered delete; hidden")
	v.traces("never was", "77", "hidden")
	for i := range 40 {
		b.run(alice, fmt.Sprintf("UPDATE chat.notes SET n = %d WHERE id = 6", 100+i))
		v.check()
	}
	got := v.trace("6")
	if !strings.HasPrefix(got, "insert snapshot; update evaluated; update evaluated") ||
		!strings.HasSuffix(got, "; update delivered update; shown 0") {
		t.Errorf("after many changes: %s", got)
	}
}

func TestEngine_TraceOfAggregates(t *testing.T) {
	b := notesBench(t, live.Options{})
	v := b.view(alice, "SELECT topic, MAX(n) FROM chat.notes WHERE conv = 1 GROUP BY topic", false)
	v.check()
	b.run(alice, "UPDATE chat.notes SET topic = 'b' WHERE id = 1")
	v.traces("not looked at", "1", "insert snapshot; update pending; hidden")
	v.check()
	b.run(alice, "UPDATE chat.notes SET n = n + 1 WHERE id IN (1, 2)")
	b.run(alice, "INSERT INTO chat.notes VALUES (1, 9, 90, 'b', NULL)")
	v.check()
	b.run(alice, "DELETE FROM chat.notes WHERE id IN (1, 9)")
	v.check()
	v.traces("the group came and went", "1", "insert snapshot; update delivered insert enter; "+
		"update delivered update; delete delivered delete; hidden")
	v.traces("not the greatest", "2", "insert snapshot; update unchanged; shown")
	v.traces("with the group", "9", "insert delivered update; delete delivered delete; hidden")
}

func TestEngine_TraceOfReruns(t *testing.T) {
	b := notesBench(t, live.Options{RerunInterval: -1})
	v := b.view(alice, "SELECT a.id FROM chat.notes a JOIN chat.notes b ON b.id = a.n WHERE b.n = 20",
		false)
	v.check()
	b.run(alice, "UPDATE chat.notes SET n = 2 WHERE id = 5")
	v.traces("not looked at", "5", "insert snapshot; update pending")
	v.check()
	b.run(alice, "UPDATE chat.notes SET topic = 'c' WHERE id = 5")
	v.check()
	v.traces("told", "5", "insert snapshot; update delivered; update unchanged")
}
