package check

import (
	"bytes"
	"context"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// looks is how many rows are read between two looks at the end of time.
const looks = 4096

// walk reads all records of a partition.
func (c *shard) walk(ctx context.Context, f *Finding) (err error) {
	lo, hi := row.RowSpace()
	it := c.view.Scan(c.part, store.Range{Lo: lo, Hi: hi})
	defer func() {
		if closed := it.Close(); err == nil {
			err = closed
		}
	}()
	r := &records{shard: c, vals: make([]value.Value, len(c.table.Columns))}
	for ; it.Next(); f.Rows++ {
		if f.Rows%looks == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		user, pk, err := row.SplitKey(it.Key())
		if err != nil {
			f.failed(err)
			continue
		}
		if err := r.record(f, user, pk, it.Value()); err != nil {
			f.failed(err)
		}
	}
	if err := it.Err(); err != nil {
		return err
	}
	counted, err := table.Table{Part: c.part}.Count(c.view)
	if err == nil && counted != c.live {
		f.wrong("partition %s counts %d live rows and has %d", c.part.Name, counted, c.live)
	}
	return err
}

// records is a walk over records.
type records struct {
	*shard
	rec    row.Record
	reader *row.Reader
	vals   []value.Value

	// The segment that was pointed to last, whose entry is there.
	user ident.UserID
	last ident.SegmentID
}

func (r *records) record(f *Finding, user ident.UserID, pk, raw []byte) error {
	if err := r.rec.Parse(raw); err != nil {
		return err
	}
	if !r.rec.Deleted {
		leaving, err := r.erasing(user)
		if err != nil {
			return err
		}
		if r.live++; leaving {
			r.leaving++
		}
	}
	if r.rec.Cold {
		r.cold++
		return r.pointer(f, user)
	}
	if r.reader == nil || !r.reader.Reads(r.rec) {
		var err error
		if r.reader, err = r.env.Catalog.Reader(r.table, r.rec.Schema); err != nil {
			return err
		}
	}
	if err := r.reader.Read(r.rec, r.vals); err != nil || r.rec.Deleted {
		return err
	}
	if !bytes.Equal(r.table.KeyOf(r.vals), pk) {
		f.wrong("a row of partition %s has another primary key than its place", r.part.Name)
		return nil
	}
	return r.entries(f, user, pk, r.vals)
}

// pointer checks that the segment of a cold row is in the manifest.
func (r *records) pointer(f *Finding, user ident.UserID) error {
	id := r.rec.Place().Segment
	if id == r.last && user == r.user {
		return nil
	}
	e, found, err := manifest.Get(r.view, nil, r.part, user, id)
	switch {
	case err != nil:
		return err
	case !found:
		f.wrong("a row points to segment %s, which is not in the manifest", id)
	case e.State != manifest.There:
		f.wrong("a row points to segment %s, which is %s", id, e.State)
	default:
		r.user, r.last = user, id
	}
	return nil
}

// entries checks that every index has the entry of a row.
func (c *shard) entries(
	f *Finding, user ident.UserID, pk []byte, vals []value.Value,
) error {
	leaving, err := c.erasing(user)
	if err != nil || leaving {
		return err
	}
	all, err := c.table.Entries(vals)
	if err != nil {
		return err
	}
	for i, e := range all {
		x := &c.table.Indexes[i]
		if x.Building {
			continue
		}
		raw, found, err := c.view.Get(c.part, e.Key(user, pk))
		if err != nil {
			return err
		}
		if found && e.Unique {
			_, owner, err := row.SplitEntry(nil, raw)
			if err != nil {
				return err
			}
			found = bytes.Equal(owner, pk)
		}
		if !found {
			f.wrong("index %s has no entry for a row of partition %s", x.Name, c.part.Name)
		}
	}
	return nil
}

// index counts the entries of an index: a live row has one, and nothing else.
func (c *shard) index(ctx context.Context, x *ddl.Index, f *Finding) (err error) {
	if x.Building {
		f.Message = "it is being built"
		return nil
	}
	lo, hi := row.IndexSpace(x.ID)
	it := c.view.Scan(c.part, store.Range{Lo: lo, Hi: hi})
	defer func() {
		if closed := it.Close(); err == nil {
			err = closed
		}
	}()
	for n := 0; it.Next(); n++ {
		if n%looks == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		user, err := row.EntryUser(it.Key())
		if err != nil {
			return err
		}
		switch leaving, err := c.erasing(user); {
		case err != nil:
			return err
		case !leaving:
			f.Rows++
		}
	}
	if rows := c.live - c.leaving; f.Rows != rows {
		f.wrong("index %s has %d entries in partition %s for %d rows",
			x.Name, f.Rows, c.part.Name, rows)
	}
	return it.Err()
}
