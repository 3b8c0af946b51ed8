package engine_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kalamdb/kalamdb-go/core/engine"
)

// indexDefs are the indexes of the benchmarks, the first n of which a table has.
var indexDefs = []string{", INDEX by_sender (sender, sent)", ", UNIQUE (token)", ", INDEX (sent)"}

// indexedTable makes app.t with n indexes.
func indexedTable(b *testing.B, n int) *engine.Engine {
	b.Helper()
	db := benched(b, 0)
	run(b, db, root, "CREATE TABLE chat.t (id BIGINT PRIMARY KEY, sender BIGINT, sent BIGINT, "+
		"token BIGINT, content TEXT"+strings.Join(indexDefs[:n], "")+")")
	return db
}

func manyRows(first int64) string {
	sql := []byte("INSERT INTO chat.t VALUES ")
	for id := first; id < first+rowsInStatement; id++ {
		if id > first {
			sql = append(sql, ',')
		}
		sql = fmt.Appendf(sql, "(%d, %d, %d, %d, 'a message of some length')", id, id%100, id*7%100_000, id)
	}
	return string(sql)
}

// BenchmarkInsertIndexed is what an INSERT of one row costs with 16 writers and
// synced batches, and one of 100 rows with one writer, by number of indexes.
func BenchmarkInsertIndexed(b *testing.B) {
	for _, n := range []int{0, 1, 3} {
		b.Run(fmt.Sprintf("indexes=%d/rows=1", n), func(b *testing.B) {
			db := indexedTable(b, n)
			var next atomic.Int64
			b.SetParallelism(8)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					id := next.Add(1)
					run(b, db, alice, "INSERT INTO chat.t VALUES (?, ?, ?, ?, 'a message of some length')",
						id, id%100, id*7%100_000, id)
				}
			})
		})
		b.Run(fmt.Sprintf("indexes=%d/rows=%d", n, rowsInStatement), func(b *testing.B) {
			db := indexedTable(b, n)
			next := int64(0)
			b.ReportAllocs()
			for b.Loop() {
				run(b, db, alice, manyRows(next))
				next += rowsInStatement
			}
		})
	}
}

// BenchmarkReadIndexed reads 50 rows of 100,000 by an index, in its order, and
// one row by a unique value.
func BenchmarkReadIndexed(b *testing.B) {
	db := indexedTable(b, len(indexDefs))
	for id := int64(0); id < 100_000; id += rowsInStatement {
		run(b, db, alice, manyRows(id))
	}
	for _, q := range []struct{ name, sql string }{
		{"last50", "SELECT id, content FROM chat.t WHERE sender = ? ORDER BY sent DESC LIMIT 50"},
		{"last50 by key", "SELECT id, content FROM chat.t WHERE id > ? ORDER BY id DESC LIMIT 50"},
		{"unique", "SELECT id, content FROM chat.t WHERE token = ?"},
		{"by key", "SELECT id, content FROM chat.t WHERE id = ?"},
	} {
		b.Run(q.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := int64(0); b.Loop(); i++ {
				run(b, db, alice, q.sql, i%100)
			}
		})
	}
}

// BenchmarkCreateIndex builds an index over 100,000 rows.
func BenchmarkCreateIndex(b *testing.B) {
	db := indexedTable(b, 0)
	for id := int64(0); id < 100_000; id += rowsInStatement {
		run(b, db, alice, manyRows(id))
	}
	for b.Loop() {
		run(b, db, root, "CREATE INDEX i ON chat.t (sender, sent)")
		b.StopTimer()
		run(b, db, root, "DROP INDEX i ON chat.t")
		b.StartTimer()
	}
}
