package live_test

import (
	"context"
	"fmt"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// engine is the least that a hub needs below it: a store, and the seq up to
// which commits are in its published view.
type engine struct {
	db      *store.DB
	applied clock.Seq
}

func (e *engine) View(ident.ShardID) (*store.View, clock.Seq) { return e.db.View(), e.applied }

func (e *engine) Partition(t *ddl.Table, s ident.ShardID) (store.Partition, bool) {
	return e.db.Partition(t.Partition(s))
}

func (e *engine) Reader(t *ddl.Table, _ ident.SchemaVersion) (*row.Reader, error) {
	return t.Reader(notesSchema)
}

func (e *engine) Shard(t *ddl.Table, u ident.UserID) ident.ShardID {
	return t.Shard(u, e.db.Shards())
}

func (e *engine) Covered(*ddl.Table, ident.ShardID, ident.UserID, clock.Seq) error {
	return nil
}

// Example follows a user's notes about one topic. Changes reach the hub from
// the commit path, here by hand.
func Example() {
	db, err := store.Open("", store.Options{Engine: memkv.Name, OpenEngine: memkv.Open})
	if err != nil {
		fmt.Println(err)
		return
	}
	e := &engine{db: db, applied: 41}
	shard := e.Shard(notes, "alice")
	if _, err := db.CreatePartition(notes.Partition(shard)); err != nil {
		fmt.Println(err)
		return
	}

	hub := live.New(live.Options{Source: e})
	defer hub.Close()
	woken := false
	sub, err := hub.Subscribe(live.Spec{
		Owner: "alice", User: "alice", Query: follow{topic: "go"}.query(),
		Notify: func() { woken = true },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	show := func() {
		for more := true; more; {
			var msgs []live.Message
			if msgs, more, err = sub.Poll(context.Background(), 100); err != nil {
				fmt.Println(err)
				return
			}
			for _, m := range msgs {
				switch m := m.(type) {
				case live.Batch:
					fmt.Println(len(m.Rows), "rows,", m.Status, "at", m.LastSeq)
				case live.Changed:
					fmt.Println(m.Type, m.Rows[0][2].Str(), "at", m.Seq, "commit:", m.Commit)
				}
			}
		}
	}
	show()

	payload, err := notesSchema.Encode([]value.Value{
		value.NewBigInt(1), value.NewText("go"), value.NewText("hello")})
	if err != nil {
		fmt.Println(err)
		return
	}
	hub.Publish(shard, 42, []live.Change{{
		Table: notes.ID, User: "alice", Op: row.Insert, Seq: 42, Last: true,
		New: &row.Record{Seq: 42, Schema: 1, Codec: notes.Codec, Payload: payload},
	}})
	fmt.Println("woken:", woken)
	show()
	// Output:
	// 0 rows, ready at 41
	// woken: true
	// insert hello at 42 commit: true
}
