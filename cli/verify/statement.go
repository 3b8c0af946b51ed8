package verify

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// maxRows bounds the keys of one user's rows.
const maxRows = 300

// script makes statements for one user's rows, and knows what they change.
type script struct {
	table string
	owner string
	rnd   *rand.Rand
	rows  map[int64]*record
	ver   int64
}

// statement is one text with what it does.
type statement struct {
	sql     string
	changed int64 // rows that the answers count
	changes []change
}

// draft is rows with the changes of a statement, or of several.
type draft struct {
	s       *script
	touched map[int64]*record // nil for a deleted row
	counted int64
}

func (s *script) draft() *draft { return &draft{s: s, touched: map[int64]*record{}} }

func (d *draft) get(id int64) *record {
	if r, ok := d.touched[id]; ok {
		return r
	}
	return d.s.rows[id]
}

func (d *draft) set(id int64, r *record) {
	d.touched[id] = r
	d.counted++
}

// ids returns the keys of the rows that f takes, in order.
func (d *draft) ids(f func(id int64, r *record) bool) []int64 {
	all := slices.Collect(maps.Keys(d.s.rows))
	for id := range d.touched {
		if _, there := d.s.rows[id]; !there {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	return slices.DeleteFunc(all, func(id int64) bool {
		r := d.get(id)
		return r == nil || !f(id, r)
	})
}

// done returns the statement of a text, and makes its changes.
func (d *draft) done(sql string) statement {
	st := statement{sql: sql, changed: d.counted}
	for _, id := range slices.Sorted(maps.Keys(d.touched)) {
		old, now := d.s.rows[id], d.touched[id]
		if old == nil && now == nil {
			continue // made and deleted in one transaction
		}
		st.changes = append(st.changes, change{id: id, old: old, new: now})
		if now == nil {
			delete(d.s.rows, id)
		} else {
			d.s.rows[id] = now
		}
	}
	return st
}

// next makes a statement. It may change nothing.
func (s *script) next() statement {
	s.ver++
	d := s.draft()
	switch n := s.rnd.IntN(8); {
	case n == 1:
		return d.done(s.appends(d))
	case n > 1:
		return d.done(s.one(d))
	}
	var texts []string
	for range 2 + s.rnd.IntN(2) {
		s.ver++
		texts = append(texts, s.one(d))
	}
	return d.done("BEGIN; " + strings.Join(texts, "; ") + "; COMMIT")
}

// last makes a row that every query shows.
func (s *script) last() statement {
	s.ver++
	r := final
	r.ver = s.ver
	d := s.draft()
	d.set(finalID, &r)
	return d.done(s.insert([]int64{finalID}, []*record{&r}))
}

func (s *script) one(d *draft) string {
	full := len(s.rows) > maxRows*2/3
	switch n := s.rnd.IntN(10); {
	case n < 3 && !full:
		return s.inserts(d)
	case n < 5:
		return s.upserts(d)
	case n < 6 || full:
		return s.deletes(d)
	case n < 8:
		return s.updates(d)
	case n < 9:
		return s.moves(d)
	}
	return s.shifts(d)
}

// maxNote bounds the text that appends make, in bytes.
const maxNote = 4000

// appends puts text behind that of one row, as an answer that comes in pieces.
func (s *script) appends(d *draft) string {
	ids := d.ids(func(_ int64, r *record) bool { return r.noted && len(r.note) < maxNote })
	if len(ids) == 0 {
		return s.inserts(d)
	}
	id := ids[s.rnd.IntN(min(len(ids), 3))] // few rows that many pieces go to
	r := *d.get(id)
	piece := fmt.Sprintf(" %d größe 😀", s.ver)
	r.note += piece
	d.set(id, &r)
	return fmt.Sprintf("UPDATE %s SET note = CONCAT(note, '%s') WHERE id = %d", s.table, piece, id)
}

func (s *script) fresh() *record {
	r := &record{grp: s.rnd.Int64N(4), val: s.rnd.Int64N(100), ver: s.ver}
	if s.rnd.IntN(4) > 0 {
		r.note, r.noted = fmt.Sprintf("note %d %s", s.ver, strings.Repeat("x", s.rnd.IntN(60))), true
	}
	return r
}

func (s *script) insert(ids []int64, rows []*record) string {
	var values []string
	for i, id := range ids {
		r := rows[i]
		note := null
		if r.noted {
			note = "'" + r.note + "'"
		}
		values = append(values, fmt.Sprintf("(%d, '%s', %d, %d, %d, %s)",
			id, s.owner, r.grp, r.val, r.ver, note))
	}
	return "INSERT INTO " + s.table + " (" + strings.Join(columns, ", ") + ") VALUES " +
		strings.Join(values, ", ")
}

// inserts adds rows with keys that are free.
func (s *script) inserts(d *draft) string {
	var ids []int64
	var rows []*record
	for n := 1 + s.rnd.IntN(8); len(ids) < n; {
		id := s.rnd.Int64N(maxRows)
		if d.get(id) == nil {
			r := s.fresh()
			d.set(id, r)
			ids, rows = append(ids, id), append(rows, r)
		}
	}
	return s.insert(ids, rows)
}

// upserts writes rows that are there or not.
func (s *script) upserts(d *draft) string {
	start := s.rnd.Int64N(maxRows - 5)
	var ids []int64
	var rows []*record
	for id := start; id < start+1+s.rnd.Int64N(4); id++ {
		r := s.fresh()
		ids, rows = append(ids, id), append(rows, r)
		if old := d.get(id); old != nil {
			merged := *old
			merged.grp, merged.ver = r.grp, r.ver
			d.set(id, &merged)
			continue
		}
		d.set(id, r)
	}
	return s.insert(ids, rows) +
		" ON CONFLICT (id) DO UPDATE SET grp = excluded.grp, ver = excluded.ver"
}

func (s *script) deletes(d *draft) string {
	low := s.rnd.Int64N(maxRows)
	high := low + s.rnd.Int64N(8)
	for _, id := range d.ids(func(id int64, _ *record) bool { return id >= low && id <= high }) {
		d.set(id, nil)
	}
	return fmt.Sprintf("DELETE FROM %s WHERE id BETWEEN %d AND %d", s.table, low, high)
}

// updates changes a range of keys from what is there.
func (s *script) updates(d *draft) string {
	low, more := s.rnd.Int64N(maxRows), s.rnd.Int64N(60)
	high := low + s.rnd.Int64N(8)
	for _, id := range d.ids(func(id int64, _ *record) bool { return id >= low && id <= high }) {
		r := *d.get(id)
		r.val, r.ver = (r.val+more)%100, s.ver
		d.set(id, &r)
	}
	return fmt.Sprintf("UPDATE %s SET val = (val + %d) %% 100, ver = %d WHERE id BETWEEN %d AND %d",
		s.table, more, s.ver, low, high)
}

// moves has rows enter and leave.
func (s *script) moves(d *draft) string {
	grp := s.rnd.Int64N(4)
	var list []string
	wanted := map[int64]bool{}
	for range 1 + s.rnd.IntN(5) {
		id := s.rnd.Int64N(maxRows)
		wanted[id] = true
		list = append(list, fmt.Sprint(id))
	}
	for _, id := range d.ids(func(id int64, _ *record) bool { return wanted[id] }) {
		r := *d.get(id)
		r.grp, r.ver = grp, s.ver
		d.set(id, &r)
	}
	return fmt.Sprintf("UPDATE %s SET grp = %d, ver = %d WHERE id IN (%s)",
		s.table, grp, s.ver, strings.Join(list, ", "))
}

// shifts changes the rows of a predicate that is no range of keys.
func (s *script) shifts(d *draft) string {
	grp, val := s.rnd.Int64N(4), s.rnd.Int64N(100)
	for _, id := range d.ids(func(_ int64, r *record) bool {
		return r.grp == grp && r.val >= val && r.val < val+10
	}) {
		r := *d.get(id)
		r.grp, r.ver = (r.grp+1)%4, s.ver
		r.note, r.noted = fmt.Sprint("moved ", s.ver), true
		d.set(id, &r)
	}
	return fmt.Sprintf("UPDATE %s SET grp = (grp + 1) %% 4, ver = %d, note = 'moved %d' "+
		"WHERE grp = %d AND val >= %d AND val < %d", s.table, s.ver, s.ver, grp, val, val+10)
}
