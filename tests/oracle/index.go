package oracle

import (
	"fmt"
	"strings"
)

// Index is a secondary index of a table.
type Index struct {
	Name    string
	Unique  bool
	Columns []Column
}

// CreateIndexes returns a CREATE INDEX for both for each index of t.
func (t *Table) CreateIndexes() []string {
	var out []string
	for _, x := range t.Indexes {
		verb := "CREATE INDEX "
		if x.Unique {
			verb = "CREATE UNIQUE INDEX "
		}
		var names []string
		for _, c := range x.Columns {
			names = append(names, c.Name)
		}
		out = append(out, verb+x.Name+" ON "+t.Name+" ("+strings.Join(names, ", ")+")")
	}
	return out
}

// index gives t random indexes.
func (g *Generator) index(t *Table) {
	for i := range g.IntN(4) {
		x := Index{Name: fmt.Sprintf("%s_i%d", t.Name, i), Unique: g.one(3)}
		for _, c := range g.Perm(len(t.Columns))[:1+g.IntN(min(3, len(t.Columns)))] {
			x.Columns = append(x.Columns, t.Columns[c])
		}
		t.Indexes = append(t.Indexes, x)
	}
}

// unique reports whether a column that is not of the key stands in a unique
// index.
func (t *Table) unique(name string) bool {
	for _, x := range t.Indexes {
		for _, c := range x.Columns {
			if x.Unique && c.Name == name {
				return true
			}
		}
	}
	return false
}

// whole is a condition on the whole key of t.
func (g *Generator) whole(t *Table) string {
	var where []string
	for _, c := range t.Columns[:t.Keys] {
		where = append(where, c.Name+" = "+g.literal(c.Text))
	}
	return strings.Join(where, " AND ")
}

// indexed is a SELECT by an index: its beginning bound, a range or an order
// behind it.
func (g *Generator) indexed(t *Table) Statement {
	x := t.Indexes[g.IntN(len(t.Indexes))]
	bound := g.IntN(len(x.Columns) + 1)
	var list []string
	for _, c := range x.Columns[:bound] {
		if g.one(6) {
			list = append(list, c.Name+" IS NULL")
			continue
		}
		list = append(list, c.Name+" = "+g.literal(c.Text))
	}
	if bound < len(x.Columns) {
		c := x.Columns[bound]
		for range g.IntN(3) {
			list = append(list, c.Name+g.pick(" < ", " <= ", " > ", " >= ")+g.literal(c.Text))
		}
	}
	sql := "SELECT * FROM " + t.Name
	if len(list) > 0 {
		sql += " WHERE " + strings.Join(list, " AND ")
	}
	if g.one(3) {
		return statement(sql)
	}
	dir := g.pick("", " ASC", " DESC")
	var order []string
	for _, c := range x.Columns[g.IntN(bound+1):] {
		order = append(order, c.Name+dir)
	}
	for _, c := range t.Columns[:t.Keys] {
		order = append(order, c.Name+dir)
	}
	sql += " ORDER BY " + strings.Join(order, ", ")
	if g.one(2) {
		sql += fmt.Sprintf(" LIMIT %d", g.IntN(5))
	}
	s := statement(sql)
	s.Ordered = true
	return s
}
