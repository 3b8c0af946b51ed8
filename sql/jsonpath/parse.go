package jsonpath

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrSyntax says that a text is no path.
var ErrSyntax = errors.New("it is no path")

// Parse reads a path.
func Parse(text string) (Path, error) {
	r := &reader{text: text}
	var p Path
	if !r.take("$") {
		return p, r.fail("it begins with $")
	}
	for r.space(); r.at < len(text); r.space() {
		l, err := r.leg()
		if err != nil {
			return Path{}, err
		}
		if p.legs = append(p.legs, l); len(p.legs) > maxLegs {
			return Path{}, r.fail(fmt.Sprintf("it has more than %d steps", maxLegs))
		}
	}
	if n := len(p.legs); n > 0 && p.legs[n-1].kind == descendant {
		return Path{}, r.fail("a step follows **")
	}
	return p, nil
}

// reader reads a path from its begin to its end.
type reader struct {
	text string
	at   int
}

func (r *reader) fail(why string) error {
	return fmt.Errorf("%w: %s, near position %d", ErrSyntax, why, r.at+1)
}

func (r *reader) space() {
	for r.at < len(r.text) && strings.IndexByte(" \t\r\n", r.text[r.at]) >= 0 {
		r.at++
	}
}

// take passes what comes next, behind spaces, when it is s.
func (r *reader) take(s string) bool {
	r.space()
	if !strings.HasPrefix(r.text[r.at:], s) {
		return false
	}
	r.at += len(s)
	return true
}

func (r *reader) leg() (leg, error) {
	switch {
	case r.take("**"):
		return leg{kind: descendant}, nil
	case r.take("."):
		if r.take("*") {
			return leg{kind: anyMember}, nil
		}
		key, err := r.key()
		return leg{kind: member, key: key}, err
	case r.take("["):
		return r.brackets()
	}
	return leg{}, r.fail("a step is .key, [number] or **")
}

func (r *reader) key() (string, error) {
	r.space()
	rest := r.text[r.at:]
	if !strings.HasPrefix(rest, `"`) {
		n := 0
		for i, c := range rest {
			if c == utf8.RuneError || c != '_' && c != '$' && !unicode.IsLetter(c) &&
				(i == 0 || !unicode.IsDigit(c)) {
				break
			}
			n = i + utf8.RuneLen(c)
		}
		if n == 0 {
			return "", r.fail("a key that is no name stands in double quotes")
		}
		r.at += n
		return rest[:n], nil
	}
	for end := 1; end < len(rest); end++ {
		switch rest[end] {
		case '\\':
			end++
		case '"':
			var key string
			if json.Unmarshal([]byte(rest[:end+1]), &key) != nil {
				return "", r.fail("the key is no text of JSON")
			}
			r.at += end + 1
			return key, nil
		}
	}
	return "", r.fail("the key has no end")
}

func (r *reader) brackets() (l leg, err error) {
	if r.take("*") {
		l.kind = anyCell
	} else {
		l.kind = cell
		if l.from, err = r.index(); err != nil {
			return l, err
		}
		l.to = l.from
		if r.take("to") {
			l.kind = cells
			if l.to, err = r.index(); err != nil {
				return l, err
			}
		}
	}
	if !r.take("]") {
		return l, r.fail("] is missing")
	}
	return l, nil
}

func (r *reader) index() (i index, err error) {
	if i.last = r.take("last"); i.last && !r.take("-") {
		return i, nil
	}
	r.space()
	from := r.at
	for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
		r.at++
	}
	n, err := strconv.ParseUint(r.text[from:r.at], 10, 32)
	if err != nil {
		return i, r.fail("a whole number, or last, is wanted")
	}
	i.n = int(n)
	return i, nil
}
