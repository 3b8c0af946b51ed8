package table_test

import (
	"fmt"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

func memory(t *testing.T) *fixture { return newFixture(t, memkv.Name, memkv.Open) }

// stage stages writes of user "a", one after another, and commits them.
func (f *fixture) stage(writes ...table.Write) {
	f.t.Helper()
	v := f.db.View()
	defer v.Release()
	var b store.Batch
	for _, w := range writes {
		present, found, err := f.table.Present(v, &b, w.User, w.PK)
		f.must(err)
		if found {
			w.Present = &present
		}
		_, err = f.table.Stage(&b, w)
		f.must(err)
	}
	f.must(f.db.Commit(&b, true))
}

func change(op row.Op, pk string, seq clock.Seq, payload string) table.Write {
	return table.Write{User: "a", PK: []byte(pk), Op: op, Seq: seq, Schema: 1,
		Codec: serde.Row, Payload: []byte(payload)}
}

func TestTable_StageRefusesWhatDoesNotFit(t *testing.T) {
	f := memory(t)
	live := &row.Record{Seq: 5, Payload: []byte("x")}
	dead := &row.Record{Seq: 5, Deleted: true}
	for name, w := range map[string]table.Write{
		"an insert over a row":     {Op: row.Insert, Seq: 6, Present: live},
		"an update of nothing":     {Op: row.Update, Seq: 6},
		"an update of a tombstone": {Op: row.Update, Seq: 6, Present: dead},
		"a delete of a tombstone":  {Op: row.Delete, Seq: 6, Present: dead},
		"a seq that is not later":  {Op: row.Update, Seq: 5, Present: live},
		"no seq":                   {Op: row.Insert},
		"no operation":             {Seq: 6},
	} {
		var b store.Batch
		if _, err := f.table.Stage(&b, w); !fault.Is(err, fault.Internal) || b.Len() != 0 {
			t.Errorf("%s: %v, %d operations", name, err, b.Len())
		}
	}
}

func TestTable_StageInOneBatch(t *testing.T) {
	f := memory(t)
	f.stage(
		change(row.Insert, "k", 1, "one"), change(row.Update, "k", 2, "two"),
		change(row.Delete, "k", 3, ""), change(row.Insert, "k", 4, "four"),
	)
	v := f.db.View()
	defer v.Release()
	c := f.table.Changes(t.Context(), v, "a", 0)
	defer c.Close()
	got := ""
	for c.Next() {
		before, after, err := c.Images()
		f.must(err)
		got += fmt.Sprintf("%d:%s>%s ", c.Entry().Op, show(before), show(after))
	}
	want := "1:none>{1 false one} 2:{1 false one}>{2 false two} " +
		"3:{2 false two}>{3 true two} 1:none>{4 false four} "
	if got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

func TestTable_TrimRemovesAllTraces(t *testing.T) {
	f := memory(t)
	f.stage(change(row.Insert, "gone", 1, "x"), change(row.Insert, "kept", 2, "y"))
	f.stage(change(row.Update, "gone", 3, "x"), change(row.Delete, "gone", 4, ""))
	f.stage(change(row.Insert, "gone", 5, "z"), change(row.Delete, "gone", 6, ""))
	v := f.db.View()
	var b store.Batch
	_, done, removed, err := f.table.Trim(v, &b, nil, 100, 0, 1000)
	v.Release()
	if err != nil || !done || removed != 6 {
		t.Fatalf("done %v, removed %d, %v", done, removed, err)
	}
	f.must(f.db.Commit(&b, true))
	v = f.db.View()
	defer v.Release()
	it := v.Scan(f.table.Part, store.Range{})
	n := 0
	for ; it.Next(); n++ {
		t.Logf("left: %q", it.Key())
	}
	f.must(it.Close())
	if n != 2 { // the row that is kept, and the trim floor
		t.Fatalf("%d entries are left, want 2", n)
	}
	if floor, err := f.table.Trimmed(v); err != nil || floor != 6 {
		t.Fatalf("trimmed %d %v", floor, err)
	}
}

func TestTable_TrimOverItsBatch(t *testing.T) {
	f := memory(t)
	for i := range clock.Seq(10) {
		f.stage(change(row.Insert, fmt.Sprint(i), i+1, "x"))
	}
	v := f.db.View()
	defer v.Release()
	var b store.Batch
	at, done, _, err := f.table.Trim(v, &b, nil, 100, 0, 4)
	for !done && err == nil {
		at, done, _, err = f.table.Trim(v, &b, at, 100, 0, 4)
	}
	f.must(err)
	f.must(f.db.Commit(&b, true))
	after := f.db.View()
	defer after.Release()
	if floor, err := f.table.Trimmed(after); err != nil || floor != 10 {
		t.Fatalf("trimmed %d %v", floor, err)
	}
}

// A tombstone outlives its history for as long as it is to be kept, and goes by
// itself; one whose row was inserted again only leaves the list.
func TestTable_TrimKeepsTombstones(t *testing.T) {
	f := memory(t)
	f.stage(change(row.Insert, "old", 1, "x"), change(row.Insert, "young", 2, "y"),
		change(row.Insert, "back", 3, "z"))
	f.stage(change(row.Delete, "old", 4, ""), change(row.Delete, "young", 5, ""),
		change(row.Delete, "back", 6, ""))
	trim := func(keep clock.Seq, limit int, want string) {
		t.Helper()
		var at table.Cursor
		for done := false; !done; {
			v := f.db.View()
			var b store.Batch
			var removed int
			var err error
			at, done, removed, err = f.table.Trim(v, &b, at, 100, keep, limit)
			f.must(err)
			f.must(f.db.Commit(&b, true))
			v.Release()
			if removed > limit {
				t.Fatalf("removed %d of %d", removed, limit)
			}
		}
		v := f.db.View()
		defer v.Release()
		rows, got := f.table.Headers(v, "a", table.Span{}), ""
		for rows.Next() {
			got += fmt.Sprintf("%s:%v ", rows.PK(), rows.Record().Deleted)
		}
		f.must(rows.Close())
		if got != want {
			t.Fatalf("after keeping those from %d on there are %q, want %q", keep, got, want)
		}
	}
	trim(4, 2, "back:true old:true young:true ")
	f.stage(change(row.Insert, "back", 7, "again"))
	trim(5, 1, "back:false young:true ")
	trim(0, 1, "back:false ")
}

func TestTable_Damaged(t *testing.T) {
	f := memory(t)
	f.stage(change(row.Insert, "k", 1, "x"), change(row.Update, "k", 2, "y"))
	f.stage(change(row.Update, "k", 3, "z"))
	var b store.Batch
	b.Delete(f.table.Part, row.VersionKey("a", []byte("k"), 2))
	b.Put(f.table.Part, row.Key("a", []byte("l")), []byte("no record"))
	b.Put(f.table.Part, row.MetaKey("rows"), []byte("no counter"))
	f.must(f.db.Commit(&b, true))
	v := f.db.View()
	defer v.Release()
	if _, _, err := f.table.Get(t.Context(), v, "a", []byte("l")); !fault.Is(err, fault.Corruption) {
		t.Errorf("get: %v", err)
	}
	rows := f.table.Scan(t.Context(), v, "a", table.Span{})
	for rows.Next() {
	}
	if !fault.Is(rows.Err(), fault.Corruption) || !fault.Is(rows.Close(), fault.Corruption) {
		t.Errorf("scan: %v", rows.Err())
	}
	if _, err := f.table.Count(v); !fault.Is(err, fault.Corruption) {
		t.Errorf("count: %v", err)
	}
	c := f.table.Changes(t.Context(), v, "a", 2)
	defer c.Close()
	if !c.Next() {
		t.Fatal("no change")
	}
	if _, _, err := c.Images(); !fault.Is(err, fault.Corruption) {
		t.Errorf("images: %v", err)
	}
}

func TestTable_CountBelowNothing(t *testing.T) {
	f := memory(t)
	v := f.db.View()
	defer v.Release()
	var b store.Batch
	if err := f.table.AddCount(v, &b, -1); !fault.Is(err, fault.Corruption) {
		t.Errorf("got %v", err)
	}
}

func TestTable_LastFiftyReadsFifty(t *testing.T) {
	f := memory(t)
	for i := range clock.Seq(300) {
		f.stage(change(row.Insert, fmt.Sprintf("%d/%03d", i%3, i), i+1, "x"))
	}
	v := f.db.View()
	defer v.Release()
	rows := f.table.Scan(t.Context(), v, "a", table.Span{Lo: []byte("1/"), Hi: []byte("10"), Reverse: true})
	for n := 0; n < 50 && rows.Next(); n++ {
	}
	first := string(rows.PK())
	f.must(rows.Close())
	if rows.Read() != 50 || first != "1/151" {
		t.Fatalf("read %d, the fiftieth is %s", rows.Read(), first)
	}
	if c := f.table.Changes(t.Context(), v, "a", clock.MaxSeq); c.Next() || c.Close() != nil {
		t.Error("there is a change after the last seq")
	}
}
