package apply_test

import (
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// TestOpen_DamagedState cuts and changes what a shard keeps of its cluster, byte by
// byte: it is read, or refused as damaged, and never ends the process.
func TestOpen_DamagedState(t *testing.T) {
	x := newIndexed(t)
	x.must(x.prepare(txAt(7), writes(put(row.Insert, "k", 0))).Err)
	x.must(x.prepare(txAt(8), writes(put(row.Insert, "l", 0))).Err)
	x.resolve(txAt(8), true)
	x.once(apply.Ticket{Node: 3, Run: 2, Number: 1})
	x.must(x.commit(&command.Command{Shard: ident.SystemShard, Epoch: 4, Barrier: command.Newest,
		Decide: &command.Decide{Tx: txAt(8), Commit: true, Parts: []command.Part{{Shard: 1, Seq: 3}}},
	})[0].Err)
	refused := map[byte]int{}
	for _, s := range []ident.ShardID{ident.SystemShard, shard} {
		part, err := x.m.Partition(s)
		x.must(err)
		v := x.db.View()
		it := v.Scan(part, store.Range{})
		for it.Next() {
			key, val := append([]byte(nil), it.Key()...), append([]byte(nil), it.Value()...)
			for i := range val {
				if x.damaged(part, key, append([]byte(nil), val[:i]...)) {
					refused[key[0]]++
				}
				flipped := append([]byte(nil), val...)
				flipped[i] ^= 0xFF
				if x.damaged(part, key, flipped) {
					refused[key[0]]++
				}
			}
			b := new(store.Batch)
			b.Put(part, key, val)
			x.must(x.db.Commit(b, true))
		}
		x.must(it.Close())
		v.Release()
	}
	for _, kind := range []byte("ahptdwf") {
		if refused[kind] == 0 {
			t.Errorf("no damage of keys %q was found", kind)
		}
	}
}

// damaged stores a value and reports whether what reads it refuses it.
func (x *indexed) damaged(part store.Partition, key, val []byte) bool {
	x.t.Helper()
	b := new(store.Batch)
	b.Put(part, key, val)
	x.must(x.db.Commit(b, true))
	m, err := apply.Open(x.db)
	v := x.db.View()
	defer v.Release()
	for _, s := range []ident.ShardID{ident.SystemShard, shard} {
		if err == nil {
			_, err = m.Intents(v, s)
		}
		if err == nil {
			_, err = m.Look(s).Settled(v)
		}
	}
	if err == nil {
		_, err = m.Decisions(v, 0, 10)
	}
	if err != nil && !fault.Is(err, fault.Corruption) && !fault.Is(err, fault.Unsupported) {
		x.t.Errorf("key %q as %x gave %v", key, val, err)
	}
	return err != nil
}
