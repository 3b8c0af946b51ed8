package dialect

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// defaultFuncs are the functions that may stand in DEFAULT, under all names.
var defaultFuncs = map[string]ddl.Func{
	string(ddl.FuncSnowflake): ddl.FuncSnowflake, string(ddl.FuncUUIDv7): ddl.FuncUUIDv7,
	string(ddl.FuncULID): ddl.FuncULID, string(ddl.FuncNow): ddl.FuncNow,
	"CURRENT_TIMESTAMP": ddl.FuncNow, "LOCALTIMESTAMP": ddl.FuncNow,
	string(ddl.FuncCurrentUserID): ddl.FuncCurrentUserID,
}

const mostFraction = 6 // digits of a second that are kept

// defaultValue consumes a literal, a function or NULL, in parentheses or not,
// and checks that it fits the type.
func (b *tableBuilder) defaultValue(t ddl.Type) (*ddl.Default, error) {
	parens := 0
	for b.acceptKind(LeftParen) {
		parens++
	}
	d, err := b.defaultTerm(t)
	if err != nil {
		return nil, err
	}
	for ; parens > 0; parens-- {
		if !b.acceptKind(RightParen) {
			return nil, b.unsupported("DEFAULT takes a literal or one function; expressions are not " +
				"supported")
		}
	}
	if b.peek().Kind == Operator {
		return nil, b.unsupported("DEFAULT takes a literal or one function; expressions are not " +
			"supported")
	}
	return d, nil
}

func (b *tableBuilder) defaultTerm(t ddl.Type) (*ddl.Default, error) {
	at := b.i
	sign := ""
	if b.acceptOperator("-") {
		sign = "-"
	} else {
		b.acceptOperator("+")
	}
	signed := b.i > at
	switch tok := b.peek(); {
	case tok.Kind == Number:
		return b.literal(at, t, sign+b.next().Text(b.src))
	case signed:
		return nil, b.failExpected("a number")
	case tok.Kind == String:
		return b.literal(at, t, UnquoteString(b.next().Text(b.src)))
	case tok.Kind == BitString:
		return nil, b.unsupported("bit strings in DEFAULT are not supported; write 'text'")
	case tok.Kind == Identifier:
		return b.defaultWord(t)
	}
	return nil, b.failExpected("a literal or a function")
}

// defaultWord consumes NULL, TRUE, FALSE or a function.
func (b *tableBuilder) defaultWord(t ddl.Type) (*ddl.Default, error) {
	at := b.i
	word := b.word()
	b.next()
	switch word {
	case "NULL":
		return &ddl.Default{Text: word, Null: true}, nil
	case "TRUE", "FALSE":
		if t.Kind == value.Bool {
			return b.literal(at, t, strings.ToLower(word))
		}
		return b.literal(at, t, map[string]string{"TRUE": "1", "FALSE": "0"}[word])
	}
	f, ok := defaultFuncs[word]
	if !ok {
		return nil, b.at(at, fault.New(fault.Unsupported,
			"%s can't stand in DEFAULT; use a literal or one of %s",
			clip(b.toks[at].Text(b.src)), ddl.DefaultFuncs))
	}
	if err := b.defaultArguments(f, word); err != nil {
		return nil, err
	}
	return ddl.FuncDefault(f), nil
}

// defaultArguments consumes (), or the digits of a second in NOW(6). Only the
// standard's CURRENT_TIMESTAMP may go without parentheses.
func (b *tableBuilder) defaultArguments(f ddl.Func, word string) error {
	if !b.acceptKind(LeftParen) {
		if f == ddl.FuncNow && word != string(ddl.FuncNow) {
			return nil
		}
		return b.failExpected("() behind " + word)
	}
	if t := b.peek(); f == ddl.FuncNow && t.Kind == Number {
		digits := t.Text(b.src)
		if len(digits) != 1 || digits[0] > '0'+mostFraction {
			return b.fail(fault.InvalidParameter,
				"%s takes 0 to %d digits of a second", word, mostFraction)
		}
		b.next()
	}
	return b.expectKind(RightParen)
}

// literal checks that text fits the type. at is its token.
func (b *tableBuilder) literal(at int, t ddl.Type, text string) (*ddl.Default, error) {
	d := &ddl.Default{Text: text}
	if t.Kind == value.Null { // SET DEFAULT: the column is not known yet
		return d, nil
	}
	_, err := d.Literal(t)
	return d, b.at(at, err)
}
