// Command steps goes through two failpoints five times: the program on which
// the test of failpoint tries whether and where a process ends. It starts no
// goroutines.
package main

import (
	"fmt"
	"os"

	"github.com/kalamdb/kalamdb-go/internal/failpoint"
)

func main() {
	for i := range 5 {
		if _, err := fmt.Fprintln(os.Stdout, i); err != nil {
			os.Exit(1)
		}
		failpoint.Here(failpoint.SegmentThere)
		failpoint.Here(failpoint.SweepDying)
	}
}
