package segment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// Batch are rows of a segment, column by column: element i of each slice is of
// row i.
type Batch struct {
	Ordinals []uint32
	Seqs     []clock.Seq
	// Columns are those that were asked for, in that order. One that the segment
	// does not have is nil.
	Columns [][]value.Value
}

// Len returns how many rows b has.
func (b *Batch) Len() int { return len(b.Ordinals) }

// Row copies row i into dst, which has an element for each column. Where a
// column is nil dst stays.
func (b *Batch) Row(i int, dst []value.Value) {
	for c, vals := range b.Columns {
		if vals != nil {
			dst[c] = vals[i]
		}
	}
}

// page is where a part of a column chunk stands.
type page struct {
	first int64 // row of the row group
	extent
}

// wanted are the columns of a read: their positions in the file, -1 for none,
// and behind them that of the seq.
func (f *File) wanted(columns []ident.ColumnID) []int {
	if columns == nil {
		columns = f.layout.Schema.IDs
	}
	at := make([]int, len(columns), len(columns)+1)
	for i, id := range columns {
		at[i] = f.layout.position(id)
	}
	return append(at, f.seqAt())
}

func (f *File) seqAt() int { return len(f.layout.Columns) }

// Rows reads the rows with these ordinals, which ascend and are all different,
// with the given columns, nil for all of the layout. It reads no other pages than
// theirs, a row group at a time. The values own their memory.
func (f *File) Rows(
	ctx context.Context, ordinals []uint32, columns []ident.ColumnID,
) (*Batch, error) {
	at := f.wanted(columns)
	b := &Batch{Ordinals: slices.Clone(ordinals), Seqs: make([]clock.Seq, len(ordinals)),
		Columns: make([][]value.Value, len(at)-1)}
	for i := range b.Columns {
		if at[i] >= 0 {
			b.Columns[i] = make([]value.Value, len(ordinals))
		}
	}
	seqs := make([]value.Value, len(ordinals))
	into := append(slices.Clone(b.Columns), seqs)
	for done := 0; done < len(ordinals); {
		if err := ctx.Err(); err != nil {
			return nil, fault.From(err)
		}
		n, err := f.groupRows(ordinals, done, at, into)
		if err != nil {
			return nil, err
		}
		done += n
	}
	for i, v := range seqs {
		b.Seqs[i] = clock.Seq(v.Int())
	}
	return b, nil
}

// groupRows reads those of ordinals from done on that are in one row group.
func (f *File) groupRows(
	ordinals []uint32, done int, at []int, into [][]value.Value,
) (int, error) {
	first := int64(ordinals[done])
	if first >= f.rows {
		return 0, f.damage("row %d was asked for, and it has %d", first, f.rows)
	}
	number := sort.Search(len(f.groups), func(i int) bool { return f.groups[i].first > first }) - 1
	g := &f.groups[number]
	var rows []int64 // of the row group
	for _, o := range ordinals[done:] {
		if int64(o) >= g.first+g.rows {
			break
		}
		if len(rows) > 0 && int64(o)-g.first <= rows[len(rows)-1] {
			return 0, fault.New(fault.Internal, "rows of a segment are asked for out of order")
		}
		rows = append(rows, int64(o)-g.first)
	}
	pages, err := f.pages(number)
	if err != nil {
		return 0, err
	}
	s := &span{file: f}
	defer s.release()
	if err := s.load(g.extents(pages, at, rows)); err != nil {
		return 0, err
	}
	err = f.guard(func() error {
		r, err := f.reader(s)
		if err != nil {
			return err
		}
		for i, c := range at {
			if c < 0 {
				continue
			}
			dst := into[i][done : done+len(rows)]
			if err := f.pick(r.RowGroup(number), c, pages[c], rows, dst); err != nil {
				return err
			}
		}
		return nil
	})
	return len(rows), err
}

// extents returns where the pages of some rows are, and the dictionaries of their
// column chunks.
func (g *group) extents(pages [][]page, columns []int, rows []int64) []extent {
	var all []extent
	for _, c := range columns {
		if c < 0 {
			continue
		}
		if k := g.chunks[c]; k.lo < k.data {
			all = append(all, extent{lo: k.lo, hi: k.data})
		}
		last := -1
		for _, r := range rows {
			if p := pageOf(pages[c], r); p != last {
				all, last = append(all, pages[c][p].extent), p
			}
		}
	}
	return all
}

// pageOf returns the page of a row.
func pageOf(pages []page, row int64) int {
	return sort.Search(len(pages), func(i int) bool { return pages[i].first > row }) - 1
}

// pick reads some rows of a column, page by page.
func (f *File) pick(
	r *file.RowGroupReader, column int, pages []page, rows []int64, dst []value.Value,
) error {
	reader, err := r.Column(column)
	if err != nil {
		return err
	}
	d, err := f.codecs[column].decoder(reader)
	if err != nil {
		return err
	}
	defer d.close()
	var at []int // of the page
	last := -2
	for i := 0; i < len(rows); {
		p := pageOf(pages, rows[i])
		end := r.NumRows()
		if p+1 < len(pages) {
			end = pages[p+1].first
		}
		if p != last+1 {
			if err := d.seek(pages[p].first); err != nil {
				return err
			}
		}
		last, at = p, at[:0]
		begin := i
		for ; i < len(rows) && rows[i] < end; i++ {
			at = append(at, int(rows[i]-pages[p].first))
		}
		if err := d.pick(int(end-pages[p].first), at, dst[begin:i]); err != nil {
			return err
		}
	}
	return nil
}

// pages returns where the pages of a row group are, column by column.
func (f *File) pages(number int) ([][]page, error) {
	g := &f.groups[number]
	if p := g.pages.Load(); p != nil {
		return *p, nil
	}
	all := make([][]page, len(f.codecs))
	err := f.guard(func() error {
		r, err := f.reader(&span{file: f})
		if err != nil {
			return err
		}
		index, err := r.GetPageIndexReader().RowGroup(number)
		if err != nil {
			return err
		}
		for c := range all {
			offsets, err := index.GetOffsetIndex(c)
			if err != nil {
				return err
			}
			if all[c], err = g.column(c, offsets); err != nil {
				return fmt.Errorf("row group %d, column %d: %w", number, c, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	g.pages.Store(&all)
	return all, nil
}

// column returns where the pages of a column are.
func (g *group) column(c int, index metadata.OffsetIndex) (pages []page, err error) {
	k, row := g.chunks[c], int64(-1)
	for _, l := range index.GetPageLocations() {
		p := page{first: l.GetFirstRowIndex(),
			extent: extent{lo: l.GetOffset(), hi: l.GetOffset() + int64(l.GetCompressedPageSize())}}
		if p.lo < k.data || p.hi > k.hi || p.lo >= p.hi || p.first >= g.rows || p.first <= row ||
			row < 0 && p.first > 0 {
			return nil, errors.New("its pages are not where they should be")
		}
		pages, row = append(pages, p), p.first
	}
	if len(pages) == 0 {
		return nil, errors.New("it has no pages")
	}
	return pages, nil
}
