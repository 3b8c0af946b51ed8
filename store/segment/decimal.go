package segment

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/value"
)

// decimalBytes returns how many bytes the two's complement of a number of so
// many digits takes.
func decimalBytes(precision int) int {
	most := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(precision)), nil)
	return most.BitLen()/8 + 1
}

// splitDecimal returns the digits of a Decimal without its point, which must
// have scale of them behind it and precision in all.
func splitDecimal(s string, precision, scale int) (digits string, neg bool, err error) {
	rest, neg := strings.CutPrefix(s, "-")
	whole, frac, _ := strings.Cut(rest, ".")
	if len(frac) != scale || whole == "" || len(strings.TrimLeft(whole, "0"))+scale > precision {
		return "", false, fmt.Errorf("the decimal %q is not DECIMAL(%d, %d)", s, precision, scale)
	}
	return whole + frac, neg, nil
}

// decimalInt reads a Decimal of at most 18 digits as an integer.
func decimalInt(s string, precision, scale int) (int64, error) {
	digits, neg, err := splitDecimal(s, precision, scale)
	if err != nil {
		return 0, err
	}
	n := int64(0)
	for i := range len(digits) {
		d := digits[i] - '0'
		if d > 9 {
			return 0, fmt.Errorf("the decimal %q has something else than digits", s)
		}
		n = n*10 + int64(d)
	}
	if neg {
		n = -n
	}
	return n, nil
}

// decimalNumber reads a Decimal without its point.
func decimalNumber(s string, precision, scale int) (*big.Int, error) {
	digits, neg, err := splitDecimal(s, precision, scale)
	if err != nil {
		return nil, err
	}
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok || n.Sign() < 0 {
		return nil, fmt.Errorf("the decimal %q has something else than digits", s)
	}
	if neg {
		n.Neg(n)
	}
	return n, nil
}

// decimalFixed returns a Decimal as a big-endian two's complement of length
// bytes.
func decimalFixed(s string, precision, scale, length int) ([]byte, error) {
	n, err := decimalNumber(s, precision, scale)
	if err != nil {
		return nil, err
	}
	if n.Sign() < 0 {
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*length)))
	}
	return n.FillBytes(make([]byte, length)), nil
}

// fixedDecimal is the inverse of decimalFixed.
func fixedDecimal(b []byte, precision, scale int) (value.Value, error) {
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return decimalText(n.Append(make([]byte, 0, maxPrecision+1), 10), precision, scale)
}

// decimalText puts the point into the digits of a number.
func decimalText(digits []byte, precision, scale int) (value.Value, error) {
	out := make([]byte, 0, len(digits)+scale+2)
	if digits[0] == '-' {
		out, digits = append(out, '-'), digits[1:]
	}
	if len(digits) > precision && string(digits) != "0" {
		return value.Value{}, fmt.Errorf("a decimal of %d digits in DECIMAL(%d, %d)",
			len(digits), precision, scale)
	}
	for missing := scale + 1 - len(digits); missing > 0; missing-- {
		out = append(out, '0')
		if missing == scale+1-len(digits) && scale > 0 {
			out = append(out, '.')
		}
	}
	if point := len(digits) - scale; point > 0 {
		out = append(out, digits[:point]...)
		if scale > 0 {
			out = append(out, '.')
		}
		digits = digits[point:]
	}
	return value.NewString(value.Decimal, string(append(out, digits...))), nil
}
