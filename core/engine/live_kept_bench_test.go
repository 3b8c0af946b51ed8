package engine_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/live"
)

// benchKinds are queries of each kind over 1,000 rows of one user in ten
// conversations.
var benchKinds = []struct{ name, sql string }{
	{"rows", "SELECT id, n, content FROM chat.messages WHERE conversation = 3"},
	{"window", "SELECT id, n, content FROM chat.messages WHERE conversation = 3 ORDER BY id DESC LIMIT 50"},
	{"aggregate", "SELECT conversation, COUNT(*), SUM(n), MAX(n) FROM chat.messages GROUP BY conversation"},
	{"rerun", "SELECT DISTINCT n FROM chat.messages WHERE conversation = 3"},
}

// BenchmarkLiveChange is one UPDATE that concerns all subscribers of one query,
// and their being told.
func BenchmarkLiveChange(b *testing.B) {
	for _, kind := range benchKinds {
		for _, n := range []int{0, 1, 1000} {
			b.Run(fmt.Sprintf("%s/subscribers=%d", kind.name, n), func(b *testing.B) {
				db := benchedLive(b)
				before := heapOf()
				subs := make([]*live.Subscription, n)
				for i := range subs {
					sub, err := db.Subscribe(b.Context(), alice, engine.Subscription{SQL: kind.sql})
					if err != nil {
						b.Fatal(err)
					}
					subs[i] = sub
					takeAll(b, sub)
				}
				if n > 0 {
					b.ReportMetric(float64(heapOf()-before)/float64(n), "B/subscriber")
				}
				next := int64(0)
				b.ReportAllocs()
				for b.Loop() {
					next++
					run(b, db, alice, "UPDATE chat.messages SET n = ? WHERE conversation = 3 AND id = 993", next)
					for _, s := range subs {
						takeAll(b, s)
					}
				}
				runtime.KeepAlive(subs)
			})
		}
	}
}

func benchedLive(b *testing.B) *engine.Engine {
	b.Helper()
	db, err := engine.Open("", engine.Options{Storage: engine.Memory,
		Live: live.Options{RerunInterval: -1, MaxPerUser: 2000}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	run(b, db, root, "CREATE NAMESPACE chat")
	run(b, db, root, "CREATE TABLE chat.messages (conversation INT, id BIGINT, n BIGINT, content TEXT, "+
		"PRIMARY KEY (conversation, id))")
	for i := range int64(1000) {
		run(b, db, alice, "INSERT INTO chat.messages VALUES (?, ?, 0, 'a text of some length')", i%10, i)
	}
	return db
}

func takeAll(b *testing.B, s *live.Subscription) {
	for more := true; more; {
		msgs, again, err := s.Poll(b.Context(), 100)
		if err != nil {
			b.Fatal(err)
		}
		for _, m := range msgs {
			if end, ok := m.(live.Ended); ok {
				b.Fatal(end.Reason, end.Err)
			}
		}
		more = again
	}
}

func heapOf() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
