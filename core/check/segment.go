package check

import (
	"context"
	"crypto/sha256"
	"io"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/object"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/segment"
)

// segments checks the files of the shard's manifest.
func (c *shard) segments(ctx context.Context) error {
	pointed, first := int64(0), len(c.found)
	err := manifest.All(c.view, c.part, "", func(u ident.UserID, e *manifest.Entry) error {
		pointed += int64(e.Live)
		if e.State != manifest.There {
			return ctx.Err()
		}
		f := c.begin("segment", string(e.Storage)+":"+e.Path)
		if err := c.segment(ctx, u, e, &f); err != nil {
			f.failed(err)
		}
		if len(c.found)-first < MaxFindings || f.Status != OK {
			c.found = append(c.found, f)
		}
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
	if r.Size() != e.Bytes {
		f.wrong("the file %s has %d bytes, it was written with %d", e.Path, r.Size(), e.Bytes)
		return nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(r.At(ctx), 0, r.Size())); err != nil {
		return err
	}
	if [sha256.Size]byte(sum.Sum(nil)) != e.Checksum {
		f.wrong("the file %s is not as it was written: its checksum differs", e.Path)
		return nil
	}
	return c.rows(ctx, u, e, r, f)
}

// rows checks the rows of a file.
func (c *shard) rows(
	ctx context.Context, u ident.UserID, e *manifest.Entry, r object.Reader, f *Finding,
) error {
	file, err := segment.Open(ctx, r.At(ctx), r.Size(), e.Path)
	if err != nil {
		return err
	}
	if file.NumRows() != int64(e.Rows) {
		f.wrong("the file %s has %d rows, its entry says %d", e.Path, file.NumRows(), e.Rows)
		return nil
	}
	l := file.Layout()
	if l.Table != c.table.ID || l.User != u {
		f.wrong("the file %s has rows of another table or user", e.Path)
		return nil
	}
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
	return c.columns(ctx, file)
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

// columns reads all values of a file.
func (c *shard) columns(ctx context.Context, file *segment.File) error {
	scan := file.Scan(nil, segment.Prune{})
	for scan.Next(ctx) {
		continue
	}
	return scan.Err()
}
