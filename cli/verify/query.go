package verify

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

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
	// kept computes the result of a query that is more than the rows that
	// match; nil for one of rows. unordered says that its rows may stand in any
	// order.
	kept      func(owner string, rows map[int64]*record) [][]string
	unordered bool
}

// queries are what each subscriber follows. The last shows neither the version
// nor the value, so that most updates have nothing to tell.
var queries = []query{
	{name: "all", columns: columns, match: func(int64, *record) bool { return true }},
	{name: "group", columns: []string{"id", "owner", "grp", "val", "ver"}, where: " WHERE grp = 1",
		match: func(_ int64, r *record) bool { return r.grp == 1 }},
	{name: "range", columns: columns, where: " WHERE val >= 50 AND grp <> 2",
		match: func(_ int64, r *record) bool { return r.val >= 50 && r.grp != 2 }},
	{name: "narrow", columns: []string{"id", "grp"}, where: " WHERE grp IN (0, 3) OR note IS NULL",
		match: func(_ int64, r *record) bool { return r.grp == 0 || r.grp == 3 || !r.noted }},
}

// viewQueries are what Views follow: also a window, sums by group that are kept and
// such that are run again, and a range of keys.
var viewQueries = append(slices.Clone(queries),
	query{name: "window", columns: columns, where: " ORDER BY ver DESC, id DESC LIMIT 10",
		kept: window},
	query{name: "sums", columns: []string{"grp", "rows_of", "total", "newest"},
		where: " GROUP BY grp", kept: sums, unordered: true},
	query{name: "rerun", columns: []string{"grp", "rows_of", "total", "newest"},
		where: " GROUP BY grp HAVING COUNT(*) > 0", kept: sums, unordered: true},
	query{name: "keys", columns: columns, where: " WHERE id < 120 AND grp <> 2",
		match: func(id int64, r *record) bool { return id < 120 && r.grp != 2 }},
)

func window(owner string, rows map[int64]*record) [][]string {
	ids := slices.SortedFunc(maps.Keys(rows), func(a, b int64) int {
		return cmp.Or(cmp.Compare(rows[b].ver, rows[a].ver), cmp.Compare(b, a))
	})
	var out [][]string
	for _, id := range ids[:min(len(ids), 10)] {
		var shown []string
		for _, c := range columns {
			shown = append(shown, valueOf(c, owner, id, rows[id]))
		}
		out = append(out, shown)
	}
	return out
}

func sums(_ string, rows map[int64]*record) [][]string {
	type group struct{ rows, total, newest int64 }
	groups := map[int64]group{}
	for _, r := range rows {
		g := groups[r.grp]
		groups[r.grp] = group{g.rows + 1, g.total + r.val, max(g.newest, r.ver)}
	}
	var out [][]string
	for grp, g := range groups {
		out = append(out, []string{fmt.Sprint(grp), fmt.Sprint(g.rows), fmt.Sprint(g.total),
			fmt.Sprint(g.newest)})
	}
	slices.SortFunc(out, slices.Compare)
	return out
}

// final is a row that all queries show.
var final = record{grp: 1, val: 60}

// finalID is its key; no other row has it.
const finalID = -1

func (q *query) sql(table string) string {
	list := strings.Join(q.columns, ", ")
	switch {
	case len(q.columns) == len(columns):
		list = "*"
	case q.unordered:
		list = "grp, COUNT(*) AS rows_of, SUM(val) AS total, MAX(ver) AS newest"
	}
	return "SELECT " + list + " FROM " + table + q.where
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
