package app

import (
	"context"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// idleTick is how often a server looks whether it has become idle.
	idleTick = 10 * time.Second
	// idleBytes is what an idle server allocates in a tick at most.
	idleBytes = 1 << 20
)

// releaseWhenIdle gives memory back to the system when the server has become
// idle: the garbage of the last burst, above all of hashing passwords, would
// stay until the next one. It returns when ctx ends.
func releaseWhenIdle(ctx context.Context) {
	tick := time.NewTicker(idleTick)
	defer tick.Stop()
	last := allocated()
	busy := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := allocated()
		idle := now-last < idleBytes
		if idle && busy {
			debug.FreeOSMemory()
			now = allocated()
		}
		busy, last = !idle, now
	}
}

// allocated returns the bytes that were ever allocated on the heap.
func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
