package engine_test

import (
	"fmt"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
)

// TestSystemTables_columnsNeedNoQuotes names every column of every system table
// as clients do, whatever words of the parser's own they are.
func TestSystemTables_columnsNeedNoQuotes(t *testing.T) {
	b := open(t, t.TempDir(), engine.Options{})
	for _, table := range catalog.SystemTables() {
		for _, c := range table.Columns {
			sql := fmt.Sprintf("SELECT %[1]s, x.%[1]s, COUNT(*) AS %[1]s FROM %[2]s.%[3]s x "+
				"WHERE %[1]s IS NOT NULL AND NOT %[1]s IS NULL GROUP BY %[1]s ORDER BY x.%[1]s",
				c.Name, system.Namespace, table.Name)
			b.run(root, sql)
		}
	}
}
