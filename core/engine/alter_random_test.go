package engine_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/live"
)

// modelColumn is a column as the model of a table knows it. Values are texts;
// what a type is widened to shows the same text.
type modelColumn struct {
	id     int
	name   string
	family int // of types
	width  int // in the family
	def    string
	fill   string
}

// families are types that can be widened, with values that fit the narrowest.
var families = [][]string{
	{"TINYINT", "SMALLINT", "INT", "BIGINT"},
	{"VARCHAR(5)", "VARCHAR(20)", "TEXT"},
	{"FLOAT", "DOUBLE"},
	{"DECIMAL(4, 1)", "DECIMAL(9, 1)"},
}

var familyValues = [][]string{{"1", "-7", "100"}, {"a", "it's", ""}, {"0.5", "-2"}, {"1.5", "-0.1"}}

// altered is a table under random statements, beside its model.
type altered struct {
	*bench
	r       *rand.Rand
	next    int
	columns []modelColumn
	rows    map[int]map[int]string // by key and column id; NULL is missing
	base    *follower              // of a column that never changes
	all     *follower              // of all columns
}

func (a *altered) literal(c *modelColumn) (sql, text string, null bool) {
	if a.r.IntN(5) == 0 {
		return "NULL", "", true
	}
	values := familyValues[c.family]
	text = values[a.r.IntN(len(values))]
	return "'" + strings.ReplaceAll(text, "'", "''") + "'", text, false
}

func (a *altered) some() *modelColumn { return &a.columns[a.r.IntN(len(a.columns))] }

// action changes the model and returns the action of ALTER TABLE that does so.
func (a *altered) action() string {
	switch c := a.some(); a.r.IntN(8) {
	case 0, 1, 2:
		return a.add()
	case 3:
		if len(a.columns) > 1 {
			name := c.name
			a.columns = slices.DeleteFunc(a.columns, func(m modelColumn) bool { return m.name == name })
			return "DROP COLUMN " + name
		}
	case 4:
		old := c.name
		c.name = a.freeName()
		return "RENAME " + old + " TO " + c.name
	case 5:
		c.width = min(c.width+1, len(families[c.family])-1)
		c.def = ""
		return "MODIFY " + c.name + " " + families[c.family][c.width]
	case 6:
		sql, text, _ := a.literal(c)
		c.def = text
		return "ALTER " + c.name + " SET DEFAULT " + sql
	}
	return "SET (CODEC = '" + []string{"row", "json", "cbor", "msgpack"}[a.r.IntN(4)] + "')"
}

func (a *altered) freeName() string {
	for {
		name := fmt.Sprintf("c%d", a.r.IntN(8))
		if !slices.ContainsFunc(a.columns, func(m modelColumn) bool { return m.name == name }) {
			return name
		}
	}
}

func (a *altered) add() string {
	if len(a.columns) > 6 {
		return "SET (COMMENT = 'full')"
	}
	a.next++
	c := modelColumn{id: a.next, name: a.freeName(), family: a.r.IntN(len(families))}
	sql, text, null := a.literal(&c)
	if c.def, c.fill = text, text; null && a.r.IntN(2) == 0 {
		a.columns = append(a.columns, c)
		return "ADD COLUMN " + c.name + " " + families[c.family][0]
	}
	a.columns = append(a.columns, c)
	for _, row := range a.rows {
		if !null {
			row[c.id] = text
		}
	}
	return "ADD " + c.name + " " + families[c.family][0] + " DEFAULT " + sql
}

func (a *altered) step() {
	key := a.r.IntN(12)
	row, exists := a.rows[key]
	c := a.some()
	sql, text, null := a.literal(c)
	set := func(row map[int]string) {
		if row[c.id] = text; null {
			delete(row, c.id)
		}
	}
	switch n := a.r.IntN(20); {
	case n < 4:
		actions := []string{a.action()}
		for a.r.IntN(3) == 0 {
			actions = append(actions, a.action())
		}
		a.run(root, "ALTER TABLE app.t "+strings.Join(actions, ", "))
	case n < 10 && !exists:
		a.rows[key] = map[int]string{0: fmt.Sprint(key)}
		for _, m := range a.columns {
			if m.def != "" {
				a.rows[key][m.id] = m.def
			}
		}
		set(a.rows[key])
		a.run(alice, fmt.Sprintf("INSERT INTO app.t (id, base, %s) VALUES (%d, %d, %s)", c.name, key, key, sql))
	case n < 14 && exists:
		set(row)
		a.run(alice, fmt.Sprintf("UPDATE app.t SET %s = %s WHERE id = %d", c.name, sql, key))
	case n < 15:
		for _, row := range a.rows {
			set(row)
		}
		a.run(alice, fmt.Sprintf("UPDATE app.t SET %s = %s", c.name, sql))
	case n < 17 && exists:
		delete(a.rows, key)
		a.run(alice, fmt.Sprintf("DELETE FROM app.t WHERE id = %d", key))
	case n == 18 && a.r.IntN(5) == 0:
		clear(a.rows)
		a.run(root, "TRUNCATE TABLE app.t")
	case n == 19 && a.r.IntN(4) == 0:
		a.close()
		a.open()
		a.follow()
	}
}

func (a *altered) follow() {
	a.base = follow(a.bench, "SELECT id, base FROM app.t")
	a.all = follow(a.bench, "SELECT * FROM app.t")
}

func (a *altered) check() {
	a.t.Helper()
	var want, base []string
	for key := range 12 {
		row, ok := a.rows[key]
		if !ok {
			continue
		}
		line := []string{fmt.Sprint(key), fmt.Sprint(key)}
		base = append(base, strings.Join(line, " "))
		for _, c := range a.columns {
			line = append(line, row[c.id])
		}
		want = append(want, strings.Join(line, " "))
	}
	text := strings.Join(want, "\n")
	a.want(alice, text, "SELECT * FROM app.t")
	a.want(alice, text, "SELECT * FROM app.t ORDER BY base + 1, id") // by the engine
	if got := a.all.rows(); got != text {
		a.t.Errorf("a live query has\n%s\nwant\n%s", got, text)
	}
	if got := a.base.rows(); got != strings.Join(base, "\n") {
		a.t.Errorf("a live query of two columns has\n%s\nwant\n%s", got, strings.Join(base, "\n"))
	}
}

func TestEngine_RandomAlterations(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	a := &altered{bench: open(t, t.TempDir(), engine.Options{}),
		r: rand.New(rand.NewPCG(seed, 0)), rows: make(map[int]map[int]string)}
	a.run(root, "CREATE NAMESPACE app")
	a.run(root, "CREATE TABLE app.t (id INT PRIMARY KEY, base INT, c0 TINYINT)")
	a.columns, a.next = []modelColumn{{id: 1, name: "c0"}}, 1
	a.follow()
	for range 250 {
		a.step()
		a.check()
		if t.Failed() {
			return
		}
	}
	if n := a.base.resyncs; n > 10 {
		t.Errorf("the live query of columns that stay began again %d times", n)
	}
}

// follower keeps the rows of a live query as a client does, over changes of
// the schema too.
type follower struct {
	b       *bench
	sub     engine.Subscription
	live    *live.Subscription
	held    map[string]string
	resyncs int
}

func follow(b *bench, sql string) *follower {
	f := &follower{b: b, sub: engine.Subscription{SQL: sql}, held: make(map[string]string)}
	f.open()
	return f
}

func (f *follower) open() {
	f.b.t.Helper()
	s, err := f.b.db.Subscribe(f.b.t.Context(), alice, f.sub)
	if err != nil {
		f.b.t.Fatal(err)
	}
	f.live = s
}

// rows takes what the live query has to tell and returns all rows by key.
func (f *follower) rows() string {
	f.b.t.Helper()
	for more := true; more; {
		var msgs []live.Message
		var err error
		if msgs, more, err = f.live.Poll(f.b.t.Context(), 10); err != nil {
			f.b.t.Fatal(err)
		}
		for _, m := range msgs {
			more = f.take(m) || more
		}
	}
	var lines []string
	for key := range 12 {
		if line, ok := f.held[fmt.Sprint(key)]; ok {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func (f *follower) take(m live.Message) (more bool) {
	switch m := m.(type) {
	case live.Resync:
		clear(f.held)
		f.resyncs++
	case live.Batch:
		for _, row := range m.Rows {
			f.put(row)
		}
		if m.HasMore {
			f.live.NextBatch()
			return true
		}
	case live.Changed:
		if m.Type == live.Delete {
			delete(f.held, m.Old[0][0].Text())
			return false
		}
		f.put(m.Rows[0])
	case live.Ended:
		if m.Reason != live.SchemaChanged && m.Reason != live.TableTruncated {
			f.b.t.Fatalf("the live query ended: %s, %v", m.Reason, m.Err)
		}
		f.sub.After = f.live
		f.open()
		return true
	}
	return false
}

func (f *follower) put(row []value.Value) {
	cells := make([]string, len(row))
	for i, v := range row {
		cells[i] = v.Text()
	}
	f.held[cells[0]] = strings.Join(cells, " ")
}
