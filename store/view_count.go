package store

import (
	"errors"
	"sync"
	"time"
)

// viewCount counts the views whose snapshots are open.
type viewCount struct {
	mu   sync.Mutex
	n    int
	err  error         // of closing snapshots
	none chan struct{} // closed when n reaches 0, once somebody waits
}

func (c *viewCount) add() {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
}

func (c *viewCount) done(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n--
	c.err = errors.Join(c.err, err)
	if c.n == 0 && c.none != nil {
		close(c.none)
		c.none = nil
	}
}

// open returns how many views are open.
func (c *viewCount) open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// wait blocks until no view is open or d is over, and returns how many are.
func (c *viewCount) wait(d time.Duration) int {
	c.mu.Lock()
	if c.n == 0 {
		c.mu.Unlock()
		return 0
	}
	if c.none == nil {
		c.none = make(chan struct{})
	}
	none := c.none
	c.mu.Unlock()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-none:
	case <-timer.C:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}
