package replica_test

import (
	"fmt"
	"testing"
)

// BenchmarkCoordinator_Commit inserts a row on three shards, one after another.
func BenchmarkCoordinator_Commit(b *testing.B) {
	g := newGroups(b)
	n := 0
	for b.Loop() {
		n++
		outs, err := g.log.ProposeAll(b.Context(), g.everywhere(fmt.Sprint(n), "x"))
		if err != nil || outs[0].Err != nil {
			b.Fatal(err, outs)
		}
	}
}
