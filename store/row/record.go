// Package row is the layout of a table's rows in a partition: the header that
// every record carries, the keys of rows, changes and old versions, and the
// physical schema that reads a payload.
//
// The byte layouts are in docs/format/. The package holds no state.
package row

import (
	"encoding/binary"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
)

const recordFormat = 1

const flagDeleted = 1

// Record is a stored row: a header and the payload that the codec made.
type Record struct {
	Seq     clock.Seq
	Schema  ident.SchemaVersion
	Codec   serde.ID
	Deleted bool   // a tombstone: the payload is the row as it was last
	Payload []byte // aliases the bytes it was read from
}

// AppendRecord appends r: format, codec, flags, schema version as a varint, seq
// in eight big-endian bytes, payload.
func AppendRecord(dst []byte, r Record) []byte {
	var flags byte
	if r.Deleted {
		flags |= flagDeleted
	}
	dst = append(dst, recordFormat, byte(r.Codec), flags)
	dst = binary.AppendUvarint(dst, uint64(r.Schema))
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Seq))
	return append(dst, r.Payload...)
}

// ParseRecord reads a record. Its payload aliases b.
func ParseRecord(b []byte) (Record, error) {
	if len(b) < 12 || b[0] != recordFormat || b[2]&^flagDeleted != 0 {
		return Record{}, errRecord
	}
	version, n := binary.Uvarint(b[3:])
	if n <= 0 || version > 1<<32-1 || len(b) < 3+n+8 {
		return Record{}, errRecord
	}
	seq := binary.BigEndian.Uint64(b[3+n:])
	if seq > uint64(clock.MaxSeq) {
		return Record{}, errRecord
	}
	return Record{
		Seq: clock.Seq(seq), Schema: ident.SchemaVersion(version), Codec: serde.ID(b[1]),
		Deleted: b[2]&flagDeleted != 0, Payload: b[3+n+8:],
	}, nil
}

var errRecord = fault.New(fault.Corruption, "a stored row has a damaged or newer header")

// Op is what a change did to its row.
type Op uint8

// The operations of a change.
const (
	Insert Op = 1
	Update Op = 2
	Delete Op = 3
)

// Change is an entry of the change index.
type Change struct {
	Op   Op
	Last bool      // the last change of its commit
	Prev clock.Seq // of the version before, also of a tombstone; 0 when there was none
	PK   []byte    // aliases the bytes it was read from
}

const changeFormat = 1

const changeLast = 0x80

// AppendChange appends c: format, operation with the last-of-commit bit, the
// previous seq in eight big-endian bytes, primary key.
func AppendChange(dst []byte, c Change) []byte {
	op := byte(c.Op)
	if c.Last {
		op |= changeLast
	}
	dst = append(dst, changeFormat, op)
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.Prev))
	return append(dst, c.PK...)
}

// ParseChange reads a change entry. Its key aliases b.
func ParseChange(b []byte) (Change, error) {
	if len(b) < 10 || b[0] != changeFormat {
		return Change{}, errChange
	}
	op := Op(b[1] &^ changeLast)
	prev := binary.BigEndian.Uint64(b[2:])
	if op < Insert || op > Delete || prev > uint64(clock.MaxSeq) {
		return Change{}, errChange
	}
	return Change{Op: op, Last: b[1]&changeLast != 0, Prev: clock.Seq(prev), PK: b[10:]}, nil
}

var errChange = fault.New(fault.Corruption, "a change index entry is damaged or of a newer format")
