package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/system"
)

// Longest file, in lines, and longest line, in characters; a tab is one. Tests
// may be wider: their tables of cases read better unbroken.
const (
	maxLines       = 700
	maxTestLines   = 900
	maxColumns     = 100
	maxTestColumns = 140
)

func fileLength(f *File) []Finding {
	limit := maxLines
	if f.Test {
		limit = maxTestLines
	}
	if len(f.Lines) <= limit {
		return nil
	}
	return []Finding{f.at(0, fmt.Sprintf(
		"%d lines; split it by idea into files of at most %d", len(f.Lines), limit))}
}

// tableRow matches one row of a table of literals, and a line that is only a
// long string; both read better unbroken.
var tableRow = regexp.MustCompile(`^\s*(\{.*\},?|"[^"]*"[,)+:]*|.*https?://.*)\s*(//.*)?$`)

func lineLength(f *File) []Finding {
	limit := maxColumns
	if f.Test {
		limit = maxTestColumns
	}
	var found []Finding
	for i, line := range f.Lines {
		columns := utf8.RuneCountInString(line)
		if columns > limit && !tableRow.MatchString(line) {
			found = append(found, f.at(i+1, fmt.Sprintf(
				"%d columns; break it at %d", columns, limit)))
		}
	}
	return found
}

var looseEnd = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

func noLooseEnds(f *File) []Finding {
	var found []Finding
	for _, group := range f.Syntax.Comments {
		for _, c := range group.List {
			word := looseEnd.FindString(c.Text)
			if word == "" || strings.Contains(group.Text(), "docs/roadmap.md") ||
				within(f.Path, "internal/lint") {
				continue
			}
			found = append(found, f.at(f.Line(c.Pos()),
				word+" that names no entry of docs/roadmap.md; write one there, or do it"))
		}
	}
	return found
}

// literals calls visit for each string literal of the file outside of imports
// and struct tags.
func (f *File) literals(visit func(text string, line int)) {
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.Field:
			return n.Tag == nil
		case *ast.BasicLit:
			if n.Kind != token.STRING {
				return true
			}
			if s, err := strconv.Unquote(n.Value); err == nil {
				visit(s, f.Line(n.Pos()))
			}
		}
		return true
	})
}

// fromOutside reports whether a file speaks to a server from outside: there a
// name as text is what is tested.
func fromOutside(f *File) bool {
	return f.Test || f.Module == "tests" || f.Module == "internal"
}

func codeLiterals(f *File) []Finding {
	if fromOutside(f) || f.Dir() == "commons/fault" {
		return nil
	}
	var found []Finding
	f.literals(func(text string, line int) {
		if c := fault.Code(text); c.Info().Code == c {
			found = append(found, f.at(line, text+" as text; use the constant of commons/fault"))
		}
	})
	return found
}

func columnLiterals(f *File) []Finding {
	if fromOutside(f) || f.Dir() == "commons/system" {
		return nil
	}
	var found []Finding
	f.literals(func(text string, line int) {
		if system.IsColumn(text) {
			found = append(found, f.at(line, text+" as text; use the constant of commons/system"))
		}
	})
	return found
}
