package manifest

import (
	"encoding/binary"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

const format = 1

// Append appends the entry without its id, as it stands in the manifest and in
// commands.
func (e *Entry) Append(dst []byte) []byte {
	dst = append(dst, format, byte(e.State))
	dst = binary.AppendUvarint(dst, uint64(e.Schema))
	dst = binary.AppendUvarint(dst, uint64(e.Created))
	dst = binary.AppendUvarint(dst, uint64(e.Live))
	dst = binary.AppendUvarint(dst, uint64(e.DeadSince))
	dst = appendString(dst, string(e.Storage))
	dst = appendString(dst, e.Path)
	dst = binary.AppendUvarint(dst, uint64(e.Rows))
	dst = binary.AppendUvarint(dst, uint64(e.Bytes))
	dst = appendString(dst, string(e.MinKey))
	dst = appendString(dst, string(e.MaxKey))
	dst = binary.AppendUvarint(dst, uint64(e.MinSeq))
	dst = binary.AppendUvarint(dst, uint64(e.MaxSeq))
	return append(dst, e.Checksum[:]...)
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// Parse reads what Append wrote; the entry aliases nothing of b.
func Parse(b []byte) (Entry, error) {
	if len(b) < 2 || b[0] != format {
		return Entry{}, errEntry
	}
	r := reader{b: b[2:]}
	e := Entry{State: State(b[1])}
	e.Schema = ident.SchemaVersion(r.uint(1<<32 - 1))
	e.Created = clock.Seq(r.uint(uint64(clock.MaxSeq)))
	e.Live = uint32(r.uint(1<<32 - 1))
	e.DeadSince = clock.Seq(r.uint(uint64(clock.MaxSeq)))
	e.Storage, e.Path = ident.StorageID(r.bytes()), string(r.bytes())
	e.Rows, e.Bytes = uint32(r.uint(1<<32-1)), int64(r.uint(1<<63-1))
	e.MinKey, e.MaxKey = r.bytes(), r.bytes()
	e.MinSeq = clock.Seq(r.uint(uint64(clock.MaxSeq)))
	e.MaxSeq = clock.Seq(r.uint(uint64(clock.MaxSeq)))
	if r.bad || len(r.b) != len(e.Checksum) || e.State < Pending || e.State > Dying {
		return Entry{}, errEntry
	}
	copy(e.Checksum[:], r.b)
	return e, nil
}

var errEntry = fault.New(fault.Corruption,
	"an entry of the manifest is damaged or of a newer format")

// reader cuts fields off b. After damage it returns zero values and bad is set.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uint(most uint64) uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > most || size > 1 && r.b[size-1] == 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) bytes() []byte {
	n := int(r.uint(1<<31 - 1))
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	s := r.b[:n]
	r.b = r.b[n:]
	if n == 0 {
		return nil
	}
	return append([]byte(nil), s...)
}
