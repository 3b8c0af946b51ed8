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
	list, next, err := f.look(v, part)
	if err != nil {
		return err
	}
	f.next, f.bytes = next, 0
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].user == list[0].user {
			n++
		}
		left, err := f.rows(ctx, c, v, table.Table{Part: part, Cold: f.x.Cold}, list[:n])
		if err != nil {
			return err
		}
		if list = list[n-left:]; f.bytes > fillBytes && len(list) > 0 {
			f.next = row.Key(list[0].user, list[0].pk)
			return nil
		}
	}
	return nil
}

// lacking is a row that is to be filled in.
type lacking struct {
	user ident.UserID
	pk   []byte
}

// look returns the next rows that are to be filled in, and the key behind them,
// nil at the end. A row of the present schema version was written when the indexes
// were kept already.
func (f *filler) look(v *store.View, part store.Partition) (
	list []lacking, next []byte, err error,
) {
	it := v.Scan(part, store.Range{Lo: f.next, Hi: f.end})
	defer it.Close()
	for n := 0; it.Next(); n++ {
		if n == fillLook || len(list) == fillRows {
			return list, append([]byte(nil), it.Key()...), nil
		}
		rec, err := row.ParseRecord(it.Value())
		if err != nil {
			return nil, nil, err
		}
		if rec.Deleted || rec.Schema >= f.t.Version {
			continue
		}
		user, pk, err := row.SplitKey(it.Key())
		if err != nil {
			return nil, nil, err
		}
		list = append(list, lacking{user, append([]byte(nil), pk...)})
	}
	return list, nil, it.Err()
}

// rows adds the writes that fill in rows of one user, whose cold ones are fetched
// together. left is how many wait for the next command, since this one is full.
func (f *filler) rows(ctx context.Context, c *command.Command, v *store.View, t table.Table,
	list []lacking,
) (left int, err error) {
	pks := make([][]byte, len(list))
	for i := range list {
		pks[i] = list[i].pk
	}
	rows := t.RowsByKey(ctx, v, list[0].user, pks, table.Need{})
	for left = len(list); f.bytes <= fillBytes && rows.Next(); left-- {
		if err := f.row(c, list[0].user, rows.PK(), rows.Record()); err != nil {
			_ = rows.Close() // the row's error comes first
			return left, err
		}
	}
	return left, rows.Close()
}

// row adds the write that fills in a row.
func (f *filler) row(
	c *command.Command, user ident.UserID, pk []byte, rec row.Record,
) (err error) {
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
