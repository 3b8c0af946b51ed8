package engine_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/engine"
)

func benched(b *testing.B, rows int) *engine.Engine {
	b.Helper()
	db, err := engine.Open(b.TempDir(), engine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	exec := func(id engine.Identity, sql string, params ...any) {
		if _, err := db.Query(b.Context(), id, sql, params...); err != nil {
			b.Fatal(err)
		}
	}
	exec(root, "CREATE NAMESPACE chat")
	exec(root, `CREATE TABLE chat.messages (conversation BIGINT, id BIGINT, content TEXT NOT NULL,
		PRIMARY KEY (conversation, id))`)
	for i := range rows {
		exec(alice, "INSERT INTO chat.messages VALUES (?, ?, 'a message of some length')", i%10, i)
	}
	return db
}

// filled is benched with many rows of alice in ten conversations.
func filled(b *testing.B, rows int) *engine.Engine {
	b.Helper()
	db := benched(b, 0)
	for i := 0; i < rows; i += rowsInStatement {
		run(b, db, alice, insertRows(int64(i), 10))
	}
	return db
}

// insertRows is a statement that inserts rowsInStatement rows from id first on.
func insertRows(first, conversations int64) string {
	sql := []byte("INSERT INTO chat.messages (conversation, id, content) VALUES ")
	for id := first; id < first+rowsInStatement; id++ {
		if id > first {
			sql = append(sql, ',')
		}
		sql = fmt.Appendf(sql, "(%d, %d, 'a message of some length')", id%conversations, id)
	}
	return string(sql)
}

// BenchmarkGroupBy is aggregates over 100,000 rows of one user.
func BenchmarkGroupBy(b *testing.B) {
	db := filled(b, 100_000)
	for _, by := range []string{"conversation", "content"} {
		b.Run(by, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run(b, db, alice, "SELECT "+by+", COUNT(*), SUM(id), MAX(id) FROM chat.messages GROUP BY "+by)
			}
		})
	}
}

// run executes one statement and drops its rows, as a server does.
func run(b *testing.B, db *engine.Engine, id engine.Identity, sql string, params ...int64) {
	req := engine.Request{SQL: sql}
	for _, p := range params {
		req.Params = append(req.Params, value.NewBigInt(p))
	}
	err := db.Execute(context.Background(), id, req, func(r *engine.Result) error {
		for r.Rows != nil {
			if _, err := r.Rows.Next(context.Background()); err != nil {
				return nil
			}
		}
		return nil
	})
	if err != nil {
		b.Error(err)
	}
}

// BenchmarkInsert is one durable row per statement; run it with -cpu 1,16,64.
func BenchmarkInsert(b *testing.B) {
	db := benched(b, 0)
	var next atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			run(b, db, alice, "INSERT INTO chat.messages VALUES (1, ?, 'a message of some length')",
				next.Add(1))
		}
	})
}

func BenchmarkPointSelect(b *testing.B) {
	db := benched(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		run(b, db, alice, "SELECT content FROM chat.messages WHERE conversation = ? AND id = ?", 3, 503)
	}
}

func BenchmarkLast50(b *testing.B) {
	db := benched(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		run(b, db, alice,
			"SELECT id, content FROM chat.messages WHERE conversation = ? ORDER BY id DESC LIMIT 50", 3)
	}
}

// rowsInStatement is how many rows a statement of BenchmarkInsertRows inserts.
const rowsInStatement = 100

// BenchmarkInsertRows is many durable rows per statement; run it with -cpu 1,4.
func BenchmarkInsertRows(b *testing.B) {
	db := benched(b, 0)
	var next atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			run(b, db, alice, insertRows(next.Add(rowsInStatement), 50))
		}
	})
	b.ReportMetric(float64(b.N)*rowsInStatement/b.Elapsed().Seconds(), "rows/s")
}
