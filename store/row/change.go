package row

import (
	"encoding/binary"
	"math"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// Op is what a change did to its row.
type Op uint8

// The operations of a change. 4 is one of commands only.
const (
	Insert Op = 1
	Update Op = 2
	Delete Op = 3
	Append Op = 5 // text was put behind that of a column
)

// Piece is what an Append put behind the text of a column, in bytes of UTF-8.
type Piece struct {
	Column ident.ColumnID
	Offset int // the length of the text before
	Length int
}

// Change is an entry of the change index.
type Change struct {
	Op    Op
	Last  bool      // the last change of its commit
	Prev  clock.Seq // of the version before, also of a tombstone; 0 when there was none
	Piece Piece     // of an Append
	PK    []byte    // aliases the bytes it was read from
}

const (
	changeFormat       = 1
	changeFormatAppend = 2 // with a Piece; its operation is Append
)

const changeLast = 0x80

// AppendChange appends c: format, operation with the last-of-commit bit, the
// previous seq in eight big-endian bytes, the piece of an Append as three
// varints, primary key.
func AppendChange(dst []byte, c Change) []byte {
	op, format := byte(c.Op), byte(changeFormat)
	if c.Last {
		op |= changeLast
	}
	if c.Op == Append {
		format = changeFormatAppend
	}
	dst = append(dst, format, op)
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.Prev))
	if c.Op == Append {
		dst = binary.AppendUvarint(dst, uint64(c.Piece.Column))
		dst = binary.AppendUvarint(dst, uint64(c.Piece.Offset))
		dst = binary.AppendUvarint(dst, uint64(c.Piece.Length))
	}
	return append(dst, c.PK...)
}

// ParseChange reads a change entry. Its key aliases b.
func ParseChange(b []byte) (Change, error) {
	if len(b) < 10 || b[0] != changeFormat && b[0] != changeFormatAppend {
		return Change{}, errChange
	}
	op := Op(b[1] &^ changeLast)
	prev := binary.BigEndian.Uint64(b[2:])
	known := op >= Insert && op <= Delete
	if b[0] == changeFormatAppend {
		known = op == Append
	}
	if !known || prev > uint64(clock.MaxSeq) {
		return Change{}, errChange
	}
	c := Change{Op: op, Last: b[1]&changeLast != 0, Prev: clock.Seq(prev), PK: b[10:]}
	if op != Append {
		return c, nil
	}
	var fields [3]uint64
	for i := range fields {
		n, size := binary.Uvarint(c.PK)
		minimal := size == 1 || size > 1 && c.PK[size-1] != 0
		if !minimal || n > math.MaxUint32 {
			return Change{}, errChange
		}
		fields[i], c.PK = n, c.PK[size:]
	}
	c.Piece = Piece{ident.ColumnID(fields[0]), int(fields[1]), int(fields[2])}
	return c, nil
}

var errChange = fault.New(fault.Corruption, "a change index entry is damaged or of a newer format")
