package engine_test

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/core/engine"
)

// expiredEvents is how many events have expired before BenchmarkStreamInsert
// inserts the next ones: 200,000, or as EXPIRED_EVENTS says.
func expiredEvents(b *testing.B) int {
	text := os.Getenv("EXPIRED_EVENTS")
	if text == "" {
		return 200_000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// BenchmarkStreamInsert is one durable event per statement: into a new stream,
// behind events that have expired and are still stored, and behind those that
// were evicted. The three should take the same.
func BenchmarkStreamInsert(b *testing.B) {
	for _, c := range []struct {
		name    string
		expired int
		evict   bool
	}{{"new", 0, false}, {"expired", expiredEvents(b), false}, {"evicted", expiredEvents(b), true}} {
		b.Run(c.name, func(b *testing.B) {
			db, first := expiredStream(b, c.expired)
			start := time.Now()
			if c.evict {
				if err := db.EvictExpired(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			took := time.Since(start)
			next := int64(first)
			for b.Loop() {
				next++
				run(b, db, alice, "INSERT INTO chat.events VALUES (?, 'an event of some length')", next)
			}
			if c.evict {
				b.ReportMetric(float64(c.expired)/took.Seconds(), "evicted/s")
			}
		})
	}
}

// expiredStream returns an engine with a stream of n events that have expired,
// and a number above theirs.
func expiredStream(b *testing.B, n int) (*engine.Engine, int) {
	b.Helper()
	var late atomic.Bool
	db, err := engine.Open(b.TempDir(), engine.Options{Now: func() time.Time {
		if late.Load() {
			return time.Now().Add(2 * time.Hour)
		}
		return time.Now()
	}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	run(b, db, root, "CREATE NAMESPACE chat")
	run(b, db, root, "CREATE STREAM TABLE chat.events (id BIGINT PRIMARY KEY, content TEXT) "+
		"WITH (TTL = '1h')")
	for i := 0; i < n; i += rowsInStatement {
		sql := []byte("INSERT INTO chat.events VALUES ")
		for k := range rowsInStatement {
			if k > 0 {
				sql = append(sql, ',')
			}
			sql = fmt.Appendf(sql, "(%d, 'an event of some length')", i+k)
		}
		run(b, db, alice, string(sql))
	}
	late.Store(true)
	return db, n
}
