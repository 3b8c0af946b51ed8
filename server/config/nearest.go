package config

import "strings"

// suggest returns "; did you mean x?" for the known name nearest to name, or
// a hint where to look when none is near.
func suggest(name string, known []string) string {
	best, least := "", 1+len(name)/3
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d <= least {
			if d < least || best == "" {
				best, least = k, d
			}
		}
	}
	if best == "" {
		best = sameKey(name, known)
	}
	if best == "" {
		return "; `kalamdb-server config reference` lists all"
	}
	return "; did you mean " + best + "?"
}

// sameKey returns the known name that ends in the same key, for a key that was
// put into the wrong section, or that begins alike.
func sameKey(name string, known []string) string {
	key := name[strings.LastIndexByte(name, '.')+1:]
	for _, k := range known {
		if strings.HasSuffix(k, "."+key) {
			return k
		}
	}
	for _, k := range known {
		if strings.HasPrefix(k, name) || strings.HasPrefix(name, k) {
			return k
		}
	}
	return ""
}

// distance is the number of characters to insert, delete, replace or swap
// with a neighbour to make a into b.
func distance(a, b string) int {
	before, prev := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev = prev, row
	}
	return prev[len(b)]
}
