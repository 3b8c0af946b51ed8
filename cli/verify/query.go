package verify

import (
	"slices"
	"strconv"

	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// columns of the table, in order.
var columns = []string{"id", "owner", "grp", "val", "ver", "note"}

const createTable = ` (id BIGINT PRIMARY KEY, owner TEXT NOT NULL, grp INT NOT NULL, ` +
	`val BIGINT NOT NULL, ver BIGINT NOT NULL, note TEXT)`

// null is how NULL is shown among texts of values.
const null = "NULL"

// query is a live query whose result is also computed here.
type query struct {
	name    string
	columns []string
	where   string
	match   func(id int64, r *record) bool
}

// queries are what each subscriber follows. The last shows neither the version
// nor the value, so that most updates have nothing to tell.
var queries = []query{
	{"all", columns, "", func(int64, *record) bool { return true }},
	{"group", []string{"id", "owner", "grp", "val", "ver"}, " WHERE grp = 1",
		func(_ int64, r *record) bool { return r.grp == 1 }},
	{"range", columns, " WHERE val >= 50 AND grp <> 2",
		func(_ int64, r *record) bool { return r.val >= 50 && r.grp != 2 }},
	{"narrow", []string{"id", "grp"}, " WHERE grp IN (0, 3) OR note IS NULL",
		func(_ int64, r *record) bool { return r.grp == 0 || r.grp == 3 || !r.noted }},
}

// final is a row that all queries show.
var final = record{grp: 1, val: 60}

// finalID is its key; no other row has it.
const finalID = -1

func (q *query) sql(table string) string {
	text := "SELECT "
	if len(q.columns) == len(columns) {
		text += "*"
	} else {
		for i, c := range q.columns {
			if i > 0 {
				text += ", "
			}
			text += c
		}
	}
	return text + " FROM " + table + q.where
}

// shows returns a row as the query shows it; false when it does not.
func (q *query) shows(owner string, id int64, r *record) ([]string, bool) {
	if r == nil || !q.match(id, r) {
		return nil, false
	}
	out := make([]string, len(q.columns))
	for i, c := range q.columns {
		out[i] = valueOf(c, owner, id, r)
	}
	return out, true
}

func valueOf(column, owner string, id int64, r *record) string {
	switch column {
	case "id":
		return strconv.FormatInt(id, 10)
	case "owner":
		return owner
	case "grp":
		return strconv.FormatInt(r.grp, 10)
	case "val":
		return strconv.FormatInt(r.val, 10)
	case "ver":
		return strconv.FormatInt(r.ver, 10)
	}
	if !r.noted {
		return null
	}
	return r.note
}

// event is a change as a query has to tell it.
type event struct {
	kind   wire.ChangeType
	reason wire.Reason
	row    []string // after it; nil for a delete
	old    []string // before it; nil for an insert
}

// event returns what the query tells of a change; false when that is nothing.
func (q *query) event(owner string, c change) (event, bool) {
	row, now := q.shows(owner, c.id, c.new)
	old, before := q.shows(owner, c.id, c.old)
	switch {
	case now && before:
		return event{kind: wire.Update, row: row, old: old}, !slices.Equal(row, old)
	case now && c.old != nil:
		return event{kind: wire.Insert, reason: wire.Enter, row: row}, true
	case now:
		return event{kind: wire.Insert, row: row}, true
	case before && c.new != nil:
		return event{kind: wire.Delete, reason: wire.Leave, old: old}, true
	case before:
		return event{kind: wire.Delete, old: old}, true
	}
	return event{}, false
}
