package segment

import (
	"math/bits"
	"sync"
)

// Sizes of what is lent, as powers of two. Above is left to the collector.
const (
	leastLent = 10
	mostLent  = 22
)

// lent are buffers between two reads: a read of one row takes and leaves some
// hundred KiB, which would cost more to collect than to read.
var lent [mostLent + 1]sync.Pool

// scratch lends memory, to the library too: it is an allocator as the library has
// them. What it lends is not zeroed.
type scratch struct{}

func sizeClass(size int) int { return max(bits.Len(uint(max(size, 1)-1)), leastLent) }

// Allocate lends size bytes.
func (scratch) Allocate(size int) []byte {
	class := sizeClass(size)
	if class > mostLent {
		return make([]byte, size)
	}
	if b, ok := lent[class].Get().(*[]byte); ok {
		return (*b)[:size]
	}
	return make([]byte, size, 1<<class)
}

// Reallocate lends size bytes that begin as b does.
func (s scratch) Reallocate(size int, b []byte) []byte {
	if cap(b) >= size {
		return b[:size]
	}
	grown := s.Allocate(size)
	copy(grown, b)
	s.Free(b)
	return grown
}

// Free takes back what was lent. Nobody may use b any more.
func (scratch) Free(b []byte) {
	class := sizeClass(cap(b))
	if class > mostLent || cap(b) != 1<<class {
		return
	}
	b = b[:0]
	lent[class].Put(&b)
}
