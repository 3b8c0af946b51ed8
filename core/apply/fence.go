package apply

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/keyspace"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
)

// raise makes a fence known. A lower minimum than the present one is no change.
// The history of a table that is new on the shard begins behind seq. It returns
// the table's partition when that is empty from now on.
func (m *Machine) raise(b *store.Batch, s *shard, f command.Fence, seq clock.Seq) (
	emptied []keyspace.Name, err error,
) {
	known := s.tables[f.Table]
	if known != nil {
		if known.fence.Dropped && (!f.Emptied || known.fence.Emptied) {
			return nil, nil
		}
		f.Min = max(f.Min, known.fence.Min)
	}
	switch {
	case known != nil && !f.Dropped:
		known.fence = f
	case f.Dropped:
		delete(s.touched, known)
		s.tables[f.Table] = &tableState{fence: f}
	default:
		if err := s.addTable(m.db, f); err != nil {
			return nil, err
		}
		s.tables[f.Table].table.Begin(b, seq)
	}
	b.Put(s.part, fenceKey(f.Table), appendFence(nil, f))
	if f.Emptied {
		if part, ok := m.db.Partition(f.Partition); ok {
			b.DeleteRange(part, nil, nil)
		}
		emptied = []keyspace.Name{f.Partition}
	}
	return emptied, nil
}

// DropEmptied drops the names of partitions that outcomes have emptied. It is called
// with what a batch has applied, once that is visible. What it leaves when it
// fails, or when the process ends before, Open drops.
func DropEmptied(db *store.DB, outs []Outcome) (err error) {
	for i := range outs {
		for _, name := range outs[i].Emptied {
			err = errors.Join(err, db.DropPartition(name))
		}
	}
	return err
}

func (m *Machine) dropLeft() error {
	for _, s := range m.shards {
		for _, t := range s.tables {
			if !t.fence.Emptied {
				continue
			}
			if err := m.db.DropPartition(t.fence.Partition); err != nil {
				return err
			}
		}
	}
	return nil
}

// Partitions returns the partitions of the tables that the shard whose state is in p
// has as of a view.
func Partitions(v *store.View, p store.Partition) (names []keyspace.Name, err error) {
	err = each(v, p, keyFence, func(_, val []byte) error {
		f, err := parseFence(val)
		if err == nil && !f.Emptied {
			names = append(names, f.Partition)
		}
		return err
	})
	return names, err
}

func fenceKey(t ident.TableID) []byte {
	return binary.BigEndian.AppendUint32([]byte(keyFence), uint32(t))
}

const (
	fenceFormat = 3
	fenceStays  = 2 // never emptied
	fencePlain  = 1 // without TTL either
)

// What became of a fence's table.
const (
	fateDropped = 1
	fateEmptied = 2
)

func appendFence(dst []byte, f command.Fence) []byte {
	dst = append(dst, fenceFormat, 0)
	switch {
	case f.Emptied:
		dst[len(dst)-1] = fateEmptied
	case f.Dropped:
		dst[len(dst)-1] = fateDropped
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(f.Table))
	dst = binary.BigEndian.AppendUint32(dst, uint32(f.Min))
	dst = binary.BigEndian.AppendUint64(dst, uint64(f.TTL.Milliseconds()))
	return append(dst, f.Partition...)
}

func parseFence(b []byte) (command.Fence, error) {
	plain := len(b) >= 10 && b[0] == fencePlain
	if !plain && (len(b) < 18 || b[0] < fenceStays || b[0] > fenceFormat) {
		return command.Fence{}, fault.New(fault.Corruption, "a fence is damaged or of a newer format")
	}
	f := command.Fence{
		Dropped: b[1] >= fateDropped, Emptied: b[1] == fateEmptied,
		Table: ident.TableID(binary.BigEndian.Uint32(b[2:])),
		Min:   ident.SchemaVersion(binary.BigEndian.Uint32(b[6:])),
	}
	name := b[10:]
	if !plain {
		f.TTL = time.Duration(binary.BigEndian.Uint64(name)) * time.Millisecond
		name = name[8:]
	}
	if f.Partition = keyspace.Name(name); f.Partition == "" || b[1] > fateEmptied {
		return command.Fence{}, fault.New(fault.Corruption, "a fence is damaged")
	}
	return f, nil
}
