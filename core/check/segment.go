package check

import (
	"context"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/cold"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/segment"
)

// segments checks the files of the shard's manifest.
func (c *shard) segments(ctx context.Context) error {
	pointed := int64(0)
	err := manifest.All(c.view, c.part, "", func(u ident.UserID, e *manifest.Entry) error {
		pointed += int64(e.Live)
		if e.State != manifest.There {
			return ctx.Err()
		}
		f := c.begin("segment", string(e.Storage)+":"+e.Path)
		if err := c.segment(ctx, u, e, &f); err != nil {
			f.failed(err)
		}
		c.add(f)
		return ctx.Err()
	})
	if err == nil && pointed != c.cold {
		rows := &c.found[0]
		rows.wrong("the manifest of partition %s counts %d cold rows, there are %d",
			c.part.Name, pointed, c.cold)
	}
	return err
}

// segment checks one file: that it is there, its bytes, and that it has the rows
// which point to it.
func (c *shard) segment(ctx context.Context, u ident.UserID, e *manifest.Entry, f *Finding) error {
	bucket, err := c.env.Files(ctx, e.Storage)
	if err != nil {
		return err
	}
	r, err := bucket.Open(ctx, e.Path)
	switch {
	case fault.Is(err, fault.NotFound):
		f.wrong("the file %s is missing; restore it from a backup", e.Path)
		return nil
	case err != nil:
		return err
	}
	file, err := segment.Open(ctx, r.At(ctx), r.Size(), e.Path)
	if err != nil {
		return err
	}
	if l := file.Layout(); l.Table != c.table.ID || l.User != u || l.Schema.Version != e.Schema {
		f.wrong("the file %s is another: it has rows of table %d, user %q, schema version %d",
			e.Path, l.Table, l.User, l.Schema.Version)
		return nil
	}
	if err := file.Check(ctx, cold.InfoOf(e)); err != nil {
		return err
	}
	return c.rows(ctx, u, e, file, f)
}

// rows checks the rows of a file that is as it was written: every pointer to it
// has to meet the row of its key and its seq.
func (c *shard) rows(
	ctx context.Context, u ident.UserID, e *manifest.Entry, file *segment.File, f *Finding,
) error {
	l := file.Layout()
	live := uint32(0)
	scan := file.Scan(l.Key, segment.Prune{})
	var key []byte
	for scan.Next(ctx) {
		b := scan.Batch()
		for i := range b.Len() {
			key = key[:0]
			for _, column := range b.Columns {
				key = value.AppendKey(key, column[i])
			}
			f.Rows++
			there, err := c.pointsTo(f, u, key, e, b, i)
			if err != nil {
				return err
			}
			if there {
				live++
			}
		}
	}
	if err := scan.Err(); err != nil {
		return err
	}
	if live != e.Live {
		f.wrong("%d rows of the file %s are in use, its entry says %d", live, e.Path, e.Live)
	}
	return nil
}

// pointsTo reports whether the row with a key points to row i of a segment.
func (c *shard) pointsTo(f *Finding, u ident.UserID, key []byte, e *manifest.Entry,
	b *segment.Batch, i int,
) (bool, error) {
	raw, found, err := c.view.Get(c.part, row.Key(u, key))
	if err != nil || !found {
		return false, err
	}
	rec, err := row.ParseRecord(raw)
	if err != nil || rec.Place() != (row.Place{Segment: e.ID, Ordinal: b.Ordinals[i]}) {
		return false, err
	}
	if rec.Seq != b.Seqs[i] {
		f.wrong("row %d of the file %s has seq %s, and the row that points to it %s",
			b.Ordinals[i], e.Path, b.Seqs[i], rec.Seq)
	}
	return true, nil
}
