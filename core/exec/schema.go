package exec

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/access"
	"github.com/kalamdb/kalamdb-go/core/flush"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
)

// changeSchema runs a statement that changes the catalogue. One runs at a
// time, so that none meets another's half-made table.
func (r *run) changeSchema(ctx context.Context, emit Sink) error {
	if err := r.mayChange(); err != nil {
		return err
	}
	message, err := r.change(ctx)
	if err != nil {
		return err
	}
	return emit(&Result{Message: message})
}

func (r *run) change(ctx context.Context) (message string, err error) {
	switch n := r.st.Node.(type) {
	case *ast.CreateIndex:
		return r.createIndex(ctx, n)
	case *ast.DropIndex:
		return r.dropIndex(ctx, n)
	case *ast.CreateStorage:
		return r.createStorage(ctx, n)
	case *ast.AlterStorage:
		return r.alterStorage(ctx, n)
	case *ast.DropStorage:
		return r.dropStorage(ctx, n)
	case *ast.ClusterJoin, *ast.ClusterLeave, *ast.ClusterReplace, *ast.ClusterTransfer,
		*ast.ClusterRebalance:
		return r.changeCluster(ctx)
	case *ast.AlterTable:
		if addsIndexes(n) {
			return r.addIndexes(ctx, n)
		}
	}
	return r.x.exclusively(ctx, func(ctx context.Context) (string, error) {
		switch n := r.st.Node.(type) {
		case *ast.CreateNamespace:
			return r.createNamespace(ctx, n)
		case *ast.AlterNamespace:
			return r.alterNamespace(ctx, n)
		case *ast.DropNamespace:
			return r.dropNamespace(ctx, n)
		case *ast.CreateTable:
			return r.createTable(ctx, n)
		case *ast.DropTable:
			return r.dropTable(ctx, n)
		case *ast.AlterTable:
			return r.alterTable(ctx, n)
		case *ast.TruncateTable:
			return r.truncateTable(ctx, n)
		}
		return "", fault.New(fault.Unsupported, "%s is not supported", r.st.Kind)
	})
}

// mayChange checks whether the caller may run the statement on the table that
// it names. A table that they may not know of answers as a missing one.
func (r *run) mayChange() error {
	var ref ast.TableRef
	kind := ddl.TableKind("")
	switch n := r.st.Node.(type) {
	case *ast.DropTable:
		ref, kind = ast.TableRef{Namespace: n.Namespace, Name: n.Name}, n.Kind
	case *ast.AlterTable:
		ref, kind = n.TableRef, n.Kind
	case *ast.CreateIndex:
		ref = n.TableRef
	case *ast.DropIndex:
		ref = n.TableRef
	default:
		return access.MayRun(r.id.Role, r.st.Kind, "")
	}
	if r.id.Role != ident.RoleUser {
		if t, err := r.table(&ref); err == nil {
			kind = t.Kind
		} else if kind == "" {
			kind = ddl.UserTable
		}
	}
	return access.MayRun(r.id.Role, r.st.Kind, kind)
}

// schemaTimeout bounds a change of the catalogue once it has begun.
const schemaTimeout = time.Minute

// exclusively runs f while no other change of the catalogue runs, and makes
// the outcome known whatever it is. Once begun it goes on although the client
// is gone, so that nothing is left half done by that.
func (x *Executor) exclusively(ctx context.Context,
	f func(context.Context) (string, error),
) (string, error) {
	select {
	case <-x.schema:
	case <-ctx.Done():
		return "", fault.From(ctx.Err())
	}
	defer func() { x.schema <- struct{}{} }()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), schemaTimeout)
	defer cancel()
	message, err := f(ctx)
	if refresh := x.Catalog.Refresh(); err == nil {
		err = refresh
	}
	return message, err
}

func (r *run) createNamespace(ctx context.Context, n *ast.CreateNamespace) (string, error) {
	var old ddl.Namespace
	seq, err := r.x.get(catalog.KeptNamespaces, string(n.Name), &old)
	switch {
	case err != nil:
		return "", err
	case seq != 0 && n.IfNotExists:
		return fmt.Sprintf("namespace %s exists already", n.Name), nil
	case seq != 0:
		return "", fault.New(fault.AlreadyExists, "namespace %s exists already", n.Name)
	}
	doc := ddl.Namespace{
		Name: n.Name, Options: n.Options, Created: r.x.Now().UTC(), CreatedBy: r.id.Caller,
	}
	err = r.x.put(ctx, catalog.KeptNamespaces, string(n.Name), doc, 0)
	return fmt.Sprintf("namespace %s created", n.Name), err
}

func errNoNamespace(n ident.NamespaceID) error {
	return fault.New(fault.NamespaceNotFound, "namespace %s does not exist", n)
}

func (r *run) alterNamespace(ctx context.Context, n *ast.AlterNamespace) (string, error) {
	var doc ddl.Namespace
	seq, err := r.x.get(catalog.KeptNamespaces, string(n.Name), &doc)
	switch {
	case err != nil:
		return "", err
	case seq == 0:
		return "", errNoNamespace(n.Name)
	}
	if doc.Options == nil {
		doc.Options = make(map[string]string)
	}
	maps.Copy(doc.Options, n.Set)
	err = r.x.put(ctx, catalog.KeptNamespaces, string(n.Name), doc, seq)
	return fmt.Sprintf("namespace %s changed", n.Name), err
}

func (r *run) dropNamespace(ctx context.Context, n *ast.DropNamespace) (string, error) {
	var doc ddl.Namespace
	seq, err := r.x.get(catalog.KeptNamespaces, string(n.Name), &doc)
	switch {
	case err != nil:
		return "", err
	case seq == 0 && n.IfExists:
		return fmt.Sprintf("namespace %s does not exist", n.Name), nil
	case seq == 0:
		return "", errNoNamespace(n.Name)
	}
	tables := r.x.Catalog.Snapshot().Tables(n.Name)
	if len(tables) > 0 && !n.Cascade {
		return "", fault.New(fault.NotEmpty,
			"namespace %s holds %d tables; drop them first, or use DROP NAMESPACE %s CASCADE",
			n.Name, len(tables), n.Name)
	}
	for _, t := range tables {
		if err := r.x.notBuilding(t); err != nil {
			return "", err
		}
	}
	for _, t := range tables {
		if err := r.x.drop(ctx, t); err != nil {
			return "", err
		}
	}
	err = r.x.propose(ctx, catalog.KeptNamespaces.Delete(string(n.Name), seq))
	return fmt.Sprintf("namespace %s dropped", n.Name), err
}

func (r *run) createTable(ctx context.Context, n *ast.CreateTable) (string, error) {
	ns, err := r.namespace(n.Namespace)
	if err != nil {
		return "", err
	}
	cat := r.x.Catalog.Snapshot()
	if _, ok := cat.Namespace(ns); !ok {
		return "", errNoNamespace(ns)
	}
	if t, err := cat.Table(ns, string(n.Name)); err == nil {
		if n.IfNotExists {
			return fmt.Sprintf("table %s exists already", t.FullName()), nil
		}
		return "", fault.New(fault.AlreadyExists, "table %s exists already", t.FullName())
	}
	t := n.Table()
	t.Namespace, t.Version, t.State = ns, 1, ddl.Creating
	if err := r.x.Storages.Exists(t.Storage); err != nil {
		return "", err
	}
	if err := r.x.SQL.CompileChecks(ctx, t); err != nil {
		return "", err
	}
	if err := r.x.clearUnfinished(ctx, catalog.TableKey(ns, n.Name)); err != nil {
		return "", err
	}
	t.Created, t.CreatedBy = r.x.Now().UTC(), r.id.Caller
	return fmt.Sprintf("table %s created", t.FullName()), r.x.create(ctx, t)
}

// clearUnfinished removes what a change that failed half way left under a
// table's name. REQUIRES: no other change of the catalogue runs.
func (x *Executor) clearUnfinished(ctx context.Context, key string) error {
	var left ddl.Table
	seq, err := x.get(catalog.KeptTables, key, &left)
	if err != nil || seq == 0 {
		return err
	}
	return x.finishDrop(ctx, &left)
}

// create makes a table in three steps, each of which a restart can find and
// undo: the definition as creating, the shards told, the definition as ready.
func (x *Executor) create(ctx context.Context, t *ddl.Table) error {
	v := x.DB.View()
	id, taken, err := catalog.NextTableID(x.DB, v)
	v.Release()
	if err != nil {
		return err
	}
	t.ID = id
	key := catalog.TableKey(t.Namespace, t.Name)
	if err := x.put(ctx, catalog.KeptTables, key, t, 0, taken); err != nil {
		return err
	}
	since, err := x.fence(ctx, t, false)
	if err != nil {
		return err
	}
	return x.restate(ctx, t, func(t *ddl.Table) { t.State, t.Since = ddl.Ready, since })
}

// restate stores what change makes of a table's stored definition.
func (x *Executor) restate(ctx context.Context, t *ddl.Table, change func(*ddl.Table),
	also ...writeset.Write,
) error {
	key := catalog.TableKey(t.Namespace, t.Name)
	var stored ddl.Table
	seq, err := x.get(catalog.KeptTables, key, &stored)
	if err != nil {
		return err
	}
	if seq == 0 || stored.ID != t.ID {
		return fault.New(fault.TransactionConflict, "table %s was changed by another", t.FullName())
	}
	change(&stored)
	return x.put(ctx, catalog.KeptTables, key, &stored, seq, also...)
}

func (r *run) dropTable(ctx context.Context, n *ast.DropTable) (string, error) {
	t, err := r.table(&ast.TableRef{Namespace: n.Namespace, Name: n.Name})
	if err != nil {
		if n.IfExists && fault.Is(err, fault.TableNotFound) {
			return fmt.Sprintf("table %s does not exist", n.Name), nil
		}
		return "", err
	}
	switch {
	case t.Kind == ddl.SystemTable:
		return "", fault.New(fault.PermissionDenied, "system table %s can't be dropped", t.FullName())
	case n.Kind != "" && n.Kind != t.Kind:
		return "", fault.New(fault.TableNotFound, "%s is a %s table, not a %s table; use DROP TABLE",
			t.FullName(), t.Kind, n.Kind)
	}
	if err := r.x.notBuilding(t); err != nil {
		return "", err
	}
	return fmt.Sprintf("table %s dropped", t.FullName()), r.x.drop(ctx, t)
}

// drop removes a table in steps that a restart can finish: the definition as
// dropping, which hides it; the shards told; its live queries ended; its
// partitions and then its definition gone.
func (x *Executor) drop(ctx context.Context, t *ddl.Table) error {
	if err := x.restate(ctx, t, func(t *ddl.Table) { t.State = ddl.Dropping }); err != nil {
		return err
	}
	if err := x.Catalog.Refresh(); err != nil {
		return err
	}
	return x.finishDrop(ctx, t)
}

func (x *Executor) finishDrop(ctx context.Context, t *ddl.Table) error {
	for _, id := range []ident.TableID{t.ID, t.Successor, t.Former} {
		if id == 0 {
			continue
		}
		if _, err := x.remove(ctx, t.WithID(id), live.TableDropped); err != nil {
			return err
		}
	}
	key := catalog.TableKey(t.Namespace, t.Name)
	var stored ddl.Table
	seq, err := x.get(catalog.KeptTables, key, &stored)
	if err != nil || seq == 0 || stored.ID != t.ID {
		return err
	}
	return x.propose(ctx, catalog.KeptTables.Delete(key, seq))
}

// remove takes the rows of a table away, and all that is known of its id.
// Nothing is written under the id after last. Where there are files of cold rows
// a job does the rest.
func (x *Executor) remove(ctx context.Context, t *ddl.Table, why live.EndReason) (
	last clock.Seq, err error,
) {
	if last, err = x.fence(ctx, t, true); err != nil {
		return 0, err
	}
	x.Hub.EndTable(t.ID, why)
	x.Jobs.KillOf(t.ID, "the table was dropped or truncated", flush.Writers...)
	cold, err := flush.HasSegments(x.DB, t)
	if err != nil {
		return 0, err
	}
	if cold {
		request, err := flush.CleanupOf(t)
		if err == nil {
			_, err = x.Jobs.Start(ctx, request)
		}
		return last, err
	}
	for _, s := range t.Shards(x.DB.Shards()) {
		if err := flush.Empty(ctx, x.Log, x.Clock, t, s); err != nil {
			return 0, err
		}
	}
	return last, nil
}

// Recover finishes what a crash left half done: tables that were being dropped
// go, and so do those that were being made, since nobody was told of them; what
// ALTER and TRUNCATE have begun is finished, or undone where nobody saw it.
// It is called before statements are run or, in a cluster, when this node comes to
// lead the system tables.
func (x *Executor) Recover(ctx context.Context) error {
	if err := x.catchUp(ctx); err != nil {
		return err
	}
	for _, t := range x.Catalog.Snapshot().All() {
		var err error
		if t.State == ddl.Ready {
			err = x.settle(ctx, t)
		} else {
			err = x.finishDrop(ctx, t)
		}
		if err != nil {
			return fault.Wrap(fault.Internal, err, "clean up the unfinished table %s", t.FullName())
		}
	}
	return x.Catalog.Refresh()
}
