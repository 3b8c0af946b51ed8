package placement_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/placement"
)

func shards(n int) []placement.Shard {
	list := []placement.Shard{{ID: 0, Everywhere: true}}
	for i := 1; i <= n; i++ {
		list = append(list, placement.Shard{ID: ident.ShardID(i)})
	}
	return append(list, placement.Shard{ID: ident.ShardID(n + 1), Everywhere: true})
}

func moves(before, after []placement.Shard) (n int) {
	for i := range after {
		for _, r := range after[i].Replicas {
			if !slices.Contains(before[i].Replicas, r) {
				n++
			}
		}
	}
	return n
}

func TestPlan(t *testing.T) {
	three := []ident.NodeID{1, 2, 3}
	first := placement.Plan(three, 3, shards(10))
	for _, s := range first {
		if !slices.Equal(s.Replicas, three) {
			t.Errorf("shard %d of three nodes is on %v", s.ID, s.Replicas)
		}
	}
	if again := placement.Plan(three, 3, first); !reflect.DeepEqual(again, first) {
		t.Errorf("a plan that is planned again is another: %v, %v", first, again)
	}
	// A fourth node takes its share of 30 replicas, from others, and nothing else moves.
	four := placement.Plan([]ident.NodeID{1, 2, 3, 4}, 3, first)
	if n := moves(first, four); n != 7+2 {
		t.Errorf("%d replicas moved for a fourth node, want 7 and those of the shards everywhere", n)
	}
	// Node 2 is replaced by node 5: only what it had moves.
	had := 0
	for _, s := range four {
		if slices.Contains(s.Replicas, 2) {
			had++
		}
	}
	if n := moves(four, placement.Plan([]ident.NodeID{1, 3, 4, 5}, 3, four)); n != had {
		t.Errorf("%d replicas moved to replace a node with %d", n, had)
	}
}

// TestPlan_Random takes nodes in and out at random and checks each plan.
func TestPlan_Random(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		now, replicas := shards(1+r.IntN(20)), 1+r.IntN(4)
		for range 8 {
			var nodes []ident.NodeID
			for n := ident.NodeID(1); n <= 7; n++ {
				if r.IntN(3) > 0 {
					nodes = append(nodes, n)
				}
			}
			if len(nodes) == 0 {
				continue
			}
			next := placement.Plan(nodes, replicas, now)
			check(t, nodes, replicas, next)
			if again := placement.Plan(nodes, replicas, next); !reflect.DeepEqual(again, next) {
				t.Fatalf("planned again it is another:\n%v\n%v", next, again)
			}
			now = next
		}
	}
}

func check(t *testing.T, nodes []ident.NodeID, replicas int, plan []placement.Shard) {
	t.Helper()
	loads, leads := make(map[ident.NodeID]int), make(map[ident.NodeID]int)
	for _, s := range plan {
		want := min(replicas, len(nodes))
		if s.Everywhere {
			want = len(nodes)
		}
		if len(s.Replicas) != want || len(slices.Compact(slices.Clone(s.Replicas))) != want {
			t.Fatalf("shard %d has replicas %v, want %d", s.ID, s.Replicas, want)
		}
		if !slices.Contains(s.Replicas, s.Leader) {
			t.Fatalf("shard %d on %v is led by %d", s.ID, s.Replicas, s.Leader)
		}
		leads[s.Leader]++
		for _, n := range s.Replicas {
			if !slices.Contains(nodes, n) {
				t.Fatalf("shard %d is on node %d, which is none of %v", s.ID, n, nodes)
			}
			if !s.Everywhere {
				loads[n]++
			}
		}
	}
	least, most := len(plan), 0
	for _, n := range nodes {
		least, most = min(least, loads[n]), max(most, loads[n])
	}
	if most > least+1 {
		t.Fatalf("nodes have %v replicas", loads)
	}
}
