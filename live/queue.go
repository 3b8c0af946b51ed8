package live

// queue holds events that wait for one subscriber, oldest first. The zero
// queue is empty; it takes memory only while events wait.
type queue struct {
	events []*Event
	head   int // of events
	bytes  int
}

// keepCap is the room that an empty queue keeps.
const keepCap = 16

func (q *queue) len() int { return len(q.events) - q.head }

// push appends e when it fits the bounds. An empty queue takes any event.
func (q *queue) push(e *Event, maxEvents, maxBytes int) bool {
	if n := q.len(); n > 0 && (n >= maxEvents || q.bytes+e.size > maxBytes) {
		return false
	}
	q.events = append(q.events, e)
	q.bytes += e.size
	return true
}

func (q *queue) pop() *Event {
	e := q.events[q.head]
	q.events[q.head] = nil
	q.head++
	q.bytes -= e.size
	switch {
	case q.head < len(q.events):
		if q.head >= keepCap && q.head*2 >= len(q.events) {
			n := copy(q.events, q.events[q.head:])
			clear(q.events[n:])
			q.events, q.head = q.events[:n], 0
		}
	case cap(q.events) > keepCap:
		q.events, q.head = nil, 0
	default:
		q.events, q.head = q.events[:0], 0
	}
	return e
}

// drop empties the queue and returns the first event it held, nil for none.
func (q *queue) drop() *Event {
	var first *Event
	if q.len() > 0 {
		first = q.events[q.head]
	}
	*q = queue{}
	return first
}
