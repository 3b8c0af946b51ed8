package live

import "sync/atomic"

// Budget bounds the bytes that wait for a socket, or for all of them. Nobody
// waits for it: who goes beyond it is told, and lets something go. It is safe
// for concurrent use; a nil Budget has no limit.
type Budget struct {
	limit int64
	used  atomic.Int64
}

// NewBudget returns a Budget of limit bytes.
func NewBudget(limit int) *Budget { return &Budget{limit: int64(limit)} }

// Add counts n more bytes, fewer when n is negative, and reports whether what
// waits now is within the limit.
func (b *Budget) Add(n int) bool {
	return b == nil || b.used.Add(int64(n)) <= b.limit
}

// Used returns the bytes that wait.
func (b *Budget) Used() int64 {
	if b == nil {
		return 0
	}
	return b.used.Load()
}

// Over reports whether more waits than the limit allows.
func (b *Budget) Over() bool { return b != nil && b.used.Load() > b.limit }

// backlog is what some live subscription of a group has yet to take: a list of
// events that grows at its tail. A subscription keeps its place in it, so an
// event costs the same however many wait for it, and is let go when the last
// of them has passed it. It is guarded by shard.mu.
type backlog struct {
	head *link   // the first link at which somebody stands, the tail for none
	tail *link   // where the next event will stand; never nil
	held *Budget // counts the events from head on
}

// link is a place in a backlog.
type link struct {
	event *Event // nil at the tail
	next  *link
	n     int64 // events before it, ever
	bytes int64 // of the events before it, ever
	here  int   // subscriptions whose next event this is
}

func newBacklog(held *Budget) backlog {
	l := &link{}
	return backlog{head: l, tail: l, held: held}
}

// push appends events.
func (b *backlog) push(events []*Event) {
	for _, e := range events {
		next := &link{n: b.tail.n + 1, bytes: b.tail.bytes + int64(e.size)}
		b.tail.event, b.tail.next = e, next
		b.tail = next
		b.held.Add(e.size)
	}
}

// enter stands a subscription at the tail.
func (b *backlog) enter() *link {
	b.tail.here++
	return b.tail
}

// move takes a subscription from one place to a later one, to nil to leave.
func (b *backlog) move(from, to *link) {
	from.here--
	if to != nil {
		to.here++
	}
	for b.head != b.tail && b.head.here == 0 {
		b.held.Add(-b.head.event.size)
		b.head = b.head.next
	}
}

// waiting returns the events from a place on, and their bytes.
func (b *backlog) waiting(at *link) (events, bytes int) {
	return int(b.tail.n - at.n), int(b.tail.bytes - at.bytes)
}
