// Package rights holds the matrix of rights: for each kind of statement, what
// every caller hears. A test tries it on a server, and the reference prints it.
//
// It is data and its reader; it runs nothing.
package rights

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

//go:embed matrix.txt
var matrix string

// Callers are who a statement is tried as, in the order of a row's outcomes.
// Anonymous has no credentials, and Root is the dba.
var Callers = [...]string{Anonymous, "alice", "bob", "sam", Root}

// The callers that are no accounts of the test's own.
const (
	Anonymous = "anonymous"
	Root      = "root"
)

// OK is the outcome of a statement that is done.
const OK = ""

// words stand for the usual outcomes; any other is a code.
var words = map[string]fault.Code{
	"ok": OK, "auth": fault.AuthRequired, "denied": fault.PermissionDenied,
	"missing": fault.TableNotFound, "reserved": fault.InvalidParameter,
}

// Row is a statement and what each caller hears.
type Row struct {
	Line   int    // in the file, from 1
	Kind   string // heading that it stands under: the name of its kind
	Want   [len(Callers)]fault.Code
	As     string // X-USER-ID, "" for none
	Socket bool   // it is subscribed to over the WebSocket, not run over HTTP
	SQL    string // with names in braces, which the test fills in
}

var row = regexp.MustCompile(
	`^(\S+) +(\S+) +(\S+) +(\S+) +(\S+) +(?:@(\S+) +)?(?:(ws) +)?([A-Z].*)$`)

// Rows returns the matrix in the order of its file.
func Rows() ([]Row, error) {
	var rows []Row
	kind := ""
	for i, line := range strings.Split(matrix, "\n") {
		switch {
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			kind = strings.Trim(line, "[]")
		default:
			r, err := parse(line)
			if err != nil {
				return nil, fmt.Errorf("line %d of the matrix: %w", i+1, err)
			}
			r.Line, r.Kind = i+1, kind
			rows = append(rows, r)
		}
	}
	return rows, nil
}

func parse(line string) (Row, error) {
	m := row.FindStringSubmatch(line)
	if m == nil {
		return Row{}, fmt.Errorf("%q is not %d outcomes and a statement", line, len(Callers))
	}
	r := Row{As: m[6], Socket: m[7] != "", SQL: m[8]}
	for i := range r.Want {
		code, ok := words[m[i+1]]
		if !ok {
			if code = fault.Code(m[i+1]); code.Info().Code != code {
				return Row{}, fmt.Errorf("%q is no outcome", m[i+1])
			}
		}
		r.Want[i] = code
	}
	return r, nil
}

// Word returns how an outcome is written in the matrix.
func Word(code fault.Code) string {
	for word, c := range words {
		if c == code {
			return word
		}
	}
	return string(code)
}

// Legend returns the file's first comment, which explains the names in it, in
// paragraphs.
func Legend() []string {
	var paragraphs []string
	text := ""
	for line := range strings.Lines(matrix) {
		line, comment := strings.CutPrefix(strings.TrimSpace(line), "#")
		if text += line; line == "" && text != "" {
			paragraphs = append(paragraphs, strings.TrimSpace(text))
			text = ""
		}
		if !comment {
			break
		}
	}
	return paragraphs
}
