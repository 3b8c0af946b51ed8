package main

import (
	"fmt"
	"strings"
)

// page is one generated file.
type page struct {
	file  string
	title string
	intro string
	parts []table
}

// table is one table of a page, under a heading when it has one.
type table struct {
	heading string
	intro   string
	columns []string
	rows    [][]string
}

// text returns the page as Markdown.
func (p page) text() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", p.title)
	b.WriteString("<!-- Written by make docs from the code's own tables; do not edit. -->\n\n")
	b.WriteString(p.intro + "\n")
	for _, t := range p.parts {
		t.write(&b)
	}
	return []byte(b.String())
}

func (t table) write(b *strings.Builder) {
	if t.heading != "" {
		fmt.Fprintf(b, "\n## %s\n", t.heading)
	}
	if t.intro != "" {
		fmt.Fprintf(b, "\n%s\n", t.intro)
	}
	fmt.Fprintf(b, "\n| %s |\n|%s\n", strings.Join(t.columns, " | "),
		strings.Repeat(" --- |", len(t.columns)))
	for _, row := range t.rows {
		for i, cell := range row {
			row[i] = escape(cell)
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(row, " | "))
	}
}

// escape keeps a cell in one cell: a bar would end it, a line break the row.
func escape(cell string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(cell)
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}
