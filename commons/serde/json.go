package serde

import (
	"encoding/json"
	"strconv"

	"github.com/kalamdb/kalamdb-go/commons/value"
)

// jsonCodec writes a row as a JSON array of the forms that value.AppendJSON
// gives, but for an Enum, which is its position. JSON values stand in an array
// of their own, so that a JSON null is not taken for NULL.
type jsonCodec struct{}

// ID implements Codec.
func (jsonCodec) ID() ID { return JSON }

// Name implements Codec.
func (jsonCodec) Name() string { return "json" }

// AppendRow implements Codec.
func (c jsonCodec) AppendRow(
	dst []byte, kinds []value.Kind, vals []value.Value,
) ([]byte, error) {
	if err := checkPortable(kinds, vals); err != nil {
		return dst, err
	}
	out := append(dst, '[')
	for i, v := range vals {
		if i > 0 {
			out = append(out, ',')
		}
		wrap := boxed(v.Kind())
		if wrap {
			out = append(out, '[')
		}
		var err error
		if v.Kind() == value.Enum {
			out = strconv.AppendUint(out, v.Uint(), 10)
		} else if out, err = value.AppendJSON(out, v); err != nil {
			return dst, err
		}
		if wrap {
			out = append(out, ']')
		}
	}
	return append(out, ']'), nil
}

func boxed(k value.Kind) bool { return k == value.JSON || k == value.File }

// DecodeRow implements Codec.
func (c jsonCodec) DecodeRow(src []byte, kinds []value.Kind, dst []value.Value) error {
	if err := checkTarget(kinds, dst); err != nil {
		return err
	}
	if len(src) < 2 || src[0] != '[' || src[len(src)-1] != ']' {
		return corruptRow(c)
	}
	rest := src[1 : len(src)-1]
	if len(kinds) == 0 && len(rest) > 0 {
		return corruptRow(c)
	}
	for i, k := range kinds {
		raw, behind, more := cutElement(rest)
		if more != (i < len(kinds)-1) {
			return corruptRow(c)
		}
		v, ok := fromStoredJSON(k, raw)
		if !ok {
			return corruptColumn(c, i, k)
		}
		dst[i], rest = v, behind
	}
	return nil
}

// cutElement returns what stands before the first comma that is in no string,
// array or object, and what stands behind it. more tells whether there is one.
// Whether the element is JSON is left to its reader.
func cutElement(b []byte) (element, rest []byte, more bool) {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		case c == ',' && depth == 0:
			return b[:i], b[i+1:], true
		}
	}
	return b, nil, false
}

func fromStoredJSON(k value.Kind, raw []byte) (value.Value, bool) {
	if k == value.Enum && string(raw) != "null" {
		n, err := strconv.ParseUint(string(raw), 10, 16)
		if err != nil {
			return value.Value{}, false
		}
		return checked(value.CheckedUint(k, n))
	}
	if !boxed(k) || string(raw) == "null" {
		return checked(value.FromJSON(k, raw))
	}
	if len(raw) < 3 || raw[0] != '[' || raw[len(raw)-1] != ']' {
		return value.Value{}, false
	}
	inner := raw[1 : len(raw)-1]
	if !json.Valid(inner) {
		return value.Value{}, false
	}
	return value.NewString(k, string(inner)), true
}
