package segment

import (
	"errors"
	"hash/crc32"
	"io"
	"slices"
	"sort"
)

// maxPage bounds what the library takes into memory for a page: a value has at
// most 16 MiB.
const maxPage = 128 << 20

// extent is a range of bytes of the file, hi excluded.
type extent struct{ lo, hi int64 }

// part is what was read of the body, and found right.
type part struct {
	extent
	data []byte
}

// span is what one read of a row group has taken of the file. To the library it
// is the file; whatever is not in it was not asked for.
type span struct {
	file  *File
	parts []part // ascending, apart
}

var errUnread = errors.New("its metadata points outside of its pages")

// maxGap is how many bytes between two extents are read rather than left out.
const maxGap = 32 << 10

// load reads extents, which it may sort, in as few reads as their gaps allow.
// Whatever it returns, s is to be released.
func (s *span) load(all []extent) error {
	slices.SortFunc(all, func(a, b extent) int { return int(max(min(a.lo-b.lo, 1), -1)) })
	for i := 0; i < len(all); {
		e := s.widen(all[i])
		for i++; i < len(all) && all[i].lo-e.hi <= maxGap; i++ {
			e.hi = max(e.hi, s.widen(all[i]).hi)
		}
		data := scratch{}.Allocate(int(e.hi - e.lo))
		s.parts = append(s.parts, part{extent: e, data: data})
		if err := s.file.read(data, e.lo); err != nil {
			return err
		}
		if err := s.verify(data, e.lo); err != nil {
			return err
		}
	}
	return nil
}

// release gives back the memory of s, of which nothing may be used any more.
func (s *span) release() {
	for _, p := range s.parts {
		scratch{}.Free(p.data)
	}
	s.parts = nil
}

// widen returns the whole blocks that e touches.
func (s *span) widen(e extent) extent {
	hi := (e.hi + blockBytes - 1) / blockBytes * blockBytes
	return extent{lo: e.lo / blockBytes * blockBytes, hi: min(hi, s.file.body)}
}

func (s *span) verify(data []byte, off int64) error {
	for len(data) > 0 {
		b := data[:min(len(data), blockBytes)]
		if crc32.Checksum(b, castagnoli) != s.file.blocks[off/blockBytes] {
			return s.file.damage("the block at byte %d does not have its checksum", off)
		}
		data, off = data[len(b):], off+blockBytes
	}
	return nil
}

// ReadAt serves the library.
func (s *span) ReadAt(b []byte, off int64) (int, error) {
	src, ok := []byte(nil), false
	if off >= s.file.body {
		if at := off - s.file.body; at < int64(len(s.file.tail)) {
			src, ok = s.file.tail[at:], true
		}
	} else if i := sort.Search(len(s.parts), func(i int) bool { return s.parts[i].hi >= off }); i <
		len(s.parts) && off >= s.parts[i].lo {
		src, ok = s.parts[i].data[off-s.parts[i].lo:], true
	}
	if !ok {
		return 0, errUnread
	}
	n := copy(b, src)
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Seek is never called: the library has the metadata already.
func (s *span) Seek(int64, int) (int64, error) { return 0, errUnread }
