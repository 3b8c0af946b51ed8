package replica

import (
	"encoding/binary"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/store"
)

// ceilingAhead is how far ahead of use the ceiling is persisted. After a crash
// the clock starts that far in the future at most.
const ceilingAhead = 3 * time.Second

// Keys of the node's partition. See docs/format/shard.md.
const (
	keyCeiling = "ceiling" // -> seq that was never given, with a flag of a clean stop
)

func readCeiling(db *store.DB, p store.Partition) (ceiling clock.Seq, clean bool, err error) {
	v := db.View()
	defer v.Release()
	val, found, err := v.Get(p, []byte(keyCeiling))
	if err != nil || !found {
		return 0, false, err
	}
	if len(val) != 9 {
		return 0, false, fault.New(fault.Corruption, "the clock's ceiling is damaged")
	}
	return clock.Seq(binary.BigEndian.Uint64(val)), val[8] == 1, nil
}

func (l *Local) putCeiling(b *store.Batch, s clock.Seq, clean byte) {
	val := append(binary.BigEndian.AppendUint64(nil, uint64(s)), clean)
	b.Put(l.node, []byte(keyCeiling), val)
}

// raiseCeiling makes a ceiling durable that is ahead of used, with what else is
// in b.
func (l *Local) raiseCeiling(b *store.Batch, used clock.Seq) error {
	ceiling := ahead(used)
	l.putCeiling(b, ceiling, 0)
	if err := l.db.Commit(b, true); err != nil {
		return err
	}
	l.ceiling.Store(uint64(ceiling))
	return nil
}

func ahead(used clock.Seq) clock.Seq { return clock.SeqAt(used.Time().Add(ceilingAhead)) }

// holdCeiling makes sure, before any seq of a proposal is given, that a durable
// ceiling stands above all of them. It syncs only when the ceiling was passed,
// which under load the batches' own renewal prevents.
func (l *Local) holdCeiling(p *proposal) error {
	for _, c := range p.cs {
		l.most = max(l.most, c.Clock) + clock.Seq(len(c.Writes)+1)
	}
	if l.most < clock.Seq(l.ceiling.Load()) {
		return nil
	}
	l.stats.syncs.Add(1)
	return l.raiseCeiling(new(store.Batch), l.most)
}

// renewCeiling adds a ceiling to a batch when half of what is ahead was used. It
// returns what stands once the batch is durable, 0 for no change.
func (l *Local) renewCeiling(b *store.Batch) clock.Seq {
	half := clock.SeqAt(l.most.Time().Add(ceilingAhead / 2))
	if half <= clock.Seq(l.ceiling.Load()) {
		return 0
	}
	l.putCeiling(b, ahead(l.most), 0)
	return ahead(l.most)
}
