package engine_test

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/core/engine"
)

// coldRows is how many rows the benchmarks of the cold tier have; COLD_ROWS sets
// another number.
func coldRows(b *testing.B) int64 {
	b.Helper()
	n := int64(200_000)
	if s := os.Getenv("COLD_ROWS"); s != "" {
		var err error
		if n, err = strconv.ParseInt(s, 10, 64); err != nil {
			b.Fatal(err)
		}
	}
	return n
}

// conversation is an engine with one conversation of alice, all of it cold, in so
// many segments.
func conversation(b *testing.B, rows, segments int64, o cold.Options) *engine.Engine {
	b.Helper()
	o.SegmentRows = int((rows + segments - 1) / segments)
	db, err := engine.Open(b.TempDir(), engine.Options{Cold: o})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	run(b, db, root, "CREATE NAMESPACE chat")
	run(b, db, root, `CREATE TABLE chat.messages (conversation BIGINT, id BIGINT,
		content TEXT NOT NULL, PRIMARY KEY (conversation, id))`)
	for i := int64(0); i < rows; i += rowsInStatement {
		run(b, db, alice, insertRows(i, 1))
	}
	begun := time.Now()
	r, err := db.Flush(b.Context(), "chat", "messages", alice.Caller)
	if err != nil || r.Swapped != rows {
		b.Fatalf("%+v %v", r, err)
	}
	b.ReportMetric(float64(rows)/time.Since(begun).Seconds(), "flushed-rows/s")
	return db
}

// BenchmarkColdPoint reads random rows of 100 segments by their keys, hardly any
// of which is in memory.
func BenchmarkColdPoint(b *testing.B) {
	n := coldRows(b)
	db := conversation(b, n, 100, cold.Options{CacheBytes: 64 << 10})
	var took []time.Duration
	for b.Loop() {
		at := time.Now()
		run(b, db, alice, "SELECT content FROM chat.messages WHERE conversation = 0 AND id = ?",
			rand.Int64N(n))
		took = append(took, time.Since(at))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkColdLast50 reads the end of a conversation whose rows are not in
// memory.
func BenchmarkColdLast50(b *testing.B) {
	db := conversation(b, coldRows(b), 1, cold.Options{CacheBytes: 1})
	b.ResetTimer()
	for b.Loop() {
		run(b, db, alice,
			"SELECT id, content FROM chat.messages WHERE conversation = 0 ORDER BY id DESC LIMIT 50")
	}
}

// BenchmarkColdScan aggregates all rows of 20 segments with a filter.
func BenchmarkColdScan(b *testing.B) {
	n := coldRows(b)
	db := conversation(b, n, 20, cold.Options{})
	b.ResetTimer()
	for b.Loop() {
		run(b, db, alice, "SELECT COUNT(*), MAX(content) FROM chat.messages WHERE id % 7 = 3")
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkColdGroups aggregates all rows of 20 segments without one.
func BenchmarkColdGroups(b *testing.B) {
	n := coldRows(b)
	db := conversation(b, n, 20, cold.Options{})
	b.ResetTimer()
	for b.Loop() {
		run(b, db, alice, "SELECT conversation, COUNT(*), SUM(id) FROM chat.messages "+
			"GROUP BY conversation")
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
