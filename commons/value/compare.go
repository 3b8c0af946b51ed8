package value

import (
	"cmp"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// Compare orders a and b: negative when a sorts first, 0 when they are equal,
// positive when b sorts first. NULL sorts before everything and equals NULL.
// Numbers of any kinds, booleans among them, compare by their exact value; NaN
// sorts behind all numbers. DateTime and Timestamp compare by their instant,
// texts byte by byte, Enums by their positions. Otherwise values of different
// kinds sort by kind, so the order is total. Among values of one kind it is the
// order of AppendKey.
func Compare(a, b Value) int {
	ca, cb := a.kind.class(), b.kind.class()
	switch {
	case ca != cb:
		if ca.numeric() && cb.numeric() {
			return compareNumbers(a, b)
		}
		return cmp.Compare(ca, cb)
	case ca == classNull:
		return 0
	case ca == classBool, ca == classUnsigned, ca == classEnum:
		return cmp.Compare(a.n, b.n)
	case ca == classFloat:
		return compareFloats(a.Float(), b.Float())
	case ca == classDecimal:
		return compareDecimals(a.s, b.s)
	case a.kind.Form() == FormString:
		return strings.Compare(a.s, b.s)
	}
	return cmp.Compare(a.Int(), b.Int())
}

// Equal reports whether a and b compare as the same; NULL equals NULL here.
func Equal(a, b Value) bool { return Compare(a, b) == 0 }

func compareFloats(a, b float64) int {
	switch aNaN, bNaN := math.IsNaN(a), math.IsNaN(b); {
	case aNaN && bNaN:
		return 0
	case aNaN:
		return 1
	case bNaN:
		return -1
	}
	return cmp.Compare(a, b)
}

// compareNumbers compares numbers of different classes exactly: a float is
// never rounded to an integer or the other way round.
func compareNumbers(a, b Value) int {
	if f, ok := nonFinite(a); ok {
		return compareFloats(f, 0)
	}
	if f, ok := nonFinite(b); ok {
		return compareFloats(0, f)
	}
	if a.integral() && b.integral() {
		return compareIntegers(a, b)
	}
	ra, oka := a.rational()
	rb, okb := b.rational()
	if !oka || !okb {
		return cmp.Compare(a.kind.class(), b.kind.class())
	}
	return ra.Cmp(rb)
}

func nonFinite(v Value) (float64, bool) {
	if v.kind.class() != classFloat {
		return 0, false
	}
	f := v.Float()
	return f, math.IsNaN(f) || math.IsInf(f, 0)
}

// compareIntegers compares integers of which at most one is signed.
func compareIntegers(a, b Value) int {
	switch {
	case a.negative():
		return -1
	case b.negative():
		return 1
	}
	return cmp.Compare(a.n, b.n)
}

// integral reports whether v is of an integer kind or a Bool.
func (v Value) integral() bool {
	c := v.kind.class()
	return c == classBool || c == classSigned || c == classUnsigned
}

// negative reports whether v is a signed integer below zero.
func (v Value) negative() bool { return v.kind.class() == classSigned && v.Int() < 0 }

// rational returns the exact value of a finite number.
func (v Value) rational() (*big.Rat, bool) {
	switch v.kind.class() {
	case classSigned:
		return new(big.Rat).SetInt64(v.Int()), true
	case classUnsigned, classBool:
		return new(big.Rat).SetUint64(v.n), true
	case classFloat:
		r := new(big.Rat).SetFloat64(v.Float())
		return r, r != nil
	case classDecimal:
		if !validDecimal(v.s) {
			return nil, false
		}
		return new(big.Rat).SetString(v.s)
	}
	return nil, false
}

func formatInteger(dst []byte, v Value) []byte {
	if v.kind.class() == classSigned {
		return strconv.AppendInt(dst, v.Int(), 10)
	}
	return strconv.AppendUint(dst, v.n, 10)
}
