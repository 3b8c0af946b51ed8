// Package oracle makes random tables, queries and writes in the SQL that
// SQLite and MySQL understand alike, so that answers can be compared with
// those of another engine. Its test does so.
//
// What the two see differently is left out:
//
//   - division, and MOD by what may be zero: decimals here, integers there
//   - comparing numbers with texts, and arithmetic on texts: type affinity
//   - truth values as numbers, and || which is OR in one of them
//   - texts beyond lower case ASCII in the tables: LIKE and case mapping
//   - ORDER BY that leaves a choice: every column of the result is in it
//   - columns outside of GROUP BY, and subqueries of more than one row
//   - numbers near the limits of BIGINT, which overflow in different ways
//   - assignments that read what the same UPDATE assigns: MySQL goes from left
//     to right, SQLite reads the old row; likewise a subquery of a write that
//     reads the table that is written
//   - UPDATE of the keys, or of what is unique, of many rows: SQLite looks for
//     duplicates at each row
//   - chains of INTERSECT, EXCEPT and UNION, which have no precedence in SQLite
//
// Left out too is HAVING with an aggregate that is not selected, over more than
// one table: it is refused where two of these have columns of the same name.
//
// A Generator is used by one goroutine and starts none. The same seed makes
// the same statements.
package oracle

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Statement is one statement in both dialects.
type Statement struct {
	SQL    string
	SQLite string
	// Ordered says that the rows have one order only.
	Ordered bool
	Write   bool
}

// Table is a table of the random schema.
type Table struct {
	Name    string
	Columns []Column
	Keys    int // the first columns are its key
	Indexes []Index
}

// Column is a column of a table.
type Column struct {
	Name    string
	Text    bool // TEXT, else BIGINT
	NotNull bool
}

// Create returns the CREATE TABLE for both.
func (t *Table) Create() string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (", t.Name)
	var keys []string
	for i, c := range t.Columns {
		kind := "BIGINT"
		if c.Text {
			kind = "TEXT"
		}
		fmt.Fprintf(&b, "%s %s", c.Name, kind)
		if c.NotNull {
			b.WriteString(" NOT NULL")
		}
		b.WriteString(", ")
		if i < t.Keys {
			keys = append(keys, c.Name)
		}
	}
	fmt.Fprintf(&b, "PRIMARY KEY (%s))", strings.Join(keys, ", "))
	return b.String()
}

// Generator makes statements about Tables.
type Generator struct {
	*rand.Rand
	Tables []*Table

	alias   int
	without *Table // which a subquery must not read; nil for none
	loose   bool   // a column of the statement is no column of a table
}

// New returns a generator with two to four random tables.
func New(r *rand.Rand) *Generator {
	g := &Generator{Rand: r}
	for i := range 2 + g.IntN(3) {
		t := g.table(fmt.Sprintf("t%d", i))
		g.index(t)
		g.Tables = append(g.Tables, t)
	}
	return g
}

func (g *Generator) table(name string) *Table {
	t := &Table{Name: name, Keys: 1 + g.IntN(2)}
	for i := range t.Keys {
		t.Columns = append(t.Columns, Column{
			Name: fmt.Sprintf("k%d", i), Text: g.one(4), NotNull: true,
		})
	}
	for i := range 1 + g.IntN(4) {
		t.Columns = append(t.Columns, Column{
			Name: fmt.Sprintf("c%d", i), Text: g.one(3), NotNull: g.one(5),
		})
	}
	return t
}

func (g *Generator) one(in int) bool { return g.IntN(in) == 0 }

func (g *Generator) pick(list ...string) string { return list[g.IntN(len(list))] }

// statement writes what differs for SQLite.
func statement(sql string) Statement {
	return Statement{SQL: sql, SQLite: strings.ReplaceAll(sql, "<=>", "IS")}
}

// literal is a value that fits a column.
func (g *Generator) literal(text bool) string {
	if text {
		return g.pick("''", "'a'", "'b'", "'ab'", "'abc'", "'ba'", "'c'", "'x y'", "'zz'")
	}
	n := g.IntN(12) - 3
	if g.one(8) {
		n = g.IntN(2000) - 1000
	}
	if n < 0 {
		return fmt.Sprintf("(%d)", n)
	}
	return fmt.Sprint(n)
}

func (g *Generator) cell(c Column) string {
	if g.one(5) && (!c.NotNull || g.one(20)) {
		return "NULL"
	}
	return g.literal(c.Text)
}

// scope is the columns that an expression can name.
type scope struct {
	columns []named
	own     int  // so many of them are of the query itself, the others around it
	depth   int  // of expressions that may still be nested
	nested  int  // of subqueries around it
	single  bool // one table is read
}

type named struct {
	sql  string
	text bool
	key  bool
}

func (s scope) deeper() scope {
	s.depth--
	return s
}

// column returns a column of the kind, "" when there is none.
func (g *Generator) column(s scope, text bool) string {
	var fit []string
	for _, c := range s.columns {
		if c.text == text {
			fit = append(fit, c.sql)
		}
	}
	if len(fit) == 0 {
		return ""
	}
	return g.pick(fit...)
}

func (g *Generator) value(s scope, text bool) string {
	if text {
		return g.text(s)
	}
	return g.int(s)
}

func (g *Generator) leaf(s scope, text bool) string {
	if c := g.column(s, text); c != "" && !g.one(4) {
		return c
	}
	if g.one(12) {
		return "NULL"
	}
	return g.literal(text)
}

func (g *Generator) int(s scope) string {
	if s.depth <= 0 || g.one(2) {
		return g.leaf(s, false)
	}
	d := s.deeper()
	switch g.IntN(10) {
	case 0, 1:
		return fmt.Sprintf("(%s %s %s)", g.int(d), g.pick("+", "-"), g.int(d))
	case 2:
		return fmt.Sprintf("(%s * %s)", g.int(d), g.literal(false))
	case 3:
		return fmt.Sprintf("(%s %% %s)", g.int(d), g.pick("2", "3", "7"))
	case 4:
		return fmt.Sprintf("ABS(%s)", g.int(d))
	case 5:
		return fmt.Sprintf("%s(%s, %s)", g.pick("COALESCE", "IFNULL", "NULLIF"), g.int(d), g.int(d))
	case 6:
		return fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", g.bool(d), g.int(d), g.int(d))
	case 7:
		return fmt.Sprintf("LENGTH(%s)", g.text(d))
	case 8:
		return fmt.Sprintf("CASE %s WHEN %s THEN %s END", g.int(d), g.int(d), g.int(d))
	}
	return g.scalar(d)
}

func (g *Generator) text(s scope) string {
	if s.depth <= 0 || g.one(2) {
		return g.leaf(s, true)
	}
	d := s.deeper()
	switch g.IntN(6) {
	case 0:
		return fmt.Sprintf("%s(%s)", g.pick("UPPER", "LOWER", "TRIM"), g.text(d))
	case 1:
		return fmt.Sprintf("SUBSTR(%s, %d, %d)", g.text(d), 1+g.IntN(3), g.IntN(3))
	case 2:
		return fmt.Sprintf("REPLACE(%s, %s, %s)", g.text(d), g.pick("'a'", "'b'"), g.literal(true))
	case 3:
		return fmt.Sprintf("%s(%s, %s)", g.pick("COALESCE", "IFNULL", "NULLIF"), g.text(d), g.text(d))
	case 4:
		return fmt.Sprintf("CASE WHEN %s THEN %s ELSE %s END", g.bool(d), g.text(d), g.text(d))
	}
	return g.leaf(s, true)
}

func (g *Generator) bool(s scope) string {
	d := s.deeper()
	if s.depth > 0 {
		switch g.IntN(12) {
		case 0, 1:
			return fmt.Sprintf("(%s AND %s)", g.bool(d), g.bool(d))
		case 2, 3:
			return fmt.Sprintf("(%s OR %s)", g.bool(d), g.bool(d))
		case 4:
			return fmt.Sprintf("NOT (%s)", g.bool(d))
		case 5:
			return fmt.Sprintf("((%s) IS %s)", g.bool(d),
				g.pick("TRUE", "FALSE", "NOT TRUE", "NOT FALSE", "NULL"))
		case 6:
			if sub := g.truth(d); sub != "" {
				return sub
			}
		}
	}
	text := g.one(3)
	a, b := g.value(d, text), g.value(d, text)
	switch g.IntN(10) {
	case 0:
		return fmt.Sprintf("%s IS %s", a, g.pick("NULL", "NOT NULL"))
	case 1:
		return fmt.Sprintf("%s %s %s AND %s", a, g.pick("BETWEEN", "NOT BETWEEN"), b, g.value(d, text))
	case 2:
		list := []string{b, g.literal(text), g.literal(text)}
		if g.one(3) {
			list = append(list, "NULL")
		}
		return fmt.Sprintf("%s %s (%s)", a, g.pick("IN", "NOT IN"), strings.Join(list, ", "))
	case 3:
		if text {
			return fmt.Sprintf("%s %s %s", a, g.pick("LIKE", "NOT LIKE"),
				g.pick("'a%'", "'%b'", "'_'", "'a_'", "'%'", "''", "'%b%'", "'_b%'"))
		}
	case 4:
		return fmt.Sprintf("%s <=> %s", a, b)
	}
	return fmt.Sprintf("%s %s %s", a, g.pick("=", "=", "<>", "<", "<=", ">", ">="), b)
}
