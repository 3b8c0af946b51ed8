package apply_test

import (
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/apply"
	"github.com/kalamdb/kalamdb-go/core/command"
	"github.com/kalamdb/kalamdb-go/store/row"
)

const ttl = time.Second

// expiring is an indexed table of rows with a TTL, and the time.
type expiring struct {
	*indexed
	now clock.Seq
}

func newExpiring(t *testing.T) *expiring {
	x := &expiring{newIndexed(t), clock.SeqAt(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	x.commit(&command.Command{Shard: shard, Clock: x.now, Fences: []command.Fence{
		{Table: tableID, Partition: "user.a.b.100.1", Min: 1, TTL: ttl},
	}})
	return x
}

// pass lets time go by. What follows happens in this millisecond.
func (x *expiring) pass(d time.Duration) {
	x.now = clock.SeqAt(x.now.Time().Add(d))
	x.commit(&command.Command{Shard: shard, Clock: x.now})
	x.expired = clock.ExpiredBelow(x.now.Time(), ttl)
	for k, i := range x.rows {
		if i.seq < x.expired {
			delete(x.rows, k)
		}
	}
}

// evict removes what has expired, in pieces, and returns how many commands that
// took.
func (x *expiring) evict(limit int) (commands int) {
	var at []byte
	for {
		out := x.commit(&command.Command{Shard: shard, Clock: x.now,
			Trim: &command.Trim{Table: tableID, Cursor: at, Below: clock.MaxSeq, Limit: limit}})[0]
		x.must(out.Err)
		if commands++; out.Trim.Done {
			return commands
		}
		at = out.Trim.Cursor
	}
}

// fill adds what the late index lacks of one row.
func (x *expiring) fill() {
	for k, i := range x.rows {
		if i.filled {
			continue
		}
		w := command.Write{Table: tableID, Schema: 1, Op: command.Fill, Expect: i.seq,
			User: ident.UserID(k[:1]), PK: []byte(k[1:]), Add: i.entries(true)[2:]}
		x.must(x.commit(&command.Command{Shard: shard, Clock: x.now, Writes: []command.Write{w}})[0].Err)
		i.filled = true
		x.rows[k] = i
		return
	}
}

// TestMachine_IndexesOfExpiringRows writes rows while others expire and are
// evicted: a unique value is free when its row has expired, and an entry goes
// with its row, whoever removes it.
func TestMachine_IndexesOfExpiringRows(t *testing.T) {
	x := newExpiring(t)
	for i := range 3000 {
		x.late = i > 1000
		x.pass(time.Duration(x.r.IntN(400)) * time.Millisecond)
		x.step()
		if x.late && x.r.IntN(2) == 0 {
			x.fill()
		}
		x.compare()
		if x.r.IntN(5) == 0 {
			x.evict(1 + x.r.IntN(4))
			x.expired = 0 // nothing of what has expired may be left
			x.compare()
		}
	}
}

// TestMachine_FillsAndEvictsInOneBatch evicts a row in the batch in which it got
// an entry.
func TestMachine_FillsAndEvictsInOneBatch(t *testing.T) {
	x := newExpiring(t)
	for len(x.rows) == 0 {
		x.step()
	}
	var cs []*command.Command
	for k, i := range x.rows {
		w := command.Write{Table: tableID, Schema: 1, Op: command.Fill, Expect: i.seq,
			User: ident.UserID(k[:1]), PK: []byte(k[1:]), Add: i.entries(true)[2:]}
		cs = append(cs, &command.Command{Shard: shard, Clock: x.now, Writes: []command.Write{w}})
	}
	x.now = clock.SeqAt(x.now.Time().Add(2 * ttl))
	cs = append(cs, &command.Command{Shard: shard, Clock: x.now,
		Trim: &command.Trim{Table: tableID, Below: clock.MaxSeq, Limit: 100}})
	for _, out := range x.commit(cs...) {
		x.must(out.Err)
	}
	clear(x.rows)
	x.compare()
}

// TestMachine_AppendKeepsEntries evicts a row to which text was appended.
func TestMachine_AppendKeepsEntries(t *testing.T) {
	x := newExpiring(t)
	insert := putText(t, row.Insert, "u", "k", 1, value.NewText("a"), 0)
	insert.Add = item{letters: [2]string{"a", "b"}}.entries(false)
	for _, w := range []command.Write{insert, appendText("u", "k", "b"), appendText("u", "k", "c")} {
		x.pass(ttl / 2)
		var out apply.Outcome
		if out = x.commit(&command.Command{Shard: shard, Clock: x.now,
			Writes: []command.Write{w}})[0]; out.Err != nil {
			t.Fatal(out.Err)
		}
		x.rows["uk"] = item{seq: out.Seq, letters: [2]string{"a", "b"}}
	}
	x.evict(1)
	x.expired = 0
	x.compare()
	x.pass(ttl)
	x.evict(1)
	x.expired = 0
	x.compare()
}
