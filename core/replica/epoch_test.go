package replica_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// TestRaft_Epochs refuses the work of a leader that was followed by another, on any
// node.
func TestRaft_Epochs(t *testing.T) {
	c := startCluster(t, 3)
	propose := func(n *node, term uint64, pk string) error {
		cmd := on(1, write(row.Insert, "a", pk, "x", 0))
		cmd.Epoch = term
		for {
			cmd.Clock = n.clock.Now()
			out, err := n.log.Propose(t.Context(), cmd)
			if err == nil {
				return out.Err
			}
			if !fault.Is(err, fault.NoQuorum) {
				t.Fatal(err)
			}
		}
	}
	check(t, propose(c.nodes[1], 4, "1"))
	check(t, propose(c.nodes[2], 5, "2"))
	if err := propose(c.nodes[1], 4, "3"); !fault.Is(err, fault.NotLeader) {
		t.Errorf("work of a term that is over gave %v", err)
	}
	check(t, propose(c.nodes[1], 0, "4"))
	check(t, propose(c.nodes[1], 5, "5"))
	if out := c.nodes[3].propose(&command.Command{Shard: 1, Epoch: 3}); !fault.Is(
		out.Err, fault.NotLeader) {
		t.Errorf("another node gave %+v", out)
	}
}
