package main

import (
	"math/rand/v2"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/placement"
)

// cluster is which nodes live and where the shards of users are, by the cluster's own
// placement.
type cluster struct {
	nodes  []ident.NodeID
	copies int
	shards []placement.Shard
}

// found places shards on nodes that have none.
func found(nodes, shards, copies int) *cluster {
	c := &cluster{copies: copies}
	for n := range nodes {
		c.nodes = append(c.nodes, ident.NodeID(n+1))
	}
	for s := range shards {
		c.shards = append(c.shards, placement.Shard{ID: ident.ShardID(s + 1)})
	}
	c.shards = placement.Plan(c.nodes, copies, c.shards)
	return c
}

// scattered has each shard on nodes that were drawn, to compare with.
func scattered(nodes, shards, copies int) *cluster {
	c := found(nodes, shards, copies)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range c.shards {
		for j, n := range r.Perm(nodes)[:copies] {
			c.shards[i].Replicas[j] = c.nodes[n]
		}
	}
	return c
}

// loss is what the death of a node brings: replicas copied, shards that lost their
// leader, leaders that moved besides, and how many nodes have what is copied, and get it.
type loss struct{ copied, led, moved, from, to int }

// lose takes a node away and plans anew.
func (c *cluster) lose(node ident.NodeID) (l loss) {
	c.nodes = slices.DeleteFunc(c.nodes, func(n ident.NodeID) bool { return n == node })
	next := placement.Plan(c.nodes, c.copies, c.shards)
	from, to := make(map[ident.NodeID]bool), make(map[ident.NodeID]bool)
	for i, now := range next {
		was := c.shards[i]
		for _, n := range now.Replicas {
			if slices.Contains(was.Replicas, n) {
				continue
			}
			l.copied++
			to[n] = true
			for _, m := range was.Replicas {
				if m != node {
					from[m] = true
				}
			}
		}
		switch {
		case was.Leader == node:
			l.led++
		case was.Leader != now.Leader:
			l.moved++
		}
	}
	l.from, l.to = len(from), len(to)
	c.shards = next
	return l
}

func (c *cluster) replicas() map[ident.NodeID]int {
	counts := make(map[ident.NodeID]int)
	for _, s := range c.shards {
		for _, n := range s.Replicas {
			counts[n]++
		}
	}
	return counts
}

func (c *cluster) leads() map[ident.NodeID]int {
	counts := make(map[ident.NodeID]int)
	for _, s := range c.shards {
		counts[s.Leader]++
	}
	return counts
}

// span is the least and the most of the nodes that live.
func (c *cluster) span(counts map[ident.NodeID]int) (low, high int) {
	low = len(c.shards)
	for _, n := range c.nodes {
		low, high = min(low, counts[n]), max(high, counts[n])
	}
	return low, high
}

// without counts the shards that have no majority when these nodes are gone at once.
func (c *cluster) without(gone []ident.NodeID) (count int) {
	for _, s := range c.shards {
		left := 0
		for _, n := range s.Replicas {
			if !slices.Contains(gone, n) {
				left++
			}
		}
		if left <= len(s.Replicas)/2 {
			count++
		}
	}
	return count
}

// together is what happens when k random nodes are gone at once: how often some shard
// has no majority, in percent, and how many have none then, on average.
func (c *cluster) together(k, times int) (percent, shards float64) {
	r := rand.New(rand.NewPCG(2, uint64(k)))
	some, sum := 0, 0
	gone := make([]ident.NodeID, k)
	for range times {
		for i, n := range r.Perm(len(c.nodes))[:k] {
			gone[i] = c.nodes[n]
		}
		if n := c.without(gone); n > 0 {
			some++
			sum += n
		}
	}
	return 100 * float64(some) / float64(times), float64(sum) / float64(max(some, 1))
}
