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
