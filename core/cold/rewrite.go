package cold

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/internal/failpoint"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/segment"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// Which says which rows of a user are written into new segments.
type Which struct {
	Hot      bool              // those beside their keys
	Segments []ident.SegmentID // those in these segments, which are not needed then
}

// Report is what a Rewrite has done.
type Report struct {
	Segments int
	Rows     int64 // written
	Swapped  int64 // of these, those that had not changed meanwhile
	Bytes    int64 // of the files
}

// Add adds what another Rewrite has done.
func (r *Report) Add(o Report) {
	r.Segments += o.Segments
	r.Rows += o.Rows
	r.Swapped += o.Swapped
	r.Bytes += o.Bytes
}

// Rewrite writes rows of a user of a table ("" for a shared one) into new
// segments, and has them point there. Rows that change meanwhile stay as they
// are. It holds one view from its begin, so what it needs in memory depends on
// neither the rows nor their size; progress, which may be nil, is told of rows
// and bytes of payload as they are written.
//
// It may fail, or the process end, at any point: what is left of it is an
// unfinished segment for Sweep, or rows that were not moved. No two calls may
// rewrite the same rows at once. An error with a retryable code may pass.
func (t *Tier) Rewrite(ctx context.Context, id ident.TableID, s ident.ShardID, u ident.UserID,
	which Which, progress func(rows, bytes int64),
) (Report, error) {
	r := &rewrite{tier: t, shard: s, user: u, which: which, progress: progress,
		cat: t.Catalog.Snapshot()}
	var ok bool
	if r.def, ok = r.cat.TableByID(id); ok {
		r.table.Part, ok = t.DB.Partition(r.def.Partition(s))
	}
	if !ok || r.def.Kind == ddl.SystemTable || r.def.Kind == ddl.StreamTable {
		return Report{}, errGone
	}
	r.table.Cold, r.pace = t, newPace(t.changes)
	r.view = t.DB.View()
	defer r.view.Release()
	var err error
	if r.trimmed, err = r.table.Trimmed(r.view); err != nil {
		return Report{}, err
	}
	for {
		more, err := r.seek()
		if err == nil && more {
			err = r.segment(ctx)
		}
		if err != nil {
			return r.report, err
		}
		if !more || r.end == nil {
			r.relist(ctx)
			return r.report, nil
		}
		r.next = r.end
	}
}

var errGone = fault.New(fault.TransactionConflict,
	"the table was dropped or truncated while its rows were moved")

// rewrite is one call of Rewrite.
type rewrite struct {
	tier     *Tier
	cat      *catalog.Snapshot
	def      *ddl.Table
	shard    ident.ShardID
	user     ident.UserID
	table    table.Table
	view     *store.View
	which    Which
	trimmed  clock.Seq
	progress func(rows, bytes int64)
	report   Report
	pace     *pace

	// Keys of the present segment. end is known when it is written, nil where it
	// has all that is left.
	next, end []byte
	entry     manifest.Entry
	reader    *row.Reader
	vals      []value.Value
}

// chosen reports whether a row is to be moved.
func (r *rewrite) chosen(rec *row.Record) bool {
	switch {
	case rec.Deleted:
		return false
	case rec.Cold:
		return slices.Contains(r.which.Segments, rec.Place().Segment)
	}
	return r.which.Hot && r.movable(rec)
}

// movable reports whether a row can be of the present schema version. One that
// stands for a run of appends in history is needed in a version that has the
// text.
func (r *rewrite) movable(rec *row.Record) bool {
	if rec.Run == 0 || rec.Seq <= r.trimmed || rec.Schema == r.def.Version {
		return true
	}
	return slices.ContainsFunc(r.def.Columns, func(c ddl.Column) bool {
		return c.ID == rec.Run && c.Type.Kind == value.Text
	})
}

// seek moves next to the first row that is to be moved.
func (r *rewrite) seek() (found bool, err error) {
	rows := r.table.Headers(r.view, r.user, table.Span{Lo: r.next})
	for rows.Next() {
		if r.chosen(rows.Present()) {
			r.next, found = bytes.Clone(rows.PK()), true
			break
		}
	}
	return found, rows.Close()
}

// segment writes one segment from next to end.
func (r *rewrite) segment(ctx context.Context) error {
	t := r.tier
	id := ident.SegmentID(t.Gen.Snowflake())
	storage, err := t.Storages.For(r.def, r.user)
	if err != nil {
		return err
	}
	bucket, err := t.Storages.Bucket(ctx, storage)
	if err != nil {
		return err
	}
	path, err := t.Storages.Path(ctx, storage, r.def, r.shard, r.user, id)
	if err != nil {
		return err
	}
	t.begin(id)
	defer t.end(id)
	r.entry = manifest.Entry{ID: id, State: manifest.Pending, Storage: storage, Path: path,
		Created: t.Clock.Now(), Schema: r.def.Version}
	if err := r.edit(ctx); err != nil {
		return err
	}
	failpoint.Here(failpoint.SegmentPending)
	err = bucket.Put(ctx, path, func(w io.Writer) error { return r.write(ctx, w) })
	if err != nil {
		return err
	}
	if err := t.spread(ctx, r.shard, &r.entry); err != nil {
		return err
	}
	failpoint.Here(failpoint.SegmentUploaded)
	r.entry.State = manifest.There
	if err := r.edit(ctx); err != nil {
		return err
	}
	failpoint.Here(failpoint.SegmentThere)
	if err := r.list(ctx, folderOf(&r.entry)); err != nil {
		return err
	}
	t.meter.segments.Add(1)
	t.meter.written.Add(int64(r.entry.Rows))
	r.report.Segments++
	r.report.Rows += int64(r.entry.Rows)
	r.report.Bytes += r.entry.Bytes
	swapped, err := r.swap(ctx)
	r.report.Swapped += swapped
	if err != nil || swapped > 0 {
		return err
	}
	r.entry.State = manifest.Dying // every row has changed meanwhile
	return r.edit(ctx)
}

// edit has the log take the present step in the life of the segment.
func (r *rewrite) edit(ctx context.Context) error {
	edited, _, err := r.tier.propose(ctx, &command.Command{Shard: r.shard,
		Segments: []command.Segment{{Table: r.def.ID, User: r.user, Entry: r.entry}}})
	if err == nil && edited == 0 {
		err = errGone
	}
	return err
}

// layout returns the layout of segments of a user's rows.
func layout(def *ddl.Table, u ident.UserID) segment.Layout {
	l := segment.Layout{Table: def.ID, User: u, Schema: def.Schema()}
	for i := range def.Columns {
		c := &def.Columns[i]
		column := segment.Column{Name: c.Name, Precision: c.Type.Precision, Scale: c.Type.Scale}
		if c.Type.Kind == value.Embedding {
			column.Dimension = c.Type.Length
		}
		l.Columns = append(l.Columns, column)
	}
	for _, k := range def.PrimaryKey {
		l.Key = append(l.Key, def.Columns[k].ID)
	}
	return l
}

// write writes the rows from next on to a segment and notes what it has.
func (r *rewrite) write(ctx context.Context, to io.Writer) (err error) {
	w, err := segment.NewWriter(to, layout(r.def, r.user))
	if err != nil {
		return err
	}
	rows := r.table.Headers(r.view, r.user, table.Span{Lo: r.next})
	defer func() {
		settled, closed := w.Settle(), rows.Close()
		if err == nil {
			err = cmp.Or(settled, closed)
		}
	}()
	p := &pieces{rewrite: r, to: w}
	for r.end = nil; r.end == nil && rows.Next(); {
		if rec := rows.Present(); r.chosen(rec) {
			if err := p.add(ctx, rows.PK(), rec); err != nil {
				return err
			}
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if err := p.end(ctx); err != nil {
		return err
	}
	return r.finish(w)
}

// decode reads a record as a row of the present schema version.
func (r *rewrite) decode(rec *row.Record) (err error) {
	if r.reader == nil || !r.reader.Reads(*rec) {
		if r.reader, err = r.cat.Reader(r.def, rec.Schema); err != nil {
			return err
		}
	}
	if r.vals == nil {
		r.vals = make([]value.Value, len(r.def.Columns))
	}
	return r.reader.Read(*rec, r.vals)
}

func (r *rewrite) finish(w *segment.Writer) error {
	info, err := w.Close()
	if err != nil {
		return err
	}
	e := &r.entry
	e.Rows, e.Bytes, e.Checksum = uint32(info.Rows), info.Bytes, info.Checksum
	e.MinKey, e.MaxKey, e.MinSeq, e.MaxSeq = info.MinKey, info.MaxKey, info.MinSeq, info.MaxSeq
	return nil
}
