package exec

import (
	"context"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/core/replica"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// Pieces in which rows are filled in: how many rows one look at the store
// passes, and what one command holds at most.
const (
	fillLook  = 4096
	fillRows  = 512
	fillBytes = 256 << 10
)

// fill adds the rows that were there before to the indexes that are being
// built.
func (x *Executor) fill(ctx context.Context, t *ddl.Table) error {
	cat := x.Catalog.Snapshot()
	for _, s := range t.Shards(x.DB.Shards()) {
		f := &filler{x: x, t: t, cat: cat, shard: s}
		f.next, f.end = row.RowSpace()
		for f.next != nil {
			if err := f.piece(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// filler fills in the rows of one shard, in the order of their keys.
type filler struct {
	x         *Executor
	t         *ddl.Table
	cat       *catalog.Snapshot
	shard     ident.ShardID
	next, end []byte // keys that are still to be looked at; next is nil at the end
	bytes     int    // of the piece so far
	reader    *row.Reader
	vals      []value.Value
}

// piece fills in some rows and moves next behind them.
func (f *filler) piece(ctx context.Context) error {
	c := &command.Command{Shard: f.shard, Clock: f.x.Clock.Now()}
	if err := f.collect(ctx, c); err != nil {
		return err
	}
	if len(c.Writes) == 0 {
		return ctx.Err()
	}
	out, err := replica.Propose(ctx, f.x.Log, c)
	switch {
	case err != nil:
		return err
	case out.Violated != nil:
		return duplicated(f.t, out.Violated.Index)
	}
	return out.Err
}

// collect adds to c what the next rows lack.
func (f *filler) collect(ctx context.Context, c *command.Command) error {
	part, ok := f.x.DB.Partition(f.t.Partition(f.shard))
	if !ok {
		return fault.New(fault.TransactionConflict,
			"table %s was dropped while its index was built", f.t.FullName())
	}
	v := f.x.DB.View()
	defer v.Release()
	it := v.Scan(part, store.Range{Lo: f.next, Hi: f.end})
	defer it.Close()
	f.bytes = 0
	for n := 0; it.Next(); n++ {
		if n == fillLook || len(c.Writes) == fillRows || f.bytes > fillBytes {
			f.next = append([]byte(nil), it.Key()...)
			return nil
		}
		if err := f.row(ctx, c, v, it, table.Table{Part: part, Cold: f.x.Cold}); err != nil {
			return err
		}
	}
	f.next = nil
	return it.Err()
}

// row adds the write that fills in the row that it stands on. A row of the
// present schema version was written when the indexes were kept already.
func (f *filler) row(
	ctx context.Context, c *command.Command, v *store.View, it store.Iterator, t table.Table,
) error {
	rec, err := row.ParseRecord(it.Value())
	if err != nil || rec.Deleted || rec.Schema >= f.t.Version {
		return err
	}
	user, pk, err := row.SplitKey(it.Key())
	if err != nil {
		return err
	}
	if rec.Cold {
		if rec, _, err = t.Get(ctx, v, user, pk); err != nil {
			return err
		}
	}
	if f.reader == nil || !f.reader.Reads(rec) {
		if f.reader, err = f.cat.Reader(f.t, rec.Schema); err != nil {
			return err
		}
		f.vals = make([]value.Value, len(f.t.Columns))
	}
	if err := f.reader.Read(rec, f.vals); err != nil {
		return err
	}
	all, err := f.t.Entries(f.vals)
	if err != nil {
		return err
	}
	w := command.Write{Table: f.t.ID, Schema: f.t.Version, Op: command.Fill, User: user,
		Expect: rec.Seq, PK: append([]byte(nil), pk...)}
	for i, e := range all { // in the order of the indexes
		if f.t.Indexes[i].Building {
			w.Add = append(w.Add, e)
			f.bytes += len(user) + len(pk) + len(e.Columns)
		}
	}
	c.Writes = append(c.Writes, w)
	return nil
}

// duplicated is the error of a unique index that the rows don't fit. It tells
// no value: who makes an index may not see the rows of all users.
func duplicated(t *ddl.Table, id ident.IndexID) error {
	whose := "two rows have"
	if t.PerUser() {
		whose = "two rows of one user have"
	}
	x := t.IndexByID(id)
	if x == nil {
		return fault.New(fault.DuplicateKey, "%s the same values", whose)
	}
	return fault.New(fault.DuplicateKey, "index %s of table %s can't be unique: %s the same %s",
		x.Name, t.FullName(), whose, strings.Join(t.IndexColumns(x), ", "))
}
