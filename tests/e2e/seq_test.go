package e2e_test

import (
	"strconv"
	"strings"
)

// later reports whether seq a, a decimal, lies behind b; "" lies before all.
func later(a, b string) bool { return number(a) > number(b) }

func number(seq string) uint64 {
	n, err := strconv.ParseUint(seq, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// shardSeq takes the "shard:seq" of a write apart.
func shardSeq(s string) (shard string, seq uint64) {
	shard, text, _ := strings.Cut(s, ":")
	return shard, number(text)
}
