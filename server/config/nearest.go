package config

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// suggest returns "; did you mean x?" for the known name nearest to name, or
// a hint where to look when none is near.
func suggest(name string, known []string) string {
	best := fault.Nearest(name, known)
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
