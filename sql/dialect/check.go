package dialect

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// pendingCheck is a CHECK clause whose columns are not all known yet: the
// tokens between its parentheses, from first up to last.
type pendingCheck struct {
	name        string // "" to be given one
	first, last int
}

// check consumes CHECK (...) [ENFORCED]. name is that of its CONSTRAINT, "" for
// none.
func (b *tableBuilder) check(name string) error {
	if !b.whole {
		return b.unsupported("CHECK stands in CREATE TABLE only; leave it out, it would not be enforced")
	}
	c := pendingCheck{name: strings.ToLower(name)}
	if err := b.expect("CHECK"); err != nil {
		return err
	}
	if err := b.expectKind(LeftParen); err != nil {
		return err
	}
	c.first = b.i
	for depth := 1; depth > 0; {
		switch t := b.next(); t.Kind {
		case 0:
			return b.failExpected(") behind CHECK")
		case LeftParen:
			depth++
		case RightParen:
			depth--
		case Parameter, Variable:
			b.i--
			return b.unsupported("%s can't stand in CHECK; write the value out", t.Text(b.src))
		}
	}
	if c.last = b.i - 1; c.last == c.first {
		b.i--
		return b.failExpected("a condition")
	}
	if b.is("NOT", "ENFORCED") {
		return b.unsupported("NOT ENFORCED is not supported; leave the CHECK out")
	}
	b.accept("ENFORCED")
	b.checks = append(b.checks, c)
	return nil
}

// constraint consumes CONSTRAINT name, if that stands before CHECK.
func (b *tableBuilder) constraint() (name string, ok bool, err error) {
	if !b.is("CONSTRAINT") {
		return "", b.is("CHECK"), nil
	}
	start := b.i
	b.next()
	if !b.is("CHECK") {
		if name, err = b.name("the name of a constraint"); err != nil {
			return "", false, err
		}
	}
	if !b.is("CHECK") {
		b.i = start
		return "", false, nil
	}
	return name, true, nil
}

// resolveChecks gives the checks their names and columns.
func (b *tableBuilder) resolveChecks() []ddl.Check {
	if len(b.checks) == 0 {
		return nil
	}
	out := make([]ddl.Check, len(b.checks))
	taken := make(map[string]bool)
	for _, c := range b.checks {
		taken[c.name] = true
	}
	n := 0
	for i, c := range b.checks {
		for c.name == "" || c.name != b.checks[i].name && taken[c.name] {
			n++
			c.name = "chk_" + strconv.Itoa(n)
		}
		out[i] = ddl.Check{Name: c.name, Expr: b.plain(c.first, c.last), Columns: b.columnsIn(c)}
	}
	return out
}

// plain writes tokens as they stand in the source, each gap as one space.
func (b *tableBuilder) plain(first, last int) string {
	var s strings.Builder
	for i := first; i < last; i++ {
		t := b.toks[i]
		if i > first && t.Start > b.toks[i-1].End {
			s.WriteByte(' ')
		}
		s.WriteString(t.Text(b.src))
	}
	return s.String()
}

// columnsIn returns the columns that a check names.
func (b *tableBuilder) columnsIn(c pendingCheck) (ids []ident.ColumnID) {
	for i := c.first; i < c.last; i++ {
		t := b.toks[i]
		if t.Kind != QuotedIdentifier && (t.Kind != Identifier || b.toks[i+1].Kind == LeftParen) {
			continue // a sign, a literal or a call
		}
		name := strings.ToLower(t.Name(b.src))
		for _, col := range b.n.Columns {
			if col.Name == name && !slices.Contains(ids, col.ID) {
				ids = append(ids, col.ID)
			}
		}
	}
	return ids
}

// noColumns refuses a check that names no column.
func (b *tableBuilder) noColumns(checks []ddl.Check) error {
	for i := range checks {
		if len(checks[i].Columns) == 0 {
			return b.at(b.checks[i].first, fault.New(fault.InvalidSQL,
				"CHECK %s names no column of the table", checks[i].Name))
		}
	}
	return nil
}
