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
	"github.com/kalamdb/kalamdb-go/commons/value"
)

const (
	recordFormat     = 1
	recordFormatRun  = 2 // with the column of Record.Run
	recordFormatCold = 3 // with that column, 0 for none, and a Place as the payload
)

const flagDeleted = 1

// Record is a stored row: a header and the payload that the codec made.
type Record struct {
	Seq     clock.Seq
	Schema  ident.SchemaVersion
	Codec   serde.ID
	Deleted bool   // a tombstone: the payload is the row as it was last
	Cold    bool   // the payload is in a segment; what is here is its Place
	Thawed  bool   // the payload was fetched from a segment; not stored
	Payload []byte // aliases the bytes it was read from

	// Values are what a scan of segments has in place of a Payload: those of the
	// record's Schema in its order, NULL where they are not needed. Not stored.
	Values []value.Value

	// Run is the column that the last change appended text to; 0 when that was
	// another change. Appends to one column with no other change between them
	// are a run, of which only the last record is kept.
	Run ident.ColumnID
	cut int // 1 more than the bytes of Run's text; 0 for all of it
}

// Place says where in a segment a cold row is.
type Place struct {
	Segment ident.SegmentID // not 0
	Ordinal uint32
}

const placeSize = 12

// Place returns where the payload of a cold record is; it is zero for others.
func (r Record) Place() Place {
	if !r.Cold || len(r.Payload) != placeSize {
		return Place{}
	}
	return Place{
		Segment: ident.SegmentID(binary.BigEndian.Uint64(r.Payload)),
		Ordinal: binary.BigEndian.Uint32(r.Payload[8:]),
	}
}

// At returns r as the record of a row that is at p in a segment.
func (r Record) At(p Place) Record {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, placeSize), uint64(p.Segment))
	r.Payload, r.Cold, r.Thawed = binary.BigEndian.AppendUint32(b, p.Ordinal), true, false
	return r
}

// Thaw returns a cold record with its payload, as it was written with a schema
// version and a codec that need not be those of the record before.
func (r Record) Thaw(s ident.SchemaVersion, codec serde.ID, payload []byte) Record {
	r.Schema, r.Codec, r.Payload, r.Cold, r.Thawed = s, codec, payload, false, true
	return r
}

// Before returns r as it was earlier in its run, at seq, when the text of the
// column Run had length bytes. What is returned is for reading, not to be
// stored.
func (r Record) Before(seq clock.Seq, length int) Record {
	r.Seq, r.cut = seq, length+1
	return r
}

// AppendRecord appends r: format, codec, flags, schema version as a varint, seq
// in eight big-endian bytes, the column of a run as a varint, payload or place.
func AppendRecord(dst []byte, r Record) []byte {
	var flags byte
	if r.Deleted {
		flags |= flagDeleted
	}
	format := byte(recordFormat)
	switch {
	case r.Cold:
		format = recordFormatCold
	case r.Run != 0:
		format = recordFormatRun
	}
	dst = append(dst, format, byte(r.Codec), flags)
	dst = binary.AppendUvarint(dst, uint64(r.Schema))
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Seq))
	if format != recordFormat {
		dst = binary.AppendUvarint(dst, uint64(r.Run))
	}
	return append(dst, r.Payload...)
}

// ParseRecord reads a record. Its payload aliases b.
func ParseRecord(b []byte) (r Record, err error) {
	err = r.Parse(b)
	return r, err
}

// Parse is ParseRecord into r, for whoever reads one record after another.
// After an error r is empty.
func (r *Record) Parse(b []byte) error {
	*r = Record{}
	if len(b) < 12 || b[0]-recordFormat > recordFormatCold-recordFormat ||
		b[2]&^flagDeleted != 0 {
		return errRecord
	}
	version, n := uint64(b[3]), 1
	if version >= 0x80 {
		version, n = binary.Uvarint(b[3:])
	}
	if n <= 0 || version > 1<<32-1 || len(b) < 3+n+8 {
		return errRecord
	}
	seq := binary.BigEndian.Uint64(b[3+n:])
	if seq > uint64(clock.MaxSeq) {
		return errRecord
	}
	payload, run := b[3+n+8:], uint64(0)
	if b[0] != recordFormat {
		run, n = binary.Uvarint(payload)
		if n <= 0 || run > 1<<32-1 || run == 0 && b[0] == recordFormatRun {
			return errRecord
		}
		payload = payload[n:]
	}
	if b[0] == recordFormatCold && (len(payload) != placeSize || b[2] != 0 ||
		binary.BigEndian.Uint64(payload) == 0) {
		return errRecord
	}
	r.Cold = b[0] == recordFormatCold
	r.Seq, r.Schema, r.Codec = clock.Seq(seq), ident.SchemaVersion(version), serde.ID(b[1])
	r.Deleted, r.Payload, r.Run = b[2]&flagDeleted != 0, payload, ident.ColumnID(run)
	return nil
}

var errRecord = fault.New(fault.Corruption, "a stored row has a damaged or newer header")
