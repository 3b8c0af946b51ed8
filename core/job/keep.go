package job

import (
	"context"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store"
)

// Kept is the Store that the server has: rows of system.jobs, written through
// the log.
type Kept struct {
	DB *store.DB
	// Propose commits writes of one system table; see exec.Keeper.Write.
	Propose func(ctx context.Context, writes ...writeset.Write) error
}

var _ Store = Kept{}

// Put implements Store.
func (k Kept) Put(ctx context.Context, r Record) error {
	var before Record
	seq, err := k.read(r.ID, &before)
	if err != nil {
		return err
	}
	w, err := catalog.KeptJobs.Put(string(r.ID), r, seq)
	if err != nil {
		return err
	}
	return k.Propose(ctx, w)
}

// Get implements Store.
func (k Kept) Get(id ident.JobID) (r Record, ok bool, err error) {
	seq, err := k.read(id, &r)
	return r, seq != 0, err
}

func (k Kept) read(id ident.JobID, r *Record) (clock.Seq, error) {
	v := k.DB.View()
	defer v.Release()
	return catalog.KeptJobs.Get(k.DB, v, string(id), r)
}

// Each implements Store.
func (k Kept) Each(f func(Record) error) error {
	v := k.DB.View()
	defer v.Release()
	return catalog.KeptJobs.Each(k.DB, v, func(decode func(any) error) error {
		var r Record
		if err := decode(&r); err != nil {
			return err
		}
		return f(r)
	})
}

// Delete implements Store.
func (k Kept) Delete(ctx context.Context, ids []ident.JobID) error {
	v := k.DB.View()
	defer v.Release()
	var writes []writeset.Write
	for _, id := range ids {
		seq, err := catalog.KeptJobs.Seq(k.DB, v, string(id))
		if err != nil {
			return err
		}
		if seq != 0 {
			writes = append(writes, catalog.KeptJobs.Delete(string(id), seq))
		}
	}
	if len(writes) == 0 {
		return nil
	}
	return k.Propose(ctx, writes...)
}
