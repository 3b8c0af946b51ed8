package live

import (
	"errors"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// systemColumns is the number of values behind a table's own columns in the
// rows that a predicate.Query reads: _seq, _updated, _deleted.
const systemColumns = 3

// errSchema ends a reading because a row was written with a newer schema than
// that of the query.
var errSchema = errors.New("live: the schema of the table has changed")

// appendRow decodes r into the row that queries over t read, in dst's memory.
func appendRow(dst []value.Value, source Source, t *ddl.Table, r row.Record) (
	[]value.Value, error) {
	if r.Schema > t.Version {
		return nil, errSchema
	}
	reader, err := source.Reader(t, r.Schema)
	if err != nil {
		return nil, err
	}
	n := len(t.Columns)
	if cap(dst) < n+systemColumns {
		dst = make([]value.Value, 0, n+systemColumns)
	}
	dst = dst[:n]
	if err := reader.Read(r, dst); err != nil {
		return nil, err
	}
	return append(dst,
		value.NewBigInt(int64(r.Seq)),
		value.NewTimestamp(r.Seq.Time()),
		value.NewBool(r.Deleted)), nil
}

// images are a change's rows before and after it, decoded when first asked
// for and once per schema version. Its memory is used again for the next
// change. It is used by one goroutine.
type images struct {
	source   Source
	seq      clock.Seq
	old, new *row.Record
	table    *ddl.Table // that before and after were decoded for
	before   []value.Value
	after    []value.Value
}

func (im *images) set(seq clock.Seq, old, new *row.Record) {
	im.seq, im.old, im.new, im.table = seq, old, new, nil
}

func (im *images) load(t *ddl.Table) (err error) {
	if im.table != nil && im.table.ID == t.ID && im.table.Version == t.Version {
		return nil
	}
	if im.old != nil {
		if im.before, err = appendRow(im.before, im.source, t, *im.old); err != nil {
			return err
		}
	}
	if im.new != nil {
		if im.after, err = appendRow(im.after, im.source, t, *im.new); err != nil {
			return err
		}
	}
	im.table = t
	return nil
}

// composer turns the changes of whole commits into the events of one query. It
// holds the last event of a commit back until the commit's end, since what
// follows in the commit may not concern the query.
type composer struct {
	query *predicate.Query
	held  *Event
}

// add judges a change and appends the events that are complete.
func (c *composer) add(out []*Event, im *images, last bool) ([]*Event, error) {
	e, err := judge(c.query, im)
	if err != nil {
		return out, err
	}
	if e != nil {
		if c.held != nil {
			out = append(out, c.held)
		}
		c.held = e
	}
	if last {
		out = c.flush(out)
	}
	return out, nil
}

// flush ends a commit.
func (c *composer) flush(out []*Event) []*Event {
	if c.held == nil {
		return out
	}
	c.held.Commit = true
	out = append(out, c.held)
	c.held = nil
	return out
}

// judge returns the event that a change is for q, nil when it is none: the row
// matches neither before nor after, or nothing that q shows has changed.
func judge(q *predicate.Query, im *images) (*Event, error) {
	if err := im.load(q.Table); err != nil {
		return nil, err
	}
	was, err := matches(q, im.old, im.before)
	if err != nil {
		return nil, err
	}
	is, err := matches(q, im.new, im.after)
	if err != nil || !was && !is {
		return nil, err
	}
	e := &Event{Seq: im.seq, row: im.seq, Columns: q.Columns}
	var old, now []value.Value
	if was {
		if old, err = project(q, im.before); err != nil {
			return nil, err
		}
	}
	if is {
		if now, err = project(q, im.after); err != nil {
			return nil, err
		}
		e.Rows = [][]value.Value{now}
	}
	switch {
	case is && !was:
		e.Type = Insert
		if im.old != nil {
			e.Reason = Enter
		}
	case was && !is:
		e.Type = Delete
		if im.new != nil {
			e.Reason = Leave
		}
		e.setOld(q, im.before, old, nil)
	default:
		if equal(old, now) {
			return nil, nil
		}
		e.Type = Update
		if !e.setAppend(q, im, old, now) {
			e.setOld(q, im.before, old, now)
		}
	}
	e.measure()
	return e, nil
}

func matches(q *predicate.Query, r *row.Record, vals []value.Value) (bool, error) {
	if r == nil {
		return false, nil
	}
	return q.Match(vals)
}

func project(q *predicate.Query, vals []value.Value) ([]value.Value, error) {
	return q.Project(make([]value.Value, 0, len(q.Columns)), vals)
}

func equal(a, b []value.Value) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

// setOld fills Old with the primary key, under its own names, and the
// projected columns whose value in old differs from now, all when now is nil.
func (e *Event) setOld(q *predicate.Query, full, old, now []value.Value) {
	t := q.Table
	columns := make([]predicate.Column, 0, len(t.PrimaryKey)+len(old))
	vals := make([]value.Value, 0, cap(columns))
	for _, k := range t.PrimaryKey {
		c := &t.Columns[k]
		columns = append(columns,
			predicate.Column{Name: c.Name, Kind: c.Type.Kind, Key: true, NotNull: true})
		vals = append(vals, full[k])
	}
	for i := range old {
		if now != nil && old[i] == now[i] || isKeyColumn(t, &q.Columns[i]) {
			continue
		}
		columns = append(columns, q.Columns[i])
		vals = append(vals, old[i])
	}
	e.OldColumns, e.Old = columns, [][]value.Value{vals}
}

// isKeyColumn reports whether a projected column is a primary key column under
// its own name.
func isKeyColumn(t *ddl.Table, c *predicate.Column) bool {
	i := -1
	if c.Key {
		i = t.Column(c.Name)
	}
	return i >= 0 && t.IsKey(i)
}

// eventOverhead is the memory of an Event apart from its values.
const eventOverhead = 256

func (e *Event) measure() {
	e.size = eventOverhead
	for _, rows := range [2][][]value.Value{e.Rows, e.Old} {
		for _, r := range rows {
			e.size += rowSize(r)
		}
	}
	if e.Append != nil {
		e.size += len(e.Append.Text)
	}
}

func rowSize(r []value.Value) int {
	n := 0
	for i := range r {
		n += r[i].Size()
	}
	return n
}
