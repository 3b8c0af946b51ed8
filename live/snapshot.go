package live

import (
	"bytes"
	"context"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// snapshot is how far the reading of a snapshot has come. Each page is read
// from a view of its own, so that a slow subscriber holds none: a row that was
// changed after seq is read as it was at seq, from the versions that history
// keeps.
type snapshot struct {
	seq  clock.Seq // what the snapshot shows; 0 until the first page
	num  int       // of the next batch
	next []byte    // the first primary key of the next page; nil for the start

	// With LastRows a walk down the keys first finds where the rows begin.
	seeking bool
	left    int    // rows that are still to be found
	below   []byte // the walk goes on below this key; nil for the end

	rows  [][]value.Value // of a page that has looked at enough for one Poll
	bytes int
}

func newSnapshot(lastRows *int) *snapshot {
	snap := &snapshot{}
	if lastRows != nil {
		snap.seeking, snap.left = true, *lastRows
	}
	return snap
}

// load reads a piece of the snapshot: a page, or less when ScanRows is reached.
// When it fails, or ctx ends, the piece is read again.
func (r *reading) load(ctx context.Context) error {
	snap := r.sub.snap
	if snap.seq == 0 {
		snap.seq = r.applied
	}
	if err := r.covers(snap.seq); err != nil {
		return err
	}
	if snap.seeking {
		if err := r.seek(ctx); err != nil || snap.seeking {
			return err
		}
	}
	return r.page(ctx)
}

// seek walks down until it has found the first of the last rows.
func (r *reading) seek(ctx context.Context) error {
	snap := r.sub.snap
	if snap.left == 0 {
		r.finish(*snap, true)
		return nil
	}
	left, below := snap.left, snap.below
	span := table.Span{Lo: r.query.Lo, Hi: r.query.Hi, Reverse: true}
	if below != nil {
		span.Hi = below
	}
	end, err := r.walk(ctx, span,
		func(pk []byte, _ []value.Value) (bool, error) {
			left--
			below = bytes.Clone(pk)
			return left > 0, nil
		})
	if err != nil {
		return err
	}
	switch {
	case left == 0:
		snap.seeking, snap.next = false, below
	case end == nil:
		snap.seeking, snap.next = false, nil
	default:
		snap.left, snap.below = left, end
	}
	return nil
}

// page reads rows upwards until a batch is full.
func (r *reading) page(ctx context.Context) error {
	snap, opts := r.sub.snap, &r.sub.hub.opts
	p := *snap
	span := table.Span{Lo: r.query.Lo, Hi: r.query.Hi}
	if snap.next != nil {
		span.Lo = snap.next
	}
	next, err := r.walk(ctx, span,
		func(_ []byte, vals []value.Value) (bool, error) {
			projected, err := project(r.query, vals)
			if err != nil {
				return false, err
			}
			p.rows = append(p.rows, projected)
			p.bytes += rowSize(projected)
			return len(p.rows) < r.sub.opts.BatchSize && p.bytes < opts.BatchBytes, nil
		})
	if err != nil {
		return err
	}
	full := len(p.rows) >= r.sub.opts.BatchSize || p.bytes >= opts.BatchBytes
	p.next = next
	if next != nil && !full {
		*snap = p
		return nil
	}
	r.finish(p, next == nil)
	return nil
}

// finish tells the rows of p as a batch, and waits for the subscriber to ask
// for the next one unless it was the last.
func (r *reading) finish(p snapshot, last bool) {
	s := r.sub
	b := Batch{Rows: p.rows, Num: p.num, HasMore: !last, Status: LoadingBatch}
	switch {
	case last:
		b.Status, b.LastSeq = Ready, p.seq
	case p.num == 0:
		b.Status = Loading
	}
	s.out = append(s.out, b)
	if last {
		s.snap = nil
		s.become(lagging, p.seq)
		return
	}
	p.num, p.rows, p.bytes = p.num+1, nil, 0
	s.snap = &p
	s.become(waiting, 0)
}

// walk gives visit the matching rows of a span as they were at the snapshot's
// seq, until visit wants no more, ScanRows are read or the span ends. It
// returns the bound at which a walk in the same direction goes on, nil at the
// span's end.
func (r *reading) walk(ctx context.Context, span table.Span,
	visit func(pk []byte, vals []value.Value) (bool, error)) (next []byte, err error) {
	rows := r.rows.Scan(ctx, r.view, r.user, span)
	defer func() {
		if closed := rows.Close(); err == nil {
			err = closed
		}
	}()
	var vals []value.Value
	for n := 1; rows.Next(); n++ {
		if n%ctxEvery == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		goOn := true
		rec, found, err := r.asOf(r.sub.snap.seq, rows.PK(), rows.Record())
		if err == nil && found && rec.Seq >= r.expired {
			vals, err = appendRow(vals, r.sub.hub.opts.Source, r.query.Table, rec)
			if err == nil {
				goOn, err = r.visitMatch(rows.PK(), vals, visit)
			}
		}
		switch {
		case err != nil:
			return nil, err
		case goOn && n < r.sub.hub.opts.ScanRows:
		case span.Reverse:
			return bytes.Clone(rows.PK()), nil
		default:
			return append(bytes.Clone(rows.PK()), 0), nil
		}
	}
	return nil, nil
}

func (r *reading) visitMatch(pk []byte, vals []value.Value,
	visit func(pk []byte, vals []value.Value) (bool, error)) (bool, error) {
	match, err := r.query.Match(vals)
	if err != nil || !match {
		return true, err
	}
	return visit(pk, vals)
}

// asOf returns the version of a row that was current at seq, and whether there
// was one that is not deleted. rec is the present one.
//
// REQUIRES: covers(seq).
func (r *reading) asOf(seq clock.Seq, pk []byte, rec row.Record) (
	_ row.Record, found bool, err error) {
	rec, found, err = r.rows.AsOf(r.view, r.user, pk, rec, seq)
	return rec, found && !rec.Deleted, err
}
