package replica

import (
	"encoding/binary"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/store"
)

// keyIndex is in a shard's partition, beside what package apply keeps there: -> index
// of the Raft log that is applied, 8 bytes. See docs/format/shard.md.
const keyIndex = "x"

// appliedIndex reads the index of the Raft log that a shard has applied, and
// whether any log has ever been applied to it.
func appliedIndex(v *store.View, p store.Partition) (index uint64, found bool, err error) {
	val, found, err := v.Get(p, []byte(keyIndex))
	if err != nil || !found {
		return 0, false, err
	}
	if len(val) != 8 {
		return 0, false, fault.New(fault.Corruption,
			"the applied index of partition %s is damaged", p.Name)
	}
	return binary.BigEndian.Uint64(val), true, nil
}
