package fault_test

import (
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

func TestNearest(t *testing.T) {
	known := []string{"messages", "rooms", "storage.data_dir", "port", "SELECT"}
	for name, want := range map[string]string{
		"mesages": "messages", "messagse": "messages", "MESSAGES": "messages", "room": "rooms",
		"prot": "port", "selcet": "SELECT", "storage.datadir": "storage.data_dir",
		"elephant": "", "": "", "x": "", strings.Repeat("m", 1<<20): "",
	} {
		if got := fault.Nearest(name, known); got != want {
			t.Errorf("nearest to %.20q is %q, want %q", name, got, want)
		}
	}
}
