package dialect

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/sql/dialect/quote"
)

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
	Variable                              // @x, @@x.y
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

// UnquoteIdent is quote.UnquoteIdent.
func UnquoteIdent(s string) string { return quote.UnquoteIdent(s) }

// QuoteIdent is quote.Ident.
func QuoteIdent(name string) string { return quote.Ident(name) }

// UnquoteString is quote.UnquoteString.
func UnquoteString(s string) string { return quote.UnquoteString(s) }

// QuoteString is quote.String.
func QuoteString(s string) string { return quote.String(s) }
