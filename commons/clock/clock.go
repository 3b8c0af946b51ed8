package clock

import (
	"sync"
	"time"
)

// Clock is a hybrid logical clock: it gives out sequence numbers that follow
// the wall clock and never go back. It is safe for concurrent use.
type Clock struct {
	wall func() time.Time

	mu   sync.Mutex
	last Seq
}

// New returns a clock that reads the time from wall and gives only numbers
// above floor, the highest one that was used before a restart.
func New(wall func() time.Time, floor Seq) *Clock {
	return &Clock{wall: wall, last: max(floor, 0)}
}

// Now returns the first number of the wall clock's millisecond, or the one
// after the last when that is not above it: when the wall clock stands still
// or jumps back, the counter goes on, and carries into the milliseconds when
// it is used up. At MaxSeq, in the year 2298, the clock stands still.
func (c *Clock) Now() Seq {
	at := SeqAt(c.wall())
	c.mu.Lock()
	defer c.mu.Unlock()
	if at <= c.last && c.last < MaxSeq {
		at = c.last + 1
	}
	c.last = max(c.last, at)
	return c.last
}

// Observe makes later numbers greater than s, which another node or a log has
// given out.
func (c *Clock) Observe(s Seq) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, s)
}

// Last returns the highest number that was given out or observed.
func (c *Clock) Last() Seq {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}
