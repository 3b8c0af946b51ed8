package dialect

import (
	"strings"
	"unicode/utf8"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Lex returns the tokens of text, which may hold several statements. It checks
// that text is valid UTF-8 without NUL and at most lim.MaxBytes long; other
// limits are Parse's. It agrees with the query engine's own lexer on where
// strings, names and comments end, and refuses what the two read differently.
func Lex(text string, lim Limits) ([]Token, error) {
	lim = lim.withDefaults()
	if len(text) > lim.MaxBytes {
		return nil, fault.New(fault.PayloadTooLarge,
			"the SQL text has %d bytes, the limit is %d; send it in parts", len(text), lim.MaxBytes)
	}
	if err := checkText(text); err != nil {
		return nil, err
	}
	lx := lexer{src: text, tokens: make([]Token, 0, len(text)/4+8)}
	for {
		more, err := lx.next()
		if err != nil {
			return nil, err
		}
		if !more {
			return lx.tokens, nil
		}
	}
}

func checkText(text string) error {
	if !utf8.ValidString(text) {
		at := 0
		for at < len(text) {
			r, n := utf8.DecodeRuneInString(text[at:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			at += n
		}
		return fault.New(fault.MalformedRequest, "the SQL text is not valid UTF-8").At(0, at+1)
	}
	if i := strings.IndexByte(text, 0); i >= 0 {
		return fault.New(fault.MalformedRequest,
			"the SQL text holds a NUL character; write \\0 in a string").At(0, i+1)
	}
	return nil
}

type lexer struct {
	src    string
	pos    int
	tokens []Token
}

// peek returns the byte n places ahead, 0 at the end.
func (lx *lexer) peek(n int) byte {
	if lx.pos+n < len(lx.src) {
		return lx.src[lx.pos+n]
	}
	return 0
}

// emit appends the token of n bytes that begins here.
func (lx *lexer) emit(kind TokenKind, n int) {
	start := lx.pos
	lx.pos += n
	lx.tokens = append(lx.tokens, Token{Kind: kind, Start: int32(start), End: int32(lx.pos)})
}

func (lx *lexer) fail(at int, format string, args ...any) error {
	return fault.New(fault.InvalidSQL, format, args...).At(0, at+1)
}

// next reads one token, or one stretch of space or comment.
func (lx *lexer) next() (bool, error) {
	if lx.pos >= len(lx.src) {
		return false, nil
	}
	c := lx.src[lx.pos]
	switch {
	case c == ' ' || c == '\t' || c == '\n' || c == '\r':
		lx.pos++
	case isLetter(c):
		return true, lx.word()
	case isDigit(c) || c == '.' && isDigit(lx.peek(1)) && !lx.afterName():
		return true, lx.number()
	case c == '\'' || c == '"' || c == '`':
		return true, lx.quoted(c)
	case c == '-' && lx.peek(1) == '-' || c == '#':
		lx.lineComment()
	case c == '/' && (lx.peek(1) == '*' || lx.peek(1) == '/'):
		return true, lx.blockComment()
	case c == '?':
		lx.emit(Parameter, 1)
	case c == '$':
		return true, lx.dollar()
	case c == '@':
		return true, lx.variable()
	default:
		return true, lx.symbol(c)
	}
	return true, nil
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// afterName reports whether a name ends just here, with no space between, so
// that in t.1x the dot is no decimal point.
func (lx *lexer) afterName() bool {
	if len(lx.tokens) == 0 {
		return false
	}
	last := lx.tokens[len(lx.tokens)-1]
	return int(last.End) == lx.pos && (last.Kind == Identifier || last.Kind == QuotedIdentifier)
}

// span returns how many bytes from offset n on satisfy ok, plus n.
func (lx *lexer) span(n int, ok func(byte) bool) int {
	for lx.pos+n < len(lx.src) && ok(lx.src[lx.pos+n]) {
		n++
	}
	return n
}

func isWord(c byte) bool { return isLetter(c) || isDigit(c) }

func (lx *lexer) word() error {
	if c := lx.src[lx.pos] | 0x20; (c == 'x' || c == 'b') && lx.peek(1) == '\'' {
		return lx.bitString(c)
	}
	n := lx.span(1, isWord)
	if c := lx.peek(n); c == '$' || c >= utf8.RuneSelf {
		return lx.fail(lx.pos+n, "a name with special characters must be quoted: \"...\"")
	}
	lx.emit(Identifier, n)
	return nil
}

func (lx *lexer) bitString(prefix byte) error {
	ok := isHex
	if prefix == 'b' {
		ok = func(c byte) bool { return c == '0' || c == '1' }
	}
	n := lx.span(2, ok)
	if lx.peek(n) != '\'' || prefix == 'x' && n%2 != 0 {
		return lx.fail(lx.pos, "malformed bit string; write x'1F' or b'101'")
	}
	lx.emit(BitString, n+1)
	return nil
}

func isHex(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// number reads 12, 1.5, .5, 1e-9, 0x1F, and the names that begin with a digit.
func (lx *lexer) number() error {
	n := 0
	if lx.src[lx.pos] == '0' && lx.peek(1)|0x20 == 'x' {
		n = lx.span(2, isHex)
	} else {
		n = lx.span(0, isDigit)
		if lx.peek(n) == '.' {
			n = lx.span(n+1, isDigit)
		}
		if lx.peek(n)|0x20 == 'e' {
			e := n + 1
			if c := lx.peek(e); c == '+' || c == '-' {
				e++
			}
			if isDigit(lx.peek(e)) {
				n = lx.span(e, isDigit)
			}
		}
	}
	if !isLetter(lx.peek(n)) {
		lx.emit(Number, n)
		return nil
	}
	if end := lx.span(0, isWord); end > n {
		lx.emit(Identifier, end)
		return nil
	}
	return lx.fail(lx.pos, "malformed number; put a space or operator behind it")
}

// quoted reads a string or a quoted name. Backslash escapes are for strings
// only.
func (lx *lexer) quoted(mark byte) error {
	kind := QuotedIdentifier
	if mark == '\'' {
		kind = String
	}
	for n := 1; lx.pos+n < len(lx.src); n++ {
		switch c := lx.src[lx.pos+n]; {
		case c == '\\' && kind == String:
			n++
		case c == mark && lx.peek(n+1) == mark:
			n++
		case c == mark:
			if kind == QuotedIdentifier && n == 1 {
				return lx.fail(lx.pos, "a quoted name must not be empty; strings stand in '...'")
			}
			lx.emit(kind, n+1)
			return nil
		}
	}
	return lx.fail(lx.pos, "this %s is not closed; add %c", kind, mark)
}

func (lx *lexer) lineComment() {
	end := strings.IndexByte(lx.src[lx.pos:], '\n')
	if end < 0 {
		lx.pos = len(lx.src)
		return
	}
	lx.pos += end + 1
}

// blockComment reads /* ... */. MySQL runs what stands in /*! ... */, and the
// engine takes // for a comment; both would hide text from the checks here.
func (lx *lexer) blockComment() error {
	rest := lx.src[lx.pos+2:]
	switch {
	case lx.peek(1) == '/':
		return lx.fail(lx.pos, "// is no operator; comments are --, # and /* */")
	case strings.HasPrefix(rest, "!"), strings.HasPrefix(rest, "M!"):
		return fault.New(fault.Unsupported,
			"executable comments are not supported; write the statement without /*! */").
			At(0, lx.pos+1)
	}
	end := strings.Index(rest, "*/")
	if end < 0 {
		return lx.fail(lx.pos, "this comment is not closed; add */")
	}
	lx.pos += 2 + end + 2
	return nil
}

func (lx *lexer) dollar() error {
	n := lx.span(1, isDigit)
	if n == 1 || isLetter(lx.peek(n)) {
		return lx.fail(lx.pos, "a parameter is written $1, $2 and so on, or ?")
	}
	lx.emit(Parameter, n)
	return nil
}

// variable reads @x and @@x.y. A lone @ is an operator, as in 'user'@'host'.
// The engine's lexer reads quotes inside of variables its own way.
func (lx *lexer) variable() error {
	at, part := 1, isWord
	if lx.peek(1) == '@' {
		at, part = 2, func(c byte) bool { return isWord(c) || c == '.' }
	}
	n := lx.span(at, part)
	switch c := lx.peek(n); {
	case c == '`', at == 2 && (c == '\'' || c == '"'):
		return lx.fail(lx.pos, "quoted variables are not supported; write @name")
	case n > at:
		lx.emit(Variable, n)
	case at == 2:
		return lx.fail(lx.pos, "a system variable is written @@name")
	default:
		lx.emit(Operator, 1)
	}
	return nil
}

func (lx *lexer) symbol(c byte) error {
	switch c {
	case '(':
		lx.emit(LeftParen, 1)
	case ')':
		lx.emit(RightParen, 1)
	case ',':
		lx.emit(Comma, 1)
	case '.':
		lx.emit(Dot, 1)
	case ';':
		lx.emit(Semicolon, 1)
	default:
		n := lx.operator(c)
		if n == 0 {
			r, _ := utf8.DecodeRuneInString(lx.src[lx.pos:])
			return lx.fail(lx.pos, "unexpected character %q; quote names with special characters", r)
		}
		lx.emit(Operator, n)
	}
	return nil
}

// operators lists those of several bytes, longer ones first.
var operators = [...]string{
	"<=>", "->>", "->", "<<", ">>", "<=", ">=", "<>", "!=", "||", "&&", ":=", "::",
}

// operator returns the length of the operator that begins here, 0 for none.
func (lx *lexer) operator(c byte) int {
	for _, op := range operators {
		if op[0] == c && strings.HasPrefix(lx.src[lx.pos:], op) {
			return len(op)
		}
	}
	if strings.IndexByte("=<>+-*/%^~&|!", c) >= 0 {
		return 1
	}
	return 0
}
