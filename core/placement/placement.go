// Package placement decides which nodes of a cluster have which shards, and which of
// them is to lead each. It is a pure function of what there is.
package placement

import (
	"cmp"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// Shard is where a shard is, or is to be.
type Shard struct {
	ID ident.ShardID
	// Everywhere asks for a replica on each node: of the system tables and of shared
	// ones.
	Everywhere bool
	Replicas   []ident.NodeID // sorted
	Leader     ident.NodeID   // one of them; 0 for none
}

// Plan places shards on nodes, each on as many as replicas says or on all when there
// are fewer. What can stay where it is stays: replicas move only from nodes that
// are none of these, or that have two more than another; the same holds of leaders.
// The answer is the same for the same input, in the order of shards.
func Plan(nodes []ident.NodeID, replicas int, shards []Shard) []Shard {
	p := &plan{nodes: slices.Sorted(slices.Values(nodes)), out: make([]Shard, len(shards))}
	if len(p.nodes) == 0 {
		return slices.Clone(shards)
	}
	p.replicas = min(max(replicas, 1), len(p.nodes))
	for i, s := range shards {
		s.Replicas = slices.DeleteFunc(slices.Clone(s.Replicas), func(n ident.NodeID) bool {
			return !slices.Contains(p.nodes, n)
		})
		if s.Everywhere {
			s.Replicas = slices.Clone(p.nodes)
		}
		p.out[i] = s
	}
	p.fill()
	p.level()
	p.lead()
	for i := range p.out {
		slices.Sort(p.out[i].Replicas)
	}
	return p.out
}

type plan struct {
	nodes    []ident.NodeID
	replicas int
	out      []Shard
}

// loads counts the replicas of each node, of shards that are not everywhere.
func (p *plan) loads() map[ident.NodeID]int {
	loads := make(map[ident.NodeID]int)
	for i := range p.out {
		if !p.out[i].Everywhere {
			for _, n := range p.out[i].Replicas {
				loads[n]++
			}
		}
	}
	return loads
}

// fill gives each shard as many replicas as it is to have.
func (p *plan) fill() {
	loads := p.loads()
	for i := range p.out {
		s := &p.out[i]
		for !s.Everywhere && len(s.Replicas) > p.replicas {
			n := slices.MaxFunc(s.Replicas, func(a, b ident.NodeID) int {
				return cmp.Or(cmp.Compare(loads[a], loads[b]), cmp.Compare(side(s, b), side(s, a)),
					cmp.Compare(a, b))
			})
			s.Replicas = without(s.Replicas, n)
			loads[n]--
		}
		for !s.Everywhere && len(s.Replicas) < p.replicas {
			n, _ := least(p.nodes, loads, s.Replicas)
			s.Replicas = append(s.Replicas, n)
			loads[n]++
		}
	}
}

// side is 1 for the shard's leader, which is the last to lose its replica.
func side(s *Shard, n ident.NodeID) int {
	if s.Leader == n {
		return 1
	}
	return 0
}

// level moves replicas from nodes with many to nodes with few.
func (p *plan) level() {
	loads := p.loads()
	for {
		moved := false
		for i := range p.out {
			s := &p.out[i]
			to, ok := least(p.nodes, loads, s.Replicas)
			if s.Everywhere || !ok {
				continue
			}
			from := slices.MaxFunc(s.Replicas, func(a, b ident.NodeID) int {
				return cmp.Or(cmp.Compare(loads[a], loads[b]), cmp.Compare(side(s, b), side(s, a)),
					cmp.Compare(a, b))
			})
			if loads[from] < loads[to]+2 {
				continue
			}
			s.Replicas = append(without(s.Replicas, from), to)
			loads[from]--
			loads[to]++
			moved = true
		}
		if !moved {
			return
		}
	}
}

// lead gives each shard a leader, so that nodes lead about as many.
func (p *plan) lead() {
	leads := make(map[ident.NodeID]int)
	for i := range p.out {
		s := &p.out[i]
		if !slices.Contains(s.Replicas, s.Leader) {
			s.Leader = 0
			continue
		}
		leads[s.Leader]++
	}
	for i := range p.out {
		if s := &p.out[i]; s.Leader == 0 {
			s.Leader, _ = least(s.Replicas, leads, nil)
			leads[s.Leader]++
		}
	}
	for moved := true; moved; {
		moved = false
		for i := range p.out {
			s := &p.out[i]
			if to, ok := least(s.Replicas, leads, nil); ok && leads[s.Leader] >= leads[to]+2 {
				leads[s.Leader]--
				leads[to]++
				s.Leader, moved = to, true
			}
		}
	}
}

// least returns the node with the least, of those that are not taken.
func least(nodes []ident.NodeID, loads map[ident.NodeID]int, taken []ident.NodeID) (
	best ident.NodeID, ok bool,
) {
	for _, n := range nodes {
		if slices.Contains(taken, n) {
			continue
		}
		if !ok || loads[n] < loads[best] || loads[n] == loads[best] && n < best {
			best, ok = n, true
		}
	}
	return best, ok
}

func without(list []ident.NodeID, n ident.NodeID) []ident.NodeID {
	return slices.DeleteFunc(list, func(o ident.NodeID) bool { return o == n })
}
