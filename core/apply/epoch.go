package apply

import (
	"encoding/binary"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
)

// outdated refuses work in the background of a leader that was followed by
// another.
func (s *shard) outdated(c *command.Command) Outcome {
	if c.Epoch == 0 || c.Epoch >= s.epoch {
		return Outcome{}
	}
	return Outcome{Err: fault.New(fault.NotLeader,
		"this work was taken over by another node; it goes on there")}
}

// advance notes the epoch and the barrier of an admitted command.
func (m *Machine) advance(b *store.Batch, s *shard, c *command.Command) error {
	if c.Epoch > s.epoch {
		s.epoch = c.Epoch
		b.Put(s.part, []byte(keyEpoch), binary.BigEndian.AppendUint64(nil, c.Epoch))
	}
	if s.id != ident.SystemShard || c.Barrier <= m.Barrier() {
		return nil
	}
	if err := readable(c.Barrier); err != nil {
		return err
	}
	m.barrier.Store(uint32(c.Barrier))
	b.Put(s.part, []byte(keyBarrier), []byte{byte(c.Barrier)})
	return nil
}

// readable refuses a barrier that allows what this build can't read.
func readable(barrier command.Version) error {
	if barrier <= command.Newest {
		return nil
	}
	return fault.New(fault.Unsupported, "the cluster uses commands of format %d, and this build "+
		"reads up to %d; upgrade this node", barrier, command.Newest)
}

// Barrier returns the newest format of commands that may be proposed, as the system
// shard has it here. It is safe for concurrent use.
func (m *Machine) Barrier() command.Version { return command.Version(m.barrier.Load()) }

// loadEpoch reads a shard's epoch and, of the system shard, the barrier.
func (m *Machine) loadEpoch(v *store.View, s *shard) error {
	val, found, err := v.Get(s.part, []byte(keyEpoch))
	if err != nil {
		return err
	}
	if s.epoch = 0; found {
		if len(val) != 8 {
			return fault.New(fault.Corruption, "the epoch of a shard is damaged")
		}
		s.epoch = binary.BigEndian.Uint64(val)
	}
	if s.id != ident.SystemShard {
		return nil
	}
	if val, found, err = v.Get(s.part, []byte(keyBarrier)); err != nil {
		return err
	}
	barrier := command.First
	if found {
		if len(val) != 1 {
			return fault.New(fault.Corruption, "the barrier of formats is damaged")
		}
		barrier = command.Version(val[0])
	}
	m.barrier.Store(uint32(barrier))
	return readable(barrier)
}
