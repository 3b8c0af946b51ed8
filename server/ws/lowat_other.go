//go:build !linux

package ws

import "net"

// boundUnsent does nothing where the bound is not known to exist.
func boundUnsent(net.Conn) error { return nil }
