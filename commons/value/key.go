package value

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Key encoding. A value is a tag byte, the number of its class, and a body:
//
//	NULL                  nothing
//	booleans              one byte, 0 or 1
//	signed, dates, times  8 bytes big-endian, sign bit flipped
//	unsigned              8 bytes big-endian
//	enums                 2 bytes big-endian: the position
//	floats                8 bytes of the float64: sign bit flipped, and all
//	                      others too when it is negative
//	decimals              sign, exponent, digits; see appendDecimalKey
//	uuids                 16 bytes
//	all others            bytes with 0x00 written as 0x00 0xFF, then 0x00 0x01
//
// No encoding is a prefix of another, so the encodings of a composite key
// stand one behind the other without separators.
const (
	escape     = 0x00
	escapedNul = 0xFF
	terminator = 0x01

	signBit = 1 << 63
)

// AppendKey appends the order-preserving encoding of v to dst. For values of
// one kind bytes.Compare of two encodings is Compare, and NULL is before all.
// The kinds of a class share one form: a column may be widened from INT to
// BIGINT without rewriting keys. The scale of a Decimal and the label of an Enum
// are not kept.
func AppendKey(dst []byte, v Value) []byte {
	c := v.kind.class()
	dst = append(dst, byte(c))
	switch c {
	case classNull:
		return dst
	case classBool:
		return append(dst, byte(v.n))
	case classSigned, classDate, classTime, classInstant:
		return binary.BigEndian.AppendUint64(dst, v.n^signBit)
	case classUnsigned:
		return binary.BigEndian.AppendUint64(dst, v.n)
	case classEnum:
		return binary.BigEndian.AppendUint16(dst, uint16(v.n))
	case classFloat:
		return binary.BigEndian.AppendUint64(dst, sortableFloat(v.Float()))
	case classDecimal:
		return appendDecimalKey(dst, v.s)
	case classUUID:
		if len(v.s) == uuidLen {
			return append(dst, v.s...)
		}
	}
	return appendEscaped(dst, v.s)
}

// CutKey reads the value of a column of kind k from the front of src and
// returns what follows it. The value does not alias src. A wrong tag, a number
// outside the kind's range or damage is a fault.Corruption.
func CutKey(src []byte, k Kind) (v Value, rest []byte, err error) {
	c := k.class()
	if len(src) == 0 || c == classNull {
		return Value{}, nil, corruptKey(k)
	}
	tag, src := class(src[0]), src[1:]
	if tag == classNull {
		return Value{}, src, nil
	}
	if tag != c {
		return Value{}, nil, corruptKey(k)
	}
	var ok bool
	switch c {
	case classBool:
		if len(src) > 0 && src[0] <= 1 {
			v, rest, ok = NewBool(src[0] == 1), src[1:], true
		}
	case classDecimal:
		v, rest, ok = cutDecimalKey(src)
	case classUUID:
		if len(src) >= uuidLen {
			v, rest, ok = NewString(UUID, string(src[:uuidLen])), src[uuidLen:], true
		}
	case classEnum:
		if len(src) >= 2 {
			v, ok = numberFromKey(k, uint64(binary.BigEndian.Uint16(src)))
			rest = src[2:]
		}
	case classSigned, classUnsigned, classFloat, classDate, classTime, classInstant:
		if len(src) >= 8 {
			v, ok = numberFromKey(k, binary.BigEndian.Uint64(src))
			rest = src[8:]
		}
	default:
		v.kind = k
		v.s, rest, ok = cutEscaped(src)
	}
	if !ok {
		return Value{}, nil, corruptKey(k)
	}
	return v, rest, nil
}

func corruptKey(k Kind) error {
	return fault.New(fault.Corruption, "a stored key does not read as a column of type %s", k.SQL())
}

func numberFromKey(k Kind, n uint64) (Value, bool) {
	switch k.class() {
	case classUnsigned, classEnum:
		return NewUint(k, n), fitsUint(k, n)
	case classFloat:
		f := floatFromSortable(n)
		return NewFloat(k, f), sortableFloat(f) == n && (k == Float64 || exactFloat32(f))
	}
	n ^= signBit
	return NewInt(k, int64(n)), fitsInt(k, int64(n))
}

// sortableFloat maps floats to numbers of the same order; every NaN becomes
// the one behind +Inf, and -0 becomes 0.
func sortableFloat(f float64) uint64 {
	switch {
	case math.IsNaN(f):
		f = math.NaN()
	case f == 0:
		f = 0
	}
	n := math.Float64bits(f)
	if n&signBit != 0 {
		return ^n
	}
	return n | signBit
}

func floatFromSortable(n uint64) float64 {
	if n&signBit != 0 {
		return math.Float64frombits(n &^ signBit)
	}
	return math.Float64frombits(^n)
}

func exactFloat32(f float64) bool { return math.IsNaN(f) || float64(float32(f)) == f }

func appendEscaped(dst []byte, s string) []byte {
	for {
		i := strings.IndexByte(s, escape)
		if i < 0 {
			break
		}
		dst = append(append(dst, s[:i]...), escape, escapedNul)
		s = s[i+1:]
	}
	return append(append(dst, s...), escape, terminator)
}

func cutEscaped(src []byte) (s string, rest []byte, ok bool) {
	var plain []byte // set once an escape was seen
	start := 0
	for i := 0; i+1 < len(src); i++ {
		if src[i] != escape {
			continue
		}
		switch src[i+1] {
		case terminator:
			if plain == nil {
				return string(src[:i]), src[i+2:], true
			}
			return string(append(plain, src[start:i]...)), src[i+2:], true
		case escapedNul:
			plain = append(plain, src[start:i+1]...)
			i++
			start = i + 1
		default:
			return "", nil, false
		}
	}
	return "", nil, false
}
