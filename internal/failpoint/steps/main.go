// Command steps goes through two failpoints five times and tells by how many
// seconds its clock is ahead each time: the program on which the test of failpoint
// tries whether and where a process ends. It starts no goroutines.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/kalamdb/kalamdb-go/internal/failpoint"
)

func main() {
	for i := range 5 {
		ahead := time.Until(failpoint.Now()).Round(time.Second)
		if _, err := fmt.Fprintln(os.Stdout, i, ahead); err != nil {
			os.Exit(1)
		}
		failpoint.Here(failpoint.SegmentThere)
		failpoint.Here(failpoint.SweepDying)
	}
}
