package live

import (
	"slices"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// Text that is appended to a row, as the answer of a language model is, is told
// as what was appended. It is judged on the old and the new row as any update:
// one whose last change was an append, and of which the query shows nothing
// else changed, is told so. Thus several appends may be told as one, where
// changes are conflated.

// setAppend makes e an update that tells of appended text, and reports whether
// it is one: the text is shown as it is, nothing but _seq has changed beside it,
// and the row can be told by the key that is shown. old and now are the
// projected rows.
func (e *Event) setAppend(q *predicate.Query, im *images, old, now []value.Value) bool {
	if im.new.Run == 0 {
		return false
	}
	t := q.Table
	c := slices.IndexFunc(t.Columns, func(c ddl.Column) bool { return c.ID == im.new.Run })
	if c < 0 {
		return false
	}
	before, after := im.before[c], im.after[c]
	if before.Kind() != value.Text || after.Kind() != value.Text ||
		!strings.HasPrefix(after.Str(), before.Str()) {
		return false
	}
	shown := -1
	for i := range old {
		switch {
		case old[i] == now[i]:
		case shown < 0 && old[i] == before && now[i] == after:
			shown = i
		case q.Columns[i].Name != system.ColSeq || now[i] != im.after[len(t.Columns)]:
			return false
		}
	}
	if shown < 0 || !showsKey(q, im.after, now) {
		return false
	}
	// What is kept of the row is copied: its texts are parts of one string.
	e.Append = &Append{Column: q.Columns[shown].Name, Offset: len(before.Str()),
		Text: strings.Clone(after.Str()[len(before.Str()):])}
	e.setKey(q, im.after, now)
	return true
}

// showsKey reports whether a projected row holds the whole primary key.
func showsKey(q *predicate.Query, full, projected []value.Value) bool {
	for _, k := range q.Table.PrimaryKey {
		shown := false
		for i := range projected {
			shown = shown || q.Columns[i].Key && projected[i] == full[k]
		}
		if !shown {
			return false
		}
	}
	return true
}

// setKey makes the row of e its primary key, under its own names and under
// those by which it is shown, and _seq.
func (e *Event) setKey(q *predicate.Query, full, projected []value.Value) {
	t := q.Table
	var columns []predicate.Column
	var vals []value.Value
	add := func(c predicate.Column, v value.Value) {
		if v.Kind().Form() == value.FormString {
			v = value.NewString(v.Kind(), strings.Clone(v.Str()))
		}
		columns, vals = append(columns, c), append(vals, v)
	}
	for _, k := range t.PrimaryKey {
		c := &t.Columns[k]
		add(predicate.Column{Name: c.Name, Kind: c.Type.Kind, Key: true, NotNull: true}, full[k])
	}
	for i := range projected {
		if q.Columns[i].Key && !isKeyColumn(t, &q.Columns[i]) {
			add(q.Columns[i], projected[i])
		}
	}
	add(predicate.Column{Name: system.ColSeq, Kind: value.Int64, NotNull: true}, full[len(t.Columns)])
	e.Columns, e.Rows = columns, [][]value.Value{vals}
}
