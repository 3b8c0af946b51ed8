package apply_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/storetest"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// The versions of a table: a text, the text behind a number, the number only.
var versions = []*row.Schema{
	{Version: 1, Codec: serde.Row, IDs: []ident.ColumnID{7}, Kinds: []value.Kind{value.Text}},
	{Version: 2, Codec: serde.JSON, IDs: []ident.ColumnID{8, 7},
		Kinds: []value.Kind{value.Int64, value.Text}},
	{Version: 3, Codec: serde.Row, IDs: []ident.ColumnID{8}, Kinds: []value.Kind{value.Int64}},
}

// rowOf returns a row of a version.
func rowOf(t testing.TB, version int, text value.Value) (*row.Schema, []byte) {
	t.Helper()
	s := versions[version-1]
	vals := make([]value.Value, len(s.IDs))
	for i, id := range s.IDs {
		if vals[i] = value.NewBigInt(5); id == 7 {
			vals[i] = text
		}
	}
	payload, err := s.Encode(vals)
	if err != nil {
		t.Fatal(err)
	}
	return s, payload
}

func putText(t testing.TB, op row.Op, user, pk string, version int, text value.Value,
	expect clock.Seq,
) command.Write {
	s, payload := rowOf(t, version, text)
	return command.Write{Table: tableID, Schema: s.Version, Codec: s.Codec, Op: op,
		User: ident.UserID(user), PK: []byte(pk), Expect: expect, Payload: payload}
}

func appendText(user, pk, text string) command.Write {
	return command.Write{Table: tableID, Schema: 3, Op: row.Append, User: ident.UserID(user),
		PK: []byte(pk), Payload: []byte(text),
		Tail: &row.Tail{Column: 7, Most: 40, Layouts: []row.Layout{
			{Schema: 1, At: 0, Kinds: versions[0].Kinds}, {Schema: 2, At: 1, Kinds: versions[1].Kinds},
		}}}
}

// textOf reads the text of a row, "<none>" without one.
func (x *indexed) textOf(user, pk string) string {
	x.t.Helper()
	v := x.db.View()
	defer v.Release()
	rec, found, err := x.table.Get(context.Background(), v, ident.UserID(user), []byte(pk))
	x.must(err)
	if !found || rec.Deleted {
		return "<none>"
	}
	s := versions[rec.Schema-1]
	vals := make([]value.Value, len(s.IDs))
	x.must(s.Decode(rec, vals))
	for i, id := range s.IDs {
		if id == 7 && !vals[i].IsNull() {
			return fmt.Sprintf("%d:%s", rec.Schema, vals[i].Str())
		}
	}
	return fmt.Sprintf("%d:NULL", rec.Schema)
}

func (x *indexed) write(w command.Write) apply.Outcome {
	x.t.Helper()
	return x.commit(&command.Command{Shard: shard, Writes: []command.Write{w}})[0]
}

func TestApply_Append(t *testing.T) {
	x := newIndexed(t)
	for i, text := range []value.Value{
		value.NewText("ü"), value.NewText("b"), value.NewText("c"), value.NullValue,
	} {
		version := min(i+1, 3)
		if text.IsNull() {
			version = 1
		}
		x.must(x.write(putText(t, row.Insert, "u", fmt.Sprint(i), version, text, 0)).Err)
	}
	out := x.write(appendText("u", "0", "ß"))
	if out.Err != nil || len(out.Changes) != 1 ||
		out.Changes[0].New.Run != 7 || out.Changes[0].Old == nil ||
		out.Changes[0].Op != row.Append || out.Changes[0].Seq != out.Seq {
		t.Fatalf("the outcome is %+v", out)
	}
	x.must(x.write(appendText("u", "1", "!")).Err)
	for pk, want := range map[string]string{"0": "1:üß", "1": "2:b!"} {
		if got := x.textOf("u", pk); got != want {
			t.Errorf("row %s is %s, want %s", pk, got, want)
		}
	}
	for what, pk := range map[string]string{
		"a row of a version without the text": "2", "a row without a text": "3", "no row": "9",
	} {
		before := x.textOf("u", pk)
		out := x.write(appendText("u", pk, "x"))
		if !out.Reread || !fault.Is(out.Err, fault.TransactionConflict) || x.textOf("u", pk) != before {
			t.Errorf("%s: %+v", what, out)
		}
	}
	out = x.write(appendText("u", "0", "0123456789012345678901234567890123456"))
	if !fault.Is(out.Err, fault.ValueOutOfRange) || x.textOf("u", "0") != "1:üß" {
		t.Errorf("a text that gets too long: %v", out.Err)
	}
	w := appendText("u", "0", "x")
	w.Tail = nil
	if out := x.write(w); !fault.Is(out.Err, fault.Internal) {
		t.Errorf("an append to nothing: %v", out.Err)
	}
}

// TestApply_AppendToExpired meets a row whose time is over.
func TestApply_AppendToExpired(t *testing.T) {
	x := newIndexed(t)
	begin := clock.SeqAt(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	at := func(d time.Duration, w command.Write) apply.Outcome {
		return x.commit(&command.Command{Shard: shard, Clock: begin + clock.Seq(d.Milliseconds()<<20),
			Writes: []command.Write{w}})[0]
	}
	x.commit(&command.Command{Shard: shard, Fences: []command.Fence{
		{Table: tableID, Partition: "user.a.b.100.1", Min: 1, TTL: time.Second},
	}})
	x.must(at(0, putText(t, row.Insert, "u", "k", 1, value.NewText("a"), 0)).Err)
	x.must(at(900*time.Millisecond, appendText("u", "k", "b")).Err)
	x.must(at(1800*time.Millisecond, appendText("u", "k", "c")).Err)
	if out := at(3*time.Second, appendText("u", "k", "d")); !out.Reread {
		t.Errorf("an append to a row that has expired: %+v", out)
	}
	x.must(at(3*time.Second, putText(t, row.Insert, "u", "k", 1, value.NewText("z"), 0)).Err)
	x.must(at(3*time.Second, appendText("u", "k", "y")).Err)
	if got := x.textOf("u", "k"); got != "1:zy" {
		t.Errorf("the row is %s", got)
	}
}

// TestApply_AppendsAreDeterministic applies one log to two machines, as it is
// and as it is read back, in batches of different sizes: all bytes are the same.
func TestApply_AppendsAreDeterministic(t *testing.T) {
	one, two := newIndexed(t), newIndexed(t)
	r := rand.New(rand.NewPCG(uint64(one.r.Int64()), 1))
	texts := map[string]string{} // by user and key
	var log []*command.Command
	for range 300 {
		user, pk := one.letter("uv"), one.letter("klm")
		text := []string{"", "a", "grüß ", "日本"}[r.IntN(4)]
		w := appendText(user, pk, text)
		old, found := texts[user+pk]
		switch {
		case !found:
			w = putText(t, row.Insert, user, pk, 1+r.IntN(2), value.NewText(text), 0)
			old = ""
		case r.IntN(6) == 0:
			v := one.db.View()
			rec, _, err := one.table.Get(context.Background(), v, ident.UserID(user), []byte(pk))
			v.Release()
			one.must(err)
			w = putText(t, row.Update, user, pk, 1+r.IntN(2), value.NewText(text), rec.Seq)
			old = ""
		}
		c := &command.Command{Shard: shard, Writes: []command.Write{w}}
		out := one.commit(c)[0]
		if len(old)+len(text) > 40 {
			if !fault.Is(out.Err, fault.ValueOutOfRange) {
				t.Fatalf("a text of %d bytes: %v", len(old)+len(text), out.Err)
			}
		} else {
			one.must(out.Err)
			texts[user+pk] = old + text
		}
		again, err := command.Parse(c.Append(nil))
		one.must(err)
		log = append(log, again)
	}
	for len(log) > 0 {
		n := 1 + r.IntN(min(len(log), 20))
		two.commit(log[:n]...)
		log = log[n:]
	}
	for k, want := range texts {
		if got := one.textOf(k[:1], k[1:]); got[2:] != want {
			t.Errorf("row %s is %s, want %s", k, got, want)
		}
	}
	if a, b := one.bytes(), two.bytes(); !reflect.DeepEqual(a, b) {
		t.Errorf("the machines differ:\n%v\n%v", a, b)
	}
}

// bytes returns all keys and values of the table.
func (x *indexed) bytes() (all []string) {
	v := x.db.View()
	defer v.Release()
	it := v.Scan(x.table.Part, store.Range{})
	for it.Next() {
		all = append(all, fmt.Sprintf("%x %x", it.Key(), it.Value()))
	}
	x.must(it.Close())
	return all
}

// TestApply_AppendKeepsHistorySmall looks at what is stored for each piece.
func TestApply_AppendKeepsHistorySmall(t *testing.T) {
	db := storetest.OpenDB(t, store.Options{Engine: memkv.Name, OpenEngine: memkv.Open, Shards: 1})
	m, err := apply.Open(db)
	if err != nil {
		t.Fatal(err)
	}
	x := &indexed{t: t, db: db, m: m}
	x.commit(&command.Command{Shard: shard, Fences: []command.Fence{
		{Table: tableID, Partition: "user.a.b.100.1", Min: 1},
	}})
	part, _ := db.Partition("user.a.b.100.1")
	x.table = table.Table{Part: part}
	x.must(x.write(putText(t, row.Insert, "u", "k", 1, value.NewText(""), 0)).Err)
	const pieces = 1000
	text := bytes.Repeat([]byte("x"), 100)
	for range pieces {
		w := appendText("u", "k", string(text))
		w.Tail.Most = 1 << 20
		x.must(x.write(w).Err)
	}
	size := 0
	for _, kv := range x.bytes() {
		size += len(kv) / 2
	}
	if whole := pieces * len(text); size > whole+60*pieces {
		t.Errorf("%d bytes are stored for a text of %d in %d pieces", size, whole, pieces)
	}
}
