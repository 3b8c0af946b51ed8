package store

import (
	"encoding/binary"

	"github.com/kalamdb/kalamdb-go/commons/keyspace"
)

// PartitionID is the short number that stands for a partition's name in each
// physical key. It is local to a data directory and never used again.
type PartitionID uint32

// Partition is a handle on one named ordered key space of a DB. It is a small
// value that may be copied and kept; it stays valid until the partition is
// dropped, after which reads find nothing.
type Partition struct {
	ID   PartitionID
	Name keyspace.Name
}

const prefixLen = 4

// maxPartition keeps the first byte of physical keys below 0xFF; see Engine.
const maxPartition PartitionID = 0xFEFF_FFFF

func (p Partition) appendPhysical(dst, key []byte) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(p.ID))
	return append(dst, key...)
}

func (p Partition) physical(key []byte) []byte {
	return p.appendPhysical(make([]byte, 0, prefixLen+len(key)), key)
}

// end returns the first physical key behind the partition.
func (p Partition) end() []byte {
	return binary.BigEndian.AppendUint32(nil, uint32(p.ID)+1)
}
