package apply_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/memkv"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/storetest"
	"github.com/kalamdb/kalamdb-go/store/table"
)

const (
	shard             = ident.ShardID(1)
	tableID           = ident.TableID(100)
	plain, uniq, late = ident.IndexID(1), ident.IndexID(2), ident.IndexID(3)
)

// item is a row of the model: its seq, and one letter for each index. A "" of
// the unique one stands for NULL. Rows have entries of the late index only
// where it is filled or was written since.
type item struct {
	seq     clock.Seq
	letters [2]string
	filled  bool
}

func (i item) entries(filled bool) []row.Entry {
	null := row.Entry{Index: uniq, Columns: []byte("-")}
	out := []row.Entry{{Index: plain, Columns: []byte(i.letters[0])}, null}
	if i.letters[1] != "" {
		out[1] = row.Entry{Index: uniq, Unique: true, Columns: []byte("=" + i.letters[1])}
	}
	if filled {
		out = append(out, row.Entry{Index: late, Columns: []byte(i.letters[0] + i.letters[1] + "!")})
	}
	return out
}

// indexed is a machine and what its table should hold.
type indexed struct {
	t     *testing.T
	r     *rand.Rand
	db    *store.DB
	m     *apply.Machine
	rows  map[string]item // by user and key
	table table.Table
	late  bool // the late index is kept

	expired clock.Seq // rows below are gone, though they may still be stored
}

func newIndexed(t *testing.T) *indexed {
	db := storetest.OpenDB(t, store.Options{Engine: memkv.Name, OpenEngine: memkv.Open, Shards: 1})
	m, err := apply.Open(db)
	if err != nil {
		t.Fatal(err)
	}
	x := &indexed{t: t, r: storetest.Seed(t), db: db, m: m, rows: map[string]item{}}
	x.commit(&command.Command{Shard: shard, Fences: []command.Fence{
		{Table: tableID, Partition: "user.a.b.100.1", Min: 1},
	}})
	part, _ := db.Partition("user.a.b.100.1")
	x.table = table.Table{Part: part}
	return x
}

// commit applies commands in one batch and returns their outcomes.
func (x *indexed) commit(cs ...*command.Command) []apply.Outcome {
	x.t.Helper()
	v := x.db.View()
	defer v.Release()
	b := new(store.Batch)
	var outs []apply.Outcome
	for _, c := range cs {
		out, err := x.m.Apply(b, v, []*command.Command{c})
		x.must(err)
		outs = append(outs, out...)
	}
	x.must(x.m.Seal(b, v))
	x.must(x.db.Commit(b, true))
	return outs
}

func (x *indexed) must(err error) {
	x.t.Helper()
	if err != nil {
		x.t.Fatal(err)
	}
}

func (x *indexed) letter(of string) string { return string(of[x.r.IntN(len(of))]) }

// random returns a command and what the rows are after it, nil when it has to
// be refused.
func (x *indexed) random(rows map[string]item) (*command.Command, map[string]item) {
	c := &command.Command{Shard: shard}
	next := maps.Clone(rows)
	for range 1 + x.r.IntN(3) {
		user, pk := x.letter("uv"), x.letter("klmno")
		if slices.ContainsFunc(c.Writes, func(w command.Write) bool {
			return string(w.User)+string(w.PK) == user+pk
		}) {
			continue
		}
		old, found := rows[user+pk]
		w := command.Write{Table: tableID, Schema: 1, Codec: serde.Row, Op: row.Insert,
			User: ident.UserID(user), PK: []byte(pk), Expect: old.seq}
		if found {
			w.Op, w.Remove = row.Update, old.entries(old.filled)
			if x.r.IntN(3) == 0 {
				w.Op = row.Delete
			}
		}
		fresh := item{letters: [2]string{x.letter("ab"), x.letter("abcd")}, filled: x.late}
		if x.r.IntN(4) == 0 {
			fresh.letters[1] = ""
		}
		if w.Op == row.Delete {
			delete(next, user+pk)
		} else {
			w.Payload = []byte(fresh.letters[0] + fresh.letters[1])
			w.Add, next[user+pk] = fresh.entries(x.late), fresh
		}
		c.Writes = append(c.Writes, w)
	}
	taken := map[string]bool{}
	for k, i := range next {
		if h := k[:1] + i.letters[1]; i.letters[1] != "" {
			if taken[h] {
				return c, nil
			}
			taken[h] = true
		}
	}
	return c, next
}

// step commits a batch of commands, each planned on the model after those
// before it.
func (x *indexed) step() {
	var cs []*command.Command
	var want []map[string]item
	rows := x.rows
	// The seqs of rows written in the batch are not known before it, so each row
	// is written once in it.
	seen := map[string]bool{}
	for range 1 + x.r.IntN(3) {
		c, next := x.random(rows)
		again := false
		for _, w := range c.Writes {
			again = again || seen[string(w.User)+string(w.PK)]
		}
		if again {
			continue
		}
		for _, w := range c.Writes {
			seen[string(w.User)+string(w.PK)] = true
		}
		cs, want = append(cs, c), append(want, next)
		if next != nil {
			rows = next
		}
	}
	for i, out := range x.commit(cs...) {
		switch {
		case want[i] == nil && (!fault.Is(out.Err, fault.DuplicateKey) || out.Violated == nil ||
			out.Violated.Index != uniq):
			x.t.Fatalf("%+v was not refused: %+v", cs[i], out)
		case want[i] != nil && out.Err != nil:
			x.t.Fatalf("%+v was refused: %v", cs[i], out.Err)
		}
		for _, ch := range out.Changes {
			k := string(ch.User) + string(ch.PK)
			if it, ok := rows[k]; ok {
				it.seq = ch.Seq
				rows[k] = it
			}
		}
	}
	x.rows = rows
}

// compare reads every index and compares it with the rows.
func (x *indexed) compare() {
	x.t.Helper()
	v := x.db.View()
	defer v.Release()
	for _, user := range []string{"u", "v"} {
		for _, id := range []ident.IndexID{plain, uniq, late} {
			var want []string
			for k, i := range x.rows {
				for _, e := range i.entries(i.filled) {
					if k[:1] == user && e.Index == id {
						want = append(want, fmt.Sprintf("%s %s", e.Columns, k[1:]))
					}
				}
			}
			slices.Sort(want)
			reverse := x.r.IntN(2) == 0
			if reverse {
				slices.Reverse(want)
			}
			var got []string
			rows := x.table.RowsByIndex(context.Background(), v, ident.UserID(user), id, table.Span{Reverse: reverse})
			for rows.Next() {
				if rows.Record().Seq < x.expired {
					continue
				}
				got = append(got, fmt.Sprintf("%s %s", rows.Columns(), rows.PK()))
				if it := x.rows[user+string(rows.PK())]; rows.Record().Seq != it.seq {
					x.t.Fatalf("row %s has seq %d, want %+v", rows.PK(), rows.Record().Seq, it)
				}
			}
			x.must(rows.Close())
			if !slices.Equal(got, want) {
				x.t.Fatalf("index %d of %s: %v, want %v", id, user, got, want)
			}
		}
	}
}

func TestMachine_IndexesAgainstModel(t *testing.T) {
	x := newIndexed(t)
	for range 2000 {
		x.step()
		x.compare()
	}
}

// TestMachine_BuildsAnIndexUnderWrites fills an index that rows before it lack,
// while others are written.
func TestMachine_BuildsAnIndexUnderWrites(t *testing.T) {
	x := newIndexed(t)
	for range 20 {
		x.step()
	}
	for range 50 {
		x.late = true
		todo := maps.Clone(x.rows)
		for k, i := range todo {
			x.step()
			w := command.Write{Table: tableID, Schema: 1, Op: command.Fill, Expect: i.seq,
				User: ident.UserID(k[:1]), PK: []byte(k[1:]), Add: i.entries(true)[2:]}
			out := x.commit(&command.Command{Shard: shard, Writes: []command.Write{w}})
			if out[0].Err != nil || len(out[0].Changes) > 0 {
				t.Fatalf("a fill gives %+v", out[0])
			}
			if now, ok := x.rows[k]; ok && now.seq == i.seq {
				now.filled = true
				x.rows[k] = now
			}
			x.compare()
		}
		for k, i := range x.rows {
			if !i.filled {
				t.Fatalf("row %s has no entry after the build", k)
			}
		}
		x.complete(false)
		x.commit(&command.Command{Shard: shard, Indexes: []command.Index{{Table: tableID, Index: late}}})
		x.complete(true)
		x.commit(&command.Command{Shard: shard,
			Indexes: []command.Index{{Table: tableID, Index: late, Gone: true}}})
		x.complete(false)
		x.late = false
		for k, i := range x.rows {
			i.filled = false
			x.rows[k] = i
		}
		x.compare()
	}
}

func (x *indexed) complete(want bool) {
	x.t.Helper()
	v := x.db.View()
	defer v.Release()
	if got, err := x.table.IndexComplete(v, late); err != nil || got != want {
		x.t.Fatalf("complete: %v %v, want %v", got, err, want)
	}
}

func TestMachine_RefusesSameUniqueEntries(t *testing.T) {
	x := newIndexed(t)
	insert := func(pk, letter string) command.Write {
		return command.Write{Table: tableID, Schema: 1, Codec: serde.Row, Op: row.Insert, User: "u",
			PK: []byte(pk), Add: []row.Entry{{Index: uniq, Unique: true, Columns: []byte(letter)}}}
	}
	one := func(w ...command.Write) *command.Command {
		return &command.Command{Shard: shard, Writes: w}
	}
	outs := x.commit(one(insert("k", "a"), insert("l", "a")), one(insert("k", "a")),
		one(insert("l", "a")), one(insert("l", "b")))
	for i, refused := range []bool{true, false, true, false} {
		if fault.Is(outs[i].Err, fault.DuplicateKey) != refused {
			t.Errorf("command %d: %v", i, outs[i].Err)
		}
	}
	if v := outs[2].Violated; v == nil || string(v.Owner) != "k" || string(v.Writer) != "l" {
		t.Errorf("the violation is %+v", v)
	}
	change := func(pk, from, to string, seq clock.Seq) command.Write {
		w := insert(pk, to)
		w.Op, w.Expect = row.Update, seq
		w.Remove = []row.Entry{{Index: uniq, Unique: true, Columns: []byte(from)}}
		return w
	}
	k, l := outs[1].Seq, outs[3].Seq
	outs = x.commit(one(change("k", "a", "b", k)), one(change("k", "a", "b", k), change("l", "b", "a", l)))
	if !fault.Is(outs[0].Err, fault.DuplicateKey) || outs[1].Err != nil {
		t.Errorf("a clash gives %v, an exchange %v", outs[0].Err, outs[1].Err)
	}
}
