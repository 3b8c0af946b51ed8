package plan_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/plan"
)

func TestCache_Run_LeavesGroupsThatTakeTooMuchMemory(t *testing.T) {
	def := define(100, "texts", ddl.UserTable, []int{0},
		column("id", kind(value.Int64)), column("body", kind(value.Text)))
	w := newWorld(t, plan.New(plan.Options{}), def)
	for i := range 10 { // 40 MiB in all
		w.do(alice, "INSERT INTO texts VALUES (?, ?)", value.NewBigInt(int64(i)),
			value.NewText(fmt.Sprint(i, strings.Repeat("x", 4<<20))))
	}
	for sql, handled := range map[string]bool{
		"SELECT COUNT(*), MAX(id) FROM texts GROUP BY body":              false,
		"SELECT COUNT(*), MAX(id) FROM texts WHERE id < 3 GROUP BY body": true,
		"SELECT MAX(body), MIN(id) FROM texts":                           true,
	} {
		if a, _ := w.run(alice, sql); a.handled != handled || a.err != "" || a.rows == "" {
			t.Errorf("%s: by a plan %v, want %v: %s", sql, a.handled, handled, a.err)
		}
	}
}

func TestCache_Run_LeavesSumsWithoutAnEnd(t *testing.T) {
	def := define(100, "t", ddl.UserTable, []int{0},
		column("id", kind(value.Int64)), column("f", kind(value.Float64)))
	w := newWorld(t, plan.New(plan.Options{}), def)
	w.do(alice, "INSERT INTO t VALUES (1, 1e308), (2, 1e308), (3, NULL)")
	for sql, handled := range map[string]bool{
		"SELECT SUM(f) FROM t": false, "SELECT AVG(f) FROM t GROUP BY id": true,
	} {
		if a, _ := w.run(alice, sql); a.handled != handled {
			t.Errorf("%s: by a plan %v, want %v: %+v", sql, a.handled, handled, a)
		}
	}
}

func TestCache_Run_GroupsStopWithTheirContext(t *testing.T) {
	w := newWorld(t, plan.New(plan.Options{}), messages())
	w.do(alice, "INSERT INTO messages (room, id) VALUES ('a', 1)")
	env := w.env(alice, nil)
	defer env.View.Release()
	st := &dialect.Statement{Text: "SELECT room, COUNT(*) FROM messages GROUP BY room"}
	ctx, cancel := context.WithCancel(t.Context())
	res, handled, err := w.plans.Run(ctx, st, env)
	if err != nil || !handled {
		t.Fatal(handled, err)
	}
	cancel()
	if _, err := res.Rows.Next(ctx); !fault.Is(err, fault.Cancelled) {
		t.Errorf("a group of a cancelled statement: %v", err)
	}
	if err := res.Rows.Close(); err != nil {
		t.Error(err)
	}
	if _, handled, err := w.plans.Run(ctx, st, env); !handled || !fault.Is(err, fault.Cancelled) {
		t.Errorf("a cancelled statement: %v %v", handled, err)
	}
}
