// Package ast holds the parsed forms of KalamDB's own statements, as package
// dialect makes them. They stand apart from it because the kinds of statements
// there have the same names: dialect.CreateTable is what a statement is,
// *ast.CreateTable what it says.
//
// A node is plain data: names are validated and folded, literals checked
// against their types, but nothing has been looked up in a catalogue. The
// package does no I/O and keeps no state.
package ast

import (
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// Node is the parsed form of a statement of our own: one of the pointer types
// of this package.
type Node interface{ node() }

// CreateNamespace is CREATE NAMESPACE [IF NOT EXISTS] n [WITH (k = 'v', ...)].
type CreateNamespace struct {
	Name        ident.NamespaceID
	IfNotExists bool
	Options     map[string]string // keys in lower case; nil without WITH
}

// AlterNamespace is ALTER NAMESPACE n SET (k = 'v', ...).
type AlterNamespace struct {
	Name ident.NamespaceID
	Set  map[string]string // keys in lower case, at least one
}

// DropNamespace is DROP NAMESPACE [IF EXISTS] n [RESTRICT | CASCADE].
type DropNamespace struct {
	Name     ident.NamespaceID
	IfExists bool
	Cascade  bool
}

// ShowNamespaces is SHOW NAMESPACES.
type ShowNamespaces struct{}

// UseNamespace is USE n. The name may be "system".
type UseNamespace struct{ Name ident.NamespaceID }

// TableRef names a table that should exist. Namespace is "" for the session's,
// and may be "system".
type TableRef struct {
	Namespace ident.NamespaceID
	Name      ident.TableName
}

// Target returns the names in r, for whoever asks what a statement is about.
func (r TableRef) Target() (ident.NamespaceID, ident.TableName) { return r.Namespace, r.Name }

// CreateTable is CREATE [USER | SHARED | STREAM] TABLE. Columns have ids from 1 in
// their order; key columns are NOT NULL. PrimaryKey holds positions in Columns
// in the order of the key.
type CreateTable struct {
	Namespace   ident.NamespaceID // "" for the session's
	Name        ident.TableName
	Kind        ddl.TableKind
	IfNotExists bool
	Columns     []ddl.Column
	PrimaryKey  []int
	Checks      []ddl.Check
	Indexes     []ddl.Index   // with numbers from 1
	Access      ddl.Access    // of shared tables; "" for others
	TTL         time.Duration // of stream tables; 0 for others
	Scope       ddl.Scope     // of stream tables; "" for others
	Tier        Tier          // of user and shared tables
	Codec       serde.ID
	Comment     string
}

// Tier is what a table's options say of its cold tier; see ddl.Table.
type Tier struct {
	Storage          ident.StorageID
	UserStorage      bool
	Flush            ddl.FlushPolicy
	DeletedRetention time.Duration
}

// Table returns the definition without id, version, state and origin, which
// the catalogue gives, and with Namespace as written. It shares no memory with
// c, so the caller may change it.
func (c *CreateTable) Table() *ddl.Table {
	return &ddl.Table{
		Namespace:        c.Namespace,
		Name:             c.Name,
		Kind:             c.Kind,
		Columns:          append([]ddl.Column(nil), c.Columns...),
		PrimaryKey:       append([]int(nil), c.PrimaryKey...),
		Checks:           append([]ddl.Check(nil), c.Checks...),
		Indexes:          append([]ddl.Index(nil), c.Indexes...),
		Access:           c.Access,
		TTL:              c.TTL,
		Scope:            c.Scope,
		Storage:          c.Tier.Storage,
		UserStorage:      c.Tier.UserStorage,
		Flush:            c.Tier.Flush,
		DeletedRetention: c.Tier.DeletedRetention,
		Codec:            c.Codec,
		Comment:          c.Comment,
	}
}

// Target returns the names of the table.
func (c *CreateTable) Target() (ident.NamespaceID, ident.TableName) { return c.Namespace, c.Name }

// DropTable is DROP [USER | SHARED | STREAM] TABLE [IF EXISTS] t.
type DropTable struct {
	Namespace ident.NamespaceID // "" for the session's
	Name      ident.TableName
	Kind      ddl.TableKind // "" for any
	IfExists  bool
}

// Target returns the names of the table.
func (d *DropTable) Target() (ident.NamespaceID, ident.TableName) { return d.Namespace, d.Name }

// AlterTable is ALTER [USER | SHARED | STREAM] TABLE [IF EXISTS] t action, ...
// Kind is "" for any. There is at least one action.
type AlterTable struct {
	TableRef
	Kind     ddl.TableKind
	IfExists bool
	Actions  []ddl.Action
}

// TruncateTable is TRUNCATE [TABLE] t.
type TruncateTable struct{ TableRef }

// CreateIndex is CREATE [UNIQUE] INDEX [IF NOT EXISTS] i ON t (column, ...).
type CreateIndex struct {
	TableRef
	Index ddl.AddIndex
}

// DropIndex is DROP INDEX [IF EXISTS] i ON t.
type DropIndex struct {
	TableRef
	Index ddl.DropIndex
}

// ShowIndexes is SHOW INDEX FROM t.
type ShowIndexes struct{ TableRef }

// ShowTables is SHOW TABLES [IN n]. Namespace is "" for the session's.
type ShowTables struct{ Namespace ident.NamespaceID }

// DescribeTable is DESCRIBE t [HISTORY].
type DescribeTable struct {
	TableRef
	History bool
}

// ShowCreateTable is SHOW CREATE TABLE t.
type ShowCreateTable struct{ TableRef }

// CreateUser is CREATE USER 'id' [WITH] PASSWORD 'p' ROLE r [EMAIL 'e'].
// Password is nil for an account that logs in by a trusted token only.
type CreateUser struct {
	ID          ident.UserID
	Password    *string
	Role        ident.Role
	Email       string
	Storage     ident.StorageID // "" for none
	IfNotExists bool
}

// AlterUser is ALTER USER 'id' SET PASSWORD | ROLE | EMAIL | STORAGE. At least one
// field is set; a Storage of "" is none.
type AlterUser struct {
	ID       ident.UserID
	Password *string
	Role     *ident.Role
	Email    *string
	Storage  *ident.StorageID
}

// DropUser is DROP USER [IF EXISTS] 'id'.
type DropUser struct {
	ID       ident.UserID
	IfExists bool
}

// RestoreUser is RESTORE USER 'id'.
type RestoreUser struct{ ID ident.UserID }

// ShowUsers is SHOW USERS.
type ShowUsers struct{}

// ShowSettings is SHOW SETTINGS.
type ShowSettings struct{}

// ClearCache is CLEAR CACHE.
type ClearCache struct{}

// ShowLiveQueries is SHOW LIVE QUERIES.
type ShowLiveQueries struct{}

// KillLiveQuery is KILL LIVE QUERY 'id'.
type KillLiveQuery struct{ ID ident.LiveID }

// TraceDelivery is TRACE DELIVERY 'id' FOR key.
type TraceDelivery struct {
	ID  ident.LiveID
	Key []string // the literals of the primary key, unquoted
}

// ShowStreams is SHOW STREAMS.
type ShowStreams struct{}

// Subscribe is SUBSCRIBE TO t | SELECT ... [OPTIONS (...)].
type Subscribe struct {
	Query   string // the SELECT; "SELECT * FROM t" for SUBSCRIBE TO t
	Offset  int    // of Query in the statement's text, in bytes; below 0 for SUBSCRIBE t
	Options SubscribeOptions
}

// SubscribeOptions are the OPTIONS of a Subscribe; nil fields were not given.
type SubscribeOptions struct {
	LastRows  *int       // rows of the snapshot, from 0
	From      *clock.Seq // cursor to resume from
	BatchSize *int       // rows per batch of the snapshot, from 1
	Policy    string     // for a subscriber that does not keep up, "" for none given
}

// Explain is EXPLAIN [ANALYZE | LIVE] SELECT.
type Explain struct {
	Analyze bool
	Live    bool   // how it would be kept live
	Query   string // the SELECT
	Offset  int    // of Query in the statement's text, in bytes
}

// FlushTable is FLUSH TABLE t [FOR USER 'u'].
type FlushTable struct {
	TableRef
	User ident.UserID // "" for all
}

// FlushAll is FLUSH ALL [IN n]. Namespace is "" for all.
type FlushAll struct{ Namespace ident.NamespaceID }

// CompactTable is COMPACT TABLE t.
type CompactTable struct{ TableRef }

// ShowManifest is SHOW MANIFEST FOR t.
type ShowManifest struct{ TableRef }

// ShowStats is SHOW STATS FOR TABLE t.
type ShowStats struct{ TableRef }

// CheckTable is CHECK TABLE t.
type CheckTable struct{ TableRef }

// ShowJobs is SHOW JOBS.
type ShowJobs struct{}

// KillJob is KILL JOB 'id'.
type KillJob struct{ ID ident.JobID }

// MaxWait bounds the timeout of a WaitForJob.
const MaxWait = time.Hour

// WaitForJob is WAIT FOR JOB 'id' [TIMEOUT 's'].
type WaitForJob struct {
	ID      ident.JobID
	Timeout time.Duration // 0 when none is given
}

// Begin is BEGIN [WORK] or START TRANSACTION.
type Begin struct{}

// Commit is COMMIT [WORK].
type Commit struct{}

// Rollback is ROLLBACK [WORK].
type Rollback struct{}

func (*FlushTable) node()      {}
func (*FlushAll) node()        {}
func (*CompactTable) node()    {}
func (*ShowManifest) node()    {}
func (*ShowStats) node()       {}
func (*CheckTable) node()      {}
func (*ShowJobs) node()        {}
func (*KillJob) node()         {}
func (*WaitForJob) node()      {}
func (*Explain) node()         {}
func (*Begin) node()           {}
func (*Commit) node()          {}
func (*Rollback) node()        {}
func (*CreateNamespace) node() {}
func (*AlterNamespace) node()  {}
func (*DropNamespace) node()   {}
func (*ShowNamespaces) node()  {}
func (*UseNamespace) node()    {}
func (*CreateTable) node()     {}
func (*DropTable) node()       {}
func (*AlterTable) node()      {}
func (*TruncateTable) node()   {}
func (*CreateIndex) node()     {}
func (*DropIndex) node()       {}
func (*ShowIndexes) node()     {}
func (*ShowTables) node()      {}
func (*DescribeTable) node()   {}
func (*ShowCreateTable) node() {}
func (*CreateUser) node()      {}
func (*AlterUser) node()       {}
func (*DropUser) node()        {}
func (*RestoreUser) node()     {}
func (*ShowUsers) node()       {}
func (*ShowSettings) node()    {}
func (*ClearCache) node()      {}
func (*ShowLiveQueries) node() {}
func (*KillLiveQuery) node()   {}
func (*TraceDelivery) node()   {}
func (*ShowStreams) node()     {}
func (*Subscribe) node()       {}
