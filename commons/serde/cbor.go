package serde

import (
	"github.com/fxamacker/cbor/v2"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// cborCodec writes a row as a CBOR array: null, booleans, integers in their
// shortest form (also for dates and times), floats, byte strings for Bytes,
// UUID and Embedding, text strings for the rest.
type cborCodec struct {
	enc cbor.EncMode
	dec cbor.DecMode
}

// maxColumns bounds the array that is made before a row is known to be one.
const maxColumns = 1 << 14

// newCBOR panics when the library refuses the options below, which are fixed.
func newCBOR() cborCodec {
	enc, err := cbor.EncOptions{}.EncMode()
	if err != nil {
		panic(err)
	}
	dec, err := cbor.DecOptions{
		IndefLength:      cbor.IndefLengthForbidden,
		TagsMd:           cbor.TagsForbidden,
		MaxArrayElements: maxColumns,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return cborCodec{enc: enc, dec: dec}
}

// ID implements Codec.
func (cborCodec) ID() ID { return CBOR }

// Name implements Codec.
func (cborCodec) Name() string { return "cbor" }

// AppendRow implements Codec.
func (c cborCodec) AppendRow(
	dst []byte, kinds []value.Kind, vals []value.Value,
) ([]byte, error) {
	if err := checkPortable(kinds, vals); err != nil {
		return dst, err
	}
	list := make([]any, len(vals))
	for i, v := range vals {
		list[i] = native(v)
	}
	b, err := c.enc.Marshal(list)
	if err != nil {
		return dst, fault.Wrap(fault.Internal, err, "a row can't be written as cbor")
	}
	return append(dst, b...), nil
}

func native(v value.Value) any {
	switch v.Kind().Form() {
	case value.FormNull:
		return nil
	case value.FormBool:
		return v.Bool()
	case value.FormInt:
		return v.Int()
	case value.FormUint:
		return v.Uint()
	case value.FormFloat:
		if v.Kind() == value.Float32 {
			return float32(v.Float())
		}
		return v.Float()
	}
	if binaryKind(v.Kind()) {
		return []byte(v.Str())
	}
	return v.Str()
}

// DecodeRow implements Codec.
func (c cborCodec) DecodeRow(src []byte, kinds []value.Kind, dst []value.Value) error {
	if err := checkTarget(kinds, dst); err != nil {
		return err
	}
	// The library checks the whole of src before it allocates for any of it.
	var list []cbor.RawMessage
	if err := c.dec.Unmarshal(src, &list); err != nil || len(list) != len(kinds) {
		return corruptRow(c)
	}
	for i, k := range kinds {
		v, ok := c.read(k, list[i])
		if !ok {
			return corruptColumn(c, i, k)
		}
		dst[i] = v
	}
	return nil
}

// The first byte of an item: its major type in the upper three bits.
const (
	cborMajor    = 0xE0
	cborUint     = 0x00
	cborNegative = 0x20
	cborBytes    = 0x40
	cborText     = 0x60
	cborNull     = 0xF6
	cborFloat32  = 0xFA
	cborFloat64  = 0xFB
)

// read reads one column. The library converts between types as it likes, so
// the type of the item is looked at first.
func (c cborCodec) read(k value.Kind, raw cbor.RawMessage) (v value.Value, ok bool) {
	if raw[0] == cborNull {
		return v, true
	}
	major := raw[0] & cborMajor
	switch form := k.Form(); {
	case form == value.FormBool:
		var b bool
		err := c.dec.Unmarshal(raw, &b)
		return value.NewBool(b), err == nil
	case form == value.FormInt && (major == cborUint || major == cborNegative):
		var n int64
		if err := c.dec.Unmarshal(raw, &n); err != nil {
			return v, false
		}
		return checked(value.CheckedInt(k, n))
	case form == value.FormUint && major == cborUint:
		var n uint64
		if err := c.dec.Unmarshal(raw, &n); err != nil {
			return v, false
		}
		return checked(value.CheckedUint(k, n))
	case k == value.Float32 && raw[0] == cborFloat32, k == value.Float64 && raw[0] == cborFloat64:
		var f float64
		if err := c.dec.Unmarshal(raw, &f); err != nil {
			return v, false
		}
		return checked(value.CheckedFloat(k, f))
	case form == value.FormString:
		return c.text(k, major, raw)
	}
	return v, false
}

func (c cborCodec) text(k value.Kind, major byte, raw cbor.RawMessage) (v value.Value, ok bool) {
	var s string
	switch {
	case binaryKind(k) && major == cborBytes:
		var b []byte
		if err := c.dec.Unmarshal(raw, &b); err != nil {
			return v, false
		}
		s = string(b)
	case !binaryKind(k) && major == cborText:
		if err := c.dec.Unmarshal(raw, &s); err != nil {
			return v, false
		}
	default:
		return v, false
	}
	v = value.NewString(k, s)
	return v, v.Check() == nil
}
