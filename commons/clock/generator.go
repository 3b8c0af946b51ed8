package clock

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
)

// Layout of a snowflake id: 41 bits of milliseconds since Epoch, 10 bits of
// node, 12 bits of counter.
const (
	nodeBits    = 10
	counterBits = 12
	counterMask = 1<<counterBits - 1

	// MaxNode is the highest number of a node that makes snowflake ids.
	MaxNode = 1<<nodeBits - 1
)

// Generator makes ids that sort by the time they were made at, each greater
// than the one before it in this generator. It belongs to the proposer of a
// command: apply never makes ids. It is safe for concurrent use.
type Generator struct {
	wall func() time.Time
	node int64

	mu        sync.Mutex
	snowflake ticks
	uuid      ticks
	ulidMs    uint64
	entropy   *ulid.MonotonicEntropy
}

// NewGenerator returns a generator for a node, 0 to MaxNode (higher bits are
// ignored), that reads the time from wall. Its ids lie behind the millisecond
// of floor, the highest Seq that was used before a restart.
func NewGenerator(wall func() time.Time, node uint16, floor Seq) *Generator {
	ms := floor.Time().UnixMilli()
	if floor <= 0 {
		ms = 0
	}
	return &Generator{
		wall: wall, node: int64(node) & MaxNode, ulidMs: uint64(ms),
		snowflake: endOf(ms), uuid: endOf(ms), entropy: ulid.Monotonic(rand.Reader, 0),
	}
}

// ticks counts milliseconds since 1970 with counterBits of counter below.
type ticks int64

func endOf(ms int64) ticks { return ticks(ms<<counterBits | counterMask) }

// next moves t to the start of the wall clock's millisecond, or by one when
// that is not ahead; a full counter carries into the milliseconds.
func (t *ticks) next(wall time.Time) (ms, counter int64) {
	*t = max(ticks(wall.UnixMilli()<<counterBits), *t+1)
	return int64(*t) >> counterBits, int64(*t) & counterMask
}

// Snowflake returns a positive id of 41 bits of milliseconds since Epoch (good
// until 2089), 10 bits of node and 12 bits of counter.
func (g *Generator) Snowflake() int64 {
	wall := g.wall()
	g.mu.Lock()
	ms, counter := g.snowflake.next(wall)
	g.mu.Unlock()
	ms = max(ms-Epoch.UnixMilli(), 0)
	return ms<<(nodeBits+counterBits) | g.node<<counterBits | counter
}

// UUIDv7 returns the 16 bytes of a version 7 UUID (RFC 9562): milliseconds
// since 1970, a counter in its twelve bits of sub-millisecond, 62 random bits.
func (g *Generator) UUIDv7() [16]byte {
	var id [16]byte
	// Read fills id and never fails.
	_, _ = rand.Read(id[8:])
	wall := g.wall()
	g.mu.Lock()
	ms, counter := g.uuid.next(wall)
	g.mu.Unlock()
	const version, variant = 7 << 12, 0x80
	binary.BigEndian.PutUint64(id[:], uint64(ms)<<16|version|uint64(counter))
	id[8] = id[8]&0x3F | variant
	return id
}

// ULID returns the 26 characters of an ULID: milliseconds since 1970 and 80
// random bits, which are counted up within a millisecond.
func (g *Generator) ULID() string {
	wall := uint64(max(g.wall().UnixMilli(), 0))
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ulidMs = max(g.ulidMs, wall)
	id, err := ulid.New(g.ulidMs, g.entropy)
	for err != nil {
		// The random bits of this millisecond ran over: go on in the next.
		g.ulidMs++
		id, err = ulid.New(g.ulidMs, g.entropy)
	}
	return id.String()
}
