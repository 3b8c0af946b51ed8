package replica_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// BenchmarkLocal_Propose has 64 writers insert a row each, over the engine in memory.
func BenchmarkLocal_Propose(b *testing.B) {
	db, err := store.Open("", store.Options{Engine: store.Memory, Shards: 2, OpenEngine: memkv.Open})
	check(b, err)
	m, err := apply.Open(db)
	check(b, err)
	ck, err := replica.NewClock(db, time.Now)
	check(b, err)
	log, err := replica.NewLocal(db, m, ck, replica.Options{})
	check(b, err)
	b.Cleanup(func() { check(b, errors.Join(log.Close(), db.Close())) })
	_, err = log.Propose(b.Context(), &command.Command{Shard: shard, Fences: []command.Fence{
		{Table: tableID, Partition: partition, Min: 1},
	}})
	check(b, err)
	var n atomic.Int64
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			c := one(write(row.Insert, "u", fmt.Sprintf("%09d", n.Add(1)), "a row of some bytes", 0))
			c.Clock = ck.Now()
			if out, err := log.Propose(b.Context(), c); err != nil || out.Err != nil {
				b.Error(err, out.Err)
				return
			}
		}
	})
}
