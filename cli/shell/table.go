package shell

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/width"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// null is how a table shows NULL. A text of these letters looks the same; the
// other formats tell them apart.
const null = "NULL"

// cell returns a value as a table shows it, on one line.
func cell(row client.Row, i int) string {
	if i >= row.Len() || row.Raw(i) == nil {
		return ""
	}
	if string(row.Raw(i)) == "null" {
		return null
	}
	return printable(row.Text(i))
}

// printable escapes control and formatting characters.
func printable(s string) string {
	plain := func(r rune) bool { return !unicode.IsControl(r) && !bidi(r) }
	if strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case plain(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// bidi reports characters that reorder what stands around them.
func bidi(r rune) bool {
	return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// widthOf returns how many columns of a terminal s takes.
func widthOf(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case r < 0x7f:
			n++
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		default:
			n++
			if k := width.LookupRune(r).Kind(); k == width.EastAsianWide ||
				k == width.EastAsianFullwidth {
				n++
			}
		}
	}
	return n
}

// numeric names the types whose values stand at the right of their column.
var numeric = map[string]bool{
	value.Int8.String(): true, value.Int16.String(): true, value.Int32.String(): true,
	value.Int64.String(): true, value.Uint8.String(): true, value.Uint16.String(): true,
	value.Uint32.String(): true, value.Uint64.String(): true, value.Float32.String(): true,
	value.Float64.String(): true, value.Decimal.String(): true,
}

// grid is a table made ready: cells as text, and the widths of columns.
type grid struct {
	cells  [][]string // the header first
	widths []int
	right  []bool
}

func newGrid(schema *client.Schema, rows []client.Row) *grid {
	columns := schema.Columns()
	g := &grid{widths: make([]int, len(columns)), right: make([]bool, len(columns))}
	header := make([]string, len(columns))
	for i, c := range columns {
		header[i] = printable(c.Name)
		g.right[i] = numeric[c.DataType]
	}
	g.cells = append(g.cells, header)
	for _, row := range rows {
		line := make([]string, len(columns))
		for i := range columns {
			line[i] = cell(row, i)
		}
		g.cells = append(g.cells, line)
	}
	for _, line := range g.cells {
		for i, text := range line {
			g.widths[i] = max(g.widths[i], widthOf(text))
		}
	}
	return g
}

func writeTable(b *bytes.Buffer, schema *client.Schema, rows []client.Row) {
	g := newGrid(schema, rows)
	g.rule(b, "┌", "┬", "┐")
	for i, line := range g.cells {
		g.line(b, line, i == 0)
		if i == 0 {
			g.rule(b, "├", "┼", "┤")
		}
	}
	g.rule(b, "└", "┴", "┘")
}

func (g *grid) rule(b *bytes.Buffer, left, middle, right string) {
	for i, w := range g.widths {
		if i == 0 {
			b.WriteString(left)
		} else {
			b.WriteString(middle)
		}
		b.WriteString(strings.Repeat("─", w+2))
	}
	b.WriteString(right + "\n")
}

func (g *grid) line(b *bytes.Buffer, line []string, header bool) {
	for i, text := range line {
		pad := strings.Repeat(" ", g.widths[i]-widthOf(text))
		if g.right[i] && !header {
			text = pad + text
		} else {
			text += pad
		}
		b.WriteString("│ " + text + " ")
	}
	b.WriteString("│\n")
}

// writeExpanded prints a record as one line for each column.
func writeExpanded(b *bytes.Buffer, r *client.Result) {
	names := 0
	for _, c := range r.Schema.Columns() {
		names = max(names, widthOf(printable(c.Name)))
	}
	for n, row := range r.Rows {
		fmt.Fprintf(b, "─[ record %d ]─\n", n+1)
		for i, c := range r.Schema.Columns() {
			name := printable(c.Name)
			pad := strings.Repeat(" ", names-widthOf(name))
			b.WriteString(strings.TrimRight(name+pad+" │ "+cell(row, i), " ") + "\n")
		}
	}
}
