//go:build !linux

package testkit

import "testing"

// SmallDisk skips the test: small file systems are made on Linux only.
func SmallDisk(t testing.TB) string {
	t.Helper()
	t.Skip("a full disk needs Linux")
	return ""
}
