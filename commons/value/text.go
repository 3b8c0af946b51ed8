package value

import (
	"encoding/hex"
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Text returns v as the text that Parse reads back: numbers in decimal, true
// and false, dates and times as in JSON, UUIDs in canonical form, an Embedding
// as a JSON array, Bytes as they are, an Enum as its label. NULL gives "".
func (v Value) Text() string {
	if v.kind == Enum || v.kind.Form() == FormString && v.kind != UUID && v.kind != Embedding {
		return v.s
	}
	var buf [64]byte
	return string(v.AppendText(buf[:0]))
}

// AppendText appends Text to dst.
func (v Value) AppendText(dst []byte) []byte {
	switch v.kind.class() {
	case classNull:
		return dst
	case classBool:
		return strconv.AppendBool(dst, v.Bool())
	case classSigned, classUnsigned:
		return formatInteger(dst, v)
	case classFloat:
		return appendFloat(dst, v)
	case classDate:
		return appendDate(dst, v.Int())
	case classTime:
		return appendTime(dst, v.Int())
	case classInstant:
		return appendInstant(dst, v.Int())
	case classUUID:
		return appendUUID(dst, v.s)
	case classVector:
		return appendVector(dst, v.s)
	}
	return append(dst, v.s...)
}

// appendFloat appends the shortest text that reads back as the same number, in
// the form that JSON and JavaScript use.
func appendFloat(dst []byte, v Value) []byte {
	f, bits := v.Float(), floatBits(v.kind)
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(dst, f, 'e', -1, bits)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, bits)
}

// appendUUID appends 16 bytes as "01890a5d-ac96-774b-bcce-b302099a8057".
func appendUUID(dst []byte, s string) []byte {
	const digits = "0123456789abcdef"
	for i := 0; i < len(s); i++ {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, digits[s[i]>>4], digits[s[i]&15])
	}
	return dst
}

// Parse reads text as a value of kind k: what Text writes, and the usual other
// spellings (a space for the T of a timestamp, any offset from UTC, 1 and 0
// for booleans, UUIDs without dashes). Leading and trailing white space is not
// accepted. What does not read is a fault.TypeMismatch, what reads and does
// not fit a fault.ValueOutOfRange. An Enum is never read: only its type knows
// the labels.
func Parse(k Kind, s string) (Value, error) {
	switch k.class() {
	case classBool:
		return parseBool(s)
	case classSigned:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return Value{}, numberError(k, s, err)
		}
		return CheckedInt(k, n)
	case classUnsigned:
		return parseUint(k, s)
	case classFloat:
		return parseFloat(k, s)
	case classDecimal:
		return parseDecimal(s)
	case classDate:
		return parseDate(s)
	case classTime:
		return parseTime(s)
	case classInstant:
		return parseInstant(k, s)
	case classUUID:
		return parseUUID(s)
	case classBytes:
		return NewString(Bytes, s), nil
	case classText:
		return parseText(k, s)
	case classJSON, classFile:
		return parseJSON(k, s)
	case classVector:
		return parseVector(s)
	}
	return Value{}, mismatch(k, s)
}

func parseBool(s string) (Value, error) {
	switch strings.ToLower(s) {
	case "true", "t", "1":
		return NewBool(true), nil
	case "false", "f", "0":
		return NewBool(false), nil
	}
	return Value{}, mismatch(Bool, s)
}

func parseUint(k Kind, s string) (Value, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(s, "+"), 10, 64)
	if err == nil {
		return CheckedUint(k, n)
	}
	if _, negative := strconv.ParseInt(s, 10, 64); negative == nil {
		return Value{}, outOfRange(k, s)
	}
	return Value{}, numberError(k, s, err)
}

func parseFloat(k Kind, s string) (Value, error) {
	if strings.ContainsAny(s, "xX_") {
		return Value{}, mismatch(k, s)
	}
	f, err := strconv.ParseFloat(s, floatBits(k))
	if err != nil {
		return Value{}, numberError(k, s, err)
	}
	return CheckedFloat(k, f)
}

func numberError(k Kind, s string, err error) error {
	if errors.Is(err, strconv.ErrRange) {
		return outOfRange(k, s)
	}
	return mismatch(k, s)
}

func parseText(k Kind, s string) (Value, error) {
	if !utf8.ValidString(s) {
		return Value{}, fault.New(fault.TypeMismatch,
			"the text is not valid UTF-8; store it in a BYTES column")
	}
	return NewString(k, s), nil
}

func parseUUID(s string) (Value, error) {
	plain := s
	if len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' {
		plain = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	raw, err := hex.DecodeString(plain)
	if err != nil || len(raw) != uuidLen {
		return Value{}, mismatch(UUID, s)
	}
	return NewString(UUID, string(raw)), nil
}
