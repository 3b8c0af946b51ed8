package value

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// maxJSONDepth bounds the nesting of JSON values, so that a row of them still
// fits the nesting that a message may have.
const maxJSONDepth = 50

// AppendJSON appends the form that v has in results and messages. Int64,
// Uint64 and Decimal are strings, since JavaScript's numbers can't hold them;
// smaller integers and floats are numbers, Bytes are base64, dates and times
// are strings in UTC with microseconds only where there are any (a Time always
// has six digits), a UUID is its canonical text, an Enum its label, JSON stands as it is and an
// Embedding is an array. Text that is not valid UTF-8 has U+FFFD in its place.
//
// A value that JSON or RFC 3339 has no form for (NaN, infinities, years
// outside 1 to 9999) is a fault.ValueOutOfRange, and dst comes back unchanged.
// Nothing is allocated but the growth of dst.
func AppendJSON(dst []byte, v Value) ([]byte, error) {
	switch v.kind.class() {
	case classNull:
		return append(dst, "null"...), nil
	case classBool:
		return strconv.AppendBool(dst, v.Bool()), nil
	case classSigned, classUnsigned:
		if v.kind == Int64 || v.kind == Uint64 {
			return append(formatInteger(append(dst, '"'), v), '"'), nil
		}
		return formatInteger(dst, v), nil
	case classFloat:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return dst, outOfRange(v.kind, v.Text())
		}
		return appendFloat(dst, v), nil
	case classDate, classTime, classInstant:
		if !fitsInt(v.kind, v.Int()) {
			return dst, outOfRange(v.kind, v.Text())
		}
		return append(v.AppendText(append(dst, '"')), '"'), nil
	case classDecimal, classUUID:
		return append(v.AppendText(append(dst, '"')), '"'), nil
	case classBytes:
		return appendBase64(dst, v.s), nil
	case classVector:
		return appendJSONVector(dst, v)
	case classJSON, classFile:
		return append(dst, v.s...), nil
	}
	return AppendJSONString(dst, v.s), nil
}

func appendJSONVector(dst []byte, v Value) ([]byte, error) {
	if !finiteVector(v.s) {
		return dst, outOfRange(v.kind, "a component")
	}
	return appendVector(dst, v.s), nil
}

// AppendJSONString appends s as a JSON string. Bytes that are not valid UTF-8
// become U+FFFD, so the result always is.
func AppendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf && len(s)-i >= 8 {
			if i += plainBytes(s[i:]); i == len(s) {
				break
			}
			c = s[i]
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(append(dst, s[start:i]...), "\uFFFD"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			dst = appendEscape(append(dst, s[start:i]...), c)
			start = i + 1
		}
		i++
	}
	return append(append(dst, s[start:]...), '"')
}

// plainBytes returns how many bytes at the beginning of s stand in a JSON string
// as they are; it leaves the last seven to the caller. It looks at eight bytes
// at once: in each term a byte's highest bit is set where the byte is not plain
// (behind such a byte it may be set by the borrow, too).
func plainBytes(s string) (n int) {
	const ones, highest = 0x0101010101010101, 0x8080808080808080
	for ; len(s)-n >= 8; n += 8 {
		w := s[n : n+8]
		x := uint64(w[0]) | uint64(w[1])<<8 | uint64(w[2])<<16 | uint64(w[3])<<24 |
			uint64(w[4])<<32 | uint64(w[5])<<40 | uint64(w[6])<<48 | uint64(w[7])<<56
		found := x | (x - ones*' ') | (x ^ ones*'"' - ones) | (x ^ ones*'\\' - ones)
		if found &= highest; found != 0 {
			return n + bits.TrailingZeros64(found)/8
		}
	}
	return n
}

func appendEscape(dst []byte, c byte) []byte {
	const digits = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
}

// appendBase64 encodes s through a small buffer, since the encoder wants bytes
// and a conversion of s would copy it to the heap.
func appendBase64(dst []byte, s string) []byte {
	dst = append(dst, '"')
	dst = slices.Grow(dst, base64.StdEncoding.EncodedLen(len(s))+1)
	var buf [3 << 8]byte
	for len(s) > 0 {
		n := copy(buf[:], s)
		at := len(dst)
		dst = dst[:at+base64.StdEncoding.EncodedLen(n)]
		base64.StdEncoding.Encode(dst[at:], buf[:n])
		s = s[n:]
	}
	return append(dst, '"')
}

// FromJSON reads what AppendJSON writes for a value of kind k: raw is one JSON
// value. A number is also read where a string is written for the sake of its
// size (Int64, Uint64, Decimal), and any spelling of Parse in a string for
// dates, times and UUIDs. null is NULL, also for JSON. Everything else of
// another type than k's is a fault.TypeMismatch, what does not fit a
// fault.ValueOutOfRange. The value does not alias raw.
func FromJSON(k Kind, raw []byte) (Value, error) {
	raw = bytes.TrimSpace(raw)
	if !k.Valid() || k == Null || len(raw) == 0 || !utf8.Valid(raw) {
		return Value{}, mismatch(k, string(raw))
	}
	switch c := k.class(); {
	case string(raw) == "null":
		return Value{}, nil
	case c == classJSON || c == classFile:
		return parseJSON(k, string(raw))
	case raw[0] == '"':
		return fromJSONString(k, raw)
	case c == classBool && (string(raw) == "true" || string(raw) == "false"):
		return NewBool(raw[0] == 't'), nil
	case c == classVector && raw[0] == '[':
		return parseVector(string(raw))
	case c.numeric() && c != classBool && jsonNumber(raw):
		return Parse(k, string(raw))
	}
	return Value{}, mismatch(k, string(raw))
}

// jsonNumber reports whether raw is a number as JSON spells it.
func jsonNumber(raw []byte) bool {
	return len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9') && json.Valid(raw)
}

func fromJSONString(k Kind, raw []byte) (Value, error) {
	s, ok := unquoteJSON(raw)
	if !ok {
		return Value{}, mismatch(k, string(raw))
	}
	switch k.class() {
	case classText, classDate, classTime, classInstant, classDecimal, classUUID:
		return Parse(k, s)
	case classSigned, classUnsigned:
		if k == Int64 || k == Uint64 {
			return Parse(k, s)
		}
	case classBytes:
		b, err := base64.StdEncoding.Strict().DecodeString(s)
		if err != nil {
			return Value{}, fault.New(fault.TypeMismatch, "%q is not base64, as BYTES have to be", clip(s))
		}
		return NewString(Bytes, string(b)), nil
	}
	return Value{}, mismatch(k, string(raw))
}

// unquoteJSON reads a JSON string of valid UTF-8; nearly all have no escapes.
func unquoteJSON(raw []byte) (s string, ok bool) {
	inner := raw[1:]
	if len(inner) == 0 || inner[len(inner)-1] != '"' {
		return "", false
	}
	inner = inner[:len(inner)-1]
	for _, c := range inner {
		if c < ' ' || c == '"' || c == '\\' {
			err := json.Unmarshal(raw, &s)
			return s, err == nil
		}
	}
	return string(inner), true
}

// parseJSON returns s compacted. It is refused when it is no JSON, no UTF-8 or
// nested too deeply.
func parseJSON(k Kind, s string) (Value, error) {
	if !utf8.ValidString(s) {
		return Value{}, mismatch(k, s)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(s)); err != nil {
		return Value{}, mismatch(k, s)
	}
	if depth(b.Bytes()) > maxJSONDepth {
		return Value{}, fault.New(fault.ValueOutOfRange,
			"a JSON value is nested more than %d deep", maxJSONDepth)
	}
	return NewString(k, b.String()), nil
}

// depth returns how deeply valid JSON is nested.
func depth(b []byte) int {
	most, now, quoted := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			now++
			most = max(most, now)
		case c == '}' || c == ']':
			now--
		}
	}
	return most
}
