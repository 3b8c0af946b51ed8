//go:build !failpoint

package failpoint

// Here marks a step; see the package.
func Here(Point) {}
