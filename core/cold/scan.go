package cold

import (
	"bytes"
	"context"
	"slices"
	"sync"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/segment"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// When a read scans segments rather than fetching rows one by one.
const (
	scanRows   = 1024 // rows that are needed of segments for sure
	scanPassed = 256  // rows that a read has fetched, and goes on
	scanBehind = 16   // rows that it has fetched at least, so that few cost little
	scanShare  = 8    // 1 row in so many of a segment must be needed
	scanFiles  = 16   // segments that are open at once: among which keys alternate
)

// scan reads long runs of a user's rows. While its caller walks over the rows of
// a window, a goroutine of it reads the next one; Close waits for that.
type scan struct {
	tier  *Tier
	ctx   context.Context
	view  *store.View
	want  table.Wanted
	parts []*part // the last used first
	begun map[ident.SegmentID]bool
	order []ident.SegmentID // by their first keys
	reads int               // windows
	ahead sync.WaitGroup    // the reading of a spare window
}

var _ table.Scan = (*scan)(nil)

// part is a segment of a scan.
type part struct {
	id     ident.SegmentID
	file   *file
	reader *segment.Reader
	window segment.Window
	spare  segment.Window // the next one, when it was read ahead
	at     []int          // where the columns that are read stand in a row
	vals   []value.Value
}

// Scan implements table.Cold.
func (t *Tier) Scan(ctx context.Context, v *store.View, w table.Wanted) (table.Scan, error) {
	if t.opts.Reads == ReadsByPlace || t.opts.Reads == ReadsEither && w.Passed < scanBehind {
		return nil, nil
	}
	o, err := t.outline(v, w.Part, w.User, w.Lo, w.Hi)
	if err != nil || !o.scans(w.Passed) && t.opts.Reads == ReadsEither {
		return nil, err
	}
	t.meter.scans.Add(1)
	t.meter.prunedByKey.Add(int64(o.Segments - len(o.within)))
	s := &scan{tier: t, ctx: ctx, view: v, want: w, begun: map[ident.SegmentID]bool{}}
	for i := range o.within {
		s.order = append(s.order, o.within[i].ID)
	}
	return s, nil
}

// outline is what the manifest says of a range of a user's keys.
type outline struct {
	Segments int              // of the user
	within   []manifest.Entry // those that have keys in the range, by their first key
	sure     int64            // rows that are needed of segments that lie in the range
	rows     int64            // of segments that have keys in the range
	live     int64            // of these, those that are pointed to
	beside   int              // how many segments have rows between each other's at most
}

// outline reads the manifest.
func (t *Tier) outline(
	v *store.View, p store.Partition, u ident.UserID, lo, hi []byte,
) (o outline, err error) {
	err = manifest.Of(v, p, u, func(e *manifest.Entry) error {
		if e.State != manifest.There || e.Live == 0 {
			return nil
		}
		o.Segments++
		if bytes.Compare(e.MaxKey, lo) < 0 || hi != nil && bytes.Compare(e.MinKey, hi) >= 0 {
			return nil
		}
		o.within = append(o.within, *e)
		o.rows, o.live = o.rows+int64(e.Rows), o.live+int64(e.Live)
		if bytes.Compare(e.MinKey, lo) >= 0 && (hi == nil || bytes.Compare(e.MaxKey, hi) < 0) {
			o.sure += int64(e.Live)
		}
		return nil
	})
	slices.SortFunc(o.within, func(a, b manifest.Entry) int {
		return bytes.Compare(a.MinKey, b.MinKey)
	})
	var ends [][]byte // of segments that have begun, the first one first
	for i := range o.within {
		e := &o.within[i]
		for len(ends) > 0 && bytes.Compare(ends[0], e.MinKey) < 0 {
			ends = ends[1:]
		}
		at, _ := slices.BinarySearchFunc(ends, e.MaxKey, bytes.Compare)
		ends = slices.Insert(ends, at, e.MaxKey)
		o.beside = max(o.beside, len(ends))
	}
	return o, err
}

// scans reports whether a read of the range that has fetched so many rows, and
// knows no end but that of the range, should scan.
func (o *outline) scans(passed int) bool {
	return o.beside <= scanFiles && o.live*scanShare >= o.rows &&
		(o.sure >= scanRows || passed >= scanPassed)
}

// Take implements table.Scan.
func (s *scan) Take(rec *row.Record) (bool, error) {
	place := rec.Place()
	p, err := s.at(place)
	if s.mends(place.Segment, &err) {
		p, err = s.at(place)
	}
	if err != nil {
		return false, err
	}
	i, ok := p.window.Find(place.Ordinal)
	if !ok {
		return false, nil
	}
	if p.window.Seqs[i] != rec.Seq {
		return false, p.file.another(place.Ordinal)
	}
	for c, at := range p.at {
		p.vals[at] = p.window.Columns[c][i]
	}
	l := p.file.Layout().Schema
	rec.Schema, rec.Codec, rec.Payload, rec.Values = l.Version, l.Codec, nil, p.vals
	rec.Cold, rec.Thawed = false, false
	return true, nil
}

// at returns the segment of a row, with its window where the row is.
func (s *scan) at(place row.Place) (*part, error) {
	p, err := s.part(place.Segment)
	if err == nil && !p.window.Has(place.Ordinal) {
		err = s.move(p, place.Ordinal)
	}
	return p, err
}

// mends is Tier.mends; the segment is opened again then.
func (s *scan) mends(id ident.SegmentID, err *error) bool {
	if *err == nil || !s.tier.mends(s.ctx, s.view, s.want.Part, s.want.User, id, err) {
		return false
	}
	s.ahead.Wait()
	s.parts = slices.DeleteFunc(s.parts, func(p *part) bool {
		if p.id == id {
			s.leave(p)
		}
		return p.id == id
	})
	return true
}

// part returns the segment with a number, opened.
func (s *scan) part(id ident.SegmentID) (*part, error) {
	if len(s.parts) > 0 && s.parts[0].id == id {
		return s.parts[0], nil
	}
	i := slices.IndexFunc(s.parts, func(p *part) bool { return p.id == id })
	if i < 0 {
		p, err := s.open(id)
		if err != nil {
			return nil, err
		}
		if i = len(s.parts); i == scanFiles {
			s.ahead.Wait() // which may be of that part
			i--
			s.leave(s.parts[i])
			s.parts[i] = p
		} else {
			s.parts = append(s.parts, p)
		}
	}
	p := s.parts[i]
	copy(s.parts[1:i+1], s.parts[:i])
	s.parts[0] = p
	return p, nil
}

func (s *scan) open(id ident.SegmentID) (*part, error) {
	f, err := s.tier.open(s.ctx, s.view, s.want.Part, s.want.User, fileKey{s.want.Part.ID, id})
	if err != nil {
		return nil, err
	}
	p := &part{id: id, file: f}
	l := f.Layout().Schema
	columns := []ident.ColumnID{}
	for i, c := range l.IDs { // in the order of the file, and only what it has
		if s.want.Columns == nil || slices.Contains(s.want.Columns, c) {
			columns, p.at = append(columns, c), append(p.at, i)
		}
	}
	var conditions []row.Condition
	if s.want.Filter != nil {
		conditions = s.want.Filter.Conditions
	}
	p.reader, p.vals = f.Reader(columns, conditions), make([]value.Value, len(l.IDs))
	if !s.begun[id] {
		s.begun[id] = true
		s.tier.meter.scanned.Add(1)
	}
	return p, nil
}

// move gives a part the window of a row, and has the next one read.
func (s *scan) move(p *part, ordinal uint32) error {
	s.ahead.Wait() // conditions are of one goroutine at a time
	if p.spare.Has(ordinal) {
		p.window, p.spare = p.spare, p.window
	} else if err := s.read(p, ordinal, &p.window); err != nil {
		return err
	}
	if s.reads++; s.reads > 1 { // who wants one window wants no more
		s.readAhead(p)
	}
	return nil
}

// readAhead has the window read that is behind that of p in the direction of the
// scan. An error is met again by whoever needs it.
func (s *scan) readAhead(p *part) {
	first, end := p.window.Bounds()
	next := end
	if s.want.Reverse {
		next = first - 1 // below 0 is behind the end
	}
	if int64(next) >= p.file.NumRows() {
		if p = s.behind(p); p == nil {
			return
		}
		if next = 0; s.want.Reverse {
			next = uint32(p.file.NumRows() - 1)
		}
	}
	if !p.window.Has(next) {
		s.ahead.Go(func() {
			defer func() {
				if recover() != nil { // whoever needs the row meets it again, where it is told
					p.spare = segment.Window{}
				}
			}()
			_ = s.read(p, next, &p.spare)
		})
	}
}

// behind returns the segment that is next to p in the order of first keys, nil
// for none.
func (s *scan) behind(p *part) *part {
	i := slices.Index(s.order, p.id)
	step := 1
	if s.want.Reverse {
		step = -1
	}
	if i < 0 || i+step < 0 || i+step >= len(s.order) {
		return nil
	}
	next, err := s.part(s.order[i+step])
	if err != nil {
		return nil // whoever needs it hears of it
	}
	return next
}

// read reads the window of a row.
func (s *scan) read(p *part, ordinal uint32, w *segment.Window) error {
	m, before := &s.tier.meter, p.reader.Stats()
	err := p.reader.Read(s.ctx, ordinal, w)
	after := p.reader.Stats()
	m.groups.Add(int64(after.Groups - before.Groups))
	m.prunedByStats.Add(int64(after.Pruned - before.Pruned))
	m.rowsScanned.Add(after.Rows - before.Rows)
	m.read.Add(after.Rows - before.Rows)
	return err
}

func (s *scan) leave(p *part) { p.reader.Close(&p.window, &p.spare) }

// Close implements table.Scan.
func (s *scan) Close() {
	s.ahead.Wait()
	for _, p := range s.parts {
		s.leave(p)
	}
	s.parts = nil
}

// another is the error of a row that is not the one that a record points to.
func (f *file) another(ordinal uint32) error {
	return fault.New(fault.Corruption, "row %d of the file %s of the cold tier is not the one that "+
		"its table says; restore it from a backup", ordinal, f.name)
}
