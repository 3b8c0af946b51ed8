package verify

import (
	"slices"
	"strconv"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// judgeCommit compares a commit as it was told with the one that was made.
func (c *checker) judgeCommit(a arrival) {
	c.inOrder(a.changes)
	if a.seq <= c.lastEnd {
		c.late(a)
		return
	}
	c.skipTo(a.seq-1, true)
	k, ok := c.ledger.at(c.next)
	if !ok {
		t := c.tally
		t.fault(&t.faults.WrongFiltered, int64(len(a.changes)),
			"%s: nothing was committed at %s", c.name, a.seq)
		return
	}
	c.compare(a, k)
	c.advance(k)
}

// late counts events of commits that were judged already.
func (c *checker) late(a arrival) {
	t := c.tally
	for _, m := range a.changes {
		id, _, _ := c.read(m)
		if c.found(id, clock.Seq(m.Seq)) { // it came after all, behind what it precedes
			t.add(&t.faults.Lost, -1)
			t.fault(&t.faults.OutOfOrder, 1, "%s: the %s of row %d with seq %d came late",
				c.name, m.ChangeType, id, m.Seq)
			continue
		}
		t.fault(&t.faults.Duplicated, 1, "%s: the %s of row %d with seq %d came again",
			c.name, m.ChangeType, id, m.Seq)
	}
}

func (c *checker) inOrder(changes []message) {
	for i := 1; i < len(changes); i++ {
		if changes[i].Seq <= changes[i-1].Seq {
			c.tally.fault(&c.tally.faults.OutOfOrder, 1, "%s: seq %d came behind %d in one commit",
				c.name, changes[i].Seq, changes[i-1].Seq)
		}
	}
}

// appended returns the row after and before an append, put together from what
// was there. One that does not fit gives a row that no query shows.
func (c *checker) appended(id int64, a *wire.Append) (after, before []string) {
	before, _ = c.query.shows(c.owner, id, c.state[id])
	at := slices.Index(c.query.columns, a.Column)
	if before == nil || at < 0 || len(before[at]) != a.Offset {
		return nil, nil
	}
	after = slices.Clone(before)
	after[at] += a.Text
	c.tally.add(&c.tally.appends, 1)
	return after, before
}

// read returns the key of a change's row, and the row after and before it.
func (c *checker) read(m message) (id int64, after, before []string) {
	from := m.OldValues
	if len(m.Rows) > 0 {
		from = m.Rows
		after = m.Rows[0].texts(c.query.columns)
	}
	if len(m.OldValues) > 0 && m.ChangeType != wire.Insert {
		before = m.OldValues[0].texts(c.query.columns)
		if m.ChangeType == wire.Update { // what it lacks did not change
			for i, name := range c.query.columns {
				if _, has := m.OldValues[0][name]; !has && after != nil {
					before[i] = after[i]
				}
			}
		}
	}
	if len(from) > 0 {
		id, _ = strconv.ParseInt(from[0].text("id"), 10, 64) // 0 is no row: it is told as wrong
	}
	if m.Append != nil {
		after, before = c.appended(id, m.Append)
	}
	return id, after, before
}

func (c *checker) compare(a arrival, k commit) {
	t := c.tally
	t.add(&t.events, int64(len(a.changes)))
	want := c.expected(k)
	told := map[int64]bool{}
	for _, m := range a.changes {
		id, row, old := c.read(m)
		e, ok := want[id]
		switch {
		case told[id]:
			t.fault(&t.faults.Duplicated, 1, "%s: row %d came twice in the commit that ends at %s",
				c.name, id, k.end)
			continue
		case clock.Seq(m.Seq) <= c.lastEnd:
			c.late(arrival{changes: []message{m}})
			continue
		case !ok:
			t.fault(&t.faults.WrongFiltered, 1, "%s: the %s of row %d (%v, before %v) is none of this query",
				c.name, m.ChangeType, id, row, old)
		case m.ChangeType != e.kind || m.Reason != string(e.reason):
			t.fault(&t.faults.WrongFiltered, 1, "%s: row %d came as %s %q, it is %s %q",
				c.name, id, m.ChangeType, m.Reason, e.kind, e.reason)
		case !slices.Equal(row, e.row) || !slices.Equal(old, e.old):
			t.fault(&t.faults.WrongValues, 1, "%s: row %d came as %v, before %v; it is %v, before %v",
				c.name, id, row, old, e.row, e.old)
		}
		told[id] = ok
		if ok {
			t.latency(a.at.Sub(k.sent), a.steady.Before(k.sent))
		}
	}
	for id, e := range want {
		if !told[id] {
			c.lose(k, id, e)
		}
	}
}
