package plan_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/plan"
)

// bench runs a statement over and over without applying it.
func bench(b *testing.B, sql string, params ...value.Value) {
	w := newWorld(b, plan.New(plan.Options{}), messages())
	for i := range 200 {
		w.do(alice, fmt.Sprintf("INSERT INTO messages (room, id, body) VALUES ('a', %d, 'hello you')", i))
	}
	env := w.env(alice, params)
	defer env.View.Release()
	ctx, st := context.Background(), &dialect.Statement{Text: sql}
	b.ReportAllocs()
	for b.Loop() {
		res, handled, err := w.plans.Run(ctx, st, env)
		if err != nil || !handled {
			b.Fatal(handled, err)
		}
		for err == nil {
			_, err = res.Rows.Next(ctx)
		}
		if err := res.Rows.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPointSelect(b *testing.B) {
	bench(b, "SELECT body FROM messages WHERE room = ? AND id = ?", value.NewText("a"), value.NewBigInt(50))
}

func BenchmarkPointSelectLiterals(b *testing.B) {
	bench(b, "SELECT body FROM messages WHERE room = 'a' AND id = 50")
}

func BenchmarkLast50(b *testing.B) {
	bench(b, "SELECT * FROM messages WHERE room = ? ORDER BY id DESC LIMIT 50", value.NewText("a"))
}

func BenchmarkInsert(b *testing.B) {
	bench(b, "INSERT INTO messages (room, id, body) VALUES (?, ?, 'hello')", value.NewText("a"), value.NewBigInt(-1))
}

func BenchmarkUpdateByKey(b *testing.B) {
	bench(b, "UPDATE messages SET body = ? WHERE room = 'a' AND id = 50", value.NewText("x"))
}
