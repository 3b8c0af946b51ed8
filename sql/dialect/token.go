package dialect

import "strings"

// TokenKind is the kind of a token.
type TokenKind uint8

// The kinds of tokens. Comments and white space are no tokens.
const (
	Identifier       TokenKind = iota + 1 // name or keyword, unquoted
	QuotedIdentifier                      // "x" or `x`
	String                                // 'x'; adjacent ones are separate tokens
	Number                                // 1, 1.5, .5, 1e9, 0x1F
	BitString                             // x'1F', b'101'
	Parameter                             // $1 or ?
	Variable                              // @x, @@x
	Operator                              // = <> -> :: and so on; also a lone @
	LeftParen
	RightParen
	Comma
	Dot
	Semicolon
)

var tokenNames = [...]string{
	Identifier: "identifier", QuotedIdentifier: "quoted identifier", String: "string",
	Number: "number", BitString: "bit string", Parameter: "parameter", Variable: "variable",
	Operator: "operator", LeftParen: "(", RightParen: ")", Comma: ",", Dot: ".", Semicolon: ";",
}

// String returns the kind in words.
func (k TokenKind) String() string {
	if int(k) >= len(tokenNames) || k == 0 {
		return "unknown token"
	}
	return tokenNames[k]
}

// Token is a piece of a text: the bytes from Start up to End.
type Token struct {
	Kind       TokenKind
	Start, End int32
}

// Text returns the token as it stands in src, the text it was read from.
func (t Token) Text(src string) string { return src[t.Start:t.End] }

// Is reports whether t is the unquoted word, in any case. REQUIRES: word is in
// upper case.
func (t Token) Is(src, word string) bool {
	return t.Kind == Identifier && int(t.End-t.Start) == len(word) &&
		strings.EqualFold(src[t.Start:t.End], word)
}

// Name returns the name that an identifier token means: the inside of a quoted
// one, an unquoted one as written. It is "" for other tokens.
func (t Token) Name(src string) string {
	switch t.Kind {
	case Identifier:
		return t.Text(src)
	case QuotedIdentifier:
		return UnquoteIdent(t.Text(src))
	}
	return ""
}

// UnquoteIdent returns the name inside "x" or `x`, with doubled quotes halved.
// Text without such quotes is returned as it is.
func UnquoteIdent(s string) string {
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '"' && s[0] != '`' {
		return s
	}
	quote := s[:1]
	return strings.ReplaceAll(s[1:len(s)-1], quote+quote, quote)
}

// QuoteIdent returns name as an identifier in backticks, which any SQL mode
// reads.
func QuoteIdent(name string) string {
	return "`" + strings.ReplaceAll(name, "`", "``") + "`"
}

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
			if c == '\\' {
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

var stringQuoter = strings.NewReplacer(`\`, `\\`, `'`, `''`, "\x00", `\0`)

// QuoteString returns s as a string literal: 'x'.
func QuoteString(s string) string { return "'" + stringQuoter.Replace(s) + "'" }
