package system_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/system"
)

func TestIsColumn(t *testing.T) {
	for _, c := range system.Columns {
		if !system.IsColumn(c) {
			t.Errorf("%s is none", c)
		}
	}
	for _, c := range []string{"", "seq", "_SEQ", "_other"} {
		if system.IsColumn(c) {
			t.Errorf("%s is one", c)
		}
	}
}
