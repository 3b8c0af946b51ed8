package cold

import (
	"cmp"
	"context"
	"io"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/segment"
	"github.com/kalamdb/kalamdb-go/store/table"
)

var _ table.Cold = (*Tier)(nil)

// Rows are fetched and kept in blocks of neighbours, so that who reads the next
// ones finds them. A block has a power of two of rows, as many as have about
// blockBytes in the file.
const (
	blockBytes = 16 << 10
	mostRows   = 256 // of a block
)

type blockKey struct {
	fileKey
	number uint32
}

// block are neighbours in a segment, from ordinal number*rows on.
type block struct {
	seqs     []clock.Seq
	payloads [][]byte
	partial  bool // without some columns
}

// wanted is a record that is to be fetched.
type wanted struct {
	place row.Place
	rec   *row.Record
}

// Fetch implements table.Cold.
func (t *Tier) Fetch(ctx context.Context, v *store.View, p store.Partition, u ident.UserID,
	columns []ident.ColumnID, recs []*row.Record,
) error {
	list := make([]wanted, len(recs))
	for i, rec := range recs {
		list[i] = wanted{rec.Place(), rec}
	}
	slices.SortFunc(list, func(a, b wanted) int {
		return cmp.Or(cmp.Compare(a.place.Segment, b.place.Segment),
			cmp.Compare(a.place.Ordinal, b.place.Ordinal))
	})
	for len(list) > 0 {
		id := list[0].place.Segment
		n := slices.IndexFunc(list, func(w wanted) bool { return w.place.Segment != id })
		if n < 0 {
			n = len(list)
		}
		err := t.fetch(ctx, v, p, u, columns, list[:n])
		if t.mends(ctx, v, p, u, id, &err) {
			err = t.fetch(ctx, v, p, u, columns, list[:n])
		}
		if err != nil {
			return fault.From(err)
		}
		list = list[n:]
	}
	return nil
}

// fetch makes the records of one segment whole.
func (t *Tier) fetch(ctx context.Context, v *store.View, p store.Partition, u ident.UserID,
	columns []ident.ColumnID, list []wanted,
) error {
	key := fileKey{p.ID, list[0].place.Segment}
	f, err := t.open(ctx, v, p, u, key)
	if err != nil {
		return err
	}
	t.meter.fetches.Add(1)
	t.meter.rows.Add(int64(len(list)))
	var missing []uint32 // numbers of blocks
	rest := list[:0:0]
	for _, w := range list {
		number := w.place.Ordinal / f.rows
		b, ok := t.blocks.get(blockKey{key, number})
		if ok {
			if err := w.take(f, b, w.place.Ordinal-number*f.rows); err != nil {
				return err
			}
			continue
		}
		if rest = append(rest, w); len(missing) == 0 || missing[len(missing)-1] != number {
			missing = append(missing, number)
		}
	}
	t.meter.hits.Add(int64(len(list) - len(rest)))
	switch {
	case len(rest) == 0:
		return nil
	case columns != nil,
		len(missing) > scatteredBlocks && len(rest) < len(missing)*int(f.rows)/scattered:
		return t.fetchRows(ctx, f, rest, columns)
	}
	return t.fetchBlocks(ctx, f, key, rest, missing)
}

// Rows that lie scattered over many blocks are fetched without their neighbours.
const (
	scatteredBlocks = 8
	scattered       = 8 // one row of so many is wanted, or less
)

// fetchRows fetches just the rows of list, with some columns or all.
func (t *Tier) fetchRows(
	ctx context.Context, f *file, list []wanted, columns []ident.ColumnID,
) error {
	ordinals := make([]uint32, 0, len(list))
	for _, w := range list {
		ordinals = append(ordinals, w.place.Ordinal)
	}
	all, err := t.read(ctx, f, slices.Compact(ordinals), columns)
	if err != nil {
		return err
	}
	at := 0
	for i, w := range list {
		if i > 0 && w.place != list[i-1].place {
			at++
		}
		if err := w.take(f, all, uint32(at)); err != nil {
			return err
		}
	}
	return nil
}

// fetchBlocks fetches blocks and keeps them. Those that another is reading it
// waits for.
func (t *Tier) fetchBlocks(
	ctx context.Context, f *file, key fileKey, list []wanted, numbers []uint32,
) error {
	if last := numbers[len(numbers)-1]; int64(last)*int64(f.rows) >= f.NumRows() {
		return f.lacks(list[len(list)-1].place.Ordinal)
	}
	found := make(map[uint32]*block, len(numbers))
	others := make(map[uint32]<-chan struct{})
	if err := t.readClaimed(ctx, f, key, numbers, found, others); err != nil {
		return err
	}
	var again []uint32 // what was not read, or is too large to be kept
	for _, n := range numbers {
		if others[n] == nil {
			continue
		}
		select {
		case <-others[n]:
		case <-ctx.Done():
			return ctx.Err()
		}
		b, ok := t.blocks.get(blockKey{key, n})
		if found[n] = b; !ok {
			again = append(again, n)
		}
	}
	if err := t.readBlocks(ctx, f, key, again, found); err != nil {
		return err
	}
	for i := range list {
		n := list[i].place.Ordinal / f.rows
		if err := list[i].take(f, found[n], list[i].place.Ordinal-n*f.rows); err != nil {
			return err
		}
	}
	return nil
}

// readClaimed puts blocks into found that nobody is reading, and the others into
// others.
func (t *Tier) readClaimed(ctx context.Context, f *file, key fileKey, numbers []uint32,
	found map[uint32]*block, others map[uint32]<-chan struct{},
) error {
	var mine []uint32
	defer func() {
		for _, n := range mine {
			t.blocks.release(blockKey{key, n})
		}
	}()
	for _, n := range numbers {
		b, ok, wait := t.blocks.claim(blockKey{key, n})
		switch {
		case ok:
			found[n] = b
		case wait != nil:
			others[n] = wait
		default:
			mine = append(mine, n)
		}
	}
	return t.readBlocks(ctx, f, key, mine, found)
}

// readBlocks reads blocks, keeps them, and puts them into found.
func (t *Tier) readBlocks(ctx context.Context, f *file, key fileKey, numbers []uint32,
	found map[uint32]*block,
) error {
	if len(numbers) == 0 {
		return nil
	}
	rows := uint32(f.NumRows())
	var ordinals []uint32
	for _, n := range numbers {
		for o := n * f.rows; o < min((n+1)*f.rows, rows); o++ {
			ordinals = append(ordinals, o)
		}
	}
	all, err := t.read(ctx, f, ordinals, nil)
	if err != nil {
		return err
	}
	at := 0
	for _, n := range numbers {
		end := at + int(min(f.rows, rows-n*f.rows))
		b := &block{seqs: all.seqs[at:end:end], payloads: all.payloads[at:end:end]}
		t.blocks.put(blockKey{key, n}, b, b.size())
		found[n], at = b, end
	}
	return nil
}

// take gives the record its payload, which is row i of b.
func (w *wanted) take(f *file, b *block, i uint32) error {
	if int(i) >= len(b.seqs) {
		return f.lacks(w.place.Ordinal)
	}
	if b.seqs[i] != w.rec.Seq {
		return fault.New(fault.Corruption, "row %d of the file %s of the cold tier is not the one that "+
			"its table says; restore the file from a backup", w.place.Ordinal, f.name)
	}
	s := f.Layout().Schema
	*w.rec = w.rec.Thaw(s.Version, s.Codec, b.payloads[i])
	w.rec.Thawed = !b.partial
	return nil
}

func (f *file) lacks(ordinal uint32) error {
	return fault.New(fault.Corruption, "the file %s of the cold tier has %d rows, and row %d was "+
		"asked for; restore it from a backup", f.name, f.NumRows(), ordinal)
}

func (b *block) size() int64 {
	const overhead = 40 // bytes of a row
	n := int64(100 + overhead*len(b.seqs))
	for _, p := range b.payloads {
		n += int64(len(p))
	}
	return n
}

// read reads rows of a segment, with ascending ordinals. Columns that are not
// among columns are NULL, unless that is nil.
func (t *Tier) read(
	ctx context.Context, f *file, ordinals []uint32, columns []ident.ColumnID,
) (*block, error) {
	if last := ordinals[len(ordinals)-1]; int64(last) >= f.NumRows() {
		return nil, f.lacks(last)
	}
	s := f.Layout().Schema
	if columns != nil { // in the order of the file, and only what it has
		columns = slices.DeleteFunc(slices.Clone(s.IDs), func(id ident.ColumnID) bool {
			return !slices.Contains(columns, id)
		})
	}
	batch, err := f.Rows(ctx, ordinals, columns)
	if err != nil {
		return nil, err
	}
	t.meter.read.Add(int64(len(ordinals)))
	vals, read := make([]value.Value, len(s.Kinds)), make([]value.Value, len(columns))
	b := &block{seqs: batch.Seqs, payloads: make([][]byte, len(ordinals)), partial: columns != nil}
	at := make([]int, len(columns))
	for i, id := range columns {
		at[i] = slices.Index(s.IDs, id)
	}
	for i := range ordinals {
		if columns == nil {
			batch.Row(i, vals)
		} else {
			batch.Row(i, read)
		}
		for j, v := range read {
			vals[at[j]] = v
		}
		if b.payloads[i], err = s.Encode(vals); err != nil {
			return nil, fault.Wrap(fault.Corruption, err, "row %d of the file %s of the cold tier",
				ordinals[i], f.name)
		}
	}
	return b, nil
}

// open opens a segment of a user's rows, or returns it as it was opened before.
func (t *Tier) open(ctx context.Context, v *store.View, p store.Partition, u ident.UserID,
	key fileKey,
) (*file, error) {
	for {
		f, ok, wait := t.files.claim(key)
		switch {
		case ok:
			return f, nil
		case wait == nil:
			defer t.files.release(key)
			return t.openFirst(ctx, v, p, u, key)
		}
		select {
		case <-wait: // it is there, or was not to be opened
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (t *Tier) openFirst(ctx context.Context, v *store.View, p store.Partition, u ident.UserID,
	key fileKey,
) (*file, error) {
	e, found, err := manifest.Get(v, nil, p, u, key.id)
	if err == nil && !found {
		err = fault.New(fault.Corruption, "a row of partition %s is in the segment %s, which its "+
			"manifest lacks; restore it from a backup", p.Name, key.id)
	}
	if err != nil {
		return nil, err
	}
	f, err := t.openEntry(ctx, &e)
	if err != nil {
		return nil, err
	}
	if l := f.Layout(); l.User != u || f.NumRows() != int64(e.Rows) {
		return nil, fault.New(fault.Corruption, "the file %s of the cold tier is of another user or "+
			"another segment; restore it from a backup", f.name)
	}
	t.files.put(key, f, int64(f.Memory()))
	return f, nil
}

// openEntry opens the file of a segment.
func (t *Tier) openEntry(ctx context.Context, e *manifest.Entry) (*file, error) {
	name := string(e.Storage) + ":" + e.Path
	bucket, err := t.Storages.Bucket(ctx, e.Storage)
	if err != nil {
		return nil, err
	}
	r, err := bucket.Open(ctx, e.Path)
	if fault.Is(err, fault.NotFound) {
		return nil, fault.New(fault.Corruption, "the file %s of the cold tier is missing; "+
			"restore it from a backup", name)
	}
	if err != nil {
		return nil, err
	}
	s, err := segment.Open(ctx, &counted{r, &t.meter}, r.Size(), name)
	if err != nil {
		return nil, err
	}
	t.meter.opened.Add(1)
	return &file{File: s, name: name, rows: blockRows(e)}, nil
}

// blockRows returns how many rows a block of a segment has.
func blockRows(e *manifest.Entry) uint32 {
	each := max(e.Bytes/max(int64(e.Rows), 1), 1)
	rows := uint32(1)
	for rows < mostRows && int64(rows)*each < blockBytes {
		rows *= 2
	}
	return rows
}

// counted counts what is read of files.
type counted struct {
	io.ReaderAt
	meter *meter
}

// ReadAt implements io.ReaderAt.
func (c *counted) ReadAt(b []byte, at int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(b, at)
	c.meter.bytes.Add(int64(n))
	return n, err
}
