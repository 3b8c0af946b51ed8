package oracle

import (
	"fmt"
	"strings"
)

// maxNested bounds subqueries inside each other.
const maxNested = 2

func (g *Generator) anyTable() *Table {
	for {
		t := g.Tables[g.IntN(len(g.Tables))]
		if t != g.without {
			return t
		}
	}
}

// source is one entry of FROM, with a name of its own.
func (g *Generator) source(nested int) (sql string, columns []named) {
	g.alias++
	name := fmt.Sprintf("x%d", g.alias)
	if nested < maxNested && g.one(8) {
		text := g.one(2)
		inner := g.block([]bool{false, text}, scope{nested: nested + 1}, true)
		return fmt.Sprintf("(%s) %s", inner, name),
			[]named{{sql: name + ".o0"}, {sql: name + ".o1", text: text}}
	}
	t := g.anyTable()
	for i, c := range t.Columns {
		columns = append(columns, named{sql: name + "." + c.Name, text: c.Text, key: i < t.Keys})
	}
	return t.Name + " " + name, columns
}

// from is a FROM of one to three tables. outer are the columns around it.
func (g *Generator) from(outer scope) (string, scope) {
	sql, columns := g.source(outer.nested)
	s := scope{depth: 3, nested: outer.nested}
	kinds := []string{"JOIN", "JOIN", "CROSS JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN"}
	count := g.IntN(3)
	for range count {
		next, more := g.source(outer.nested)
		columns = append(columns, more...)
		s.columns = columns
		kind := g.pick(kinds...)
		sql += " " + kind + " " + next
		if kind != "CROSS JOIN" {
			sql += " ON " + g.on(columns, more)
		}
	}
	s.own, s.single = len(columns), count == 0
	s.columns = append(columns, outer.columns...)
	return "FROM " + sql, s
}

// on compares a column of the new table with one of the others, if there is one
// of its kind.
func (g *Generator) on(columns, more []named) string {
	c := more[g.IntN(len(more))]
	s := scope{columns: columns[:len(columns)-len(more)], nested: maxNested}
	other := g.column(s, c.text)
	if other == "" {
		other = g.literal(c.text)
	}
	sql := fmt.Sprintf("%s %s %s", c.sql, g.pick("=", "=", "=", "<", ">=", "<>", "<=>"), other)
	if g.one(4) {
		s.columns = columns
		sql = fmt.Sprintf("(%s %s %s)", sql, g.pick("AND", "OR"), g.bool(s))
	}
	return sql
}

func (g *Generator) where(s scope) string {
	if g.one(4) {
		return ""
	}
	s.depth = g.IntN(4)
	return " WHERE " + g.bool(s)
}

// block is a SELECT of columns of the kinds, texts where true, named o0, o1 ...
func (g *Generator) block(kinds []bool, outer scope, plain bool) string {
	from, s := g.from(outer)
	where := g.where(s)
	if !plain && g.one(3) {
		return g.grouped(kinds, from+where, s)
	}
	items := make([]string, len(kinds))
	for i, text := range kinds {
		item := g.value(s, text)
		if !strings.Contains(item, ".") {
			g.loose = true
		}
		items[i] = fmt.Sprintf("%s AS o%d", item, i)
	}
	return "SELECT " + g.pick("", "", "", "DISTINCT ") + strings.Join(items, ", ") + " " + from + where
}

// grouped is a SELECT with GROUP BY or with aggregates alone.
func (g *Generator) grouped(kinds []bool, from string, s scope) string {
	var keys, items []string
	for i, text := range kinds {
		item := ""
		if c := g.column(s, text); c != "" && g.one(2) {
			item = c
			if !text && g.one(4) {
				item = "(" + c + " % 3)"
			}
			keys = append(keys, item)
		} else {
			item = g.aggregate(s, text)
		}
		items = append(items, fmt.Sprintf("%s AS o%d", item, i))
	}
	sql := "SELECT " + strings.Join(items, ", ") + " " + from
	if len(keys) > 0 {
		sql += " GROUP BY " + strings.Join(keys, ", ")
		if s.single && g.one(2) {
			sql += fmt.Sprintf(" HAVING %s %s %s", g.aggregate(s, false),
				g.pick(">", "<", "=", "<>"), g.literal(false))
		}
	}
	return sql
}

func (g *Generator) aggregate(s scope, text bool) string {
	s.columns, s.depth, s.nested = s.columns[:s.own], 1, maxNested
	if text {
		return fmt.Sprintf("%s(%s)", g.pick("MIN", "MAX"), g.text(s))
	}
	switch g.IntN(8) {
	case 0, 1:
		return "COUNT(*)"
	case 2:
		return fmt.Sprintf("COUNT(DISTINCT %s)", g.value(s, g.one(2)))
	case 3:
		return fmt.Sprintf("COUNT(%s)", g.value(s, g.one(2)))
	case 4:
		return fmt.Sprintf("SUM(DISTINCT %s)", g.int(s))
	case 5:
		return fmt.Sprintf("SUM(%s)", g.int(s))
	}
	return fmt.Sprintf("%s(%s)", g.pick("MIN", "MAX"), g.int(s))
}

// scalar is a subquery of one number; a leaf where subqueries end.
func (g *Generator) scalar(s scope) string {
	if s.nested >= maxNested {
		return g.leaf(s, false)
	}
	from, in := g.from(scope{columns: s.columns, nested: s.nested + 1})
	return fmt.Sprintf("(SELECT %s %s%s)", g.aggregate(in, false), from, g.where(in))
}

// truth is a condition with a subquery; "" where subqueries end.
func (g *Generator) truth(s scope) string {
	if s.nested >= maxNested {
		return ""
	}
	from, in := g.from(scope{columns: s.columns, nested: s.nested + 1})
	if g.one(2) {
		return fmt.Sprintf("%s (SELECT 1 %s%s)", g.pick("EXISTS", "NOT EXISTS"), from, g.where(in))
	}
	text := g.one(3)
	own := in
	own.columns = in.columns[:in.own]
	return fmt.Sprintf("%s %s (SELECT %s %s%s)", g.value(s, text), g.pick("IN", "NOT IN"),
		g.leaf(own, text), from, g.where(in))
}

// Query returns a random SELECT.
func (g *Generator) Query() Statement {
	g.alias, g.loose = 0, false
	switch g.IntN(10) {
	case 0, 1, 2:
		return g.ranged()
	case 3:
		return statement(g.windowed())
	}
	kinds := make([]bool, 1+g.IntN(3))
	for i := range kinds {
		kinds[i] = g.one(3)
	}
	sql := g.block(kinds, scope{}, false)
	set := g.one(6)
	if set {
		g.loose = false
		left, op := g.block(kinds, scope{}, false), g.pick("UNION", "UNION ALL", "INTERSECT", "EXCEPT")
		sql = left + " " + op + " " + g.block(kinds, scope{}, false)
	}
	if g.one(8) {
		sql = fmt.Sprintf("WITH w AS (%s) SELECT * FROM w", sql)
	}
	if set && g.loose {
		return statement(sql)
	}
	return g.finish(sql, len(kinds))
}

// finish adds ORDER BY over all columns, and a LIMIT.
func (g *Generator) finish(sql string, columns int) Statement {
	if g.one(2) {
		return statement(sql)
	}
	order := make([]string, columns)
	for i, c := range g.Perm(columns) {
		order[i] = fmt.Sprint(c+1) + g.pick("", " DESC")
	}
	sql += " ORDER BY " + strings.Join(order, ", ")
	if g.one(2) {
		sql += fmt.Sprintf(" LIMIT %d", g.IntN(6))
		if g.one(3) {
			sql += fmt.Sprintf(" OFFSET %d", g.IntN(4))
		}
	}
	s := statement(sql)
	s.Ordered = true
	return s
}

// keyed is a condition on the key of t, its first columns bound.
func (g *Generator) keyed(t *Table, bound int) string {
	var list []string
	for _, c := range t.Columns[:bound] {
		list = append(list, c.Name+" = "+g.literal(c.Text))
	}
	if bound < t.Keys {
		c := t.Columns[bound]
		for range g.IntN(3) {
			list = append(list, c.Name+g.pick(" < ", " <= ", " > ", " >= ")+g.literal(c.Text))
		}
	}
	if g.one(4) {
		var s scope
		for _, c := range t.Columns {
			s.columns = append(s.columns, named{sql: c.Name, text: c.Text})
		}
		s.depth, s.nested = 1, maxNested
		list = append(list, g.bool(s))
	}
	if len(list) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(list, " AND ")
}

// ranged is a SELECT of the form that has a path of its own: one table, a key
// or a range of keys, in the order of the key.
func (g *Generator) ranged() Statement {
	t := g.anyTable()
	if len(t.Indexes) > 0 && g.one(2) {
		return g.indexed(t)
	}
	bound := g.IntN(t.Keys + 1)
	where := g.keyed(t, bound)
	var names, order []string
	for _, c := range t.Columns {
		names = append(names, c.Name)
	}
	if g.one(4) {
		c := t.Columns[g.IntN(len(t.Columns))].Name
		return statement(fmt.Sprintf("SELECT COUNT(*), MIN(%s), MAX(%[1]s), COUNT(%[1]s) FROM %s%s",
			c, t.Name, where))
	}
	if g.one(6) {
		c := t.Columns[g.IntN(len(t.Columns))].Name
		return statement(fmt.Sprintf("SELECT %s, COUNT(*) FROM %s%s GROUP BY %[1]s", c, t.Name, where))
	}
	list := strings.Join(names, ", ")
	if g.one(2) {
		list = "*"
	}
	sql := fmt.Sprintf("SELECT %s FROM %s%s", list, t.Name, where)
	if bound == t.Keys || g.one(4) {
		return statement(sql)
	}
	dir := g.pick("", " ASC", " DESC")
	for _, c := range t.Columns[g.IntN(bound+1):t.Keys] {
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

// windowed is a SELECT with window functions over one table.
func (g *Generator) windowed() string {
	g.alias++
	t := g.anyTable()
	var s scope
	var keys, items []string
	for i, c := range t.Columns {
		s.columns = append(s.columns, named{sql: c.Name, text: c.Text})
		items = append(items, c.Name)
		if i < t.Keys {
			keys = append(keys, c.Name+g.pick("", " DESC"))
		}
	}
	s.nested = maxNested
	total := "ORDER BY " + strings.Join(keys, ", ")
	for i := range 1 + g.IntN(2) {
		part := ""
		if g.one(2) {
			part = "PARTITION BY " + t.Columns[g.IntN(len(t.Columns))].Name + " "
		}
		call := ""
		switch g.IntN(6) {
		case 0:
			call = "ROW_NUMBER() OVER (" + part + total + ")"
		case 1:
			call = fmt.Sprintf("%s() OVER (%sORDER BY %s)", g.pick("RANK", "DENSE_RANK"), part,
				t.Columns[g.IntN(len(t.Columns))].Name)
		case 2:
			call = fmt.Sprintf("%s(%s) OVER (%s%s)", g.pick("LAG", "LEAD"), g.leaf(s, false), part, total)
		case 3:
			call = fmt.Sprintf("SUM(%s) OVER (%s%s)", g.leaf(s, false), part, total)
		case 4:
			call = fmt.Sprintf("%s OVER (%s)",
				g.pick("COUNT(*)", "MAX("+g.leaf(s, false)+")", "MIN("+g.leaf(s, true)+")"), part)
		case 5:
			call = fmt.Sprintf("FIRST_VALUE(%s) OVER (%s%s)", g.leaf(s, g.one(2)), part, total)
		}
		items = append(items, fmt.Sprintf("%s AS w%d", call, i))
	}
	return "SELECT " + strings.Join(items, ", ") + " FROM " + t.Name + g.where(s)
}
