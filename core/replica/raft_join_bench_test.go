package replica_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// BenchmarkRaftReturn measures how long a node takes to be back that was away for many
// rows: by what the log has kept, or by a snapshot where it was cut.
func BenchmarkRaftReturn(b *testing.B) {
	const rows, inCommand = 200_000, 100
	for _, cut := range []bool{false, true} {
		b.Run(fmt.Sprint("log cut: ", cut), func(b *testing.B) {
			c := newCluster(b, 3)
			c.options = func(o *replica.RaftOptions) {
				o.RTT = 100 * time.Millisecond
				if o.SnapshotBytes = 1 << 30; cut {
					o.SnapshotEntries = 100
				}
			}
			for n := range c.members {
				c.start(n, c.members)
			}
			check(b, c.nodes[1].propose(fenceOf(c, 1)).Err)
			n, payload := 0, string(make([]byte, benchPayload))
			for b.Loop() {
				b.StopTimer()
				c.nodes[3].close()
				for range rows / inCommand {
					cmd := &command.Command{Shard: 1}
					for range inCommand {
						n++
						cmd.Writes = append(cmd.Writes, write(row.Insert, "a", fmt.Sprint(n), payload, 0))
					}
					check(b, c.nodes[1].propose(cmd).Err)
				}
				b.StartTimer()
				back := c.start(ident.NodeID(3), nil)
				if _, found := back.read(1, "a", fmt.Sprint(n)); !found {
					b.Fatal("the node is not back")
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
