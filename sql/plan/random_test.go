package plan_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/sql/plan"
)

// TestRun_AnswersLikeTheEngine runs random statements about random tables on
// two stores that are kept equal: one with the direct path before the engine,
// one with the engine alone.
func TestRun_AnswersLikeTheEngine(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rounds, each := 25, 300
	if testing.Short() {
		rounds = 5
	}
	t.Logf("seed %d", seed)
	handled, total := map[string]int{}, 0
	for round := range rounds {
		g := &generator{Rand: rand.New(rand.NewPCG(seed, uint64(round)))}
		g.makeTable()
		direct := newWorld(t, plan.New(plan.Options{MaxPlans: 64}), g.def)
		plain := newWorld(t, nil, g.def)
		// The engine has a short cut of its own, which is left out in half of the rounds.
		// Both engines are alike, since rows that an ORDER BY leaves equal may come in any order.
		plain.engine = engine.New(engine.Options{PlanAll: round%2 == 0})
		direct.engine = plain.engine
		for i := range each {
			if i == each/2 && g.one(2) {
				g.alterTable()
				direct.snap, plain.snap = snapshot(g.def), snapshot(g.def)
			}
			c, sql, params := g.caller(), "", []value.Value(nil)
			sql, params = g.statement()
			for range 1 + g.IntN(2) { // the second time the plan is there
				a, writes := direct.run(c, sql, params...)
				b, same := plain.run(c, sql, params...)
				total++
				if a.handled {
					handled[strings.ToUpper(sql[:6])]++
					if strings.Contains(sql, "GROUP BY") {
						handled["GROUP"]++
					}
					if len(a.writes) > 0 && strings.Contains(strings.ToUpper(sql), "CONCAT") {
						handled["APPEND"]++
					}
				}
				a.handled = false
				if got, want := fmt.Sprintf("%+v", a), fmt.Sprintf("%+v", b); got != want {
					t.Fatalf("seed %d round %d: %s\nparams %v as %+v\ntable %s\n got %s\nwant %s",
						seed, round, sql, params, c, show(g.def), got, want)
				}
				direct.apply(writes)
				plain.apply(same)
			}
		}
		if direct.stored(g.def) != plain.stored(g.def) {
			t.Fatalf("seed %d round %d: the stores differ", seed, round)
		}
	}
	t.Logf("of %d statements the direct path ran %v", total, handled)
	for verb, few := range map[string]int{
		"INSERT": 250, "UPDATE": 250, "DELETE": 250, "SELECT": 250, "GROUP": 600, "APPEND": 4000,
	} {
		if handled[verb] < total/few {
			t.Errorf("the direct path ran %d times %s of %d statements only", handled[verb], verb, total)
		}
	}
}

func show(def *ddl.Table) string {
	var b strings.Builder
	for i, c := range def.Columns {
		fmt.Fprintf(&b, "%s %s", c.Name, c.Type.SQL())
		if def.IsKey(i) {
			b.WriteString(" KEY")
		}
		b.WriteString(", ")
	}
	return fmt.Sprintf("%s %s(%s) key %v", def.Kind, def.Name, b.String(), def.PrimaryKey)
}

// columnNames are what applications call their columns; some are words of SQL.
var columnNames = strings.Fields(`id key keys name names value values order orders group type text date
	time timestamp datetime year status state read write row rows count user users role index rank
	level system value1 begin end first last next offset comment description day month language left
	right limit lock match mode now number of off on option owner password plan position primary
	private public range real release role schema set share signal sql start stats stream table tag
	tags title to token trigger uuid version view when where window x y z action active at avg binary
	bit bool boolean char channel code columns content data decimal delete desc enum event events
	format function hash host int interval invisible json kind language like message messages
	min max sum object path percent point port query reference replace reset result results session
	source storage string subject temp temporary topic unknown update url use vector visible weight`)

func TestRun_JudgesNamesLikeTheEngine(t *testing.T) {
	list := append([]string(nil), columnNames...)
	if raw, err := os.ReadFile(os.Getenv("KALAMDB_TEST_WORDS")); err == nil {
		list = strings.Fields(string(raw)) // a longer list, such as a parser's keywords
	}
	for i, w := range list {
		c := column(w, kind(value.Int64))
		def := define(100+i, w, ddl.UserTable, []int{0}, c, column("other", kind(value.Text)))
		direct := newWorld(t, plan.New(plan.Options{}), def)
		plain := newWorld(t, nil, def)
		for _, form := range []string{
			"INSERT INTO chat.%[1]s (%[1]s, other) VALUES (1, 'x')", "INSERT INTO %[1]s VALUES (2, 'y')",
			"INSERT INTO chat.%[1]s (other, %[1]s) VALUES ('x', 3)",
			"INSERT INTO chat.`%[1]s` (`%[1]s`) VALUES (4)",
			"SELECT %[1]s FROM chat.%[1]s", "SELECT * FROM %[1]s WHERE %[1]s = 1",
			"SELECT other, %[1]s, %[1]s FROM `%[1]s`", "SELECT `%[1]s` FROM chat.%[1]s LIMIT 1",
			"SELECT * FROM %[1]s ORDER BY %[1]s DESC", "SELECT COUNT(*) FROM %[1]s WHERE `%[1]s` >= 2",
			"UPDATE %[1]s SET other = 'z' WHERE %[1]s = 1", "DELETE FROM chat.user.%[1]s WHERE %[1]s = 2",
		} {
			sql := fmt.Sprintf(form, w)
			a, writes := direct.run(alice, sql)
			b, same := plain.run(alice, sql)
			a.handled = false
			if got, want := fmt.Sprintf("%+v", a), fmt.Sprintf("%+v", b); got != want {
				t.Errorf("%s\n got %s\nwant %s", sql, got, want)
			}
			direct.apply(writes)
			plain.apply(same)
		}
	}
}
