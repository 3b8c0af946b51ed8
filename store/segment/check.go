package segment

import (
	"bytes"
	"context"
	"crypto/sha256"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

const checkBytes = 1 << 20 // that are read at once

// Check reads all of the segment and compares it with what its Writer said:
// every byte by the checksum of the file, then every row, whose primary keys
// must encode and ascend as they are said to. What differs is a
// fault.Corruption.
func (f *File) Check(ctx context.Context, want Info) error {
	if f.size != want.Bytes || f.rows != want.Rows {
		return f.damage("it has %d bytes and %d rows, and should have %d and %d",
			f.size, f.rows, want.Bytes, want.Rows)
	}
	sum := sha256.New()
	buf := make([]byte, min(f.size, checkBytes))
	for off := int64(0); off < f.size; off += int64(len(buf)) {
		if err := ctx.Err(); err != nil {
			return fault.From(err)
		}
		b := buf[:min(f.size-off, int64(len(buf)))]
		if err := f.read(b, off); err != nil {
			return err
		}
		sum.Write(b)
	}
	if got := sum.Sum(nil); !bytes.Equal(got, want.Checksum[:]) {
		return f.damage("its checksum is %x, and should be %x", got, want.Checksum)
	}
	return f.checkRows(ctx, &want)
}

// checkRows reads every row.
func (f *File) checkRows(ctx context.Context, want *Info) error {
	s := f.Scan(nil, Prune{})
	defer s.Close()
	var key, last []byte
	group, lo, hi := 0, clock.MaxSeq, clock.Seq(0)
	for s.Next(ctx) {
		b := s.Batch()
		for i, o := range b.Ordinals {
			key = f.appendKey(key[:0], b, i)
			if bytes.Compare(last, key) >= 0 {
				return f.damage("row %d is not behind the row before", o)
			}
			if group < len(f.groups) && int64(o) == f.groups[group].first {
				if !bytes.Equal(key, f.groups[group].key) {
					return f.damage("row group %d does not begin with its key", group)
				}
				group++
			}
			key, last = last, key
			lo, hi = min(lo, b.Seqs[i]), max(hi, b.Seqs[i])
		}
	}
	switch first := f.groups[0].key; {
	case s.Err() != nil:
		return s.Err()
	case !bytes.Equal(last, f.maxKey), !bytes.Equal(last, want.MaxKey),
		!bytes.Equal(first, want.MinKey):
		return f.damage("its first or last key is another")
	case lo != want.MinSeq || hi != want.MaxSeq:
		return f.damage("its seqs are %d to %d, and should be %d to %d",
			lo, hi, want.MinSeq, want.MaxSeq)
	}
	return nil
}

// appendKey appends the encoded primary key of a row that was read with all of
// its columns.
func (f *File) appendKey(dst []byte, b *Batch, row int) []byte {
	for _, id := range f.layout.Key {
		dst = value.AppendKey(dst, b.Columns[f.layout.position(id)][row])
	}
	return dst
}
