package plan

import (
	"sync/atomic"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
)

// partitions finds the partitions of a table. Making their names costs more
// than reading a row, so those found are kept; they stay the same for as long
// as the table is there. It is safe for concurrent use.
type partitions struct {
	db    *store.DB
	def   *ddl.Table
	found []atomic.Pointer[store.Partition] // by number of the shard
}

func newPartitions(db *store.DB, def *ddl.Table) *partitions {
	last := ident.ShardID(0)
	for _, s := range def.Shards(db.Shards()) {
		last = max(last, s)
	}
	return &partitions{db: db, def: def, found: make([]atomic.Pointer[store.Partition], last+1)}
}

// of returns the partition that holds a user's rows.
func (ps *partitions) of(user ident.UserID) (store.Partition, bool) {
	shard := ps.def.Shard(user, ps.db.Shards())
	if p := ps.found[shard].Load(); p != nil {
		return *p, true
	}
	p, ok := ps.db.Partition(ps.def.Partition(shard))
	if ok {
		ps.found[shard].Store(&p)
	}
	return p, ok
}
