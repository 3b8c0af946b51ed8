package store

import "bytes"

// OpKind tells the operations of a Batch apart.
type OpKind uint8

// The operations of a Batch.
const (
	OpPut OpKind = iota + 1
	OpDelete
	OpDeleteRange // Key is the first key, Value the first one behind it
)

// Op is one operation of a Batch, in physical keys.
type Op struct {
	Kind  OpKind
	Key   []byte
	Value []byte
}

// Batch collects writes that are applied atomically and in order, and can be
// read as an overlay before that. The zero Batch is empty and ready to use.
// It is not safe for concurrent use. Put and Delete keep the slices they are
// given; the caller must not change them afterwards.
type Batch struct {
	ops    []Op
	bytes  int
	latest map[string]int // physical key to its last op
	ranges []int          // the range deletes
	room   []byte         // for the next keys
}

// Put sets key to value in p.
func (b *Batch) Put(p Partition, key, value []byte) {
	b.add(Op{Kind: OpPut, Key: b.physical(p, key), Value: value})
}

// Delete removes key from p; a missing key is no error.
func (b *Batch) Delete(p Partition, key []byte) {
	b.add(Op{Kind: OpDelete, Key: b.physical(p, key)})
}

// physical is Partition.physical with many keys in one piece of memory.
func (b *Batch) physical(p Partition, key []byte) []byte {
	const most = 8 << 10
	if n := prefixLen + len(key); cap(b.room)-len(b.room) < n {
		b.room = make([]byte, 0, max(n, min(2*cap(b.room), most)))
	}
	start := len(b.room)
	b.room = p.appendPhysical(b.room, key)
	return b.room[start:len(b.room):len(b.room)]
}

func (b *Batch) add(op Op) {
	if b.latest == nil {
		b.latest = make(map[string]int)
	}
	b.latest[string(op.Key)] = len(b.ops)
	b.ops = append(b.ops, op)
	b.bytes += len(op.Key) + len(op.Value)
}

// DeleteRange removes the keys of [lo, hi) from p, those put earlier in the
// batch included; a nil hi means the end of the partition.
func (b *Batch) DeleteRange(p Partition, lo, hi []byte) {
	end := p.end()
	if hi != nil {
		end = p.physical(hi)
	}
	op := Op{Kind: OpDeleteRange, Key: p.physical(lo), Value: end}
	b.ranges = append(b.ranges, len(b.ops))
	b.ops = append(b.ops, op)
	b.bytes += len(op.Key) + len(op.Value)
}

// Lookup returns what the batch holds for key in p: known tells whether the
// batch has put or deleted it, found whether it is there after the batch.
func (b *Batch) Lookup(p Partition, key []byte) (value []byte, found, known bool) {
	var buf [64]byte
	full := p.appendPhysical(buf[:0], key)
	i, known := b.latest[string(full)]
	for _, r := range b.ranges {
		op := b.ops[r]
		covers := bytes.Compare(op.Key, full) <= 0 && bytes.Compare(full, op.Value) < 0
		if covers && (!known || r > i) {
			i, known = r, true
		}
	}
	if !known || b.ops[i].Kind != OpPut {
		return nil, false, known
	}
	return b.ops[i].Value, true, true
}

// Ops returns the operations in order, for engines. They must not be changed.
func (b *Batch) Ops() []Op { return b.ops }

// Len returns the number of operations.
func (b *Batch) Len() int { return len(b.ops) }

// Bytes returns the bytes of all keys and values.
func (b *Batch) Bytes() int { return b.bytes }

// Get returns what key in p holds after the batch: what Lookup knows, else what
// v shows. The value is not to be changed.
func (b *Batch) Get(v *View, p Partition, key []byte) ([]byte, bool, error) {
	if value, found, known := b.Lookup(p, key); known {
		return value, found, nil
	}
	return v.Get(p, key)
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.ops = b.ops[:0]
	b.ranges = b.ranges[:0]
	b.bytes, b.room = 0, nil // engines may have kept the keys
	clear(b.latest)
}
