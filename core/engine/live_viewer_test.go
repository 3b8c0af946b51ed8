package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/engine"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// viewer is a client of a live query: it keeps the result as the messages tell
// it, and refuses what does not fit.
type viewer struct {
	*bench
	who     engine.Identity
	sql     string
	ordered bool
	batch   int
	sub     *live.Subscription
	options live.SubscribeOptions // of sub
	columns []predicate.Column
	keyed   bool

	rows    [][]value.Value
	ready   bool
	waiting bool // for the next batch of the snapshot
	cursor  clock.Seq
	events  []*live.Event
	resyncs []live.ResyncReason
	ended   *live.Ended
}

func (b *bench) view(who engine.Identity, sql string, ordered bool) *viewer {
	b.t.Helper()
	v := &viewer{bench: b, who: who, sql: sql, ordered: ordered, batch: 3}
	v.open(live.SubscribeOptions{BatchSize: v.batch}, nil)
	return v
}

func (v *viewer) open(o live.SubscribeOptions, after *live.Subscription) {
	v.t.Helper()
	sub, err := v.db.Subscribe(v.t.Context(), v.who,
		engine.Subscription{SQL: v.sql, Options: o, After: after})
	if err != nil {
		v.t.Fatalf("%s: %v", v.sql, err)
	}
	v.sub, v.options, v.ended = sub, o, nil
	if after == nil {
		v.ready, v.waiting = false, false
	}
}

// reconnect closes the connection and resumes from the cursor.
func (v *viewer) reconnect() {
	v.t.Helper()
	v.sub.Close(live.Unsubscribed)
	o := live.SubscribeOptions{BatchSize: v.batch}
	if v.cursor != 0 {
		from := v.cursor
		o.From = &from
	} else {
		v.rows = nil
	}
	v.open(o, nil)
}

// poll takes messages once and reports whether there is more to do.
func (v *viewer) poll(most int) bool {
	v.t.Helper()
	if v.waiting {
		v.waiting = false
		v.sub.NextBatch()
	}
	msgs, more, err := v.sub.Poll(v.t.Context(), most)
	if err != nil {
		v.t.Fatalf("%s: %v", v.sql, err)
	}
	for _, m := range msgs {
		if err := v.take(m); err != nil {
			v.t.Fatalf("%s: %v\nrows %s", v.sql, err, texts(v.rows))
		}
	}
	if v.ended != nil {
		if v.ended.Reason != live.SchemaChanged && v.ended.Reason != live.TableTruncated {
			v.t.Fatalf("%s ended: %+v", v.sql, *v.ended)
		}
		v.open(v.options, v.sub)
		return true
	}
	return more || v.waiting
}

func (v *viewer) drain() {
	v.t.Helper()
	for v.poll(4) {
	}
}

func (v *viewer) take(m live.Message) error {
	switch m := m.(type) {
	case live.Ack:
		v.setColumns(m.Columns)
	case live.Schema:
		v.setColumns(m.Columns)
	case live.Batch:
		v.rows = append(v.rows, m.Rows...)
		v.waiting = m.Status != live.Ready
		if m.Status == live.Ready {
			v.ready, v.cursor = true, m.LastSeq
		}
	case live.Changed:
		if !v.ready {
			return fmt.Errorf("a change before the snapshot is ready")
		}
		v.events = append(v.events, m.Event)
		if m.Commit {
			v.cursor = m.Seq
		}
		return v.change(m.Event)
	case live.Resync:
		v.resyncs = append(v.resyncs, m.Reason)
		v.rows, v.ready, v.cursor = nil, false, 0
	case live.Ended:
		v.ended = &m
	}
	return nil
}

func (v *viewer) setColumns(c []predicate.Column) {
	v.columns = c
	v.keyed = slices.ContainsFunc(c, func(c predicate.Column) bool { return c.Key })
}

// change applies an event as a client does that knows the columns alone.
func (v *viewer) change(e *live.Event) error {
	if e.Ordered != v.ordered {
		return fmt.Errorf("%s with order %v", e.Type, e.Ordered)
	}
	at := e.Position
	switch e.Type {
	case live.Insert:
		if !v.ordered {
			at = len(v.rows)
		}
		if at < 0 || at > len(v.rows) {
			return fmt.Errorf("insert at %d of %d", at, len(v.rows))
		}
		v.rows = slices.Insert(v.rows, at, e.Rows[0])
		return nil
	case live.Delete:
		if !v.ordered {
			at = v.find(e)
		}
		if at < 0 || at >= len(v.rows) || !v.fits(e, v.rows[at]) {
			return fmt.Errorf("delete of %s at %d", texts(e.Old), at)
		}
		v.rows = slices.Delete(v.rows, at, at+1)
		return nil
	}
	from := v.find(e)
	if v.ordered && !v.keyed {
		from = at
	}
	if from < 0 || from >= len(v.rows) || !v.fits(e, v.rows[from]) {
		return fmt.Errorf("update of %s at %d", texts(e.Old), from)
	}
	v.rows = slices.Delete(v.rows, from, from+1)
	if !v.ordered {
		at = from
	}
	if at < 0 || at > len(v.rows) {
		return fmt.Errorf("update at %d of %d", at, len(v.rows))
	}
	v.rows = slices.Insert(v.rows, at, e.Rows[0])
	return nil
}

// find returns where the row stands that an event is about: by the key, or by
// all of it.
func (v *viewer) find(e *live.Event) int {
	return slices.IndexFunc(v.rows, func(r []value.Value) bool {
		if !v.keyed {
			return v.fits(e, r)
		}
		for i, c := range v.columns {
			if c.Key && !slices.ContainsFunc(e.OldColumns, func(o predicate.Column) bool {
				return o.Name == c.Name
			}) {
				return false
			}
			for j, o := range e.OldColumns {
				if c.Key && o.Name == c.Name && e.Old[0][j] != r[i] {
					return false
				}
			}
		}
		return true
	})
}

// fits reports whether all that an event tells of the old row is so.
func (v *viewer) fits(e *live.Event, r []value.Value) bool {
	for j, o := range e.OldColumns {
		for i, c := range v.columns {
			if c.Name == o.Name && e.Old[0][j] != r[i] {
				return false
			}
		}
	}
	return true
}

// check compares with a SELECT.
func (v *viewer) check() {
	v.t.Helper()
	v.drain()
	res, err := v.db.Query(v.t.Context(), v.who, v.sql)
	if err != nil {
		v.t.Fatalf("%s: %v", v.sql, err)
	}
	got, want := texts(v.rows), texts(res.Rows)
	if !v.ordered {
		slices.Sort(got)
		slices.Sort(want)
	}
	if !slices.Equal(got, want) {
		v.t.Fatalf("%s\ngot  %q\nwant %q", v.sql, got, want)
	}
}

func texts(rows [][]value.Value) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		cells := make([]string, len(r))
		for j, c := range r {
			if cells[j] = "NULL"; !c.IsNull() {
				cells[j] = c.Text()
			}
		}
		out[i] = strings.Join(cells, "|")
	}
	return out
}

// told writes events down shortly and forgets them.
func (v *viewer) told() string {
	var out []string
	for _, e := range v.events {
		rows := e.Rows
		if e.Type == live.Delete {
			rows = e.Old
		}
		line := string(e.Type)
		if e.Reason != "" {
			line += "/" + string(e.Reason)
		}
		line += " " + strings.Join(texts(rows), ",")
		if e.Ordered {
			line += fmt.Sprintf(" @%d", e.Position)
		}
		if e.Commit {
			line += "."
		}
		out = append(out, line)
	}
	v.events = nil
	return strings.Join(out, "; ")
}

var liveTables = []string{
	`CREATE TABLE chat.notes (conv INT, id INT, n INT, topic TEXT, d DECIMAL(8, 2),
		PRIMARY KEY (conv, id))`,
	"CREATE TABLE chat.tags (id INT, tag TEXT, PRIMARY KEY (id, tag))",
	"CREATE SHARED TABLE chat.topics (topic TEXT PRIMARY KEY, title TEXT) WITH (ACCESS = 'public')",
}

func liveBench(t *testing.T, o live.Options) *bench {
	t.Helper()
	b := open(t, "", engine.Options{Storage: engine.Memory, Live: o})
	b.run(root, "CREATE NAMESPACE chat")
	for _, sql := range liveTables {
		b.run(root, sql)
	}
	b.run(root, "INSERT INTO chat.topics VALUES ('a', 'Apples'), ('b', 'Bears')")
	return b
}
