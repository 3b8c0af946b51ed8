package storetest

import (
	"fmt"
	"testing"

	"github.com/kalamdb/kalamdb-go/store"
)

const (
	benchUsers   = 200
	benchPerUser = 500
	benchValue   = 200 // bytes
	benchLast    = 50
)

// Bench measures an engine under a store.DB: durable commits of 1, 16 and 64
// rows, point reads, and the last 50 rows of a user.
func Bench(b *testing.B, name string, o Opener) {
	db := OpenDB(b, store.Options{Engine: name, OpenEngine: o})
	p := partition(b, db, "bench")
	value := make([]byte, benchValue)
	for i := range value {
		value[i] = byte(i * i)
	}
	for _, rows := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("durable commit of %d rows", rows), func(b *testing.B) {
			n := 0
			for b.Loop() {
				var batch store.Batch
				for range rows {
					n++
					batch.Put(p, benchKey(n%1009, n), value)
				}
				check(b, db.Commit(&batch, true))
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
		})
	}
	q := partition(b, db, "read")
	for u := range benchUsers {
		var batch store.Batch
		for i := range benchPerUser {
			batch.Put(q, benchKey(u, i), value)
		}
		check(b, db.Commit(&batch, false))
	}
	b.Run("point read", func(b *testing.B) { benchGet(b, db, q) })
	b.Run("last 50", func(b *testing.B) { benchScan(b, db, q) })
	b.Run("view", func(b *testing.B) {
		for b.Loop() {
			db.View().Release()
		}
	})
}

func benchKey(user, n int) []byte { return fmt.Appendf(nil, "user%06d/%08d", user, n) }

func benchGet(b *testing.B, db *store.DB, p store.Partition) {
	n := 0
	for b.Loop() {
		n += 7919
		v := db.View()
		_, found, err := v.Get(p, benchKey(n%benchUsers, n%benchPerUser))
		v.Release()
		if err != nil || !found {
			b.Fatalf("not found: %v", err)
		}
	}
}

func benchScan(b *testing.B, db *store.DB, p store.Partition) {
	n := 0
	for b.Loop() {
		n += 7919
		v := db.View()
		it := v.Scan(p, store.Range{
			Lo: benchKey(n%benchUsers, 0), Hi: benchKey(n%benchUsers+1, 0), Reverse: true,
		})
		read := 0
		for read < benchLast && it.Next() {
			read += min(len(it.Value()), 1)
		}
		check(b, it.Close())
		v.Release()
		if read != benchLast {
			b.Fatalf("read %d rows", read)
		}
	}
}
