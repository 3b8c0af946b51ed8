package command

import (
	"encoding/binary"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// whole reports whether a command has to carry an entry to make it one of state
// s.
func whole(s manifest.State) bool { return s == manifest.Pending || s == manifest.There }

func (c *Command) appendCold(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(c.Segments)))
	for i := range c.Segments {
		s := &c.Segments[i]
		dst = binary.AppendUvarint(dst, uint64(s.Table))
		dst = appendString(dst, string(s.User))
		dst = binary.AppendUvarint(dst, uint64(s.Entry.ID))
		dst = append(dst, byte(s.Entry.State))
		if whole(s.Entry.State) {
			dst = appendString(dst, string(s.Entry.Append(nil)))
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(c.Swaps)))
	for i := range c.Swaps {
		s := &c.Swaps[i]
		dst = binary.AppendUvarint(dst, uint64(s.Table))
		dst = appendString(dst, string(s.User))
		dst = binary.AppendUvarint(dst, uint64(s.Segment))
		dst = binary.AppendUvarint(dst, uint64(len(s.Rows)))
		for _, m := range s.Rows {
			dst = appendString(dst, string(m.PK))
			dst = binary.AppendUvarint(dst, uint64(m.Seq))
			dst = binary.AppendUvarint(dst, uint64(m.From))
			dst = binary.AppendUvarint(dst, uint64(m.Ordinal))
		}
	}
	return dst
}

func (c *Command) appendErase(dst []byte) []byte {
	dst = appendBool(dst, c.Erase != nil)
	if e := c.Erase; e != nil {
		dst = binary.AppendUvarint(dst, uint64(e.Table))
		dst = appendString(dst, string(e.User))
		dst = binary.AppendUvarint(dst, uint64(e.UpTo))
		dst = appendString(dst, string(e.Cursor))
		dst = binary.AppendUvarint(dst, uint64(e.Limit))
		dst = appendBool(dst, e.Entries)
		dst = binary.AppendUvarint(dst, uint64(len(e.Indexes)))
		for _, x := range e.Indexes {
			dst = binary.AppendUvarint(dst, uint64(x))
		}
	}
	return dst
}

func (r *reader) erase() *Erase {
	e := &Erase{Table: ident.TableID(r.uint(1<<32 - 1))}
	e.User, e.UpTo = ident.UserID(r.bytes()), clock.Seq(r.uint(uint64(clock.MaxSeq)))
	e.Cursor, e.Limit, e.Entries = r.bytes(), int(r.uint(1<<31-1)), r.bool()
	for range r.count() {
		e.Indexes = append(e.Indexes, ident.IndexID(r.uint(1<<32-1)))
	}
	return e
}

const maxSegment = 1<<64 - 1

func (r *reader) cold(c *Command) {
	for range r.count() {
		c.Segments = append(c.Segments, r.segment())
	}
	for range r.count() {
		s := Swap{
			Table: ident.TableID(r.uint(1<<32 - 1)),
			Swap: table.Swap{
				User: ident.UserID(r.bytes()), Segment: ident.SegmentID(r.uint(maxSegment)),
			},
		}
		for range r.count() {
			s.Rows = append(s.Rows, table.Moved{
				PK: r.bytes(), Seq: clock.Seq(r.uint(uint64(clock.MaxSeq))),
				From: ident.SegmentID(r.uint(maxSegment)), Ordinal: uint32(r.uint(1<<32 - 1)),
			})
		}
		c.Swaps = append(c.Swaps, s)
	}
}

func (r *reader) segment() Segment {
	s := Segment{Table: ident.TableID(r.uint(1<<32 - 1)), User: ident.UserID(r.bytes())}
	id, state := ident.SegmentID(r.uint(maxSegment)), manifest.State(r.byte())
	if whole(state) {
		var err error
		if s.Entry, err = manifest.Parse(r.bytes()); err != nil || s.Entry.State != state {
			r.fail()
		}
	} else if state > manifest.Dying {
		r.fail()
	}
	s.Entry.ID, s.Entry.State = id, state
	return s
}
