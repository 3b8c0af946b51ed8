package segment

import (
	"context"
	"slices"
	"sort"
	"sync"

	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Reader reads long runs of a segment's rows, wherever the caller is, a window at
// a time. First it reads the columns that conditions are about, and the others
// only of rows that meet them; row groups that can have none by their statistics
// are not read at all. It holds these columns of one row group as they are in the
// file, is used by one goroutine and must be closed.
type Reader struct {
	file   *File
	at     []int // positions in the file of what is read: columns, and the seq
	order  []int // of at: columns with conditions first
	judged int   // how many of order have conditions
	meets  []func(value.Value) bool
	prune  Prune
	stats  ReaderStats

	number int // of the open row group, -1 for none
	parts  [2]loaded
	pages  [][]page
	from   []decoder // by at; nil until it is read
	last   []int     // page that the decoder has read

	all, rows []int64
	kept      []int
	on        []int // positions in a page
	vals      [][]value.Value
}

// ReaderStats count what a Reader has done.
type ReaderStats struct {
	Groups, Pruned int   // row groups that it was at, and of them those not read
	Rows           int64 // of which at least one column was read
}

// loaded is what was read of a row group: of columns with conditions, or of the
// others.
type loaded struct {
	span *span
	rows *file.RowGroupReader
}

// Reader returns a Reader of the given columns, nil for all of the layout.
func (f *File) Reader(columns []ident.ColumnID, conditions []row.Condition) *Reader {
	r := &Reader{file: f, at: f.wanted(columns), prune: Prune{Conditions: conditions}, number: -1}
	r.meets = make([]func(value.Value) bool, len(r.at))
	for i := range conditions {
		c := &conditions[i]
		p := f.layout.position(c.Column)
		if p < 0 || c.Meets == nil || f.layout.Schema.Kinds[p] != c.Kind {
			continue
		}
		n := slices.Index(r.at, p)
		if n < 0 {
			continue // the caller judges what it does not read
		}
		if first := r.meets[n]; first != nil {
			r.meets[n] = func(v value.Value) bool { return first(v) && c.Meets(v) }
			continue
		}
		r.meets[n] = c.Meets
		r.order = append(r.order, n)
	}
	r.judged = len(r.order)
	for n, p := range r.at {
		if p >= 0 && r.meets[n] == nil {
			r.order = append(r.order, n)
		}
	}
	r.vals = make([][]value.Value, len(r.at))
	return r
}

// Stats returns what r has done so far.
func (r *Reader) Stats() ReaderStats { return r.stats }

// Close gives back memory, that of a window that r has read too: what was taken
// out of it stays as it is, and it has no rows any more.
func (r *Reader) Close(windows ...*Window) {
	r.leave()
	for i := range r.vals {
		giveBack(r.vals[i])
		r.vals[i] = nil
	}
	for _, w := range windows {
		for i := range w.Columns {
			giveBack(w.Columns[i])
		}
		*w = Window{}
	}
}

// columns are columns of windows between two scans.
var columns sync.Pool

func borrow() []value.Value {
	if c, ok := columns.Get().(*[]value.Value); ok {
		return (*c)[:0]
	}
	return make([]value.Value, 0, windowRows)
}

func giveBack(c []value.Value) {
	if cap(c) != windowRows {
		return
	}
	c = c[:windowRows]
	clear(c) // lets go of strings
	columns.Put(&c)
}

func (r *Reader) leave() {
	for _, d := range r.from {
		if d != nil {
			d.close()
		}
	}
	for i := range r.parts {
		if s := r.parts[i].span; s != nil {
			s.release()
		}
		r.parts[i] = loaded{}
	}
	r.number, r.from = -1, nil
}

// Read makes w the window that has the row of an ordinal. What w had before is
// written over, but not its strings. After an error w has no rows.
func (r *Reader) Read(ctx context.Context, ordinal uint32, w *Window) error {
	w.empty(0, 0)
	if err := ctx.Err(); err != nil {
		return fault.From(err)
	}
	f := r.file
	if int64(ordinal) >= f.rows {
		return f.damage("row %d was asked for, and it has %d", ordinal, f.rows)
	}
	number := sort.Search(len(f.groups), func(i int) bool {
		return f.groups[i].first > int64(ordinal)
	}) - 1
	g := &f.groups[number]
	if number != r.number {
		keep, err := r.enter(number)
		if err != nil {
			return err
		}
		if !keep {
			w.empty(g.first, g.rows)
			return nil
		}
	}
	from := (int64(ordinal) - g.first) / windowRows * windowRows
	return r.window(w, g, from, min(windowRows, g.rows-from))
}

// enter leaves the open row group for another, and reports whether that may have
// rows that meet the conditions.
func (r *Reader) enter(number int) (keep bool, err error) {
	r.leave()
	r.stats.Groups++
	err = r.file.guard(func() error {
		keep, err = r.file.keeps(number, &r.prune)
		return err
	})
	if err != nil || !keep {
		r.stats.Pruned++
		return false, err
	}
	if r.pages, err = r.file.pages(number); err != nil {
		return false, err
	}
	r.number = number
	r.from, r.last = make([]decoder, len(r.at)), make([]int, len(r.at))
	return true, nil
}

// window reads n rows of the open row group from one on.
func (r *Reader) window(w *Window, g *group, from, n int64) error {
	r.stats.Rows += n
	r.all = r.all[:0]
	for i := range n {
		r.all = append(r.all, from+i)
	}
	rows := r.all
	for i, c := range r.order {
		if len(rows) == 0 {
			break
		}
		part := 0
		if i >= r.judged {
			part = 1
		}
		if err := r.load(part, g); err != nil {
			return err
		}
		err := r.file.guard(func() error { return r.column(part, c, rows) })
		if err != nil {
			return err
		}
		rows = r.narrow(r.order[:i], rows)
	}
	r.deliver(w, rows)
	w.first, w.rows = uint32(g.first+from), uint32(n)
	w.fill(rows, from)
	return nil
}

// load reads the columns with conditions, part 0, or the others of the open row
// group.
func (r *Reader) load(part int, g *group) error {
	p := &r.parts[part]
	if p.rows != nil {
		return nil
	}
	list := r.order[:r.judged]
	if part == 1 {
		list = r.order[r.judged:]
	}
	var all []extent
	for _, n := range list {
		k := g.chunks[r.at[n]]
		all = append(all, extent{lo: k.lo, hi: k.hi})
	}
	if p.span == nil {
		p.span = &span{file: r.file}
	}
	if err := p.span.load(all); err != nil {
		return err
	}
	return r.file.guard(func() error {
		in, err := r.file.reader(p.span)
		if err == nil {
			p.rows = in.RowGroup(r.number)
		}
		return err
	})
}

// column reads those values of a column that meet its condition, of ascending
// rows of the row group, into vals and kept.
func (r *Reader) column(part, n int, rows []int64) error {
	if err := r.open(part, n); err != nil {
		return err
	}
	d, pages, meets := r.from[n], r.pages[r.at[n]], r.meets[n]
	vals, kept := r.vals[n][:0], slices.Grow(r.kept[:0], len(rows))
	if meets == nil && cap(vals) < len(rows) {
		vals = borrow()
	}
	total := r.file.groups[r.number].rows
	for i := 0; i < len(rows); {
		p := pageOf(pages, rows[i])
		end := total
		if p+1 < len(pages) {
			end = pages[p+1].first
		}
		if p != r.last[n]+1 {
			if err := d.seek(pages[p].first); err != nil {
				return err
			}
		}
		r.last[n], r.on = p, r.on[:0]
		begin := i
		for ; i < len(rows) && rows[i] < end; i++ {
			r.on = append(r.on, int(rows[i]-pages[p].first))
		}
		var err error
		vals, kept, err = d.sift(int(end-pages[p].first), r.on, meets, begin, vals, kept)
		if err != nil {
			return err
		}
	}
	r.vals[n], r.kept = vals, kept
	return nil
}

// open makes the decoder of a column of the open row group.
func (r *Reader) open(part, n int) error {
	if r.from[n] != nil {
		return nil
	}
	chunk, err := r.parts[part].rows.Column(r.at[n])
	if err != nil {
		return err
	}
	r.from[n], err = r.file.codecs[r.at[n]].decoder(chunk)
	r.last[n] = -2
	return err
}

// narrow leaves of rows, and of the columns that were read of them, those that
// the last column has kept.
func (r *Reader) narrow(read []int, rows []int64) []int64 {
	if len(r.kept) == len(rows) {
		return rows
	}
	for _, n := range read {
		for i, k := range r.kept {
			r.vals[n][i] = r.vals[n][k]
		}
		r.vals[n] = r.vals[n][:len(r.kept)]
	}
	r.rows = slices.Grow(r.rows[:0], len(r.kept))[:len(r.kept)]
	for i, k := range r.kept {
		r.rows[i] = rows[k] // which may be in r.rows, further behind
	}
	return r.rows
}

// deliver gives w what was read of the rows that are left.
func (r *Reader) deliver(w *Window, rows []int64) {
	last := len(r.at) - 1
	if w.Columns == nil {
		w.Columns = make([][]value.Value, last)
	}
	if len(rows) == 0 {
		return
	}
	for i := range w.Columns {
		if r.at[i] >= 0 { // the two exchange their memory
			w.Columns[i], r.vals[i] = r.vals[i], w.Columns[i]
		}
	}
	for _, v := range r.vals[last] {
		w.Seqs = append(w.Seqs, clock.Seq(v.Int()))
	}
}
