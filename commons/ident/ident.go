// Package ident holds the identifiers of KalamDB as distinct types, validated
// once at the border: whoever holds a UserID may use it as a key.
//
// It does not turn identifiers into keys or paths; package keyspace does.
package ident

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// UserID names a user as its identity provider does: "alice@example.com",
// "auth0|123", any UTF-8 of 1 to MaxUserID bytes without control characters.
// Ids are compared byte by byte: "Alice" and "alice" are two users.
type UserID string

// NamespaceID is the name of a namespace, such as "chat".
type NamespaceID string

// TableName is a table's name inside its namespace, such as "messages".
type TableName string

// TableID is the number a table is given when it is created. It is never used
// again, so a table made under an old name shares nothing with the dropped one.
type TableID uint32

// ColumnID is the number of a column within its table, given once.
type ColumnID uint32

// IndexID is the number of a secondary index within its table, given once.
type IndexID uint32

// SchemaVersion counts the changes of a table's schema, from 1.
type SchemaVersion uint32

// ShardID is a log group: SystemShard, 1 to N for shards of users, N+1 for
// shared tables.
type ShardID uint16

// SystemShard is the group of the system tables.
const SystemShard ShardID = 0

// NodeID is the number of a server in a cluster, from 1 to MaxNode. It is never used
// again once the node has left.
type NodeID uint16

// SingleNode is the number of a server without a cluster. The first node of a
// cluster has it too.
const SingleNode NodeID = 1

// MaxNode is the highest number of a node: it is part of ids that nodes generate.
const MaxNode NodeID = 1023

// LiveID names a live query on its node.
type LiveID string

// Limits of identifiers, in bytes.
const (
	MaxUserID = 256
	MaxName   = 64
)

// Role is what a caller may do; see CONTRACT section 6.
type Role string

// The roles, from least to most. System is internal and never logs in.
const (
	RoleUser    Role = "user"
	RoleService Role = "service"
	RoleDBA     Role = "dba"
	RoleSystem  Role = "system"
)

// ParseRole reads a role that an account may have; "system" is refused.
func ParseRole(s string) (Role, error) {
	switch r := Role(strings.ToLower(s)); r {
	case RoleUser, RoleService, RoleDBA:
		return r, nil
	}
	return "", fault.New(fault.InvalidParameter, "unknown role %q; use user, service or dba", clip(s))
}

// ParseUserID validates a user id.
func ParseUserID(s string) (UserID, error) {
	bad := func(why string) (UserID, error) {
		return "", fault.New(fault.InvalidParameter, "user id %q %s", clip(s), why)
	}
	switch {
	case s == "":
		return bad("is empty")
	case len(s) > MaxUserID:
		return bad(fmt.Sprintf("is longer than %d bytes", MaxUserID))
	case !utf8.ValidString(s):
		return bad("is not valid UTF-8")
	case s == "." || s == "..":
		return bad("is a path, not a name")
	case strings.TrimSpace(s) != s:
		return bad("begins or ends with white space")
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == utf8.RuneError || unicode.Is(unicode.Cf, r) {
			return bad("holds a control or formatting character")
		}
	}
	if reservedUsers[strings.ToLower(s)] {
		return bad("is reserved")
	}
	return UserID(s), nil
}

// reservedUsers stand for something else where an id can stand, as in
// ns.user.table.
var reservedUsers = map[string]bool{
	"system": true, "user": true, "shared": true, "stream": true, "null": true,
}

// ParseNamespaceID validates the name of a namespace that may be created:
// a letter, then letters, digits and underscores, at most MaxName bytes.
// Names are folded to lower case.
func ParseNamespaceID(s string) (NamespaceID, error) {
	n, err := parseName("namespace", s)
	if err != nil {
		return "", err
	}
	if reservedNamespaces[n] {
		return "", fault.New(fault.InvalidParameter, "namespace name %q is reserved; choose another", n)
	}
	return NamespaceID(n), nil
}

var reservedNamespaces = map[string]bool{
	"system": true, "information_schema": true, "mysql": true, "performance_schema": true,
	"sys": true, "user": true, "kalam": true,
}

// ParseTableName validates a table name, with the rules of a namespace's.
func ParseTableName(s string) (TableName, error) {
	n, err := parseName("table", s)
	return TableName(n), err
}

// ParseColumnName validates a column name. Names that begin with an
// underscore belong to the system.
func ParseColumnName(s string) (string, error) { return parseName("column", s) }

func parseName(what, s string) (string, error) {
	if s == "" || len(s) > MaxName {
		return "", fault.New(fault.InvalidParameter,
			"%s name %q must have 1 to %d characters", what, clip(s), MaxName)
	}
	for i, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		case i > 0 && (c == '_' || c >= '0' && c <= '9'):
		default:
			return "", fault.New(fault.InvalidParameter,
				"%s name %q must be a letter followed by letters, digits and underscores",
				what, clip(s))
		}
	}
	return strings.ToLower(s), nil
}

// String returns the number in decimal.
func (t TableID) String() string { return strconv.FormatUint(uint64(t), 10) }

// String returns the number in decimal.
func (s ShardID) String() string { return strconv.FormatUint(uint64(s), 10) }

// clip shortens what a caller sent before it stands in a message.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.ToValidUTF8(s[:most], "\uFFFD") + "..."
}
