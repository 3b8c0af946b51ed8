package store

import (
	"context"
	"errors"
	"sync"
	"time"
)

// viewCount knows the views whose snapshots are open, by their numbers in the
// order in which they were made.
type viewCount struct {
	mu     sync.Mutex
	last   uint64              // given
	opened map[uint64]struct{} // those that are open
	err    error               // of closing snapshots
	none   chan struct{}       // closed when none is open, once somebody waits
	fewer  chan struct{}       // closed when one less is open, once somebody waits
}

// add counts a new view and returns its number.
func (c *viewCount) add() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.opened == nil {
		c.opened = make(map[uint64]struct{})
	}
	c.last++
	c.opened[c.last] = struct{}{}
	return c.last
}

func (c *viewCount) done(number uint64, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.opened, number)
	c.err = errors.Join(c.err, err)
	if len(c.opened) == 0 && c.none != nil {
		close(c.none)
		c.none = nil
	}
	if c.fewer != nil {
		close(c.fewer)
		c.fewer = nil
	}
}

// open returns how many views are open.
func (c *viewCount) open() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.opened)
}

// older blocks until no view with a smaller number is open, or ctx ends.
func (c *viewCount) older(ctx context.Context, number uint64) error {
	for {
		c.mu.Lock()
		held := false
		for n := range c.opened {
			held = held || n < number
		}
		if held && c.fewer == nil {
			c.fewer = make(chan struct{})
		}
		fewer := c.fewer
		c.mu.Unlock()
		if !held {
			return nil
		}
		select {
		case <-fewer:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// wait blocks until no view is open or d is over, and returns how many are.
func (c *viewCount) wait(d time.Duration) int {
	c.mu.Lock()
	if len(c.opened) == 0 {
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
	return len(c.opened)
}
