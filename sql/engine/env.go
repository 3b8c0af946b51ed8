package engine

import (
	"context"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/catalog"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// Env is what one execution of a statement sees. It is used for one execution.
type Env struct {
	Catalog *catalog.Snapshot
	DB      *store.DB   // for partition handles; data is read through View only
	View    *store.View // the caller keeps it until the Result is closed
	Cold    table.Cold  // reads the cold rows of View; nil where there are none
	Rights  Rights
	System  SystemRows
	Gen     *clock.Generator
	Now     time.Time // fixed for the statement
	// ReadAt is the time at which rows of streams must not have expired to be
	// seen, that of View; zero for Now.
	ReadAt    time.Time
	Caller    ident.UserID
	Role      ident.Role
	User      ident.UserID // acting user, "" when there is none
	Namespace ident.NamespaceID
	// Pending are the writes of the open transaction, which lie over View; nil
	// outside of one. Lock is told of each row that a SELECT ... FOR UPDATE
	// reads, as the user's row had seq in View; nil refuses the clause.
	Pending *writeset.Set
	Lock    func(t *ddl.Table, owner ident.UserID, pk []byte, seq clock.Seq)
	// Reads is asked before rows of t on a shard are read or, with write, changed.
	// An error of it ends the planning. nil allows all.
	Reads  func(t *ddl.Table, s ident.ShardID, write bool) error
	Params []value.Value
	// JSONParams says that Params came as JSON; see ParamFor.
	JSONParams bool
}

// Rights decides whether the caller may use a table. owner is whose rows, ""
// for tables that are not per user. It returns a fault.Error.
type Rights interface {
	CheckTable(t *ddl.Table, owner ident.UserID, write bool) error
}

// SystemRows gives the rows of a system table that the caller may see, with
// values in the order of the table's columns.
type SystemRows interface {
	SystemRows(ctx context.Context, t system.Table) ([][]value.Value, error)
}

// Rows is a result's rows. Next returns io.EOF after the last one; the slice
// it returns may be reused by the following call. Close may be called twice.
type Rows interface {
	Next(ctx context.Context) ([]value.Value, error)
	Close() error
}

// Result is the outcome of one statement: rows, or a write set that has not
// been committed yet. Rows is never nil.
type Result struct {
	Columns  []predicate.Column
	Rows     Rows
	Writes   *writeset.Set // nil for statements that only read
	Returned *Returned     // nil without RETURNING; Rows gives its rows
	// Assumed says that the keys of inserted rows were taken to be free, or a row
	// that is appended to was taken to be there, and were not looked up: when that
	// is not so, the statement is to be planned again by the engine, which tells
	// it.
	Assumed bool
	// Affected counts the rows that a write matched, inserted or replaced. ON
	// DUPLICATE KEY UPDATE counts as in MySQL: 1 for a row inserted, 2 for one
	// updated, 0 for one that stays as it was.
	Affected int64
	// Resolves says that the statement tells what to do with a row that is there
	// already: a duplicate that came up since is no error but a reason to plan it
	// again.
	Resolves bool
	RowsRead func() int64 // stored rows read so far
}
