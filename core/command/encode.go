package command

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Append appends the encoding of c: format byte, fields as varints and
// length-prefixed strings, CRC-32C of all before it.
func (c *Command) Append(dst []byte) []byte {
	start, version := len(dst), c.Version()
	dst = append(dst, byte(version))
	dst = binary.AppendUvarint(dst, uint64(c.Shard))
	dst = binary.AppendUvarint(dst, uint64(c.Clock))
	dst = appendBool(dst, c.Request != nil)
	if r := c.Request; r != nil {
		dst = appendString(dst, r.ID)
		dst = binary.BigEndian.AppendUint64(dst, r.Hash)
		dst = appendString(dst, string(r.Result))
	}
	dst = binary.AppendUvarint(dst, uint64(len(c.Fences)))
	for _, f := range c.Fences {
		dst = binary.AppendUvarint(dst, uint64(f.Table))
		dst = appendString(dst, string(f.Partition))
		dst = binary.AppendUvarint(dst, uint64(f.Min))
		dst = append(dst, f.fate())
		dst = binary.AppendUvarint(dst, uint64(f.TTL.Milliseconds()))
	}
	dst = binary.AppendUvarint(dst, uint64(len(c.Indexes)))
	for _, x := range c.Indexes {
		dst = binary.AppendUvarint(dst, uint64(x.Table))
		dst = binary.AppendUvarint(dst, uint64(x.Index))
		dst = appendBool(dst, x.Gone)
	}
	dst = binary.AppendUvarint(dst, uint64(len(c.Writes)))
	for i := range c.Writes {
		dst = c.Writes[i].append(dst)
	}
	dst = appendBool(dst, c.Trim != nil)
	if t := c.Trim; t != nil {
		dst = binary.AppendUvarint(dst, uint64(t.Table))
		dst = appendString(dst, string(t.Cursor))
		dst = binary.AppendUvarint(dst, uint64(t.Below))
		dst = binary.AppendUvarint(dst, uint64(t.Keep))
		dst = binary.AppendUvarint(dst, uint64(t.Limit))
	}
	dst = c.appendCold(dst)
	if version > alone {
		dst = c.appendErase(c.appendCluster(dst))
	}
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (w *Write) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(w.Table))
	dst = binary.AppendUvarint(dst, uint64(w.Schema))
	dst = append(dst, byte(w.Codec), byte(w.Op))
	dst = appendString(dst, string(w.User))
	dst = binary.AppendUvarint(dst, uint64(w.Expect))
	dst = appendString(dst, string(w.PK))
	dst = appendString(dst, string(w.Payload))
	dst = appendEntries(appendEntries(dst, w.Remove), w.Add)
	dst = appendBool(dst, w.Old != nil)
	if w.Old != nil {
		dst = binary.AppendUvarint(dst, uint64(w.Old.Schema))
		dst = append(dst, byte(w.Old.Codec))
		dst = appendString(dst, string(w.Old.Payload))
	}
	if w.Op == row.Append {
		dst = appendTail(dst, w.Tail)
	}
	return dst
}

func appendTail(dst []byte, t *row.Tail) []byte {
	dst = binary.AppendUvarint(dst, uint64(t.Column))
	dst = binary.AppendUvarint(dst, uint64(t.Most))
	dst = binary.AppendUvarint(dst, uint64(len(t.Layouts)))
	for _, l := range t.Layouts {
		dst = binary.AppendUvarint(dst, uint64(l.Schema))
		dst = binary.AppendUvarint(dst, uint64(l.At))
		dst = binary.AppendUvarint(dst, uint64(len(l.Kinds)))
		for _, k := range l.Kinds {
			dst = append(dst, byte(k))
		}
	}
	return dst
}

func appendEntries(dst []byte, list []row.Entry) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for _, e := range list {
		dst = binary.AppendUvarint(dst, uint64(e.Index))
		dst = appendBool(dst, e.Unique)
		dst = appendString(dst, string(e.Columns))
	}
	return dst
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendString(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// Parse reads a command. Its byte slices alias b. A whole one of a newer build is
// UNSUPPORTED: every format ends with the checksum.
func Parse(b []byte) (*Command, error) {
	if len(b) < 5 || Version(b[0]) < plain {
		return nil, fault.New(fault.Corruption, "a command is of an unknown format")
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, fault.New(fault.Corruption, "a command fails its checksum")
	}
	if v := Version(b[0]); v > Newest {
		return nil, errNewer(v)
	}
	r := &reader{b: body[1:], format: Version(b[0])}
	c := &Command{
		Shard: ident.ShardID(r.uint(1<<16 - 1)),
		Clock: clock.Seq(r.uint(uint64(clock.MaxSeq))),
	}
	if r.bool() {
		c.Request = &Request{ID: string(r.bytes()), Hash: r.fixed64(), Result: r.bytes()}
	}
	for range r.count() {
		c.Fences = append(c.Fences, r.fence())
	}
	if r.format > unindexed {
		for range r.count() {
			c.Indexes = append(c.Indexes, Index{
				Table: ident.TableID(r.uint(1<<32 - 1)), Index: ident.IndexID(r.uint(1<<32 - 1)),
				Gone: r.bool(),
			})
		}
	}
	for range r.count() {
		c.Writes = append(c.Writes, r.write())
	}
	if r.bool() {
		c.Trim = &Trim{
			Table: ident.TableID(r.uint(1<<32 - 1)), Cursor: r.bytes(),
			Below: clock.Seq(r.uint(uint64(clock.MaxSeq))),
		}
		if r.format > unkept {
			c.Trim.Keep = clock.Seq(r.uint(uint64(clock.MaxSeq)))
		}
		c.Trim.Limit = int(r.uint(1<<31 - 1))
	}
	if r.format > hot {
		r.cold(c)
	}
	if r.format > alone {
		r.cluster(c)
		if r.bool() {
			c.Erase = r.erase()
		}
	}
	if r.bad || len(r.b) != 0 {
		return nil, fault.New(fault.Corruption, "a command does not read to its end")
	}
	return c, nil
}

// maxTTL is in milliseconds what a time.Duration holds.
const maxTTL = uint64(math.MaxInt64 / time.Millisecond)

// reader cuts fields off b. After damage it returns zero values and bad is set.
type reader struct {
	b      []byte
	format Version
	bad    bool
}

func (r *reader) uint(most uint64) uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > most {
		r.fail()
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) fail() { r.bad, r.b = true, nil }

// count reads a number of elements, each of which takes a byte at least.
func (r *reader) count() int { return int(r.uint(uint64(len(r.b)))) }

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) bool() bool { return r.byte() == 1 }

func (r *reader) fixed64() uint64 {
	if len(r.b) < 8 {
		r.fail()
		return 0
	}
	n := binary.BigEndian.Uint64(r.b)
	r.b = r.b[8:]
	return n
}

func (r *reader) bytes() []byte {
	n := r.count()
	if r.bad || n == 0 || n > len(r.b) {
		if n > 0 {
			r.fail()
		}
		return nil
	}
	s := r.b[:n:n]
	r.b = r.b[n:]
	return s
}

func (r *reader) fence() Fence {
	f := Fence{
		Table: ident.TableID(r.uint(1<<32 - 1)), Partition: keyspace.Name(r.bytes()),
		Min: ident.SchemaVersion(r.uint(1<<32 - 1)),
	}
	fate := r.byte()
	f.Dropped = fate == fateDropped || fate == fateEmptied
	if f.Emptied = fate == fateEmptied; f.Emptied && r.format <= alone {
		r.fail()
	}
	if r.format > plain {
		f.TTL = time.Duration(r.uint(maxTTL)) * time.Millisecond
	}
	return f
}

func (r *reader) write() Write {
	w := Write{
		Table: ident.TableID(r.uint(1<<32 - 1)), Schema: ident.SchemaVersion(r.uint(1<<32 - 1)),
		Codec: serde.ID(r.byte()), Op: row.Op(r.byte()), User: ident.UserID(r.bytes()),
		Expect: clock.Seq(r.uint(uint64(clock.MaxSeq))), PK: r.bytes(), Payload: r.bytes(),
	}
	if r.format > unindexed {
		w.Remove, w.Add = r.entries(), r.entries()
	}
	if r.format > hot && r.bool() {
		w.Old = &row.Record{
			Schema: ident.SchemaVersion(r.uint(1<<32 - 1)), Codec: serde.ID(r.byte()), Payload: r.bytes(),
		}
	}
	switch {
	case w.Op != row.Append:
	case r.format > unindexed:
		w.Tail = r.tail()
	default:
		r.fail()
	}
	return w
}

func (r *reader) tail() *row.Tail {
	t := &row.Tail{Column: ident.ColumnID(r.uint(1<<32 - 1)), Most: int(r.uint(1<<31 - 1))}
	for range r.count() {
		l := row.Layout{Schema: ident.SchemaVersion(r.uint(1<<32 - 1)), At: int(r.uint(1<<31 - 1))}
		for _, k := range r.bytes() {
			l.Kinds = append(l.Kinds, value.Kind(k))
		}
		if l.At >= len(l.Kinds) {
			r.fail()
		}
		t.Layouts = append(t.Layouts, l)
	}
	return t
}

func (r *reader) entries() (list []row.Entry) {
	for range r.count() {
		list = append(list, row.Entry{
			Index: ident.IndexID(r.uint(1<<32 - 1)), Unique: r.bool(), Columns: r.bytes(),
		})
	}
	return list
}
