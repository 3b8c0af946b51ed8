// Package check compares what a table's partitions hold with itself and with the
// files of its cold rows: every record is read, every index has the entries of
// the rows and no others, every segment is there, is as it was written, and has
// the rows that point to it, every folder's listing names its segments. It finds
// damage; it mends nothing, but that in a cluster a file which another node has comes
// from there.
//
// It holds a view while it checks a shard, and little memory whatever there is
// to check: at most the entries of one user's segments. It keeps no state and
// runs no goroutine.
package check

import (
	"context"
	"fmt"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/object"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// OK is the status of what is as it should be; any other is a code.
const OK = "ok"

// Finding is what is known of one thing after a check.
type Finding struct {
	Kind    string // "rows", "index", "segment" or "listing"
	Name    string // of the partition, the index or the file
	Shard   ident.ShardID
	Rows    int64  // that were looked at
	Status  string // OK, or the code of what is wrong
	Message string // what is wrong first
}

// Env is what a check works with.
type Env struct {
	DB      *store.DB
	Catalog *catalog.Snapshot
	Files   Files
	Copies  Copies // nil for a server alone
}

// Copies are the files of other nodes of a cluster.
type Copies interface {
	// Own reports whether each node has a storage for itself.
	Own(ident.StorageID) (bool, error)
	// Restore has the file of a segment come from another node, if it is not whole.
	Restore(context.Context, *manifest.Entry) (bool, error)
}

// Files returns the files of a storage.
type Files func(context.Context, ident.StorageID) (object.Bucket, error)

// MaxFindings bounds the findings that Table returns; when there are more, those
// of undamaged files are left out.
const MaxFindings = 100_000

// Table checks a table. An error means that it could not go on; damage is no
// error.
func Table(ctx context.Context, e Env, t *ddl.Table) (all []Finding, err error) {
	for _, s := range t.Shards(e.DB.Shards()) {
		part, ok := e.DB.Partition(t.Partition(s))
		if !ok {
			return nil, fault.New(fault.TransactionConflict,
				"table %s was dropped or truncated while it was checked", t.FullName())
		}
		c := &shard{env: e, table: t, shard: s, part: part, view: e.DB.View()}
		err := c.run(ctx)
		c.view.Release()
		if err != nil {
			return nil, err
		}
		for _, f := range c.found {
			if len(all) < MaxFindings || f.Status != OK {
				all = append(all, f)
			}
		}
	}
	return all, nil
}

// shard is the check of one shard.
type shard struct {
	env   Env
	table *ddl.Table
	shard ident.ShardID
	part  store.Partition
	view  *store.View
	found []Finding

	live, cold int64 // rows, as walked
	leaving    int64 // live ones of users who are being erased

	// Who was asked for by erasing last, and what is so.
	user   ident.UserID
	known  bool
	erased bool
}

// erasing reports whether a user's rows are being removed. Entries of indexes go
// last then, and say nothing.
func (c *shard) erasing(u ident.UserID) (bool, error) {
	if c.known && c.user == u {
		return c.erased, nil
	}
	erased, err := table.Table{Part: c.part}.Erasing(c.view, u)
	c.user, c.known, c.erased = u, err == nil, erased
	return erased, err
}

func (c *shard) run(ctx context.Context) error {
	rows := c.begin("rows", string(c.part.Name))
	if err := c.walk(ctx, &rows); err != nil {
		return err
	}
	c.found = append(c.found, rows)
	for i := range c.table.Indexes {
		x := &c.table.Indexes[i]
		f := c.begin("index", x.Name)
		if err := c.index(ctx, x, &f); err != nil {
			return err
		}
		c.found = append(c.found, f)
	}
	if err := c.segments(ctx); err != nil {
		return err
	}
	return c.listings(ctx)
}

// add keeps a finding about a file.
func (c *shard) add(f Finding) {
	if len(c.found) < MaxFindings || f.Status != OK {
		c.found = append(c.found, f)
	}
}

func (c *shard) begin(kind, name string) Finding {
	return Finding{Kind: kind, Name: name, Shard: c.shard, Status: OK}
}

// wrong notes damage. The first of it is told.
func (f *Finding) wrong(format string, args ...any) {
	if f.Status == OK {
		f.Status, f.Message = string(fault.Corruption), fmt.Sprintf(format, args...)
	}
}

// failed notes an error: damage, or a storage that does not answer.
func (f *Finding) failed(err error) {
	if f.Status == OK {
		told := fault.From(err)
		f.Status, f.Message = string(told.Code), told.Message
	}
}
