package serde

import (
	"encoding/binary"
	"math"

	"github.com/kalamdb/kalamdb-go/commons/value"
)

// rowCodec is the compact row codec. A row is a bitmap of the NULL columns,
// lowest bit first, then every other column:
//
//	Boolean              one byte, 0 or 1
//	signed, date, time   zigzag varint
//	unsigned             varint
//	Float, Double        4 or 8 bytes, little-endian
//	UUID                 16 bytes
//	all others           length as a varint, bytes
type rowCodec struct{}

const uuidLen = 16

// ID implements Codec.
func (rowCodec) ID() ID { return Row }

// Name implements Codec.
func (rowCodec) Name() string { return "row" }

// AppendRow implements Codec.
func (c rowCodec) AppendRow(
	dst []byte, kinds []value.Kind, vals []value.Value,
) ([]byte, error) {
	if err := checkRow(kinds, vals); err != nil {
		return dst, err
	}
	bitmap := len(dst)
	for i := 0; i < len(kinds); i += 8 {
		dst = append(dst, 0)
	}
	for i, v := range vals {
		if v.IsNull() {
			dst[bitmap+i/8] |= 1 << (i % 8)
			continue
		}
		dst = appendCompact(dst, v)
	}
	return dst, nil
}

func appendCompact(dst []byte, v value.Value) []byte {
	switch v.Kind().Form() {
	case value.FormBool:
		if v.Bool() {
			return append(dst, 1)
		}
		return append(dst, 0)
	case value.FormInt:
		return binary.AppendVarint(dst, v.Int())
	case value.FormUint:
		return binary.AppendUvarint(dst, v.Uint())
	case value.FormFloat:
		if v.Kind() == value.Float32 {
			return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v.Float())))
		}
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v.Float()))
	}
	if v.Kind() != value.UUID {
		dst = binary.AppendUvarint(dst, uint64(len(v.Str())))
	}
	return append(dst, v.Str()...)
}

// DecodeRow implements Codec. The strings of a row share one copy of src.
func (c rowCodec) DecodeRow(src []byte, kinds []value.Kind, dst []value.Value) error {
	if err := checkTarget(kinds, dst); err != nil {
		return err
	}
	size := (len(kinds) + 7) / 8
	if len(src) < size || !bitmapFits(src[:size], len(kinds)) {
		return corruptRow(c)
	}
	r := compactReader{src: src, at: size}
	for i, k := range kinds {
		if src[i/8]&(1<<(i%8)) != 0 {
			dst[i] = value.NullValue
			continue
		}
		v, ok := r.read(k)
		if !ok {
			return corruptColumn(c, i, k)
		}
		dst[i] = v
	}
	if r.at != len(src) {
		return corruptRow(c)
	}
	return nil
}

var _ ColumnDecoder = rowCodec{}

// DecodeColumns implements ColumnDecoder.
func (c rowCodec) DecodeColumns(
	src []byte, kinds []value.Kind, want []int, dst []value.Value,
) error {
	if err := checkTarget(kinds, dst); err != nil {
		return err
	}
	size := (len(kinds) + 7) / 8
	if len(src) < size || !bitmapFits(src[:size], len(kinds)) {
		return corruptRow(c)
	}
	r := compactReader{src: src, at: size}
	next := 0
	for _, w := range want {
		for ; next <= w; next++ {
			ok := true
			switch k := kinds[next]; {
			case src[next/8]&(1<<(next%8)) != 0:
				if next == w {
					dst[next] = value.NullValue
				}
			case next < w:
				ok = r.skip(k)
			default:
				ok = r.readInto(&dst[next], k)
			}
			if !ok {
				return corruptColumn(c, next, kinds[next])
			}
		}
	}
	return nil
}

// bitmapFits reports whether the bits behind the last column are clear.
func bitmapFits(bitmap []byte, columns int) bool {
	return columns%8 == 0 || bitmap[len(bitmap)-1]>>(columns%8) == 0
}

// compactReader reads columns one after another. at never passes len(src).
type compactReader struct {
	src  []byte
	at   int
	text string // copy of src, made for the first string
}

func (r *compactReader) read(k value.Kind) (v value.Value, ok bool) {
	switch k.Form() {
	case value.FormBool:
		b, ok := r.take(1)
		if !ok || r.src[b] > 1 {
			return v, false
		}
		return value.NewBool(r.src[b] == 1), true
	case value.FormInt:
		u, ok := r.uvarint()
		if !ok {
			return v, false
		}
		return checked(value.CheckedInt(k, int64(u>>1)^-int64(u&1))) // zigzag
	case value.FormUint:
		n, ok := r.uvarint()
		if !ok {
			return v, false
		}
		return checked(value.CheckedUint(k, n))
	case value.FormFloat:
		return r.float(k)
	}
	at, ok := r.bytes(k)
	if !ok {
		return v, false
	}
	if r.text == "" {
		r.text = string(r.src)
	}
	v = value.NewString(k, r.text[at:r.at])
	return v, v.Check() == nil
}

// readInto is read for a column by itself: it copies no more than the column,
// and nothing when dst holds the same string.
func (r *compactReader) readInto(dst *value.Value, k value.Kind) bool {
	if k.Form() != value.FormString {
		v, ok := r.read(k)
		*dst = v
		return ok
	}
	at, ok := r.bytes(k)
	if !ok {
		return false
	}
	s := dst.Str()
	if raw := r.src[at:r.at]; s != string(raw) {
		s = string(raw)
	}
	*dst = value.NewString(k, s)
	return dst.Check() == nil
}

// skip moves past a column.
func (r *compactReader) skip(k value.Kind) (ok bool) {
	switch k.Form() {
	case value.FormBool:
		_, ok = r.take(1)
	case value.FormInt, value.FormUint:
		_, ok = r.uvarint()
	case value.FormFloat:
		size := uint64(8)
		if k == value.Float32 {
			size = 4
		}
		_, ok = r.take(size)
	default:
		_, ok = r.bytes(k)
	}
	return ok
}

// bytes moves past a column of bytes and returns where these begin.
func (r *compactReader) bytes(k value.Kind) (at int, ok bool) {
	size := uint64(uuidLen)
	if k != value.UUID {
		if size, ok = r.uvarint(); !ok {
			return 0, false
		}
	}
	return r.take(size)
}

// take moves past n bytes and returns where they begin.
func (r *compactReader) take(n uint64) (at int, ok bool) {
	if n > uint64(len(r.src)-r.at) {
		return 0, false
	}
	at = r.at
	r.at += int(n)
	return at, true
}

func (r *compactReader) uvarint() (uint64, bool) {
	if r.at < len(r.src) && r.src[r.at] < 0x80 { // of one byte, as most are
		r.at++
		return uint64(r.src[r.at-1]), true
	}
	n, size := binary.Uvarint(r.src[r.at:])
	if size <= 0 {
		return 0, false
	}
	r.at += size
	return n, true
}

func (r *compactReader) float(k value.Kind) (v value.Value, ok bool) {
	if k == value.Float32 {
		at, ok := r.take(4)
		if !ok {
			return v, false
		}
		n := binary.LittleEndian.Uint32(r.src[at:])
		return checked(value.CheckedFloat(k, float64(math.Float32frombits(n))))
	}
	at, ok := r.take(8)
	if !ok {
		return v, false
	}
	n := binary.LittleEndian.Uint64(r.src[at:])
	return checked(value.CheckedFloat(k, math.Float64frombits(n)))
}
