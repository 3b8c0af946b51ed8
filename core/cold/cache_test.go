package cold

import (
	"sync"
	"sync/atomic"
	"testing"
)

// What is missing is read once at a time, and again when that has failed.
func TestCache_ReadsOnceAtATime(t *testing.T) {
	c := newCache[int, string](1000)
	if _, ok, wait := c.claim(1); ok || wait != nil {
		t.Fatal("the first one is not to read")
	}
	_, ok, wait := c.claim(1)
	if ok || wait == nil {
		t.Fatal("the second one does not wait for the first")
	}
	if _, ok, other := c.claim(2); ok || other != nil {
		t.Fatal("another value waits too")
	}
	c.release(1) // it could not be read
	<-wait
	if _, ok, wait := c.claim(1); ok || wait != nil {
		t.Fatal("nobody reads what could not be read")
	}
	c.put(1, "x", 10)
	c.release(1)
	if v, ok, _ := c.claim(1); !ok || v != "x" {
		t.Errorf("got %q %v", v, ok)
	}
	var reads atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for {
				_, ok, wait := c.claim(3)
				if ok {
					return
				}
				if wait != nil {
					<-wait
					continue
				}
				reads.Add(1)
				c.put(3, "y", 1)
				c.release(3)
			}
		})
	}
	all.Wait()
	if reads.Load() != 1 {
		t.Errorf("read %d times", reads.Load())
	}
}
