// Package testkit holds what tests of several modules need: a goroutine-leak
// check, waiting for a state, and a real server to talk to.
//
// It knows the upper modules as processes only, through package blackbox. Its
// functions fail the test themselves and clean up through it.
package testkit

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of a package that starts goroutines and fails when some
// are left at the end. It is the body of a package's TestMain. A server binary
// that tests built is removed.
func Main(m *testing.M) {
	code := m.Run()
	removeBinary()
	closeIdle()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "goroutines are left after the tests:", err)
			code = 1
		}
	}
	os.Exit(code)
}
