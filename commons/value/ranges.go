package value

import (
	"math"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Limits of values that types add theirs to.
const (
	MaxLabels    = math.MaxUint16 // of an Enum
	MaxEmbedding = 8192           // numbers of an Embedding
)

const (
	uuidLen = 16

	microsPerSecond = 1_000_000
	microsPerDay    = 24 * 60 * 60 * microsPerSecond

	// Years 1 to 9999, what RFC 3339 and every client's date type can hold.
	minDays   = -719_162
	maxDays   = 2_932_896
	minMicros = minDays * microsPerDay
	maxMicros = (maxDays+1)*microsPerDay - 1

	// -838:59:59.999999 to 838:59:59.999999, as in MySQL.
	maxTime = (839*60*60)*microsPerSecond - 1
)

// fitsInt reports whether n is in the range of k, a kind that Int reads.
func fitsInt(k Kind, n int64) bool {
	switch k {
	case Int8:
		return n == int64(int8(n))
	case Int16:
		return n == int64(int16(n))
	case Int32:
		return n == int64(int32(n))
	case Date:
		return n >= minDays && n <= maxDays
	case Time:
		return n >= -maxTime && n <= maxTime
	case DateTime, Timestamp:
		return n >= minMicros && n <= maxMicros
	}
	return k == Int64
}

// fitsUint reports whether n is in the range of k, an unsigned kind.
func fitsUint(k Kind, n uint64) bool {
	switch k {
	case Uint8:
		return n <= math.MaxUint8
	case Uint16:
		return n <= math.MaxUint16
	case Uint32:
		return n <= math.MaxUint32
	case Enum:
		return n > 0 && n <= MaxLabels
	}
	return k == Uint64
}

// CheckedInt returns a value of kind k that NewInt or NewUint could make, or a
// fault.ValueOutOfRange.
func CheckedInt(k Kind, n int64) (Value, error) {
	switch {
	case fitsInt(k, n):
		return NewInt(k, n), nil
	case k.Form() == FormUint && n >= 0 && fitsUint(k, uint64(n)):
		return NewUint(k, uint64(n)), nil
	case k == Time:
		return Value{}, outOfRange(k, NewInt(k, n).Text())
	}
	return Value{}, outOfRange(k, NewBigInt(n).Text())
}

// CheckedUint is CheckedInt for numbers that an int64 may not hold.
func CheckedUint(k Kind, n uint64) (Value, error) {
	switch {
	case n <= math.MaxInt64:
		return CheckedInt(k, int64(n))
	case k != Uint64:
		return Value{}, outOfRange(k, NewUint(Uint64, n).Text())
	}
	return NewUint(k, n), nil
}

// CheckedFloat returns a Float32 or Float64, rounded to its precision. NaN and
// infinities, and what a Float32 can't hold, are a fault.ValueOutOfRange.
func CheckedFloat(k Kind, f float64) (Value, error) {
	v := NewFloat(k, f)
	if g := v.Float(); math.IsNaN(g) || math.IsInf(g, 0) {
		return Value{}, outOfRange(k, NewFloat(Float64, f).Text())
	}
	return v, nil
}

// Check returns a fault.ValueOutOfRange for a value that is not in the range of
// its kind, as the unchecked constructors can make it. It does not look into
// text.
func (v Value) Check() error {
	ok := true
	switch v.kind.Form() {
	case FormInt:
		ok = fitsInt(v.kind, v.Int())
	case FormUint:
		ok = fitsUint(v.kind, v.n)
	case FormFloat:
		ok = !math.IsNaN(v.Float()) && !math.IsInf(v.Float(), 0)
	case FormString:
		ok = (v.kind != UUID || len(v.s) == uuidLen) && (v.kind != Embedding || finiteVector(v.s))
	}
	if !ok {
		return outOfRange(v.kind, v.Text())
	}
	return nil
}

func mismatch(k Kind, text string) error {
	return fault.New(fault.TypeMismatch, "%q can't be read as %s", clip(text), k.SQL())
}

func outOfRange(k Kind, text string) error {
	return fault.New(fault.ValueOutOfRange, "%s is out of range for %s", clip(text), k.SQL())
}

// clip shortens what a caller sent before it stands in a message.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
