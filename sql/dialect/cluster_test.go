package dialect_test

import (
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

func TestParse_ClusterStatementsThatMeanNothing(t *testing.T) {
	for sql, want := range map[string]fault.Code{
		"CLUSTER": fault.InvalidSQL, "CLUSTER JOIN": fault.InvalidSQL, "CLUSTER JOIN 4": fault.InvalidSQL,
		"CLUSTER JOIN ''": fault.InvalidSQL, "CLUSTER LEAVE 0": fault.InvalidParameter,
		"CLUSTER JOIN '" + strings.Repeat("x", 400) + "'": fault.InvalidSQL,
		"CLUSTER LEAVE 1024":                              fault.InvalidParameter,
		"CLUSTER LEAVE 70000":                             fault.InvalidSQL,
		"CLUSTER LEAVE -1":                                fault.InvalidSQL,
		"CLUSTER LEAVE 1 2":                               fault.InvalidSQL,
		"CLUSTER REPLACE 1":                               fault.InvalidSQL,
		"CLUSTER TRANSFER LEADER OF x TO 1":               fault.InvalidSQL,
		"CLUSTER SNAPSHOT":                                fault.Unsupported,
		"SET READ STALENESS":                              fault.InvalidSQL,
		"SET READ STALENESS 'soon'":                       fault.InvalidParameter,
		"SET READ STALENESS '2h'":                         fault.InvalidParameter,
		"SET NAMES utf8":                                  fault.Unsupported,
	} {
		if _, err := dialect.Parse(sql, dialect.Limits{}); !fault.Is(err, want) {
			t.Errorf("%.60s: %v, want %s", sql, err, want)
		}
	}
}
