package cold

import (
	"bytes"
	"context"

	"github.com/kalamdb/kalamdb-go/internal/failpoint"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/segment"
)

// pieces writes rows to a segment in pieces: behind each it tells of the progress,
// looks at the context and at the bounds of the segment.
type pieces struct {
	*rewrite
	to *segment.Writer

	// Rows that wait until those of them that are cold are fetched together.
	pks  [][]byte
	recs []row.Record

	rows, size int   // of the piece; size is of what waits, too
	bytes      int64 // of payloads in the piece
	allRows    int   // of the segment
	allBytes   int64
}

// Bounds of a piece.
const (
	pieceRows  = 512
	pieceBytes = 4 << 20
)

// add adds a row. When the segment is full, the end of the rewrite is behind it.
func (p *pieces) add(ctx context.Context, pk []byte, rec *row.Record) error {
	if p.size += len(rec.Payload); rec.Cold || len(p.recs) > 0 {
		kept := *rec
		kept.Payload = bytes.Clone(rec.Payload)
		p.pks, p.recs = append(p.pks, bytes.Clone(pk)), append(p.recs, kept)
	} else if err := p.write(pk, rec); err != nil {
		return err
	}
	p.rows++
	p.allRows++
	full := p.allRows == p.tier.opts.SegmentRows
	if !full && p.rows < pieceRows && p.size < pieceBytes {
		return nil
	}
	err := p.end(ctx)
	if full || p.allBytes >= p.tier.opts.SegmentBytes {
		p.rewrite.end = append(bytes.Clone(pk), 0)
	}
	return err
}

// write writes a row that is whole. The decoder makes copies of what it reads.
func (p *pieces) write(pk []byte, rec *row.Record) error {
	p.bytes += int64(len(rec.Payload))
	if err := p.decode(rec); err != nil {
		return err
	}
	return p.to.Append(pk, rec.Seq, p.vals)
}

// end writes what waits, and ends the piece.
func (p *pieces) end(ctx context.Context) error {
	if p.rows == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := p.thaw(ctx); err != nil {
		return err
	}
	failpoint.Here(failpoint.SegmentWriting)
	if p.progress != nil {
		p.progress(int64(p.rows), p.bytes)
	}
	if p.pace.slow() { // nothing goes on while it rests
		if err := p.to.Settle(); err != nil {
			return err
		}
		p.pace.rest(ctx)
	}
	p.allBytes += p.bytes
	p.rows, p.size, p.bytes = 0, 0, 0
	return nil
}

// thaw writes the rows that wait, cold ones out of their old segments.
func (p *pieces) thaw(ctx context.Context) error {
	var cold []*row.Record
	for i := range p.recs {
		if p.recs[i].Cold {
			cold = append(cold, &p.recs[i])
		}
	}
	if len(cold) > 0 {
		if err := p.tier.Fetch(ctx, p.view, p.table.Part, p.user, nil, cold); err != nil {
			return err
		}
	}
	for i := range p.recs {
		if err := p.write(p.pks[i], &p.recs[i]); err != nil {
			return err
		}
	}
	p.pks, p.recs = nil, nil
	return nil
}
