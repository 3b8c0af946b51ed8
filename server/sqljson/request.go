package sqljson

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// Request is the body of a request for statements.
type Request struct {
	SQL, NamespaceID, RequestID string
	Params                      []value.Value
}

// ReadRequest reads a body, which may be used again afterwards. What it means
// and which errors there are is up to wire.DecodeStrict and Params; the plain
// bodies that applications send all day are read in one pass instead, without
// reflection.
func ReadRequest(body []byte) (Request, error) {
	p := plainReader{b: body}
	if r, ok := p.request(); ok && utf8.Valid(body) {
		return r, nil
	}
	var m wire.SQLRequest
	if err := wire.DecodeStrict(body, &m); err != nil {
		return Request{}, err
	}
	params, err := Params(m.Params)
	return Request{m.SQL, m.NamespaceID, m.RequestID, params}, err
}

// plainReader reads one object with the members of a request, each once and
// written as the contract does, with parameters that are texts, integers of up
// to 18 digits, booleans and nulls. Its methods return false for all else.
type plainReader struct {
	b []byte
	i int
}

func (p *plainReader) request() (r Request, ok bool) {
	if !p.take('{') {
		return r, false
	}
	seen := 0
	for {
		key, ok := p.quoted()
		if !ok || !p.take(':') {
			return r, false
		}
		member := 0
		switch string(key) {
		case `"sql"`:
			member = 1
			r.SQL, ok = p.text()
		case `"params"`:
			member = 2
			r.Params, ok = p.params()
		case `"namespace_id"`:
			member = 4
			r.NamespaceID, ok = p.text()
		case `"request_id"`:
			member = 8
			r.RequestID, ok = p.text()
		}
		if !ok || member == 0 || seen&member != 0 {
			return r, false
		}
		seen |= member
		if p.take('}') {
			p.space()
			return r, p.i == len(p.b)
		}
		if !p.take(',') {
			return r, false
		}
	}
}

func (p *plainReader) space() {
	for p.i < len(p.b) {
		switch p.b[p.i] {
		case ' ', '\t', '\r', '\n':
			p.i++
		default:
			return
		}
	}
}

// take skips white space and then c, if it stands there.
func (p *plainReader) take(c byte) bool {
	p.space()
	if p.i < len(p.b) && p.b[p.i] == c {
		p.i++
		return true
	}
	return false
}

// text reads a string. What has escapes is left to package json.
func (p *plainReader) text() (string, bool) {
	b, ok := p.quoted()
	switch {
	case !ok:
		return "", false
	case bytes.IndexByte(b, '\\') < 0:
		return string(b[1 : len(b)-1]), true
	}
	return unescaped(b)
}

func unescaped(quoted []byte) (s string, ok bool) {
	err := json.Unmarshal(quoted, &s)
	return s, err == nil
}

// quoted reads a string as it is written, with its quotes.
func (p *plainReader) quoted() ([]byte, bool) {
	p.space()
	start := p.i
	if !p.take('"') {
		return nil, false
	}
	for ; p.i < len(p.b); p.i++ {
		switch c := p.b[p.i]; {
		case c == '"':
			p.i++
			return p.b[start:p.i], true
		case c == '\\':
			p.i++
		case c < ' ':
			return nil, false
		}
	}
	return nil, false
}

func (p *plainReader) params() (list []value.Value, ok bool) {
	if !p.take('[') {
		return nil, false
	}
	if p.take(']') {
		return nil, true
	}
	list = make([]value.Value, 0, 4)
	for {
		v, ok := p.value()
		if !ok {
			return nil, false
		}
		list = append(list, v)
		if p.take(']') {
			return list, true
		}
		if !p.take(',') {
			return nil, false
		}
	}
}

func (p *plainReader) value() (value.Value, bool) {
	p.space()
	switch rest := p.b[p.i:]; {
	case len(rest) == 0:
		return value.Value{}, false
	case rest[0] == '"':
		s, ok := p.text()
		return value.NewText(s), ok
	case p.word("null"):
		return value.Value{}, true
	case p.word("true"):
		return value.NewBool(true), true
	case p.word("false"):
		return value.NewBool(false), true
	}
	return p.integer()
}

func (p *plainReader) word(w string) bool {
	if rest := p.b[p.i:]; len(rest) >= len(w) && string(rest[:len(w)]) == w {
		p.i += len(w)
		return true
	}
	return false
}

// integer reads an integer. What follows it is up to the caller, who takes no
// fraction and no exponent.
func (p *plainReader) integer() (value.Value, bool) {
	const most = 18 // digits that any int64 holds
	negative := p.i < len(p.b) && p.b[p.i] == '-'
	if negative {
		p.i++
	}
	n, start := int64(0), p.i
	for p.i < len(p.b) && '0' <= p.b[p.i] && p.b[p.i] <= '9' {
		n = 10*n + int64(p.b[p.i]-'0')
		p.i++
		if p.i-start > most {
			return value.Value{}, false
		}
	}
	switch digits := p.i - start; {
	case digits == 0, p.b[start] == '0' && (digits > 1 || negative):
		return value.Value{}, false
	case negative:
		n = -n
	}
	return value.NewBigInt(n), true
}
