package dialect

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// maxOptions bounds a list of options.
const maxOptions = 64

// option is k = v in a list of options. The name is in lower case; the value
// is what a string means, or a number or word as written.
type option struct {
	name  string
	value string
	at    int // position of the name's token
}

// options consumes (k = v, ...). Names must differ.
func (p *parser) options() ([]option, error) {
	if err := p.expectKind(LeftParen); err != nil {
		return nil, err
	}
	var all []option
	if p.acceptKind(RightParen) {
		return all, nil
	}
	for {
		o := option{at: p.i}
		name, err := p.name("the name of an option")
		if err != nil {
			return nil, err
		}
		o.name = strings.ToLower(name)
		if !p.acceptOperator("=") {
			return nil, p.failExpected("=")
		}
		if o.value, err = p.optionValue(); err != nil {
			return nil, err
		}
		if err := p.addOption(&all, o); err != nil {
			return nil, err
		}
		if p.acceptKind(RightParen) {
			return all, nil
		}
		if !p.acceptKind(Comma) {
			return nil, p.failExpected(", or )")
		}
	}
}

// addOption appends o, refusing a name that is there and lists without end.
func (p *parser) addOption(all *[]option, o option) error {
	for _, have := range *all {
		if have.name == o.name {
			return p.at(o.at, fault.New(fault.InvalidParameter,
				"option %s is given twice; keep one", strings.ToUpper(clip(o.name))))
		}
	}
	if len(*all) == maxOptions {
		return p.at(o.at, fault.New(fault.InvalidParameter,
			"more than %d options; leave some out", maxOptions))
	}
	*all = append(*all, o)
	return nil
}

// optionValue consumes 'text', a number or a word.
func (p *parser) optionValue() (string, error) {
	sign := ""
	if p.acceptOperator("-") {
		sign = "-"
	}
	switch t := p.peek(); {
	case t.Kind == Number:
		return sign + p.next().Text(p.src), nil
	case sign == "" && t.Kind == String:
		return UnquoteString(p.next().Text(p.src)), nil
	case sign == "" && (t.Kind == Identifier || t.Kind == QuotedIdentifier):
		return p.next().Name(p.src), nil
	}
	return "", p.failExpected("a value: 'text' or a number")
}
