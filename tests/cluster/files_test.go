package cluster_test

import (
	"fmt"
	"testing"

	"github.com/kalamdb/kalamdb-go/internal/testkit"
	"github.com/kalamdb/kalamdb-go/tests/cluster"
)

// TestCluster_ColdFiles has rows that a job flushed to the folder of each node be read
// on all of them.
func TestCluster_ColdFiles(t *testing.T) {
	c := cluster.Start(t, 3)
	root := c.Root(1)
	testkit.Must(t, root, "CREATE NAMESPACE cold")
	testkit.Must(t, root, "CREATE SHARED TABLE cold.t (id BIGINT PRIMARY KEY, v TEXT) "+
		"WITH (FLUSH_POLICY = 'none')")
	for i := range 20 {
		testkit.Must(t, root, fmt.Sprintf("INSERT INTO cold.t (id, v) VALUES (%[1]d, 'v%[1]d')", i))
	}
	testkit.Must(t, root, "FLUSH TABLE cold.t")
	testkit.Eventually(t, patience, "the flush is done", func() bool {
		got := testkit.Must(t, root, "SELECT status FROM system.jobs WHERE kind = 'flush'")
		return fmt.Sprint(got.Rows) == "[[completed]]"
	})
	for _, n := range c.Nodes {
		testkit.WantRows(t, c.Root(n.ID), "SELECT v FROM cold.t WHERE id >= 18 ORDER BY id",
			[]string{"v18"}, []string{"v19"})
		testkit.WantRows(t, c.Root(n.ID),
			"SELECT value FROM system.stats WHERE name = 'cold_files_restored'", []string{"0"})
	}
}
