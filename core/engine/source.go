package engine

import (
	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// source is what the hub of live queries reads the engine through.
type source Engine

var _ live.Source = (*source)(nil)

// View implements live.Source. A view whose applied seq can't be read counts
// as one that holds nothing; the next read of it tells why.
func (s *source) View(shard ident.ShardID) (*store.View, clock.Seq) {
	v := s.db.View()
	p, err := s.machine.Partition(shard)
	if err != nil {
		return v, 0
	}
	applied, err := apply.AppliedSeq(v, p)
	if err != nil {
		s.opts.Logger.Error("read the applied seq of a shard", "shard", shard, "error", err)
	}
	return v, applied
}

// Partition implements live.Source.
func (s *source) Partition(t *ddl.Table, shard ident.ShardID) (store.Partition, bool) {
	return s.db.Partition(t.Partition(shard))
}

// Reader implements live.Source.
func (s *source) Reader(t *ddl.Table, v ident.SchemaVersion) (*row.Reader, error) {
	return s.catalog.Snapshot().Reader(t, v)
}

// Shard implements live.Source.
func (s *source) Shard(t *ddl.Table, u ident.UserID) ident.ShardID {
	return t.Shard(u, s.db.Shards())
}

// Covered implements live.Source.
func (s *source) Covered(
	t *ddl.Table, shard ident.ShardID, u ident.UserID, cursor clock.Seq,
) error {
	p, err := s.machine.Partition(shard)
	if err != nil {
		return err
	}
	v, applied := s.View(shard)
	defer v.Release()
	before, err := s.before(v, t, shard, u, cursor)
	if err != nil {
		return err
	}
	if before {
		return fault.New(fault.CursorTooOld,
			"cursor %s is from before table %s was made or truncated, or the user's rows were removed; "+
				"subscribe without from", cursor, t.FullName())
	}
	if cursor > applied {
		return fault.New(fault.CursorTooOld,
			"cursor %s is in the future of this database; subscribe without from", cursor)
	}
	lost, err := apply.InGap(v, p, cursor)
	if err == nil && lost {
		err = fault.New(fault.CursorTooOld,
			"cursor %s was lost in a crash; subscribe without from", cursor)
	}
	return err
}

// before reports whether a cursor is from before the table was what it is. Each
// shard has seqs of its own, so it is the partition that says when it began; one
// that an earlier release made does not, and the table's definition is asked.
func (s *source) before(
	v *store.View, t *ddl.Table, shard ident.ShardID, u ident.UserID, cursor clock.Seq,
) (bool, error) {
	part, ok := s.Partition(t, shard)
	if !ok || cursor == 0 {
		return false, nil
	}
	if t.PerUser() {
		gone, err := table.Table{Part: part}.ErasedUpTo(v, u)
		if err != nil || cursor < gone {
			return true, err
		}
	}
	begun, err := table.Table{Part: part}.Begun(v)
	if err != nil || begun > 0 {
		return cursor < begun, err
	}
	now, ok := s.catalog.Snapshot().TableByID(t.ID)
	return ok && (now.Former != 0 || cursor < now.Since), nil
}
