package shell

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Format is how rows are printed.
type Format string

// The formats. Table is for people; it shows control characters escaped, so
// that stored text can't steer the terminal. JSON is one array of objects for
// each statement, NDJSON one object a line, and CSV RFC 4180 with a header,
// where NULL is an empty field.
const (
	Table  Format = "table"
	JSON   Format = "json"
	NDJSON Format = "ndjson"
	CSV    Format = "csv"
)

var formats = []Format{Table, JSON, NDJSON, CSV}

// ParseFormat reads the name of a format.
func ParseFormat(s string) (Format, error) {
	f := Format(strings.ToLower(s))
	if !slices.Contains(formats, f) {
		return "", fault.New(fault.InvalidParameter,
			"unknown format %q; use table, json, ndjson or csv", s)
	}
	return f, nil
}

// render returns what is printed of a statement's result. What a statement
// without rows says is printed in a table only: the other formats are read by
// programs.
func render(r *client.Result, f Format, expanded bool) []byte {
	if len(r.Schema.Columns()) == 0 {
		if f != Table {
			return nil
		}
		return []byte(outcome(r) + "\n")
	}
	var b bytes.Buffer
	switch f {
	case JSON:
		writeJSON(&b, r)
	case NDJSON:
		for _, row := range r.Rows {
			b.Write(append(row.AppendJSON(nil), '\n'))
		}
	case CSV:
		writeCSV(&b, r)
	default:
		if expanded {
			writeExpanded(&b, r)
		} else {
			writeTable(&b, r.Schema, r.Rows)
		}
		fmt.Fprintf(&b, "(%s)\n", count(int64(len(r.Rows)), "row"))
	}
	return b.Bytes()
}

func outcome(r *client.Result) string {
	if r.Message != "" {
		return r.Message
	}
	return "OK, " + count(r.RowCount, "row") + " affected"
}

func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func writeJSON(b *bytes.Buffer, r *client.Result) {
	b.WriteByte('[')
	for i, row := range r.Rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n  ")
		b.Write(row.AppendJSON(nil))
	}
	if len(r.Rows) > 0 {
		b.WriteByte('\n')
	}
	b.WriteString("]\n")
}

// writeCSV follows RFC 4180. encoding/csv would change line ends in values.
func writeCSV(b *bytes.Buffer, r *client.Result) {
	for i, c := range r.Schema.Columns() {
		csvField(b, i, c.Name)
	}
	b.WriteString("\r\n")
	for _, row := range r.Rows {
		for i := range row.Len() {
			csvField(b, i, row.Text(i))
		}
		b.WriteString("\r\n")
	}
}

func csvField(b *bytes.Buffer, i int, text string) {
	if i > 0 {
		b.WriteByte(',')
	}
	if strings.ContainsAny(text, ",\"\r\n") {
		text = `"` + strings.ReplaceAll(text, `"`, `""`) + `"`
	}
	b.WriteString(text)
}

// timing is the line that \timing adds.
func timing(server, total time.Duration) string {
	ms := func(d time.Duration) string {
		return fmt.Sprintf("%.3f ms", float64(d.Microseconds())/1000)
	}
	if server == 0 {
		return "time: " + ms(total)
	}
	return "time: " + ms(total) + ", of it in the server " + ms(server)
}
