package plan

import (
	"slices"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// An UPDATE that sets a text column to itself with something behind it, and no
// other, is an append: the row is not read here but where the write is applied,
// so those who append to one row at once don't conflict.

// maxLayouts bounds the schema versions that an append knows, the newest. A row
// of an earlier one is updated, and is of the newest then.
const maxLayouts = 8

// compileAppend makes the plan of an append. It is one where nothing else
// depends on the column: no key, index, check or limit of its length.
func (p *plan) compileAppend(st *statement) bool {
	if len(st.sets) != 1 {
		return false
	}
	at := p.def.Column(st.sets[0].column)
	if at < 0 || p.def.IsKey(at) {
		return false
	}
	c := &p.def.Columns[at]
	if c.Type.Kind != value.Text || c.Type.Length > 0 || p.indexed(c) {
		return false
	}
	p.tail = &row.Tail{Column: c.ID, Most: ddl.MaxLength}
	for _, v := range slices.Backward(p.def.Versions()) {
		s, _ := p.def.SchemaOf(v.Number)
		i := slices.Index(s.IDs, c.ID)
		if i < 0 || s.Kinds[i] != value.Text {
			continue
		}
		if len(p.tail.Layouts) == maxLayouts {
			break
		}
		p.tail.Layouts = append(p.tail.Layouts, row.Layout{Schema: s.Version, At: i, Kinds: s.Kinds})
	}
	p.pieces = st.pieces
	return true
}

// indexed reports whether an append to a column could leave an index without an
// entry. One that is being built fills in the rows that have not changed since
// it looked at them.
func (p *plan) indexed(c *ddl.Column) bool {
	return slices.ContainsFunc(p.def.Indexes, func(x ddl.Index) bool {
		return x.Building || slices.Contains(x.Columns, c.ID)
	})
}

// append makes the write of an append. It assumes that the row is there.
func (x *execution) append() (handled bool, err error) {
	var text strings.Builder
	for _, o := range x.pieces {
		v, ok := x.value(o)
		if !ok || v.Kind() != value.Text {
			return false, nil
		}
		text.WriteString(v.Str())
	}
	span, _, ok := x.span(nil)
	if !ok || text.Len() > maxWrite {
		return false, nil
	}
	set := new(writeset.Set)
	set.Add(writeset.Write{Table: x.def, User: x.user, Op: row.Append, PK: span.Lo,
		Payload: []byte(text.String()), Tail: x.tail})
	x.result.Rows, x.result.Writes, x.result.Assumed = noRows{}, set, true
	x.result.Affected = 1
	return true, nil
}
