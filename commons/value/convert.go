package value

import (
	"math"
	"strconv"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Convert returns v as a value of kind k, as a column of that kind takes it.
// What would lose something is refused: numbers become other numbers only when
// they are the same number (a float is rounded to a Float32's precision, and
// large integers to a float's), and never text. Text is read by Parse, points
// in time become days of UTC and the other way round. NULL stays NULL. The
// codes are those of Parse.
func Convert(k Kind, v Value) (Value, error) {
	from, to := v.kind.class(), k.class()
	switch {
	case v.kind == k, from == classNull:
		return v, nil
	case from == to && from.numeric():
		return convertNumber(k, v)
	case from == to:
		v.kind = k
		return v, nil
	case from == classText, from == classEnum:
		return Parse(k, v.s)
	case from.numeric() && to.numeric():
		return convertNumber(k, v)
	case from.numeric() && to == classJSON:
		return Parse(k, v.Text())
	case from == classInstant && to == classDate:
		return CheckedInt(k, floorDiv(v.Int(), microsPerDay))
	case from == classDate && to == classInstant:
		return CheckedInt(k, v.Int()*microsPerDay)
	case from == classJSON && (to == classText || to == classVector || to == classFile):
		return Parse(k, v.s)
	case from == classBytes && to == classText:
		return parseText(k, v.s)
	case from == classBytes && to == classUUID && len(v.s) == uuidLen:
		return NewString(k, v.s), nil
	case to == classText && (from == classUUID || from == classDate || from == classInstant):
		return NewString(k, v.Text()), nil
	}
	return Value{}, fault.New(fault.TypeMismatch, "a value of type %s does not go into %s",
		v.kind.SQL(), k.SQL())
}

func convertNumber(k Kind, v Value) (Value, error) {
	switch k.class() {
	case classBool:
		return convertToBool(v)
	case classSigned, classUnsigned:
		return convertToInteger(k, v)
	case classFloat:
		return convertToFloat(k, v)
	}
	switch v.kind.class() {
	case classFloat:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return Value{}, outOfRange(k, v.Text())
		}
		return parseDecimal(string(strconv.AppendFloat(nil, v.Float(), 'f', -1, floatBits(v.kind))))
	case classBool:
		return Value{}, mismatch(k, v.Text())
	}
	return parseDecimal(v.Text())
}

func floatBits(k Kind) int {
	if k == Float32 {
		return 32
	}
	return 64
}

func convertToBool(v Value) (Value, error) {
	if v.integral() && v.n <= 1 {
		return NewBool(v.n == 1), nil
	}
	return Value{}, mismatch(Bool, v.Text())
}

func convertToInteger(k Kind, v Value) (Value, error) {
	switch v.kind.class() {
	case classFloat:
		f := v.Float()
		if f != math.Trunc(f) || math.IsInf(f, 0) {
			return Value{}, mismatch(k, v.Text())
		}
		return parseInteger(k, strconv.FormatFloat(f, 'f', 0, 64))
	case classDecimal:
		d, ok := splitDecimal(v.s)
		if !ok || d.frac != "" {
			return Value{}, mismatch(k, v.s)
		}
		return parseInteger(k, d.text(""))
	case classUnsigned:
		return CheckedUint(k, v.n)
	case classBool:
		return CheckedInt(k, int64(v.n))
	}
	return CheckedInt(k, v.Int())
}

// parseInteger reads digits that are known to be a number.
func parseInteger(k Kind, s string) (Value, error) {
	if k.Form() == FormUint {
		return parseUint(k, s)
	}
	return Parse(k, s)
}

func convertToFloat(k Kind, v Value) (Value, error) {
	switch v.kind.class() {
	case classFloat:
		return CheckedFloat(k, v.Float())
	case classUnsigned:
		return CheckedFloat(k, float64(v.n))
	case classSigned:
		return CheckedFloat(k, float64(v.Int()))
	case classDecimal:
		return parseFloat(k, v.s)
	}
	return Value{}, mismatch(k, v.Text())
}
