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
	// Entries are what indexes hold of the row after the change, where whoever
	// removes the row can't read it. Their Columns alias the bytes they were read
	// from.
	Entries []Entry
	PK      []byte // aliases the bytes it was read from
}

const (
	changeFormat        = 1
	changeFormatAppend  = 2 // with a Piece; its operation is Append
	changeFormatEntries = 3 // with Entries, behind the Piece of an Append
)

const changeLast = 0x80

// AppendChange appends c: format, operation with the last-of-commit bit, the
// previous seq in eight big-endian bytes, the piece of an Append as three
// varints, the entries if there are any, primary key.
func AppendChange(dst []byte, c Change) []byte {
	op, format := byte(c.Op), byte(changeFormat)
	if c.Last {
		op |= changeLast
	}
	if c.Op == Append {
		format = changeFormatAppend
	}
	if len(c.Entries) > 0 {
		format = changeFormatEntries // whatever the operation
	}
	dst = append(dst, format, op)
	dst = binary.BigEndian.AppendUint64(dst, uint64(c.Prev))
	if c.Op == Append {
		dst = binary.AppendUvarint(dst, uint64(c.Piece.Column))
		dst = binary.AppendUvarint(dst, uint64(c.Piece.Offset))
		dst = binary.AppendUvarint(dst, uint64(c.Piece.Length))
	}
	if len(c.Entries) > 0 {
		dst = appendEntries(dst, c.Entries)
	}
	return append(dst, c.PK...)
}

// appendEntries appends their number as a varint, and for each the number of the
// index, the length of the columns with one bit more that says that it is unique,
// and the columns.
func appendEntries(dst []byte, list []Entry) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, e := range list {
		size := uint64(len(e.Columns)) << 1
		if e.Unique {
			size |= 1
		}
		dst = binary.AppendUvarint(dst, uint64(e.Index))
		dst = binary.AppendUvarint(dst, size)
		dst = append(dst, e.Columns...)
	}
	return dst
}

// ParseChange reads a change entry. Its key aliases b.
func ParseChange(b []byte) (Change, error) {
	if len(b) < 10 || b[0] < changeFormat || b[0] > changeFormatEntries {
		return Change{}, errChange
	}
	op := Op(b[1] &^ changeLast)
	prev := binary.BigEndian.Uint64(b[2:])
	plain := op >= Insert && op <= Delete
	known := plain && b[0] != changeFormatAppend || op == Append && b[0] != changeFormat
	if !known || prev > uint64(clock.MaxSeq) {
		return Change{}, errChange
	}
	c := Change{Op: op, Last: b[1]&changeLast != 0, Prev: clock.Seq(prev), PK: b[10:]}
	if plain && b[0] == changeFormat {
		return c, nil
	}
	r := fields{rest: c.PK}
	if op == Append {
		c.Piece = Piece{ident.ColumnID(r.number()), int(r.number()), int(r.number())}
	}
	if b[0] == changeFormatEntries {
		c.Entries = r.entries()
	}
	if c.PK = r.rest; r.bad {
		return Change{}, errChange
	}
	return c, nil
}

// fields reads what stands before the key of a change. Once bad it stays so.
type fields struct {
	rest []byte
	bad  bool
}

// number reads a varint of 32 bits in its shortest form.
func (r *fields) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	minimal := size == 1 || size > 1 && r.rest[size-1] != 0
	if r.bad = r.bad || !minimal || n > math.MaxUint32; r.bad {
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *fields) entries() []Entry {
	n := r.number()
	const least = 2 // bytes of an entry
	if r.bad = r.bad || n == 0 || n > uint64(len(r.rest)/least); r.bad {
		return nil
	}
	out := make([]Entry, n)
	for i := range out {
		x := r.number()
		size := r.number()
		unique := size&1 == 1
		size >>= 1
		if r.bad = r.bad || size > uint64(len(r.rest)); r.bad {
			return nil
		}
		out[i] = Entry{Index: ident.IndexID(x), Unique: unique, Columns: r.rest[:size:size]}
		r.rest = r.rest[size:]
	}
	return out
}

var errChange = fault.New(fault.Corruption, "a change index entry is damaged or of a newer format")
