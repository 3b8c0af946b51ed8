// Package ddl holds the models of namespaces, tables, columns and users as the
// catalogue keeps them. Models are immutable once published: a change makes a
// copy. They say what is, not how it is stored; Table.Schema converts to the
// physical schema of package row.
package ddl

import (
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// TableKind says whose rows a table holds.
type TableKind string

// The kinds of tables. A system table is made by the server only.
const (
	UserTable   TableKind = "USER"   // each user has rows of their own
	SharedTable TableKind = "SHARED" // one set of rows for all
	StreamTable TableKind = "STREAM" // rows that are gone after a time
	SystemTable TableKind = "SYSTEM"
)

// Access is who may use a shared table; see CONTRACT section 6.
type Access string

// The access levels of shared tables.
const (
	Public     Access = "public"
	Restricted Access = "restricted"
	Private    Access = "private"
)

// Scope says whose rows a stream table holds.
type Scope string

// The scopes of stream tables.
const (
	UserScope      Scope = "user"      // each user has rows of their own
	NamespaceScope Scope = "namespace" // one set of rows for all
)

// State is where a table is in its life. Only ready tables are seen.
type State string

// The states of a table.
const (
	Creating State = "creating"
	Ready    State = "ready"
	Dropping State = "dropping"
)

// Column is a column of a table.
type Column struct {
	ID      ident.ColumnID `json:"id"`
	Name    string         `json:"name"`
	Type    Type           `json:"type"`
	NotNull bool           `json:"not_null,omitempty"`
	Default *Default       `json:"default,omitempty"`
	Comment string         `json:"comment,omitempty"`
	// Fill is the literal that rows show which were written before the column
	// was added; nil for NULL.
	Fill *Default `json:"fill,omitempty"`
}

// Table is a table's definition. PrimaryKey holds positions in Columns.
type Table struct {
	ID         ident.TableID       `json:"id"`
	Namespace  ident.NamespaceID   `json:"namespace"`
	Name       ident.TableName     `json:"name"`
	Kind       TableKind           `json:"kind"`
	State      State               `json:"state"`
	Version    ident.SchemaVersion `json:"version"`
	Columns    []Column            `json:"columns"`
	PrimaryKey []int               `json:"primary_key"`
	Checks     []Check             `json:"checks,omitempty"`
	Indexes    []Index             `json:"indexes,omitempty"` // secondary ones
	Access     Access              `json:"access,omitempty"`
	// TTL is how long a row of a stream table is there after it was written
	// last, in whole milliseconds; 0 for other tables, as Scope is "".
	TTL   time.Duration `json:"ttl,omitempty"`
	Scope Scope         `json:"scope,omitempty"`

	// What says how and where rows go cold, of USER and SHARED tables.
	Storage     ident.StorageID `json:"storage,omitempty"` // "" for ident.LocalStorage
	UserStorage bool            `json:"user_storage,omitempty"`
	Flush       FlushPolicy     `json:"flush,omitzero"`
	// DeletedRetention is how long a deleted row is kept; 0 leaves it to the
	// configuration.
	DeletedRetention time.Duration `json:"deleted_retention,omitempty"`

	Codec     serde.ID     `json:"codec"`
	Comment   string       `json:"comment,omitempty"`
	Created   time.Time    `json:"created"`
	CreatedBy ident.UserID `json:"created_by,omitempty"`

	// What schema changes leave behind; see Alter. NextColumn is the id of the
	// next column that is added, 0 before the first change. Changed and
	// ChangedBy are of the present version, zero for the first.
	NextColumn ident.ColumnID `json:"next_column,omitempty"`
	NextIndex  ident.IndexID  `json:"next_index,omitempty"` // likewise
	Past       []Version      `json:"past,omitempty"`       // earlier versions, oldest first
	Changed    time.Time      `json:"changed,omitzero"`
	ChangedBy  ident.UserID   `json:"changed_by,omitempty"`
	// Since is a seq below which nothing is of this table: of when it was made
	// or truncated.
	Since clock.Seq `json:"since,omitempty"`

	// How far a change has come that a crash may interrupt. Unfenced says that
	// some shards may not know the version yet. Successor is the id that the
	// table is about to get, Former the one that it had until then. Gone are
	// indexes that were dropped and whose entries some shards may still hold.
	Unfenced  bool            `json:"unfenced,omitempty"`
	Successor ident.TableID   `json:"successor,omitempty"`
	Former    ident.TableID   `json:"former,omitempty"`
	Gone      []ident.IndexID `json:"gone,omitempty"`
}

// FullName returns "namespace.table".
func (t *Table) FullName() string { return string(t.Namespace) + "." + string(t.Name) }

// Column returns the position of the column called name (lower case), or -1.
func (t *Table) Column(name string) int {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// IsKey reports whether the column at position i is part of the primary key.
func (t *Table) IsKey(i int) bool {
	for _, k := range t.PrimaryKey {
		if k == i {
			return true
		}
	}
	return false
}

// Schema returns the physical schema of rows written with the present version.
// It allocates; callers on a hot path keep it.
func (t *Table) Schema() *row.Schema {
	s := &row.Schema{Version: t.Version, Codec: t.Codec}
	for _, c := range t.Columns {
		s.IDs = append(s.IDs, c.ID)
		s.Kinds = append(s.Kinds, c.Type.Kind)
	}
	s.Labels = labels(t.Columns)
	return s
}

// WithID returns t under another id: the same table with other partitions.
func (t *Table) WithID(id ident.TableID) *Table {
	c := *t
	c.ID = id
	return &c
}

// KeyOf returns the encoded primary key of a row whose values stand in the
// order of Columns.
func (t *Table) KeyOf(vals []value.Value) []byte {
	const number = 9 // bytes of one
	key := make([]byte, 0, number*len(t.PrimaryKey))
	for _, i := range t.PrimaryKey {
		key = value.AppendKey(key, vals[i])
	}
	return key
}

// PerUser reports whether each user has rows of their own.
func (t *Table) PerUser() bool {
	return t.Kind == UserTable || t.Kind == StreamTable && t.Scope == UserScope
}

// Shard returns the shard that holds a user's rows of t, out of shards shards
// of users. The user is ignored for tables that are not per user.
func (t *Table) Shard(u ident.UserID, shards int) ident.ShardID {
	switch {
	case t.PerUser():
		return keyspace.ShardOf(u, shards)
	case t.Kind == StreamTable: // spread over the shards by their numbers
		return ident.ShardID(1 + int(t.ID)%shards)
	case t.Kind == SharedTable:
		return keyspace.SharedShard(shards)
	}
	return ident.SystemShard
}

// Shards returns all shards that hold rows of t.
func (t *Table) Shards(shards int) []ident.ShardID {
	if !t.PerUser() {
		return []ident.ShardID{t.Shard("", shards)}
	}
	all := make([]ident.ShardID, shards)
	for i := range all {
		all[i] = ident.ShardID(i + 1)
	}
	return all
}

// Partition returns the name of the partition that holds t's rows on a shard.
func (t *Table) Partition(s ident.ShardID) keyspace.Name {
	switch t.Kind {
	case UserTable:
		return keyspace.User(t.Namespace, t.Name, t.ID, s)
	case SharedTable:
		return keyspace.Shared(t.Namespace, t.Name, t.ID)
	case StreamTable:
		return keyspace.Stream(t.Namespace, t.Name, t.ID, s)
	}
	return keyspace.System(system.Table(t.Name))
}

// Namespace is a namespace's definition.
type Namespace struct {
	Name      ident.NamespaceID `json:"name"`
	Options   map[string]string `json:"options,omitempty"`
	Created   time.Time         `json:"created"`
	CreatedBy ident.UserID      `json:"created_by,omitempty"`
}

// User is an account. Secret is the encoded hash of the password, empty for an
// account that logs in by token only; it is shown nowhere.
type User struct {
	ID      ident.UserID `json:"id"`
	Role    ident.Role   `json:"role"`
	Email   string       `json:"email,omitempty"`
	Secret  string       `json:"secret,omitempty"`
	Created time.Time    `json:"created"`
	Deleted *time.Time   `json:"deleted,omitempty"` // soft drop
	// Erasing is when the removal of a dropped user's rows began, from when on the
	// account can't be restored, and Erased when it had ended.
	Erasing *time.Time `json:"erasing,omitempty"`
	Erased  *time.Time `json:"erased,omitempty"`
	// Storage is where the user's rows go cold in tables with USE_USER_STORAGE, ""
	// for where the table's go.
	Storage ident.StorageID `json:"storage,omitempty"`
	Epoch   int64           `json:"epoch,omitempty"` // raised to end tokens given before
}
