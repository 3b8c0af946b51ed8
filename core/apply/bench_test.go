package apply_test

import (
	"fmt"
	"testing"

	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/storetest"
)

// BenchmarkApply_Insert applies inserts of a row each, 256 a batch, without
// committing them.
func BenchmarkApply_Insert(b *testing.B) {
	db := storetest.OpenDB(b, store.Options{Engine: memkv.Name, OpenEngine: memkv.Open, Shards: 1})
	m, err := apply.Open(db)
	if err != nil {
		b.Fatal(err)
	}
	v := db.View()
	defer v.Release()
	batch := new(store.Batch)
	send := func(c *command.Command) {
		outs, err := m.Apply(batch, v, []*command.Command{c})
		if err != nil || outs[0].Err != nil {
			b.Fatal(err, outs)
		}
	}
	send(&command.Command{Shard: shard, Fences: []command.Fence{
		{Table: tableID, Partition: "user.a.b.100.1", Min: 1},
	}})
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		send(&command.Command{Shard: shard, Writes: []command.Write{{
			Table: tableID, Schema: 1, Op: row.Insert, User: "u",
			PK: fmt.Appendf(nil, "%09d", n), Payload: []byte("a row of some bytes"),
		}}})
		if n++; n%256 == 0 {
			if err := m.Seal(batch, v); err != nil {
				b.Fatal(err)
			}
			batch = new(store.Batch)
		}
	}
}
