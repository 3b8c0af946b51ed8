package engine

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

// blame remembers the name of the column, table or function that an error is
// about; the first one stays. A qualified name counts by its last part.
func (run *execution) blame(name string) {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		name = name[i+1:]
	}
	if run.culprit == "" {
		run.culprit = name
	}
}

// blameRow remembers the row of VALUES, from 0, that an error is about. A name
// that is to blame, and stands in the statement, says more.
func (run *execution) blameRow(n int) { run.badRow = n + 1 }

// located returns f with the position of the name that is to blame, when it
// stands in the statement.
func (run *execution) located(f *fault.Error) *fault.Error {
	if f.Position > 0 || run.culprit == "" && run.badRow == 0 {
		return f
	}
	tokens, err := dialect.Lex(run.text, dialect.Limits{})
	if err != nil {
		return f
	}
	found := -1
	if run.culprit != "" {
		found = run.nameAt(tokens)
	}
	if found < 0 && run.badRow > 0 {
		found = run.rowAt(tokens)
	}
	if found < 0 {
		return f
	}
	return f.At(0, int(tokens[found].Start)+1)
}

// rowAt returns the token that opens the bad row of VALUES, -1 for none.
func (run *execution) rowAt(tokens []dialect.Token) int {
	depth, rows, behind := 0, 0, false
	for i, t := range tokens {
		switch {
		case depth == 0 && (t.Is(run.text, "VALUES") || t.Is(run.text, "VALUE")):
			behind = true
		case t.Kind == dialect.LeftParen:
			if depth++; behind && depth == 1 {
				if rows++; rows == run.badRow {
					return i
				}
			}
		case t.Kind == dialect.RightParen:
			depth--
		}
	}
	return -1
}

// nameAt returns the first token of the name that is to blame, -1 for none. A
// name that only qualifies another comes last.
func (run *execution) nameAt(tokens []dialect.Token) int {
	found := -1
	for i, t := range tokens {
		if t.Kind != dialect.Identifier && t.Kind != dialect.QuotedIdentifier ||
			!strings.EqualFold(t.Name(run.text), run.culprit) {
			continue
		}
		qualifies := i+1 < len(tokens) && tokens[i+1].Kind == dialect.Dot
		if found < 0 || !qualifies {
			found = i
		}
		if !qualifies {
			break
		}
	}
	for found >= 2 && tokens[found-1].Kind == dialect.Dot {
		found -= 2 // to the beginning of a qualified name
	}
	return found
}
