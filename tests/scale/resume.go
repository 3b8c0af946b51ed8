package main

import (
	"math/rand/v2"
	"slices"
)

// storm is the death of nodes at once: all their clients connect to random others, and
// live queries that other nodes had open at the dead ones are opened again elsewhere.
type storm struct {
	nodes, dead      int
	each, limit      int     // sockets of a node before, and its limit
	proxied          int     // live queries that others had open at each dead node
	groups, led      int     // shards, and how many of them each dead node led
	spread           float64 // seconds over which clients come back
	unevenly         bool    // all clients of a dead node go to the same other one
	resumes          float64 // of a node a second
	detect, failover float64 // seconds until a shard has another leader, least and most
}

// outcome is in seconds from the death, and the sockets that no node takes.
type outcome struct {
	p50, p99, worst float64
	queue, refused  int
}

type arrival struct {
	at     float64
	leader bool // has to wait for a new leader first
}

// run is deterministic. Each surviving node serves its resumes in order; who waits for
// a leader takes no turn until there is one.
func (s storm) run() outcome {
	r := rand.New(rand.NewPCG(3, 4))
	alive := s.nodes - s.dead
	queues := make([][]arrival, alive)
	room := make([]int, alive)
	for n := range room {
		room[n] = s.limit - s.each
	}
	var out outcome
	leaderless := float64(s.led*s.dead) / float64(s.groups)
	come := func(n int) {
		a := arrival{at: r.Float64() * s.spread, leader: r.Float64() < leaderless}
		if a.leader {
			a.at = max(a.at, s.detect+r.Float64()*(s.failover-s.detect))
		}
		queues[n] = append(queues[n], a)
	}
	for d := range s.dead {
		for range s.each {
			n := r.IntN(alive)
			if s.unevenly {
				n = d % alive
			}
			if room[n] == 0 {
				if n = slices.IndexFunc(room, func(free int) bool { return free > 0 }); n < 0 {
					out.refused++
					continue
				}
			}
			room[n]--
			come(n)
		}
		for range s.proxied {
			come(r.IntN(alive))
		}
	}
	var waits []float64
	for _, q := range queues {
		waits = append(waits, s.serve(q, &out)...)
	}
	slices.Sort(waits)
	if len(waits) > 0 {
		out.p50, out.p99 = waits[len(waits)/2], waits[len(waits)*99/100]
		out.worst = waits[len(waits)-1]
	}
	return out
}

// serve gives when each of a node's resumes is done, and keeps the longest queue.
func (s storm) serve(q []arrival, out *outcome) (done []float64) {
	slices.SortFunc(q, func(a, b arrival) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	free, first := 0.0, 0
	for i, a := range q {
		free = max(free, a.at) + 1/s.resumes
		done = append(done, free)
		for first < i && done[first] <= a.at {
			first++
		}
		out.queue = max(out.queue, i-first+1)
	}
	return done
}
