package serde

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/kalamdb/kalamdb-go/commons/value"
)

// jsonCodec writes a row as a JSON array of the forms that value.AppendJSON
// gives. JSON values stand in an array of their own, so that a JSON null is
// not taken for NULL.
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
		if out, err = value.AppendJSON(out, v); err != nil {
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
	d := json.NewDecoder(bytes.NewReader(src))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return corruptRow(c)
	}
	var raw json.RawMessage
	for i, k := range kinds {
		if err := d.Decode(&raw); err != nil {
			return corruptRow(c)
		}
		v, ok := fromStoredJSON(k, raw)
		if !ok {
			return corruptColumn(c, i, k)
		}
		dst[i] = v
	}
	if t, err := d.Token(); err != nil || t != json.Delim(']') {
		return corruptRow(c)
	}
	if _, err := d.Token(); err != io.EOF {
		return corruptRow(c)
	}
	return nil
}

func fromStoredJSON(k value.Kind, raw json.RawMessage) (value.Value, bool) {
	if !boxed(k) || string(raw) == "null" {
		return checked(value.FromJSON(k, raw))
	}
	if len(raw) < 3 || raw[0] != '[' {
		return value.Value{}, false
	}
	inner := raw[1 : len(raw)-1]
	if !json.Valid(inner) {
		return value.Value{}, false
	}
	return value.NewString(k, string(inner)), true
}
