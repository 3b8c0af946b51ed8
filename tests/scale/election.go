package main

import (
	"math/rand/v2"
	"slices"
)

// election is a group that has lost its leader. Each replica that has heard of none for
// 8 to 16 ticks of 0.1 s asks the others for their votes; who is asked first has it.
type election struct {
	voters       int
	reach, slack float64 // seconds of a message with its sync: at least, and beyond that
}

// once tells how long the group has no leader, and how often it voted.
func (e election) once(r *rand.Rand) (seconds float64, rounds int) {
	for {
		rounds++
		asked := make([]float64, e.voters-1) // the dead one asks nobody
		for i := range asked {
			asked[i] = 0.8 + 0.8*r.Float64()
		}
		slices.Sort(asked)
		candidates := asked[:1]
		for i := 1; i < len(asked) && asked[i] < asked[0]+e.reach+e.slack*r.Float64(); i++ {
			candidates = asked[:i+1]
		}
		votes := make([]int, len(candidates))
		for i := range votes {
			votes[i] = 1
		}
		for range len(asked) - len(candidates) {
			votes[e.first(r, candidates)]++
		}
		if slices.Max(votes) > e.voters/2 {
			return seconds + asked[0] + 2*(e.reach+e.slack), rounds
		}
		seconds += asked[0]
	}
}

// first is whose question comes first to a replica.
func (e election) first(r *rand.Rand, candidates []float64) (best int) {
	var at float64
	for i, c := range candidates {
		if t := c + e.reach + e.slack*r.Float64(); i == 0 || t < at {
			best, at = i, t
		}
	}
	return best
}

// run repeats it.
func (e election) run(times int) (p50, p99, rounds float64) {
	r := rand.New(rand.NewPCG(7, uint64(e.voters)))
	all, sum := make([]float64, times), 0
	for i := range all {
		var n int
		all[i], n = e.once(r)
		sum += n
	}
	slices.Sort(all)
	return all[times/2], all[times*99/100], float64(sum) / float64(times)
}
