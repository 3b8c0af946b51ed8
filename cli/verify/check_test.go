package verify

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// story is commits of one user and the messages that a right server would send
// a subscription of a query.
type story struct {
	t        *testing.T
	query    *query
	ledger   *ledger
	tally    tally
	checker  *checker
	commits  []commit
	messages [][]message // by commit, those that tell something
	ends     []clock.Seq // of the commits that messages are of
}

const owner = "u"

func newStory(t *testing.T, q *query, statements int, seed uint64) *story {
	s := &story{t: t, query: q, ledger: newLedger()}
	s.checker = newChecker("test", owner, q, s.ledger, &s.tally)
	script := &script{table: "t", owner: owner, rows: map[int64]*record{},
		rnd: rand.New(rand.NewPCG(seed, 0))}
	seq := clock.Seq(1000)
	for range statements {
		st := script.next()
		if len(st.changes) == 0 {
			continue
		}
		var told []message
		for _, ch := range st.changes {
			seq++
			if e, ok := q.event(owner, ch); ok {
				told = append(told, s.message(ch.id, e, seq))
			}
		}
		if len(told) > 0 {
			told[len(told)-1].Commit = true
			s.messages = append(s.messages, told)
			s.ends = append(s.ends, seq)
		}
		s.commits = append(s.commits, commit{end: seq, changes: st.changes})
		seq += 5 // commits of others
	}
	return s
}

func (s *story) message(id int64, e event, seq clock.Seq) message {
	m := message{Type: wire.TypeChange, ChangeType: e.kind, Reason: string(e.reason), Seq: wire.Seq(seq)}
	if e.row != nil {
		m.Rows = []row{s.row(e.row)}
	}
	at := slices.Index(s.query.columns, "note")
	switch {
	case e.kind == wire.Update && at >= 0 && appends(e.old, e.row, at):
		m.Rows = []row{{"id": m.Rows[0]["id"]}}
		m.Append = &wire.Append{Column: "note", Offset: len(e.old[at]), Text: e.row[at][len(e.old[at]):]}
	case e.kind == wire.Update:
		old := s.row(e.old)
		for i, c := range s.query.columns {
			if i > 0 && e.old[i] == e.row[i] {
				delete(old, c)
			}
		}
		m.OldValues = []row{old}
	case e.old != nil:
		m.OldValues = []row{s.row(e.old)}
	}
	return m
}

// appends reports whether two rows differ by what stands behind one column's
// text alone.
func appends(old, row []string, at int) bool {
	rest := slices.Clone(row)
	rest[at] = old[at]
	return slices.Equal(rest, old) && old[at] != null && len(old[at]) < len(row[at]) &&
		strings.HasPrefix(row[at], old[at])
}

func (s *story) row(values []string) row {
	r := row{}
	for i, c := range s.query.columns {
		if r[c] = json.RawMessage(`"` + values[i] + `"`); values[i] == null {
			r[c] = json.RawMessage("null")
		}
	}
	return r
}

// run tells the messages to the checker and returns what it found. The ledger
// learns of each commit at a random moment: before, while or after it is told.
func (s *story) run(seed uint64) Faults {
	rnd := rand.New(rand.NewPCG(seed, 1))
	known := 0
	learn := func(n int) {
		for ; known < min(n, len(s.commits)); known++ {
			s.ledger.add(s.commits[known])
		}
	}
	for _, told := range s.messages {
		learn(known + rnd.IntN(3))
		for _, m := range told {
			s.checker.take(m, time.Now(), time.Time{})
		}
	}
	learn(len(s.commits))
	s.ledger.finish()
	s.checker.finish()
	return s.tally.faults
}

// long returns the number of a group of at least n messages in the middle.
func (s *story) long(n int) int {
	for i := len(s.messages) / 3; i < len(s.messages)-2; i++ {
		if len(s.messages[i]) >= n {
			return i
		}
	}
	s.t.Fatalf("no commit of %d events", n)
	return 0
}

func each(t *testing.T, f func(t *testing.T, q *query, seed uint64)) {
	for i := range queries {
		t.Run(queries[i].name, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			f(t, &queries[i], seed)
		})
	}
}

func TestChecker_finds_nothing_where_all_is_right(t *testing.T) {
	each(t, func(t *testing.T, q *query, seed uint64) {
		s := newStory(t, q, 500, seed)
		if f := s.run(seed); f != (Faults{}) {
			t.Errorf("%+v\n%s", f, strings.Join(s.tally.examples, "\n"))
		}
		if s.tally.events < 200 || s.tally.all.n != s.tally.events {
			t.Errorf("%d events, %d latencies", s.tally.events, s.tally.all.n)
		}
	})
}

func TestChecker_finds_each_fault(t *testing.T) {
	faults := []struct {
		name   string
		inject func(s *story)
		want   func(f Faults) int64
		n      int64
	}{
		{"a lost commit", func(s *story) {
			s.messages = slices.Delete(s.messages, s.long(1), s.long(1)+1)
		}, func(f Faults) int64 { return f.Lost }, 0},
		{"a lost event inside a commit", func(s *story) {
			i := s.long(2)
			s.messages[i] = s.messages[i][1:]
		}, func(f Faults) int64 { return f.Lost }, 1},
		{"the last commits lost", func(s *story) {
			s.messages = s.messages[:len(s.messages)-2]
		}, func(f Faults) int64 { return f.Lost }, 0},
		{"a commit that came again at once", func(s *story) {
			i := s.long(1)
			s.messages = slices.Insert(s.messages, i, s.messages[i])
		}, func(f Faults) int64 { return f.Duplicated }, 0},
		{"a commit that came again later", func(s *story) {
			i := s.long(1)
			s.messages = append(s.messages, s.messages[i])
		}, func(f Faults) int64 { return f.Duplicated }, 0},
		{"an event that came twice in its commit", func(s *story) {
			i := s.long(2)
			again := s.messages[i][0]
			s.messages[i] = slices.Insert(slices.Clone(s.messages[i]), 1, again)
		}, func(f Faults) int64 { return f.Duplicated }, 1},
		{"two commits swapped", func(s *story) {
			i := s.long(1)
			s.messages[i], s.messages[i+1] = s.messages[i+1], s.messages[i]
		}, func(f Faults) int64 { return f.OutOfOrder }, 0},
		{"two events of a commit swapped", func(s *story) {
			m := s.messages[s.long(2)]
			m[0], m[1] = m[1], m[0]
			m[0].Commit, m[1].Commit = false, m[0].Commit || m[1].Commit
			m[len(m)-1].Commit = true
		}, func(f Faults) int64 { return f.OutOfOrder }, 1},
		{"the end of a commit that is not marked", func(s *story) {
			m := s.messages[s.long(1)]
			m[len(m)-1].Commit = false
		}, func(f Faults) int64 { return f.OutOfOrder }, 0},
		{"a row that does not match", func(s *story) {
			i := s.long(1)
			m := s.messages[i]
			r := s.row([]string{"999", owner, "1", "60", "1", "x"}[:len(s.query.columns)])
			bad := message{Type: wire.TypeChange, ChangeType: wire.Insert, Seq: m[0].Seq, Rows: []row{r}}
			m[0].Seq++ // keeps the order
			for j := 1; j < len(m); j++ {
				m[j].Seq = max(m[j].Seq, m[j-1].Seq+1)
			}
			s.messages[i] = slices.Insert(slices.Clone(m), 0, bad)
			s.moveEnd(i)
		}, func(f Faults) int64 { return f.WrongFiltered }, 1},
		{"an insert told as an update", func(s *story) {
			s.edit(wire.Insert, func(m *message) { m.ChangeType = wire.Update })
		}, func(f Faults) int64 { return f.WrongFiltered }, 1},
		{"a reason that is missing or wrong", func(s *story) {
			s.edit(wire.Insert, func(m *message) {
				if m.Reason == "" {
					m.Reason = string(wire.Enter)
				} else {
					m.Reason = ""
				}
			})
		}, func(f Faults) int64 { return f.WrongFiltered }, 1},
		{"another user's row", func(s *story) {
			s.edit(wire.Insert, func(m *message) {
				name := s.query.columns[1] // owner, or grp of the narrow one
				m.Rows[0][name] = json.RawMessage(`"someone"`)
			})
		}, func(f Faults) int64 { return f.WrongValues }, 1},
		{"an old value that was not there", func(s *story) {
			s.edit(wire.Delete, func(m *message) {
				m.OldValues[0]["grp"] = json.RawMessage(`"77"`)
			})
		}, func(f Faults) int64 { return f.WrongValues }, 1},
		{"appended text at another offset", func(s *story) {
			for _, told := range s.messages {
				for _, m := range told {
					if m.Append != nil {
						m.Append.Offset++
						return
					}
				}
			}
			// The query shows no text, or few: then another fault.
			s.edit(wire.Delete, func(m *message) { m.OldValues[0]["grp"] = json.RawMessage(`"77"`) })
		}, func(f Faults) int64 { return f.WrongValues }, 1},
		{"a commit that nobody made", func(s *story) {
			last := s.messages[len(s.messages)-1]
			m := last[len(last)-1]
			m.Seq += 100
			s.messages = append(s.messages, []message{m})
		}, func(f Faults) int64 { return f.WrongFiltered }, 1},
		{"a progress beyond what was told", func(s *story) {
			i := s.long(1)
			s.messages[i] = []message{{Type: wire.TypeProgress, Seq: wire.Seq(s.ends[i])}}
		}, func(f Faults) int64 { return f.Lost }, 0},
	}
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			each(t, func(t *testing.T, q *query, seed uint64) {
				s := newStory(t, q, 300, seed)
				fault.inject(s)
				f := s.run(seed)
				if n := fault.want(f); n < 1 || fault.n > 0 && n != fault.n {
					t.Errorf("found %+v", f)
				}
				if n := f.Sum(); n > 100 {
					t.Errorf("one fault is told as %d", n)
				}
			})
		})
	}
}

// edit changes the first message of a type from the middle on.
func (s *story) edit(kind wire.ChangeType, change func(*message)) {
	for i := len(s.messages) / 3; i < len(s.messages); i++ {
		for j := range s.messages[i] {
			if s.messages[i][j].ChangeType == kind {
				change(&s.messages[i][j])
				return
			}
		}
	}
	s.t.Fatalf("no %s", kind)
}

// moveEnd moves the end of the commit of group i behind its last message.
func (s *story) moveEnd(i int) {
	last := clock.Seq(s.messages[i][len(s.messages[i])-1].Seq)
	for k := range s.commits {
		if s.commits[k].end == s.ends[i] {
			s.commits[k].end = max(s.commits[k].end, last)
		}
	}
}

func TestChecker_snapshots(t *testing.T) {
	each(t, func(t *testing.T, q *query, seed uint64) {
		batch := func(s *story, rows []row, at clock.Seq) message {
			seq := wire.Seq(at)
			return message{Type: wire.TypeInitialData, Rows: rows,
				BatchControl: wire.BatchControl{Status: wire.Ready, LastSeqID: &seq}}
		}
		// begin returns a story whose subscription begins with a snapshot in
		// the middle, and the rows of that.
		begin := func() (*story, []row, clock.Seq, int) {
			s := newStory(t, q, 300, seed)
			middle := len(s.messages) / 2
			at := s.ends[middle-1]
			state := map[int64]*record{}
			for _, k := range s.commits {
				if k.end > at {
					break
				}
				for _, ch := range k.changes {
					if state[ch.id] = ch.new; ch.new == nil {
						delete(state, ch.id)
					}
				}
			}
			var rows []row
			for id, r := range state {
				if shown, ok := q.shows(owner, id, r); ok {
					rows = append(rows, s.row(shown))
				}
			}
			s.messages = s.messages[middle:]
			return s, rows, at, middle
		}
		for name, check := range map[string]struct {
			spoil func(rows []row) []row
			want  func(f Faults) int64
		}{
			"right": {func(r []row) []row { return r }, nil},
			"lacks a row": {func(r []row) []row { return r[1:] },
				func(f Faults) int64 { return f.Lost }},
			"has a row too many": {func(r []row) []row {
				more := row{}
				for k, v := range r[0] {
					more[k] = v
				}
				more["id"] = json.RawMessage(`"777"`)
				return append(r, more)
			}, func(f Faults) int64 { return f.WrongFiltered }},
			"has a row twice": {func(r []row) []row { return append(r, r[0]) },
				func(f Faults) int64 { return f.WrongFiltered }},
			"has a wrong value": {func(r []row) []row {
				r[0]["grp"] = json.RawMessage(`9`)
				return r
			}, func(f Faults) int64 { return f.WrongValues }},
		} {
			s, rows, at, _ := begin()
			s.messages = slices.Insert(s.messages, 0, []message{batch(s, check.spoil(rows), at)})
			f := s.run(seed)
			if check.want == nil && f != (Faults{}) || check.want != nil && check.want(f) != 1 {
				t.Errorf("a snapshot that is %s gives %+v\n%s", name, f, strings.Join(s.tally.examples, "\n"))
			}
		}
	})
}

func TestHistogram_percentiles(t *testing.T) {
	var h histogram
	for i := 1; i <= 1000; i++ {
		h.add(time.Duration(i) * time.Millisecond)
	}
	l := h.latency()
	for got, want := range map[time.Duration]time.Duration{
		l.P50: 500 * time.Millisecond, l.P95: 950 * time.Millisecond, l.P99: 990 * time.Millisecond,
	} {
		if got < want || got > want+want/40 {
			t.Errorf("%v, want %v", got, want)
		}
	}
	if l.Max != time.Second || l.Events != 1000 {
		t.Errorf("%+v", l)
	}
}

func TestLedger_drops_what_all_have_read(t *testing.T) {
	l := newLedger()
	a, b := &checker{}, &checker{}
	l.read(a, 0)
	l.read(b, 0)
	for i := range 1000 {
		l.add(commit{end: clock.Seq(i + 1)})
	}
	l.read(a, 1000)
	if k, ok := l.at(0); !ok || k.end != 1 {
		t.Errorf("%v, %v", k, ok)
	}
	l.read(b, 900)
	if len(l.commits) != 100 || l.length() != 1000 {
		t.Errorf("%d kept of %d", len(l.commits), l.length())
	}
	if k, ok := l.at(950); !ok || k.end != 951 {
		t.Errorf("%v, %v", k, ok)
	}
	if _, ok := l.at(1000); ok || l.knows(1001) || !l.knows(1000) {
		t.Error("knows what is not there")
	}
}
