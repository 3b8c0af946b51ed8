package segment

import (
	"context"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// scanRows is how many rows a Scanner reads at once.
const scanRows = 1024

// Scanner reads the rows of a segment in order, a batch at a time, without the
// row groups that were pruned. It holds the columns it reads of one row group, is
// used by one goroutine, and need not be closed when it was read to its end.
type Scanner struct {
	file   *File
	at     []int // positions of columns, and of the seq
	kept   []int // row groups yet to read
	pruned int
	err    error

	from     *span
	decoders []decoder // of the open row group
	next     int64     // ordinal of the next row
	left     int64     // rows of the open row group
	batch    Batch
	seqs     []value.Value
}

// Scan returns a Scanner of the given columns, nil for all of the layout, over
// the row groups that may have a row that p is about.
func (f *File) Scan(columns []ident.ColumnID, p Prune) *Scanner {
	s := &Scanner{file: f, at: f.wanted(columns)}
	s.err = f.guard(func() error {
		for i := range f.groups {
			keep, err := f.keeps(i, &p)
			if err != nil {
				return err
			}
			if keep {
				s.kept = append(s.kept, i)
			}
		}
		return nil
	})
	s.pruned = len(f.groups) - len(s.kept)
	s.seqs = make([]value.Value, scanRows)
	s.batch.Ordinals = make([]uint32, scanRows)
	s.batch.Seqs = make([]clock.Seq, scanRows)
	s.batch.Columns = make([][]value.Value, len(s.at)-1)
	for i, c := range s.at[:len(s.at)-1] {
		if c >= 0 {
			s.batch.Columns[i] = make([]value.Value, scanRows)
		}
	}
	return s
}

// Pruned returns how many row groups are left out, of how many.
func (s *Scanner) Pruned() (pruned, of int) { return s.pruned, len(s.file.groups) }

// Next reads the next batch and reports whether there is one. After false Err
// says why.
func (s *Scanner) Next(ctx context.Context) bool {
	if s.left == 0 {
		s.leave()
	}
	if s.err != nil || s.left == 0 && len(s.kept) == 0 {
		return false
	}
	if err := ctx.Err(); err != nil {
		s.err = fault.From(err)
		return false
	}
	if s.left == 0 {
		s.err = s.open(s.kept[0])
		s.kept = s.kept[1:]
	}
	if s.err == nil {
		s.err = s.file.guard(func() error { return s.read(int(min(s.left, scanRows))) })
	}
	return s.err == nil
}

// Batch returns what the last Next has read. The next one writes over it, but
// not over the values' strings: those of a column share memory, so whoever keeps
// few of many clones them.
func (s *Scanner) Batch() *Batch { return &s.batch }

// Err returns what ended the scan early, nil for nothing.
func (s *Scanner) Err() error { return s.err }

// Close ends the scan and gives back memory. Batches that were read stay as they
// are.
func (s *Scanner) Close() {
	s.leave()
	s.kept, s.left = nil, 0
}

// leave gives back what the open row group takes.
func (s *Scanner) leave() {
	for _, d := range s.decoders {
		if d != nil {
			d.close()
		}
	}
	if s.from != nil {
		s.from.release()
	}
	s.decoders, s.from = nil, nil
}

// open loads the columns of a row group.
func (s *Scanner) open(number int) error {
	g := &s.file.groups[number]
	var all []extent
	for _, c := range s.at {
		if c >= 0 {
			all = append(all, extent{lo: g.chunks[c].lo, hi: g.chunks[c].hi})
		}
	}
	s.from = &span{file: s.file}
	if err := s.from.load(all); err != nil {
		return err
	}
	s.next, s.left, s.decoders = g.first, g.rows, make([]decoder, len(s.at))
	return s.file.guard(func() error {
		r, err := s.file.reader(s.from)
		if err != nil {
			return err
		}
		for i, c := range s.at {
			if c < 0 {
				continue
			}
			reader, err := r.RowGroup(number).Column(c)
			if err != nil {
				return err
			}
			if s.decoders[i], err = s.file.codecs[c].decoder(reader); err != nil {
				return err
			}
		}
		return nil
	})
}

// read fills the batch with the next n rows.
func (s *Scanner) read(n int) error {
	b := &s.batch
	for i := range b.Columns {
		if s.decoders[i] == nil {
			continue
		}
		b.Columns[i] = b.Columns[i][:n]
		if err := s.decoders[i].decode(b.Columns[i]); err != nil {
			return err
		}
	}
	if err := s.decoders[len(b.Columns)].decode(s.seqs[:n]); err != nil {
		return err
	}
	b.Ordinals, b.Seqs = b.Ordinals[:n], b.Seqs[:n]
	for i := range n {
		b.Ordinals[i], b.Seqs[i] = uint32(s.next)+uint32(i), clock.Seq(s.seqs[i].Int())
	}
	s.next, s.left = s.next+int64(n), s.left-int64(n)
	return nil
}
