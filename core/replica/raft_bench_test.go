package replica_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lni/dragonboat/v4"
	"github.com/lni/dragonboat/v4/statemachine"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/store/row"
)

const (
	benchClients = 64
	benchPayload = 200
	benchWarm    = 500 * time.Millisecond
)

// BenchmarkRaft measures commands through the log of a cluster of three nodes in one
// process, and what the library alone does with proposals of the same size on as many
// groups.
func BenchmarkRaft(b *testing.B) {
	for _, clients := range []int{1, benchClients} {
		b.Run(fmt.Sprintf("commands, %d clients", clients), func(b *testing.B) {
			c := newCluster(b, 3)
			c.options = func(o *replica.RaftOptions) { o.RTT = 100 * time.Millisecond }
			for n := range c.members {
				c.start(n, c.members)
			}
			for s := range ident.ShardID(testShards + 2) {
				check(b, c.nodes[1].propose(&command.Command{
					Shard: s, Fences: []command.Fence{c.fence(s)},
				}).Err)
			}
			payload := string(make([]byte, benchPayload))
			var n atomic.Int64
			measure(b, clients, func(client int) {
				s := ident.ShardID(client % (testShards + 2))
				node := c.nodes[ident.NodeID(1+client%3)]
				pk := fmt.Sprint(n.Add(1))
				check(b, node.propose(on(s, write(row.Insert, "a", pk, payload, 0))).Err)
			})
		})
		b.Run(fmt.Sprintf("bare proposals, %d clients", clients), func(b *testing.B) {
			hosts := bareCluster(b)
			cmd := on(1, write(row.Insert, "a", "100000", string(make([]byte, benchPayload)), 0)).Append(nil)
			measure(b, clients, func(client int) {
				host := hosts[client%3]
				session := host.GetNoOPSession(uint64(1 + client%(testShards+2)))
				for {
					ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
					_, err := host.SyncPropose(ctx, session, cmd)
					cancel()
					if err == nil {
						return
					}
				}
			})
		})
	}
}

// measure shares b.N calls of f among clients.
func measure(b *testing.B, clients int, f func(client int)) {
	for end := time.Now().Add(benchWarm); time.Now().Before(end); {
		f(0)
	}
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				f(client)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commands/s")
}

// bareCluster starts the library alone, with the log's own settings, over state
// machines that keep nothing.
func bareCluster(b *testing.B) (hosts []*dragonboat.NodeHost) {
	dir, members := b.TempDir(), map[uint64]string{}
	for i := range uint64(3) {
		members[i+1] = freeAddress(b)
	}
	for i := range uint64(3) {
		host, err := dragonboat.NewNodeHost(replica.HostConfig(replica.RaftOptions{
			Advertise: members[i+1], Dir: filepath.Join(dir, fmt.Sprint(i)), RTT: 100 * time.Millisecond,
		}))
		check(b, err)
		b.Cleanup(host.Close)
		hosts = append(hosts, host)
	}
	for i, host := range hosts {
		for s := range ident.ShardID(testShards + 2) {
			check(b, host.StartOnDiskReplica(members, false,
				func(uint64, uint64) statemachine.IOnDiskStateMachine { return new(nothing) },
				replica.GroupConfig(s, replica.ReplicaID(i+1), false)))
		}
	}
	return hosts
}

// nothing is a state machine that counts.
type nothing struct {
	statemachine.IOnDiskStateMachine
	n uint64
}

func (n *nothing) Open(<-chan struct{}) (uint64, error) { return 0, nil }
func (n *nothing) Sync() error                          { return nil }
func (n *nothing) Close() error                         { return nil }
func (n *nothing) Update(e []statemachine.Entry) ([]statemachine.Entry, error) {
	for i := range e {
		n.n += uint64(binary.Size(e[i].Index))
	}
	return e, nil
}
