// Package access decides who may do what: the role table of the contract in
// one place. It keeps no state and reads no storage; whoever asks brings the
// facts.
package access

import (
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

// Target is what is known of a user who is to be acted for.
type Target struct {
	ID      ident.UserID
	Role    ident.Role // role of the account; user when there is none
	Dropped bool
}

// ActFor checks whether a caller may act for another user. The answer for a
// target that may not be acted for never tells whether it exists.
func ActFor(id session.Identity, target Target) error {
	if target.ID == id.Caller {
		return nil
	}
	switch id.Role {
	case ident.RoleSystem:
		return nil
	case ident.RoleDBA:
		if target.Role == ident.RoleSystem {
			return errActFor
		}
	case ident.RoleService:
		if target.Role != ident.RoleUser && target.Role != ident.RoleService {
			return errActFor
		}
	default:
		return errActFor
	}
	if target.Dropped {
		return fault.New(fault.UserNotFound, "user %s was dropped and can't be acted for", target.ID)
	}
	return nil
}

var errActFor = fault.New(fault.PermissionDenied,
	"you may not act for another user; ask for a role that may, or leave the user out")

// MayRun checks whether a role may run a statement of a kind. What a statement
// does to tables and users is checked when they are known.
func MayRun(role ident.Role, k dialect.Kind, table ddl.TableKind) error {
	ok := true
	switch k {
	case dialect.CreateNamespace, dialect.AlterNamespace, dialect.DropNamespace,
		dialect.TruncateTable,
		dialect.CheckTable, dialect.CreateUser, dialect.DropUser, dialect.RestoreUser,
		dialect.ShowUsers, dialect.ShowSettings,
		dialect.CreateStorage, dialect.AlterStorage, dialect.DropStorage, dialect.ShowStorages,
		dialect.CheckStorage,
		dialect.ClearCache, dialect.ShowCluster, dialect.ClusterJoin, dialect.ClusterLeave,
		dialect.ClusterReplace, dialect.ClusterTransfer, dialect.ClusterRebalance:
		ok = atLeast(role, ident.RoleDBA)
	case dialect.CreateUserTable, dialect.CreateStreamTable, dialect.FlushTable, dialect.FlushAll,
		dialect.CompactTable, dialect.ShowManifest, dialect.ShowStats:
		ok = atLeast(role, ident.RoleService)
	case dialect.CreateSharedTable:
		ok = atLeast(role, ident.RoleDBA)
	case dialect.DropTable, dialect.AlterTable, dialect.CreateIndex, dialect.DropIndex:
		ok = atLeast(role, ident.RoleDBA) || role == ident.RoleService &&
			(table == ddl.UserTable || table == ddl.StreamTable)
	}
	if ok {
		return nil
	}
	return fault.New(fault.PermissionDenied, "role %s may not run %s", role, k)
}

func rank(r ident.Role) int {
	switch r {
	case ident.RoleUser:
		return 1
	case ident.RoleService:
		return 2
	case ident.RoleDBA:
		return 3
	case ident.RoleSystem:
		return 4
	}
	return 0
}

func atLeast(r, least ident.Role) bool { return rank(r) >= rank(least) }

// Rights are a caller's rights on tables during one statement.
type Rights struct {
	ID      session.Identity
	Catalog *catalog.Snapshot
	// Lookup finds out about a user who is named in a three-part name.
	Lookup func(ident.UserID) (Target, error)
	// Seen is told of each table that was allowed, and whose rows of it; nil
	// tells nobody.
	Seen func(t *ddl.Table, owner ident.UserID)
}

// CheckTable checks whether the caller may read or write a table. owner is
// whose rows, "" for tables that are not per user. A shared table that the
// caller may not read answers as a missing one.
func (r *Rights) CheckTable(t *ddl.Table, owner ident.UserID, write bool) error {
	err := r.checkTable(t, owner, write)
	if err == nil && r.Seen != nil {
		r.Seen(t, owner)
	}
	return err
}

func (r *Rights) checkTable(t *ddl.Table, owner ident.UserID, write bool) error {
	switch {
	case t.PerUser():
		return r.checkOwner(owner)
	case t.Kind == ddl.StreamTable:
		if write && !atLeast(r.ID.Role, ident.RoleService) {
			return fault.New(fault.PermissionDenied, "role %s may only read %s", r.ID.Role, t.FullName())
		}
		return nil
	case t.Kind == ddl.SharedTable:
		return r.checkShared(t, write)
	}
	if write {
		return fault.New(fault.PermissionDenied,
			"system table %s can't be written; use the statement for it", t.FullName())
	}
	if operators[system.Table(t.Name)] && !atLeast(r.ID.Role, ident.RoleDBA) {
		return fault.New(fault.PermissionDenied, "role %s may not read %s", r.ID.Role, t.FullName())
	}
	return nil
}

// operators are the system tables that only a dba reads.
var operators = map[system.Table]bool{
	system.AuditLog: true, system.Manifest: true, system.Partitions: true, system.Settings: true,
	system.Nodes: true, system.Shards: true,
	system.Stats: true, system.Storages: true,
}

func (r *Rights) checkOwner(owner ident.UserID) error {
	if owner == r.ID.Caller || owner == r.ID.As {
		return nil
	}
	if r.ID.Role == ident.RoleUser {
		return errActFor
	}
	target, err := r.Lookup(owner)
	if err != nil {
		return err
	}
	return ActFor(r.ID, target)
}

func (r *Rights) checkShared(t *ddl.Table, write bool) error {
	read, change := sharedRights(r.ID.Role, t.Access)
	switch {
	case !read:
		return r.Catalog.Missing(t.Namespace, string(t.Name))
	case write && !change:
		return fault.New(fault.PermissionDenied, "role %s may only read %s", r.ID.Role, t.FullName())
	}
	return nil
}

func sharedRights(role ident.Role, a ddl.Access) (read, write bool) {
	switch {
	case atLeast(role, ident.RoleDBA):
		return true, true
	case role == ident.RoleService:
		return a != ddl.Private, a != ddl.Private
	case role == ident.RoleUser:
		return a == ddl.Public, false
	}
	return false, false
}

// MaySee reports whether the caller may know that a table exists.
func (r *Rights) MaySee(t *ddl.Table) bool {
	if t.Kind != ddl.SharedTable {
		return true
	}
	read, _ := sharedRights(r.ID.Role, t.Access)
	return read
}
