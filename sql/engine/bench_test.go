package engine_test

import (
	"context"
	"io"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

// bench runs one statement over and over without committing it.
func bench(b *testing.B, sql string, params ...value.Value) {
	w := newWorld(b)
	w.fill(1000)
	env := w.env
	env.Params = params
	env.View = w.db.View()
	defer env.View.Release()
	ctx := context.Background()
	st := &dialect.Statement{Text: sql}
	b.ReportAllocs()
	for b.Loop() {
		res, err := w.engine.Run(ctx, st, &env)
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, err = res.Rows.Next(ctx); err != nil {
				break
			}
		}
		if err != io.EOF {
			b.Fatal(err)
		}
		if err := res.Rows.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPointSelect(b *testing.B) {
	bench(b, "SELECT body FROM messages WHERE conversation_id = ? AND id = ?", value.NewBigInt(2), value.NewBigInt(77))
}

func BenchmarkLast50(b *testing.B) {
	bench(b, "SELECT * FROM messages WHERE conversation_id = ? ORDER BY id DESC LIMIT 50", value.NewBigInt(2))
}

func BenchmarkInsert(b *testing.B) {
	bench(b, "INSERT INTO messages (conversation_id, id, author, body) VALUES (?, ?, 'me', 'hello')",
		value.NewBigInt(2), value.NewBigInt(5000))
}

func BenchmarkUpdateByKey(b *testing.B) {
	bench(b, "UPDATE messages SET body = 'x' WHERE conversation_id = ? AND id = ?", value.NewBigInt(2), value.NewBigInt(5))
}

// BenchmarkPredicate is a live query's look at one row.
func BenchmarkPredicate(b *testing.B) {
	for name, where := range map[string]string{
		"two comparisons": "conversation_id = 1 AND id > 3",
		"numbers, texts":  "conversation_id >= 1 AND author <> 'x'",
		"with a pattern":  "conversation_id = 1 AND author <> 'x' AND body LIKE 'a%'",
	} {
		b.Run(name, func(b *testing.B) { benchMatch(b, where) })
	}
}

func benchMatch(b *testing.B, where string) {
	w := newWorld(b)
	q, _, err := w.live("SELECT * FROM messages WHERE " + where)
	if err != nil {
		b.Fatal(err)
	}
	row := []value.Value{value.NewBigInt(1), value.NewBigInt(4), value.NewText("y"), value.NewText("abc"),
		value.NewBigInt(1), value.NullValue, value.NewBool(false)}
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := q.Match(row); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}
