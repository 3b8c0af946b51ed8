package engine_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/store/segment/segmenttest"
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
	talk(b, db, rows)
	begun := time.Now()
	r, err := db.Flush(b.Context(), "chat", "messages", alice.Caller)
	if err != nil || r.Swapped != rows {
		b.Fatalf("%+v %v", r, err)
	}
	b.ReportMetric(float64(rows)/time.Since(begun).Seconds(), "flushed-rows/s")
	return db
}

// talk makes a conversation of alice.
func talk(b *testing.B, db *engine.Engine, rows int64) {
	b.Helper()
	run(b, db, root, "CREATE NAMESPACE chat")
	run(b, db, root, `CREATE TABLE chat.messages (conversation BIGINT, id BIGINT,
		content TEXT NOT NULL, PRIMARY KEY (conversation, id))`)
	for i := int64(0); i < rows; i += rowsInStatement {
		run(b, db, alice, insertRows(i, 1))
	}
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

// BenchmarkFlush moves the hot rows of one user to a segment, beside the bare library
// of the format with the same rows.
func BenchmarkFlush(b *testing.B) {
	n := coldRows(b)
	var flushed, bare time.Duration
	var syncs int64
	for b.Loop() {
		db, err := engine.Open(b.TempDir(), engine.Options{})
		if err != nil {
			b.Fatal(err)
		}
		rows := chatter(b, db, int(n))
		before, at := figure(b, db, "commit_syncs"), time.Now()
		if r, err := db.Flush(b.Context(), "chat", "talk", alice.Caller); err != nil || r.Swapped != n {
			b.Fatalf("%+v %v", r, err)
		}
		flushed += time.Since(at)
		syncs += figure(b, db, "commit_syncs") - before
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		at = time.Now()
		kinds := []value.Kind{value.Int64, value.Int64, value.Int64, value.Int64, value.Text,
			value.Int64, value.Timestamp, value.Bool}
		f, err := os.Create(filepath.Join(b.TempDir(), "bare"))
		if err != nil {
			b.Fatal(err)
		}
		if err := segmenttest.Write(struct{ io.Writer }{f}, kinds, rows); err != nil {
			b.Fatal(err)
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			b.Fatal(err)
		}
		bare += time.Since(at)
	}
	all := float64(n) * float64(b.N)
	b.ReportMetric(all/flushed.Seconds(), "rows/s")
	b.ReportMetric(all/bare.Seconds(), "bare-rows/s")
	b.ReportMetric(100*bare.Seconds()/flushed.Seconds(), "%")
	b.ReportMetric(float64(syncs)/float64(b.N), "syncs")
}

// chatter fills a table with rows of alice, and returns them as they are in a
// segment.
func chatter(b *testing.B, db *engine.Engine, n int) (rows [][]value.Value) {
	b.Helper()
	run(b, db, root, "CREATE NAMESPACE chat")
	run(b, db, root, `CREATE TABLE chat.talk (conversation BIGINT NOT NULL, id BIGINT NOT NULL,
		author BIGINT NOT NULL, likes BIGINT NOT NULL, content TEXT NOT NULL,
		PRIMARY KEY (conversation, id)) WITH (FLUSH_POLICY = 'none')`)
	words := strings.Fields("the a cold warm row file goes comes and then later sooner very much " +
		"said wrote question answer table key segment page of to in with")
	random := rand.New(rand.NewPCG(1, 1))
	for len(rows) < n {
		var sql strings.Builder
		sql.WriteString("INSERT INTO chat.talk (conversation, id, author, likes, content) VALUES ")
		for i := range min(rowsInStatement, n-len(rows)) {
			text := strconv.Itoa(random.IntN(1e6))
			for range 10 + random.IntN(15) {
				text += " " + words[random.IntN(len(words))]
			}
			if i > 0 {
				sql.WriteString(", ")
			}
			id, author, likes := len(rows), random.IntN(977), random.IntN(1000)
			fmt.Fprintf(&sql, "(1, %d, %d, %d, '%s')", id, author, likes, text)
			now := time.Now()
			rows = append(rows, []value.Value{value.NewBigInt(1), value.NewBigInt(int64(id)),
				value.NewBigInt(int64(author)), value.NewBigInt(int64(likes)), value.NewText(text),
				value.NewBigInt(now.UnixNano()), value.NewTimestamp(now), value.NewBool(false)})
		}
		run(b, db, alice, sql.String())
	}
	return rows
}

func figure(b *testing.B, db *engine.Engine, name string) int64 {
	b.Helper()
	for _, f := range db.Figures() {
		if f.Name == name {
			return f.Value
		}
	}
	b.Fatalf("no figure %s", name)
	return 0
}
