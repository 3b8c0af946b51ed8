package live

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
	"github.com/kalamdb/kalamdb-go/store/row"
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
	text := runText(q.Table, *im.new, im.after)
	i := extended(q.Columns, old, now, text, im.seq)
	if i < 0 || !showsKey(q, im.after, now) {
		return false
	}
	e.Append = appendTo(&q.Columns[i], old[i], now[i])
	e.setKey(q, im.after, now)
	return true
}

// runText returns the text that the last change of a row appended to, NULL when
// that was another change. vals is the row as queries over t read it.
func runText(t *ddl.Table, r row.Record, vals []value.Value) value.Value {
	if r.Run == 0 {
		return value.NullValue
	}
	for i := range t.Columns {
		if t.Columns[i].ID == r.Run && vals[i].Kind() == value.Text {
			return vals[i]
		}
	}
	return value.NullValue
}

// extended returns which column of a projected row shows text, is longer now by
// something at its end, and is all that has changed, _seq aside; -1 for none.
func extended(
	columns []predicate.Column, old, now []value.Value, text value.Value, seq clock.Seq,
) int {
	if text.IsNull() {
		return -1
	}
	shown := -1
	for i := range old {
		switch {
		case old[i] == now[i]:
		case shown < 0 && now[i] == text && old[i].Kind() == value.Text &&
			strings.HasPrefix(text.Str(), old[i].Str()):
			shown = i
		case columns[i].Name != system.ColSeq || now[i] != value.NewBigInt(int64(seq)):
			return -1
		}
	}
	return shown
}

// appendTo says what was put behind old. It is a copy: the texts of a row are
// parts of one string.
func appendTo(c *predicate.Column, old, now value.Value) *Append {
	n := len(old.Str())
	return &Append{Column: c.Name, Offset: n, Text: strings.Clone(now.Str()[n:])}
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
	columns := make([]predicate.Column, 0, len(t.PrimaryKey)+1)
	vals := make([]value.Value, 0, cap(columns))
	for _, k := range t.PrimaryKey {
		c := &t.Columns[k]
		columns = append(columns,
			predicate.Column{Name: c.Name, Kind: c.Type.Kind, Key: true, NotNull: true})
		vals = append(vals, detached(full[k]))
	}
	for i := range projected {
		if q.Columns[i].Key && !isKeyColumn(t, &q.Columns[i]) {
			columns, vals = append(columns, q.Columns[i]), append(vals, detached(projected[i]))
		}
	}
	e.Columns, e.Rows = append(columns, seqColumn), [][]value.Value{append(vals, full[len(t.Columns)])}
}

// seqColumn is the column _seq of an Append's row.
var seqColumn = predicate.Column{Name: system.ColSeq, Kind: value.Int64, NotNull: true}

// detached returns v in memory of its own.
func detached(v value.Value) value.Value {
	if v.Kind().Form() == value.FormString {
		return value.NewString(v.Kind(), strings.Clone(v.Str()))
	}
	return v
}
