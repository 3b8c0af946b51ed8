package engine

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
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

// suspect remembers columns one of which an error may be about: it is at the
// first of them that stands in the statement, unless something says more.
func (run *execution) suspect(names ...string) {
	if run.suspects == nil {
		run.suspects = names
	}
}

// suspectColumns is suspect for columns of a table by their ids.
func (w *writer) suspectColumns(ids []ident.ColumnID) {
	var names []string
	for _, c := range w.def().Columns {
		if slices.Contains(ids, c.ID) {
			names = append(names, c.Name)
		}
	}
	w.run.suspect(names...)
}

// ofValues are the codes of errors about values. They are at the value if it
// stands in the statement, at a column, or else at the statement itself.
var ofValues = map[fault.Code]bool{
	fault.TypeMismatch: true, fault.ValueOutOfRange: true, fault.NotNullViolation: true,
	fault.DuplicateKey: true, fault.CheckViolation: true,
}

// located returns f with the position of what it is about.
func (run *execution) located(f *fault.Error) *fault.Error {
	if f.Position > 0 || run.text == "" ||
		run.culprit == "" && run.badRow == 0 && !ofValues[f.Code] {
		return f
	}
	tokens, err := dialect.Lex(run.text, dialect.Limits{})
	if err != nil || len(tokens) == 0 {
		return f
	}
	found := -1
	if run.culprit != "" {
		found = run.nameAt(tokens, run.culprit)
	}
	if found < 0 && run.badRow > 0 {
		found = run.rowAt(tokens)
	}
	if found < 0 && ofValues[f.Code] {
		found = run.valueAt(tokens, f)
	}
	if found < 0 {
		return f
	}
	return f.At(0, int(tokens[found].Start)+1)
}

// valueAt returns the token of the value that an error names, of a column that
// is suspected, or the first one.
func (run *execution) valueAt(tokens []dialect.Token, f *fault.Error) int {
	if f.Code == fault.TypeMismatch || f.Code == fault.ValueOutOfRange {
		for i, v := range run.valuesIn(tokens) {
			if v != "" && names(f.Message, v) {
				return i
			}
		}
	}
	for _, name := range run.suspects {
		if found := run.nameAt(tokens, name); found >= 0 {
			return found
		}
	}
	return 0
}

// valuesIn returns the texts of literals and parameters, by token.
func (run *execution) valuesIn(tokens []dialect.Token) []string {
	out := make([]string, len(tokens))
	marks := 0
	for i, t := range tokens {
		text := t.Text(run.text)
		switch t.Kind {
		case dialect.Number:
			out[i] = text
		case dialect.String:
			out[i] = dialect.UnquoteString(text)
		case dialect.Parameter:
			marks++
			n := marks
			if text != "?" {
				n, _ = strconv.Atoi(text[1:]) // 0, of no parameter, when it is too large
			}
			if n >= 1 && n <= len(run.env.Params) {
				out[i] = run.env.Params[n-1].Text()
			}
		}
	}
	return out
}

// names reports whether a message names a value: in quotes, or as a word of
// more than a letter.
func names(message, v string) bool {
	if strings.Contains(message, "'"+v+"'") || strings.Contains(message, strconv.Quote(v)) {
		return true
	}
	if len(v) == 1 && (v[0] < '0' || v[0] > '9') {
		return false
	}
	for rest := message; ; {
		before, after, found := strings.Cut(rest, v)
		if !found {
			return false
		}
		if !inWord(before, true) && !inWord(after, false) {
			return true
		}
		rest = after
	}
}

// inWord reports whether a text ends, or begins, with a part of a word or number.
func inWord(s string, end bool) bool {
	if s == "" {
		return false
	}
	c := s[0]
	if end {
		c = s[len(s)-1]
	}
	return c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= utf8.RuneSelf
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

// nameAt returns the first token of a name, -1 for none. One that only
// qualifies another comes last.
func (run *execution) nameAt(tokens []dialect.Token, name string) int {
	found := -1
	for i, t := range tokens {
		if t.Kind != dialect.Identifier && t.Kind != dialect.QuotedIdentifier ||
			!strings.EqualFold(t.Name(run.text), name) {
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
