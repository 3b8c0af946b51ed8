package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// MaxDepth is how deeply a message may be nested.
const MaxDepth = 64

// DecodeStrict reads one JSON value from a stranger into v, as json.Unmarshal
// does, with numbers in any fields as json.Number. It refuses what two readers
// could understand differently or what is made to hurt: text that is not UTF-8,
// an object that repeats a key at any depth, anything behind the value, and
// nesting beyond MaxDepth. Unknown fields are accepted. Every failure is a
// fault.MalformedRequest, except that a field's own fault.Error stays.
func DecodeStrict(data []byte, v any) error {
	if !utf8.Valid(data) {
		return fault.New(fault.MalformedRequest, "the message is not valid UTF-8")
	}
	if err := checkKeys(data); err != nil {
		return err
	}
	return Decode(data, v)
}

// Decode is DecodeStrict for what a server sent: rows may hold JSON of any
// depth, with repeated keys if that is what was stored.
func Decode(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return malformed(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fault.New(fault.MalformedRequest, "there is something behind the JSON of the message")
	}
	return nil
}

func malformed(err error) error {
	var own *fault.Error
	var syntax *json.SyntaxError
	var field *json.UnmarshalTypeError
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &syntax):
		return fault.New(fault.MalformedRequest,
			"the message is not valid JSON at byte %d: %s", syntax.Offset, syntax.Error())
	case errors.As(err, &field):
		return fault.New(fault.MalformedRequest,
			"field %q of the message can't be a JSON %s", field.Field, field.Value)
	case errors.Is(err, io.EOF):
		return fault.New(fault.MalformedRequest, "the message is empty; send a JSON object")
	}
	return fault.New(fault.MalformedRequest, "the message is not complete JSON")
}

// object is an open object or array of the walk. seen is nil in an array.
type object struct {
	seen map[string]struct{}
	key  bool // the next string is a key
}

// checkKeys walks JSON for nesting and repeated keys. It does not check the
// syntax: what is no JSON is left to the decoder.
func checkKeys(data []byte) error {
	var open []object
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{':
			open = append(open, object{seen: map[string]struct{}{}, key: true})
		case '[':
			open = append(open, object{})
		case '}', ']':
			open = open[:max(len(open)-1, 0)]
		case ',':
			if n := len(open); n > 0 {
				open[n-1].key = open[n-1].seen != nil
			}
		case '"':
			end := stringEnd(data, i)
			if n := len(open); n > 0 && open[n-1].key {
				if !open[n-1].add(data[i:end]) {
					return fault.New(fault.MalformedRequest,
						"the key %.64s stands twice in an object", data[i:end])
				}
				open[n-1].key = false
			}
			i = end - 1
		}
		if len(open) > MaxDepth {
			return fault.New(fault.MalformedRequest,
				"the message is nested more than %d deep", MaxDepth)
		}
	}
	return nil
}

// add notes a key, still quoted, and reports whether it is new.
func (o *object) add(quoted []byte) bool {
	key := quoted
	if bytes.IndexByte(quoted, '\\') >= 0 {
		var s string
		if err := json.Unmarshal(quoted, &s); err != nil {
			return true // no JSON, as the decoder will find
		}
		key = append(append([]byte{'"'}, s...), '"')
	}
	if _, ok := o.seen[string(key)]; ok {
		return false
	}
	o.seen[string(key)] = struct{}{}
	return true
}

// stringEnd returns the index behind the string that begins at i.
func stringEnd(data []byte, i int) int {
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}
