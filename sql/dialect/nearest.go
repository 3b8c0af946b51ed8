package dialect

import (
	"sort"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// suggest returns "; did you mean X?" for the known word nearest to word, or
// "" when none is near.
func suggest(word string, known []string) string {
	if len(word) < 2 || len(word) > 2*longestRoleWord {
		return ""
	}
	sort.Strings(known)
	if best := fault.Nearest(word, known); best != "" {
		return "; did you mean " + best + "?"
	}
	return ""
}
