package apply_test

import (
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/manifest"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

func txAt(began clock.Seq) command.Tx { return command.Tx{Began: began, Salt: uint64(began) * 7} }

func put(op row.Op, pk string, expect clock.Seq, add ...row.Entry) command.Write {
	return command.Write{Table: tableID, Schema: 1, Op: op, User: "u", PK: []byte(pk),
		Expect: expect, Payload: []byte("p"), Add: add}
}

func uniqueEntry(of string) row.Entry {
	return row.Entry{Index: uniq, Unique: true, Columns: []byte("=" + of)}
}

func writes(w ...command.Write) *command.Command {
	return &command.Command{Shard: shard, Writes: w}
}

func (x *indexed) prepare(tx command.Tx, c *command.Command) apply.Outcome {
	x.t.Helper()
	c.Prepare = &command.Prepare{Tx: tx}
	return x.commit(c)[0]
}

func (x *indexed) resolve(tx command.Tx, commit bool) apply.Outcome {
	x.t.Helper()
	out := x.commit(&command.Command{Shard: shard, Resolve: &command.Resolve{Tx: tx, Commit: commit,
		Parts: []command.Part{{Shard: shard, Seq: 1}, {Shard: 2, Seq: 9}}}})[0]
	x.must(out.Err)
	return out
}

// TestIntent_Locks tries all that an intent keeps others from, before and after a
// restart, and that all of it may be done once the intent is resolved.
func TestIntent_Locks(t *testing.T) {
	fence := func(f command.Fence) *command.Command {
		f.Table, f.Partition, f.Min = tableID, "user.a.b.100.1", max(f.Min, 1)
		return &command.Command{Shard: shard, Fences: []command.Fence{f}}
	}
	for _, commit := range []bool{false, true} {
		x := newIndexed(t)
		there := x.commit(writes(put(row.Insert, "there", 0, uniqueEntry("a"))))[0]
		x.must(there.Err)
		change := put(row.Update, "there", there.Seq, uniqueEntry("b"))
		change.Remove = []row.Entry{uniqueEntry("a")}
		tx := txAt(there.Seq)
		c := writes(change, put(row.Insert, "new", 0))
		c.Request = &command.Request{ID: "r", Hash: 1, Result: []byte("first")}
		prepared := x.prepare(tx, c)
		x.must(prepared.Err)
		if again := x.prepare(tx, c); again.Err != nil || again.Seq != prepared.Seq {
			t.Fatalf("preparing twice gave %+v", again)
		}
		x.reopen()

		tail := appendText("u", "there", "more")
		request := writes()
		request.Request = &command.Request{ID: "r", Hash: 1}
		attempts := map[string]*command.Command{
			"another insert of a row":     writes(put(row.Insert, "new", 0)),
			"an update":                   writes(put(row.Update, "there", there.Seq)),
			"a delete":                    writes(put(row.Delete, "there", there.Seq)),
			"a check":                     writes(put(command.Check, "there", there.Seq)),
			"an append":                   writes(tail),
			"a value that is being taken": writes(put(row.Insert, "x", 0, uniqueEntry("b"))),
			"a value that is being given": writes(put(row.Insert, "y", 0, uniqueEntry("a"))),
			"the same request":            request,
			"a new schema":                fence(command.Fence{Min: 2}),
			"the end of the table":        fence(command.Fence{Dropped: true}),
			"the end of an index": {Shard: shard,
				Indexes: []command.Index{{Table: tableID, Index: uniq, Gone: true}}},
		}
		for name, c := range attempts {
			if out := x.commit(c)[0]; !out.Locked || !fault.Is(out.Err, fault.TransactionConflict) {
				t.Errorf("%s gave %+v", name, out)
			}
		}
		if out := x.prepare(txAt(there.Seq+1), attempts["an update"]); !out.Locked {
			t.Errorf("another transaction gave %+v", out)
		}
		x.must(x.commit(writes(put(row.Insert, "other", 0, uniqueEntry("c"))))[0].Err)
		x.must(x.commit(fence(command.Fence{}))[0].Err) // says nothing new
		x.must(x.prepare(txAt(there.Seq+2), writes(put(row.Insert, "elsewhere", 0))).Err)
		out := x.resolve(tx, commit)
		for _, w := range []command.Write{
			put(command.Check, "new", map[bool]clock.Seq{true: out.Seq}[commit]),
			put(row.Insert, "z", 0, uniqueEntry(map[bool]string{false: "b", true: "a"}[commit])),
		} {
			if out := x.commit(writes(w))[0]; out.Err != nil {
				t.Errorf("%s gave %+v afterwards, committed %v", w.PK, out, commit)
			}
		}
		x.resolve(txAt(there.Seq+2), false)
		if want := map[bool]int{true: 2}[commit]; len(out.Changes) != want {
			t.Errorf("resolving told %d changes, want %d", len(out.Changes), want)
		}
		if again := x.resolve(tx, commit); !again.Repeat || again.Seq != out.Seq ||
			len(again.Changes) > 0 {
			t.Errorf("resolving again gave %+v", again)
		}
		if late := x.prepare(tx, c); late.Err == nil || late.Locked {
			t.Errorf("preparing what is resolved gave %+v", late)
		}
		if out := x.commit(request)[0]; out.Repeat != commit || out.Err != nil {
			t.Errorf("the request again gave %+v, committed %v", out, commit)
		}
		attempts["an update"].Prepare = nil
		for _, name := range []string{"a new schema", "the end of an index", "the end of the table"} {
			if out := x.commit(attempts[name])[0]; out.Err != nil {
				t.Errorf("%s gave %+v afterwards", name, out)
			}
		}
	}
}

// TestIntent_Late prepares what was given up, and what is too old.
func TestIntent_Late(t *testing.T) {
	x := newIndexed(t)
	now := clock.SeqAt(time.Now())
	given := txAt(now)
	x.resolve(given, false)
	if out := x.prepare(given, writes(put(row.Insert, "k", 0))); out.Err == nil || out.Locked {
		t.Fatalf("preparing what was given up gave %+v", out)
	}
	after := clock.SeqAt(time.Now().Add(2 * time.Minute))
	x.must(x.commit(&command.Command{Shard: shard, Clock: after})[0].Err)
	for i := range 9 { // by which the record of the first goes
		tx := txAt(after + clock.Seq(i))
		x.must(x.prepare(tx, writes(put(row.Insert, string(rune('a'+i)), 0))).Err)
		x.resolve(tx, true)
	}
	part, err := x.m.Partition(shard)
	x.must(err)
	v := x.db.View()
	defer v.Release()
	if _, found, err := v.Get(part, append([]byte("r"), given.Key()...)); found || err != nil {
		t.Errorf("what can't come again is remembered: %v", err)
	}
	if out := x.prepare(given, writes(put(row.Insert, "k", 0))); !out.Locked || out.Seq < after {
		t.Errorf("preparing what is forgotten gave %+v", out)
	}
}

func TestDecide(t *testing.T) {
	x := newIndexed(t)
	now := clock.SeqAt(time.Now())
	decide := func(at clock.Seq, d command.Decide) *apply.Decision {
		t.Helper()
		out := x.commit(&command.Command{Shard: ident.SystemShard, Clock: at, Decide: &d})[0]
		x.must(out.Err)
		return out.Decision
	}
	parts := []command.Part{{Shard: 1, Seq: 5}}
	yes, no := txAt(now), txAt(now+1)
	if d := decide(now, command.Decide{Tx: yes, Commit: true, Parts: parts}); !d.Commit {
		t.Fatalf("the first to decide was told %+v", d)
	}
	if d := decide(now, command.Decide{Tx: yes}); !d.Commit || len(d.Parts) != 1 {
		t.Fatalf("who comes later was told %+v", d)
	}
	if d := decide(now, command.Decide{Tx: no}); d.Commit {
		t.Fatalf("who gives up was told %+v", d)
	}
	if d := decide(now, command.Decide{Tx: no, Commit: true, Parts: parts}); d.Commit || d.Forgotten {
		t.Fatalf("who comes to commit later was told %+v", d)
	}
	later := clock.SeqAt(time.Now().Add(2 * time.Minute))
	decide(later, command.Decide{Tx: txAt(later)}) // by which the abort goes
	decide(later, command.Decide{Tx: txAt(later + 1)})
	v := x.db.View()
	list, err := x.m.Decisions(v, 0, 10)
	v.Release()
	x.must(err)
	if len(list) != 3 || list[0].Tx != yes || !list[0].Commit {
		t.Fatalf("these decisions stand: %+v", list)
	}
	if d := decide(later, command.Decide{Tx: yes}); !d.Commit {
		t.Fatalf("a commit was forgotten: %+v", d)
	}
	if d := decide(later, command.Decide{Tx: no, Commit: true, Parts: parts}); d.Commit || !d.Forgotten {
		t.Fatalf("a decision that is too late is %+v", d)
	}
	decide(later, command.Decide{Resolved: []command.Tx{yes}})
	if d := decide(later, command.Decide{Tx: yes, Commit: true}); d.Commit || !d.Forgotten {
		t.Fatalf("what was forgotten is decided again: %+v", d)
	}
	x.must(x.commit(&command.Command{Shard: ident.SystemShard, Decide: &command.Decide{Tx: yes}})[0].Err)
	if out := x.commit(&command.Command{Shard: shard, Decide: &command.Decide{Tx: yes}})[0]; out.Err == nil {
		t.Fatal("a shard of users decided")
	}
}

// TestIntent_KeepsWhatItMet commits changes of rows that have expired since, or
// would have become cold.
func TestIntent_KeepsWhatItMet(t *testing.T) {
	x := newIndexed(t)
	x.must(x.commit(&command.Command{Shard: shard, Fences: []command.Fence{
		{Table: tableID, Partition: "user.a.b.100.1", Min: 1, TTL: time.Minute}}})[0].Err)
	start := time.Now()
	c := writes(putText(t, row.Insert, "u", "k", 1, value.NewText("one"), 0))
	c.Clock = clock.SeqAt(start)
	first := x.commit(c)[0]
	x.must(first.Err)
	tx := txAt(first.Seq)
	x.must(x.prepare(tx, writes(appendText("u", "k", " two"))).Err)
	late := clock.SeqAt(start.Add(time.Hour))
	out := x.commit(&command.Command{Shard: shard, Clock: late,
		Trim: &command.Trim{Table: tableID, Below: late, Limit: 100}})[0]
	if out.Err != nil || out.Trim.Removed != 0 {
		t.Fatalf("a trim took what an intent has met: %+v", out)
	}
	x.nextState(manifest.Pending)
	x.nextState(manifest.There)
	swap := command.Swap{Table: tableID, Swap: table.Swap{User: "u", Segment: segment,
		Rows: []table.Moved{{PK: []byte("k"), Seq: first.Seq}}}}
	swapped := x.commit(&command.Command{Shard: shard, Swaps: []command.Swap{swap}})[0]
	if swapped.Err != nil || swapped.Swapped != 0 {
		t.Fatalf("a row that an intent has met became cold: %+v", swapped)
	}
	if out := x.resolve(tx, true); len(out.Changes) != 1 {
		t.Fatalf("the commit gave %+v", out)
	}
	if got := x.textOf("u", "k"); got != "1:one two" {
		t.Fatalf("the row is %q", got)
	}
}

// TestIntent_DroppedBatch keeps an intent whose end was lost with its batch.
func TestIntent_DroppedBatch(t *testing.T) {
	x := newIndexed(t)
	tx := txAt(5)
	x.must(x.prepare(tx, writes(put(row.Insert, "k", 0))).Err)
	v := x.db.View()
	b := new(store.Batch)
	_, err := x.m.Apply(b, v, []*command.Command{{Shard: shard,
		Resolve: &command.Resolve{Tx: tx}}})
	x.must(err)
	x.must(x.m.Reload(v))
	v.Release()
	if out := x.commit(writes(put(row.Insert, "k", 0)))[0]; !out.Locked {
		t.Fatalf("the lock is gone: %+v", out)
	}
}
