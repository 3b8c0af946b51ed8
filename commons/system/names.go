// Package system holds the names of system tables and system columns, each
// written once.
package system

// Namespace is the one namespace of system tables; users can't create in it.
const Namespace = "system"

// System columns of every table. They are computed from the record header and
// never stored by name.
const (
	ColSeq     = "_seq"
	ColUpdated = "_updated"
	ColDeleted = "_deleted"
)

// Columns lists the system columns in the order in which DESCRIBE and the
// query engine append them behind a table's own.
var Columns = []string{ColSeq, ColUpdated, ColDeleted}

// IsColumn reports whether name is a system column.
func IsColumn(name string) bool {
	return name == ColSeq || name == ColUpdated || name == ColDeleted
}

// Table is the name of a system table.
type Table string

// The system tables. A table appears here with its capability.
const (
	AuditLog     Table = "audit_log"
	Namespaces   Table = "namespaces"
	Tables       Table = "tables"
	ColumnDefs   Table = "columns"
	Indexes      Table = "indexes"
	Schemas      Table = "schemas"
	Users        Table = "users"
	Partitions   Table = "partitions"
	Settings     Table = "settings"
	Stats        Table = "stats"
	Storages     Table = "storages"
	LiveQueries  Table = "live_queries"
	Streams      Table = "streams"
	Statements   Table = "statements"
	ErrorCodes   Table = "error_codes"
	DataTypes    Table = "data_types"
	Transactions Table = "transactions"
	Jobs         Table = "jobs"
	Manifest     Table = "manifest"
	Nodes        Table = "nodes"
	Shards       Table = "shards"
)

// RootUser is the account that exists from the first start, with role dba.
const RootUser = "root"
