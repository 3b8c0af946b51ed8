package value

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// First byte of a decimal's key body.
const (
	signNegative = 1
	signZero     = 2
	signPositive = 3
	notANumber   = 4 // text that is no decimal; never read back
)

// The power of ten is stored as an unsigned number of two bytes.
const exponentBias = 1 << 15

// appendDecimalKey writes a sign, and for numbers other than zero the power of
// ten of the first digit, the digits without zeros at either end, and 0x00.
// Behind a negative sign all bytes are inverted, so that larger ones sort
// first.
func appendDecimalKey(dst []byte, s string) []byte {
	d, ok := splitDecimal(s)
	if !ok {
		return appendEscaped(append(dst, notANumber), s)
	}
	if d.zero() {
		return append(dst, signZero)
	}
	exponent := len(d.whole)
	all := d.whole + d.frac
	if exponent == 0 {
		all = strings.TrimLeft(d.frac, "0")
		exponent = len(all) - len(d.frac)
	}
	sign := byte(signPositive)
	if d.neg {
		sign = signNegative
	}
	dst = append(dst, sign)
	start := len(dst)
	dst = binary.BigEndian.AppendUint16(dst, uint16(exponent+exponentBias))
	dst = append(append(dst, strings.TrimRight(all, "0")...), 0)
	if d.neg {
		invert(dst[start:])
	}
	return dst
}

func invert(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

func cutDecimalKey(src []byte) (v Value, rest []byte, ok bool) {
	if len(src) == 0 {
		return Value{}, nil, false
	}
	sign, src := src[0], src[1:]
	var end byte
	switch sign {
	case signZero:
		return NewString(Decimal, "0"), src, true
	case signPositive:
	case signNegative:
		end = 0xFF
	default:
		return Value{}, nil, false
	}
	if len(src) < 3 {
		return Value{}, nil, false
	}
	n := bytes.IndexByte(src[2:], end)
	if n < 1 || n > maxDecimalDigits {
		return Value{}, nil, false
	}
	body := bytes.Clone(src[:2+n])
	if sign == signNegative {
		invert(body)
	}
	exponent := int(binary.BigEndian.Uint16(body)) - exponentBias
	text, ok := decimalText(string(body[2:]), exponent)
	if sign == signNegative {
		text = "-" + text
	}
	return NewString(Decimal, text), src[2+n+1:], ok
}

// decimalText puts the point behind the first exponent digits, or that many
// zeros before them when it is negative.
func decimalText(all string, exponent int) (string, bool) {
	if !digits(all) || all[0] == '0' || all[len(all)-1] == '0' ||
		exponent > maxDecimalDigits || exponent < -maxDecimalDigits {
		return "", false
	}
	switch {
	case exponent <= 0:
		return "0." + strings.Repeat("0", -exponent) + all, true
	case exponent >= len(all):
		return all + strings.Repeat("0", exponent-len(all)), true
	}
	return all[:exponent] + "." + all[exponent:], true
}
