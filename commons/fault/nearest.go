package fault

import "strings"

// Nearest returns the known name that was most likely meant by name, "" when
// none is near. Case does not count. It is for messages: "did you mean ...?".
func Nearest[T ~string](name string, known []T) T {
	var best T
	if len(name) > longestName {
		return best
	}
	least := 2 + len(name)/3
	for _, k := range known {
		if d := distance(strings.ToLower(name), strings.ToLower(string(k))); d < least {
			best, least = k, d
		}
	}
	return best
}

// longestName bounds the work; nobody misspells longer names.
const longestName = 128

// distance is the number of bytes to insert, delete, replace or swap with a
// neighbour to make a into b (optimal string alignment).
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
