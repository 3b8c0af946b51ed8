package serde

import (
	"bytes"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"

	"github.com/kalamdb/kalamdb-go/commons/value"
)

// msgpackCodec writes a row as a MessagePack array: nil, booleans, integers in
// their shortest form (also for dates and times), floats, binary for Bytes,
// UUID and Embedding, strings for the rest.
type msgpackCodec struct{}

// ID implements Codec.
func (msgpackCodec) ID() ID { return MsgPack }

// Name implements Codec.
func (msgpackCodec) Name() string { return "msgpack" }

// appender is an io.Writer that appends.
type appender struct{ buf []byte }

// Write appends p and never fails.
func (a *appender) Write(p []byte) (int, error) {
	a.buf = append(a.buf, p...)
	return len(p), nil
}

// WriteByte appends c and never fails.
func (a *appender) WriteByte(c byte) error {
	a.buf = append(a.buf, c)
	return nil
}

// AppendRow implements Codec.
func (c msgpackCodec) AppendRow(
	dst []byte, kinds []value.Kind, vals []value.Value,
) ([]byte, error) {
	if err := checkPortable(kinds, vals); err != nil {
		return dst, err
	}
	out := appender{buf: dst}
	e := msgpack.GetEncoder()
	defer msgpack.PutEncoder(e)
	e.Reset(&out)
	if err := e.EncodeArrayLen(len(vals)); err != nil {
		return dst, err
	}
	for _, v := range vals {
		if err := encodeMsgpack(e, v); err != nil {
			return dst, err
		}
	}
	return out.buf, nil
}

func encodeMsgpack(e *msgpack.Encoder, v value.Value) error {
	switch v.Kind().Form() {
	case value.FormNull:
		return e.EncodeNil()
	case value.FormBool:
		return e.EncodeBool(v.Bool())
	case value.FormInt:
		return e.EncodeInt(v.Int())
	case value.FormUint:
		return e.EncodeUint(v.Uint())
	case value.FormFloat:
		if v.Kind() == value.Float32 {
			return e.EncodeFloat32(float32(v.Float()))
		}
		return e.EncodeFloat64(v.Float())
	}
	if binaryKind(v.Kind()) {
		return e.EncodeBytes([]byte(v.Str()))
	}
	return e.EncodeString(v.Str())
}

// binaryKind reports whether k's raw string is no text.
func binaryKind(k value.Kind) bool {
	return k == value.Bytes || k == value.UUID || k == value.Embedding
}

// DecodeRow implements Codec.
func (c msgpackCodec) DecodeRow(src []byte, kinds []value.Kind, dst []value.Value) error {
	if err := checkTarget(kinds, dst); err != nil {
		return err
	}
	r := msgpackReader{in: bytes.NewReader(src), d: msgpack.GetDecoder()}
	defer msgpack.PutDecoder(r.d)
	r.d.Reset(r.in)
	if n, err := r.d.DecodeArrayLen(); err != nil || n != len(kinds) {
		return corruptRow(c)
	}
	for i, k := range kinds {
		v, ok := r.read(k)
		if !ok {
			return corruptColumn(c, i, k)
		}
		dst[i] = v
	}
	if r.in.Len() != 0 {
		return corruptRow(c)
	}
	return nil
}

// msgpackReader reads columns one after another. The decoder converts between
// types as it likes, so each type's code is looked at first.
type msgpackReader struct {
	in *bytes.Reader
	d  *msgpack.Decoder
}

func (r *msgpackReader) read(k value.Kind) (v value.Value, ok bool) {
	code, err := r.d.PeekCode()
	if err != nil {
		return v, false
	}
	if code == msgpcode.Nil {
		return v, r.d.DecodeNil() == nil
	}
	switch k.Form() {
	case value.FormBool:
		if code != msgpcode.True && code != msgpcode.False {
			return v, false
		}
		b, err := r.d.DecodeBool()
		return value.NewBool(b), err == nil
	case value.FormInt, value.FormUint:
		return r.integer(k, code)
	case value.FormFloat:
		return r.float(k, code)
	case value.FormString:
		return r.text(k, code)
	}
	return v, false
}

func (r *msgpackReader) integer(k value.Kind, code byte) (v value.Value, ok bool) {
	switch {
	case msgpcode.IsFixedNum(code), code >= msgpcode.Int8 && code <= msgpcode.Int64:
		n, err := r.d.DecodeInt64()
		if err != nil {
			return v, false
		}
		return checked(value.CheckedInt(k, n))
	case code >= msgpcode.Uint8 && code <= msgpcode.Uint64:
		n, err := r.d.DecodeUint64()
		if err != nil {
			return v, false
		}
		return checked(value.CheckedUint(k, n))
	}
	return v, false
}

func (r *msgpackReader) float(k value.Kind, code byte) (v value.Value, ok bool) {
	var f float64
	var err error
	switch {
	case k == value.Float32 && code == msgpcode.Float:
		var short float32
		short, err = r.d.DecodeFloat32()
		f = float64(short)
	case k == value.Float64 && code == msgpcode.Double:
		f, err = r.d.DecodeFloat64()
	default:
		return v, false
	}
	if err != nil {
		return v, false
	}
	return checked(value.CheckedFloat(k, f))
}

func (r *msgpackReader) text(k value.Kind, code byte) (v value.Value, ok bool) {
	if binaryKind(k) != msgpcode.IsBin(code) || !msgpcode.IsBin(code) && !msgpcode.IsString(code) {
		return v, false
	}
	n, err := r.d.DecodeBytesLen()
	if err != nil || n < 0 || n > r.in.Len() {
		return v, false
	}
	buf := make([]byte, n)
	if err := r.d.ReadFull(buf); err != nil {
		return v, false
	}
	v = value.NewString(k, string(buf))
	return v, v.Check() == nil
}
