package replica_test

import (
	"context"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/store/row"
)

func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	check(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRaftIdle measures what three nodes of 12 groups each take while nothing is
// asked of them, with the default settings. All are in this process, which the figures
// are divided by.
func BenchmarkRaftIdle(b *testing.B) {
	c := newCluster(b, 3)
	c.shards = 10
	c.options = func(o *replica.RaftOptions) { o.RTT = 100 * time.Millisecond }
	for n := range c.members {
		c.start(n, c.members)
	}
	for s := range ident.ShardID(c.shards + 2) {
		c.nodes[1].barrier(s)
	}
	const idle = 5 * time.Second
	for b.Loop() {
		before := processor(b)
		end := time.NewTimer(idle)
		<-end.C
		b.ReportMetric(100*float64(processor(b)-before)/float64(3*idle), "%processor/node")
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.Sys-m.HeapReleased)/3/(1<<20), "MB/node")
}

// BenchmarkRaftFailover measures how long a client that repeats its write waits when the
// leader of its shard is gone without a word.
func BenchmarkRaftFailover(b *testing.B) {
	c := newCluster(b, 3)
	c.options = func(o *replica.RaftOptions) { o.RTT = 100 * time.Millisecond }
	for n := range c.members {
		c.start(n, c.members)
	}
	check(b, c.nodes[1].propose(fenceOf(c, 1)).Err)
	n := 0
	for b.Loop() {
		b.StopTimer()
		leader, _ := c.any().log.Leader(1)
		c.nodes[leader].log.Vanish()
		gone := c.nodes[leader]
		delete(c.nodes, leader)
		other := c.any()
		began := time.Now()
		b.StartTimer()
		n++
		check(b, other.propose(on(1, write(row.Insert, "a", fmt.Sprint(n), "x", 0))).Err)
		b.StopTimer()
		b.ReportMetric(time.Since(began).Seconds(), "s/last")
		check(b, gone.db.Close())
		c.start(leader, nil).barrier(1)
		check(b, c.nodes[leader].log.Barrier(context.Background(), 1))
		b.StartTimer()
	}
}
