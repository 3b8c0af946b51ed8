package e2e_test

import (
	"fmt"
	"testing"

	"github.com/kalamdb/kalamdb-go/internal/testkit"
)

func TestPartitions_fiveUserTablesHaveFifty(t *testing.T) {
	s := testkit.Start(t)
	ns := s.Namespace(t)
	root := s.Root()
	count := "SELECT COUNT(*) FROM system.partitions WHERE namespace = '" + ns + "'"
	testkit.WantRows(t, root, count, []string{"0"})
	for i := range 5 {
		testkit.Must(t, root, fmt.Sprintf("CREATE USER TABLE %s.t%d (id BIGINT PRIMARY KEY)", ns, i))
	}
	testkit.WantRows(t, root, count, []string{"50"})
	testkit.WantRows(t, root, "SELECT table_name, COUNT(DISTINCT shard) FROM system.partitions "+
		"WHERE namespace = '"+ns+"' GROUP BY table_name ORDER BY table_name",
		[]string{"t0", "10"}, []string{"t1", "10"}, []string{"t2", "10"}, []string{"t3", "10"},
		[]string{"t4", "10"})

	testkit.Must(t, root, "DROP TABLE "+ns+".t0")
	testkit.WantRows(t, root, count, []string{"40"})
}
