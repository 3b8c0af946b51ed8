package check

import (
	"context"
	"slices"

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
	if c.env.Copies != nil {
		if _, err := c.env.Copies.Restore(ctx, e); err != nil {
			return err
		}
	}
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
// has to meet the row of its key and its seq, and every index to have the entry of
// what that row holds.
func (c *shard) rows(
	ctx context.Context, u ident.UserID, e *manifest.Entry, file *segment.File, f *Finding,
) error {
	r, err := c.coldRows(u, e, file)
	if err != nil {
		return err
	}
	live := uint32(0)
	scan := file.Scan(r.columns, segment.Prune{})
	defer scan.Close()
	for scan.Next(ctx) {
		b := scan.Batch()
		for i := range b.Len() {
			f.Rows++
			key := r.keyOf(b, i)
			there, err := c.pointsTo(f, u, key, e, b, i)
			if err != nil {
				return err
			}
			if !there {
				continue
			}
			live++
			if err := r.entries(f, key, b, i); err != nil {
				return err
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

// coldRows reads the rows of a file as those of the table.
type coldRows struct {
	*shard
	user    ident.UserID
	columns []ident.ColumnID // that are read
	key     []int            // where those of the key are among them
	schema  *row.Schema      // of the file
	reader  *row.Reader      // nil when the table has no index
	read    []value.Value    // of the file's columns
	vals    []value.Value    // of the table's
	pk      []byte
}

func (c *shard) coldRows(u ident.UserID, e *manifest.Entry, file *segment.File) (
	*coldRows, error,
) {
	l := file.Layout()
	r := &coldRows{shard: c, user: u, columns: l.Key, schema: l.Schema}
	if len(c.table.Indexes) > 0 {
		var err error
		if r.reader, err = c.env.Catalog.Reader(c.table, e.Schema); err != nil {
			return nil, err
		}
		r.columns = l.Schema.IDs
		r.read = make([]value.Value, len(r.columns))
		r.vals = make([]value.Value, len(c.table.Columns))
	}
	for _, id := range l.Key {
		r.key = append(r.key, slices.Index(r.columns, id))
	}
	return r, nil
}

// keyOf returns the primary key of row i, valid until the next one.
func (r *coldRows) keyOf(b *segment.Batch, i int) []byte {
	r.pk = r.pk[:0]
	for _, at := range r.key {
		r.pk = value.AppendKey(r.pk, b.Columns[at][i])
	}
	return r.pk
}

// entries checks that every index has the entry of row i.
func (r *coldRows) entries(f *Finding, pk []byte, b *segment.Batch, i int) error {
	if r.reader == nil {
		return nil
	}
	b.Row(i, r.read)
	payload, err := r.schema.Encode(r.read)
	if err != nil {
		return err
	}
	rec := row.Record{Seq: b.Seqs[i], Schema: r.schema.Version, Codec: r.schema.Codec,
		Payload: payload}
	if err := r.reader.Read(rec, r.vals); err != nil {
		return err
	}
	return r.shard.entries(f, r.user, pk, r.vals)
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
