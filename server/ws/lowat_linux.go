package ws

import (
	"net"
	"syscall"
)

// unsentBytes is what the system takes of a connection beyond what it can send
// at once: it keeps a client that does not read from filling the server's part
// of the network's buffers, which grow to megabytes, and does not slow down
// one that reads.
const unsentBytes = 16 << 10

// tcpNotSentLowat is TCP_NOTSENT_LOWAT, which package syscall does not name.
const tcpNotSentLowat = 25

// boundUnsent sets the bound on a TCP connection. Without it the connection
// works as well, and costs more when its client stalls.
func boundUnsent(c net.Conn) error {
	for {
		wrapped, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		c = wrapped.NetConn()
	}
	t, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotSentLowat, unsentBytes)
	})
	if err == nil {
		err = failed
	}
	return err
}
