package exec

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// An index is built while its table is written, in steps that a restart finds:
//
//  1. The definition has the index as Building, under a new schema version, and
//     the shards are fenced: from here on every write keeps the index.
//  2. The rows with an older schema version, which are those that nobody has
//     written since, are filled in, a bounded piece at a time.
//  3. The shards are told that it is complete, and then the definition.
//
// A failure before the end takes the index out of the definition again, as DROP
// INDEX does. So does a restart. The record of this decision in docs/adr says why.

// buildTimeout bounds the building of an index.
const buildTimeout = 6 * time.Hour

func (r *run) createIndex(ctx context.Context, n *ast.CreateIndex) (string, error) {
	return r.addIndexes(ctx, &ast.AlterTable{TableRef: n.TableRef, Actions: []ddl.Action{&n.Index}})
}

func (r *run) dropIndex(ctx context.Context, n *ast.DropIndex) (string, error) {
	return r.x.exclusively(ctx, func(ctx context.Context) (string, error) {
		return r.alterTable(ctx, &ast.AlterTable{TableRef: n.TableRef,
			Actions: []ddl.Action{&n.Index}})
	})
}

// addsIndexes reports whether an ALTER TABLE adds indexes, which is all that it
// does then.
func addsIndexes(n *ast.AlterTable) bool {
	_, ok := n.Actions[0].(*ddl.AddIndex)
	return ok
}

// addIndexes defines indexes and builds them. Other changes of the catalogue
// may run meanwhile, but of this table.
func (r *run) addIndexes(ctx context.Context, n *ast.AlterTable) (string, error) {
	var t *ddl.Table
	message, err := r.x.exclusively(ctx, func(ctx context.Context) (message string, err error) {
		if known, err := r.table(&n.TableRef); err == nil {
			if err := r.x.holdsAll(known); err != nil {
				return "", err
			}
		}
		message, err = r.alterTable(ctx, n)
		if err == nil {
			t, err = r.table(&n.TableRef)
		}
		if fault.Is(err, fault.TableNotFound) && n.IfExists {
			t, err = nil, nil
		}
		if t != nil && t.Building() {
			r.x.building.Store(t.ID, struct{}{})
		}
		return message, err
	})
	if err != nil || t == nil || !t.Building() {
		return message, err
	}
	defer r.x.building.Delete(t.ID)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), buildTimeout)
	defer cancel()
	if err := r.x.fill(ctx, t); err != nil {
		_, undo := r.x.exclusively(ctx, func(ctx context.Context) (string, error) {
			return "", r.x.giveUpIndexes(ctx, t)
		})
		if undo != nil {
			undo = fmt.Errorf("give up the unfinished index: %w", undo)
		}
		return "", errors.Join(err, undo)
	}
	return r.x.exclusively(ctx, func(ctx context.Context) (string, error) {
		return message, r.x.completeIndexes(ctx, t)
	})
}

// notBuilding refuses to change a table whose index is being built.
func (x *Executor) notBuilding(t *ddl.Table) error {
	if _, ok := x.building.Load(t.ID); ok {
		return fault.New(fault.InUse,
			"an index of table %s is being built; run it again when that is done", t.FullName())
	}
	return nil
}

// completeIndexes makes built indexes readable. REQUIRES: no other change of
// the catalogue runs.
func (x *Executor) completeIndexes(ctx context.Context, t *ddl.Table) error {
	done := *t
	done.Indexes = completed(t.Indexes)
	if _, err := x.fence(ctx, &done, false); err != nil {
		return err
	}
	return x.restate(ctx, t, func(t *ddl.Table) { t.Indexes = completed(t.Indexes) })
}

func completed(list []ddl.Index) []ddl.Index {
	out := append([]ddl.Index(nil), list...)
	for i := range out {
		out[i].Building = false
	}
	return out
}

// giveUpIndexes drops the indexes of a table that are not complete. REQUIRES:
// no other change of the catalogue runs.
func (x *Executor) giveUpIndexes(ctx context.Context, t *ddl.Table) error {
	var stored ddl.Table
	seq, err := x.get(catalog.KeptTables, catalog.TableKey(t.Namespace, t.Name), &stored)
	if err != nil || seq == 0 || stored.ID != t.ID {
		return err
	}
	next, err := ddl.Alter(&stored, []ddl.Action{ddl.WithoutBuilding{}},
		ddl.Origin{Now: x.Now().UTC(), By: stored.ChangedBy})
	if err != nil || next == &stored {
		return err
	}
	return x.alter(ctx, &stored, next)
}
