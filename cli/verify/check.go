package verify

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// message is what a checker reads of a message of the server.
type message struct {
	Type           wire.Type         `json:"type"`
	SubscriptionID string            `json:"subscription_id"`
	ChangeType     wire.ChangeType   `json:"change_type"`
	Reason         string            `json:"reason"`
	Rows           []row             `json:"rows"`
	OldValues      []row             `json:"old_values"`
	Seq            wire.Seq          `json:"seq"`
	Commit         bool              `json:"commit"`
	Append         *wire.Append      `json:"append"`
	BatchControl   wire.BatchControl `json:"batch_control"`
	Code           string            `json:"code"`
	Message        string            `json:"message"`
}

// row is a row by column name.
type row map[string]json.RawMessage

// text returns a value as query.shows does; "" for one that is not there.
func (r row) text(column string) string {
	raw := string(r[column])
	if raw == "null" {
		return null
	}
	return strings.Trim(raw, `"`)
}

func (r row) texts(columns []string) []string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = r.text(c)
	}
	return out
}

// arrival is a whole thing that came: a snapshot, a commit or a progress. It is
// judged when the ledger knows all that was committed up to its seq.
type arrival struct {
	seq      clock.Seq
	at       time.Time
	steady   time.Time // since when the connection was left alone
	changes  []message // of a commit, in their order; empty for a progress
	snapshot []row     // nil but for a snapshot
}

// checker compares what one subscription is told with a ledger. It is safe for
// concurrent use.
type checker struct {
	name   string // for descriptions
	owner  string
	query  *query
	ledger *ledger
	tally  *tally

	mu      sync.Mutex
	waiting []arrival
	commit  []message // that is arriving
	rows    []row     // snapshot that is arriving
	cursor  clock.Seq // to resume from; 0 for none

	state   map[int64]*record // after the commits that were judged
	lastEnd clock.Seq         // end of the last of them
	missed  map[int64][]span  // events that were counted as lost, by row
	next    int               // number of the first commit that was not judged
}

func newChecker(name, owner string, q *query, l *ledger, t *tally) *checker {
	c := &checker{name: name, owner: owner, query: q, ledger: l, tally: t,
		state: map[int64]*record{}, missed: map[int64][]span{}}
	l.read(c, 0)
	return c
}

// open begins on a new connection, and returns the cursor to resume from: 0 for
// a snapshot, also when anew asks for one.
func (c *checker) open(anew bool) clock.Seq {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commit, c.rows = nil, nil
	if anew {
		c.cursor = 0
	}
	return c.cursor
}

// take takes a message about the subscription. ready is true when it was the
// end of a snapshot.
func (c *checker) take(m message, at, steady time.Time) (ready bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch m.Type {
	case wire.TypeInitialData:
		ready = c.takeBatch(m, at, steady)
	case wire.TypeChange:
		c.commit = append(c.commit, m)
		if m.Commit {
			c.arrive(arrival{seq: clock.Seq(m.Seq), at: at, steady: steady, changes: c.commit})
			c.commit = nil
		}
	case wire.TypeProgress:
		if len(c.commit) > 0 {
			c.tally.fault(&c.tally.faults.OutOfOrder, 1, "%s: a progress inside a commit", c.name)
		}
		c.arrive(arrival{seq: clock.Seq(m.Seq), at: at})
	case wire.TypeResync:
		c.tally.add(&c.tally.resyncs, 1)
		c.commit, c.rows, c.cursor = nil, nil, 0
	}
	c.judgeLocked()
	return ready
}

func (c *checker) takeBatch(m message, at, steady time.Time) (ready bool) {
	resumed := c.cursor > 0
	c.rows = append(c.rows, m.Rows...)
	if m.BatchControl.Status != wire.Ready {
		return false
	}
	a := arrival{at: at, steady: steady, snapshot: c.rows}
	c.rows = nil
	if p := m.BatchControl.LastSeqID; p != nil {
		a.seq = clock.Seq(*p)
	}
	if resumed {
		if n := len(a.snapshot); n > 0 {
			c.tally.fault(&c.tally.faults.Duplicated, int64(n), "%s: a resume brought %d rows", c.name, n)
		}
		return true
	}
	if a.snapshot == nil {
		a.snapshot = []row{}
	}
	c.arrive(a)
	return true
}

func (c *checker) arrive(a arrival) {
	c.cursor = max(c.cursor, a.seq)
	c.waiting = append(c.waiting, a)
}

// judgeLocked judges what the ledger knows enough about.
func (c *checker) judgeLocked() {
	for len(c.waiting) > 0 && c.ledger.knows(c.waiting[0].seq) {
		a := c.waiting[0]
		c.waiting[0] = arrival{}
		c.waiting = c.waiting[1:]
		switch {
		case a.snapshot != nil:
			c.judgeSnapshot(a)
		case len(a.changes) == 0:
			c.skipTo(a.seq, true)
		default:
			c.judgeCommit(a)
		}
	}
	if len(c.waiting) == 0 {
		c.waiting = nil
	}
	c.ledger.read(c, c.next)
}

// finish judges what is left when nothing comes any more.
func (c *checker) finish() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.judgeLocked()
	c.skipTo(clock.MaxSeq, true)
}

// reached judges what can be judged, and returns how many commits were.
func (c *checker) reached() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.judgeLocked()
	return c.next
}

// advance goes over the next commit.
func (c *checker) advance(k commit) {
	for _, ch := range k.changes {
		if ch.new == nil {
			delete(c.state, ch.id)
		} else {
			c.state[ch.id] = ch.new
		}
	}
	c.lastEnd = k.end
	c.next++
}

// skipTo goes over the commits that end at seq or before. What they had to
// tell is lost when told is true.
func (c *checker) skipTo(seq clock.Seq, told bool) {
	for {
		k, ok := c.ledger.at(c.next)
		if !ok || k.end > seq {
			return
		}
		if told {
			for id, e := range c.expected(k) {
				c.lose(k, id, e)
			}
		}
		c.advance(k)
	}
}

// expected returns the events of a commit by the key of their row.
func (c *checker) expected(k commit) map[int64]event {
	out := map[int64]event{}
	for _, ch := range k.changes {
		if e, ok := c.query.event(c.owner, ch); ok {
			out[ch.id] = e
		}
	}
	return out
}

func (c *checker) lose(k commit, id int64, e event) {
	c.missed[id] = append(c.missed[id], span{k.end - clock.Seq(len(k.changes)), k.end})
	c.tally.fault(&c.tally.faults.Lost, 1, "%s: no %s of row %d in the commit that ends at %s",
		c.name, e.kind, id, k.end)
}

// span is the seqs of a commit: behind the first, up to the last.
type span struct{ first, last clock.Seq }

// found reports whether an event was counted as lost, and forgets that.
func (c *checker) found(id int64, seq clock.Seq) bool {
	all := c.missed[id]
	i := slices.IndexFunc(all, func(s span) bool { return s.first < seq && seq <= s.last })
	if i >= 0 {
		c.missed[id] = slices.Delete(all, i, i+1)
	}
	return i >= 0
}

func (c *checker) judgeSnapshot(a arrival) {
	c.tally.add(&c.tally.snapshots, 1)
	c.skipTo(a.seq, false)
	want := map[string][]string{}
	for id, r := range c.state {
		if shown, ok := c.query.shows(c.owner, id, r); ok {
			want[shown[0]] = shown
		}
	}
	t := c.tally
	for _, r := range a.snapshot {
		got := r.texts(c.query.columns)
		shown, ok := want[got[0]]
		switch {
		case !ok:
			t.fault(&t.faults.WrongFiltered, 1, "%s: the snapshot at %s has the row %v", c.name, a.seq, got)
		case !slices.Equal(got, shown):
			t.fault(&t.faults.WrongValues, 1, "%s: the snapshot at %s has %v, not %v",
				c.name, a.seq, got, shown)
		}
		delete(want, got[0])
	}
	for _, shown := range want {
		t.fault(&t.faults.Lost, 1, "%s: the snapshot at %s lacks %v", c.name, a.seq, shown)
	}
}
