//go:build !linux

package nemesis

import (
	"errors"
	"time"
)

var errNotHere = errors.New("only on Linux")

// network is of Linux only; see there.
type network struct{}

// condition is how a link is.
type condition struct {
	cut   bool
	loss  float64 // part of the packets
	delay time.Duration
}

const hostPort = 0

func newNetwork(int, uint64) (*network, error)   { return nil, errNotHere }
func (w *network) host(int) string               { return "" }
func (w *network) inside(int) []string           { return nil }
func (w *network) set(from, to int, c condition) {}
func (w *network) heal()                         {}
func (w *network) close() error                  { return nil }

func smallDisk(string, int64) error { return errNotHere }
func dropDisk(string) error         { return nil }
