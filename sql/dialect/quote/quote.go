// Package quote writes names and strings as SQL tokens, and reads them back.
// It is apart from the lexer so that package ddl, which the parser needs, can
// write statements. It keeps no state.
package quote

import "strings"

// Ident returns name as an identifier in backticks, which any SQL mode reads.
func Ident(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// UnquoteIdent returns the name inside "x" or `x`, with doubled quotes halved.
// Text without such quotes is returned as it is.
func UnquoteIdent(s string) string {
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '"' && s[0] != '`' {
		return s
	}
	mark := s[:1]
	return strings.ReplaceAll(s[1:len(s)-1], mark+mark, mark)
}

var escaper = strings.NewReplacer(`\`, `\\`, `'`, `''`, "\x00", `\0`)

// String returns s as a string literal: 'x'.
func String(s string) string { return "'" + escaper.Replace(s) + "'" }

// UnquoteString returns the text that a string literal 'x' means: doubled
// quotes and backslash escapes are resolved as MySQL does. Text that is no
// literal is returned as it is.
func UnquoteString(s string) string {
	if len(s) < 2 || s[0] != '\'' || s[len(s)-1] != '\'' {
		return s
	}
	s = s[1 : len(s)-1]
	if !strings.ContainsAny(s, `'\`) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c == '\'' || c == '\\') && i+1 < len(s) {
			i++
			switch {
			case c == '\\' && (s[i] == '_' || s[i] == '%'):
				b.WriteByte(c) // for LIKE to read
				c = s[i]
			case c == '\\':
				c = unescape(s[i])
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// unescape returns what a backslash before c means; most characters stand for
// themselves.
func unescape(c byte) byte {
	switch c {
	case '0':
		return 0
	case 'b':
		return '\b'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'Z':
		return 26
	}
	return c
}
