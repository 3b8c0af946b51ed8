package oracle

import (
	"fmt"
	"strings"
)

// Write returns a random INSERT, UPDATE or DELETE.
func (g *Generator) Write() Statement {
	g.alias = 0
	t := g.Tables[g.IntN(len(g.Tables))]
	g.without = t
	defer func() { g.without = nil }()
	sql := ""
	switch g.IntN(8) {
	case 0:
		sql = "DELETE FROM " + t.Name + g.condition(t)
	case 1, 2:
		sql = g.update(t)
	case 3:
		sql = g.insertSelect(t)
	default:
		sql = g.Insert(t, 1+g.IntN(3)).SQL
	}
	s := statement(sql)
	s.Write = true
	return s
}

// Insert returns an INSERT of n rows into t.
func (g *Generator) Insert(t *Table, n int) Statement {
	rows := make([]string, n)
	for i := range rows {
		cells := make([]string, len(t.Columns))
		for j, c := range t.Columns {
			cells[j] = g.cell(c)
		}
		rows[i] = "(" + strings.Join(cells, ", ") + ")"
	}
	s := statement(fmt.Sprintf("INSERT INTO %s VALUES %s", t.Name, strings.Join(rows, ", ")))
	s.Write = true
	return s
}

func (g *Generator) insertSelect(t *Table) string {
	kinds := make([]bool, len(t.Columns))
	for i, c := range t.Columns {
		kinds[i] = c.Text
	}
	return fmt.Sprintf("INSERT INTO %s %s", t.Name, g.block(kinds, scope{}, false))
}

// condition is a WHERE for a write of t.
func (g *Generator) condition(t *Table) string {
	if g.one(2) {
		return g.keyed(t, g.IntN(t.Keys+1))
	}
	return g.where(columnsOf(t))
}

func columnsOf(t *Table) scope {
	var s scope
	for _, c := range t.Columns {
		s.columns = append(s.columns, named{sql: t.Name + "." + c.Name, text: c.Text})
	}
	return s
}

func (g *Generator) update(t *Table) string {
	var free []Column
	for _, c := range t.Columns[t.Keys:] {
		if !t.unique(c.Name) {
			free = append(free, c)
		}
	}
	if g.one(6) || len(free) == 0 { // of a whole key
		c := t.Columns[g.IntN(len(t.Columns))]
		return fmt.Sprintf("UPDATE %s SET %s = %s WHERE %s", t.Name, c.Name, g.literal(c.Text),
			g.whole(t))
	}
	s := scope{depth: 2}
	var sets []string
	assigned := map[string]bool{}
	for _, i := range g.Perm(len(free))[:1+g.IntN(min(2, len(free)))] {
		assigned[free[i].Name] = true
	}
	for _, c := range t.Columns {
		if !assigned[c.Name] {
			s.columns = append(s.columns, named{sql: t.Name + "." + c.Name, text: c.Text})
		}
	}
	for _, c := range free {
		if assigned[c.Name] {
			sets = append(sets, c.Name+" = "+g.value(s, c.Text))
		}
	}
	return "UPDATE " + t.Name + " SET " + strings.Join(sets, ", ") + g.condition(t)
}
