package value

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// maxDecimalDigits bounds a decimal, as in MySQL.
const maxDecimalDigits = 65

// decimal is a decimal number taken apart. whole has no leading zeros and frac
// no trailing ones, so the parts of equal numbers are equal.
type decimal struct {
	neg         bool
	whole, frac string
}

// splitDecimal takes a number such as "-12.50" apart. Numbers with an exponent
// and those that have no digit are refused.
func splitDecimal(s string) (d decimal, ok bool) {
	s, d.neg = cutSign(s)
	whole, frac, dot := strings.Cut(s, ".")
	if whole == "" && frac == "" || dot && frac == "" && whole == "" {
		return d, false
	}
	if !digits(whole) || !digits(frac) {
		return d, false
	}
	d.whole = strings.TrimLeft(whole, "0")
	d.frac = strings.TrimRight(frac, "0")
	if d.whole == "" && d.frac == "" {
		d.neg = false
	}
	return d, true
}

func cutSign(s string) (rest string, neg bool) {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		return s[1:], s[0] == '-'
	}
	return s, false
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

func validDecimal(s string) bool {
	_, ok := splitDecimal(s)
	return ok
}

func (d decimal) zero() bool { return d.whole == "" && d.frac == "" }

// compareDecimals compares two texts of decimals as numbers. Texts that are no
// decimals sort behind, byte by byte.
func compareDecimals(a, b string) int {
	da, oka := splitDecimal(a)
	db, okb := splitDecimal(b)
	switch {
	case !oka && !okb:
		return strings.Compare(a, b)
	case !oka:
		return 1
	case !okb:
		return -1
	case da.neg != db.neg && da.neg:
		return -1
	case da.neg != db.neg:
		return 1
	case da.neg:
		return db.compareAbs(da)
	}
	return da.compareAbs(db)
}

func (d decimal) compareAbs(e decimal) int {
	if len(d.whole) != len(e.whole) {
		return len(d.whole) - len(e.whole)
	}
	if c := strings.Compare(d.whole, e.whole); c != 0 {
		return c
	}
	return strings.Compare(d.frac, e.frac)
}

// parseDecimal returns the canonical text of a decimal: no plus sign, no
// superfluous leading zeros, a digit on both sides of the point, no negative
// zero. Trailing zeros stay: they are the number's scale.
func parseDecimal(s string) (Value, error) {
	d, ok := splitDecimal(s)
	if !ok {
		return Value{}, mismatch(Decimal, s)
	}
	_, frac, _ := strings.Cut(s, ".")
	if len(d.whole)+len(frac) > maxDecimalDigits {
		return Value{}, fault.New(fault.ValueOutOfRange,
			"decimal %q has more than %d digits", clip(s), maxDecimalDigits)
	}
	return NewString(Decimal, d.text(frac)), nil
}

// text writes d with the given digits behind the point, which may add zeros to
// d's own.
func (d decimal) text(frac string) string {
	var b strings.Builder
	if d.neg {
		b.WriteByte('-')
	}
	if d.whole == "" {
		b.WriteByte('0')
	}
	b.WriteString(d.whole)
	if frac != "" {
		b.WriteByte('.')
		b.WriteString(frac)
	}
	return b.String()
}

// Rescale returns a Decimal with exactly scale digits behind the point,
// rounded half away from zero, as a column DECIMAL(precision, scale) holds it.
// More than precision digits in all are a fault.ValueOutOfRange; NULL stays.
func Rescale(v Value, precision, scale int) (Value, error) {
	if v.IsNull() {
		return v, nil
	}
	d, ok := splitDecimal(v.s)
	if v.kind != Decimal || !ok {
		return Value{}, mismatch(Decimal, v.Text())
	}
	frac := d.frac
	if len(frac) <= scale {
		frac += strings.Repeat("0", scale-len(frac))
	} else {
		d, frac = d.round(scale)
	}
	if len(d.whole)+scale > precision {
		return Value{}, fault.New(fault.ValueOutOfRange,
			"decimal %q does not fit DECIMAL(%d, %d)", clip(v.s), precision, scale)
	}
	return NewString(Decimal, d.text(frac)), nil
}

// round cuts d to fewer digits behind the point than it has.
func (d decimal) round(scale int) (decimal, string) {
	all := []byte("0" + d.whole + d.frac[:scale])
	if d.frac[scale] >= '5' {
		i := len(all) - 1
		for ; all[i] == '9'; i-- {
			all[i] = '0'
		}
		all[i]++
	}
	point := len(all) - scale
	d.whole = strings.TrimLeft(string(all[:point]), "0")
	frac := string(all[point:])
	d.frac = strings.TrimRight(frac, "0")
	if d.zero() {
		d.neg = false
	}
	return d, frac
}
