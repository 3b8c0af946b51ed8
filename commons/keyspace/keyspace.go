// Package keyspace is the only place that composes the names of partitions and
// the paths of cold storage. Whoever needs a name asks here, so that escaping
// and layout are written once.
package keyspace

import (
	"fmt"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/system"
)

// Name is the name of a partition: an ordered key space of its own in a store.
// Examples: "sys.tables", "shard.4", "user.chat.messages.12.4",
// "shared.chat.rooms.13".
type Name string

// Node is the partition with a node's own state, which no log carries.
const Node Name = "node"

// System returns the partition of a persisted system table.
func System(t system.Table) Name { return Name("sys." + string(t)) }

// Shard returns the partition with a shard's own state: applied seq, fences,
// request records.
func Shard(s ident.ShardID) Name { return Name("shard." + s.String()) }

// User returns the partition of one shard of a user table.
func User(ns ident.NamespaceID, t ident.TableName, id ident.TableID, s ident.ShardID) Name {
	return Name(fmt.Sprintf("user.%s.%s.%d.%d", ns, t, id, s))
}

// Tiered reports whether a partition may have cold rows.
func (n Name) Tiered() bool {
	return strings.HasPrefix(string(n), "user.") || strings.HasPrefix(string(n), "shared.")
}

// Stream returns the partition of one shard of a stream table.
func Stream(ns ident.NamespaceID, t ident.TableName, id ident.TableID, s ident.ShardID) Name {
	return Name(fmt.Sprintf("stream.%s.%s.%d.%d", ns, t, id, s))
}

// Shared returns the partition of a shared table.
func Shared(ns ident.NamespaceID, t ident.TableName, id ident.TableID) Name {
	return Name(fmt.Sprintf("shared.%s.%s.%d", ns, t, id))
}

// ShardOf returns the shard, 1 to shards, that holds a user's rows.
// The mapping is part of the data format: xxhash64(user) mod shards.
func ShardOf(u ident.UserID, shards int) ident.ShardID {
	return ident.ShardID(1 + xxhash.Sum64String(string(u))%uint64(shards))
}

// SharedShard returns the shard of all shared tables.
func SharedShard(shards int) ident.ShardID { return ident.ShardID(shards + 1) }

// EscapePath returns s as one element of a file path that is safe on any file
// system and can be read back: letters, digits, '-' and '_' stand for
// themselves, every other byte is '%' and two hex digits. Upper-case letters
// are escaped too, so that ids that differ only in case never share a folder
// on a file system that folds case.
func EscapePath(s string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for _, c := range []byte(s) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}
