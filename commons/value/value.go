// Package value holds SQL values outside of any engine: their kinds, compact
// immutable representation, comparison, JSON form and order-preserving
// encoding.
//
// It knows nothing of tables or SQL text, and keeps no state.
package value

import (
	"math"
	"time"
)

// Value is one SQL value. It is immutable and comparable with ==, which is
// identity of kind and representation, not SQL equality; see Compare.
// The zero Value is NULL.
type Value struct {
	kind Kind
	n    uint64 // numbers, booleans and times
	s    string // text, bytes and everything of variable size
}

// NullValue is SQL's NULL.
var NullValue = Value{}

// NewBool returns a Bool.
func NewBool(b bool) Value {
	v := Value{kind: Bool}
	if b {
		v.n = 1
	}
	return v
}

// NewInt returns a signed integer of kind k (Int8 to Int64), or a Date, Time,
// DateTime or Timestamp in its own unit. The caller has checked the range.
func NewInt(k Kind, n int64) Value { return Value{kind: k, n: uint64(n)} }

// NewUint returns an unsigned integer of kind k (Uint8 to Uint64).
func NewUint(k Kind, n uint64) Value { return Value{kind: k, n: n} }

// NewFloat returns a Float32, rounded to its precision, or a Float64. Negative
// zero becomes zero.
func NewFloat(k Kind, f float64) Value {
	if k == Float32 {
		f = float64(float32(f))
	}
	if f == 0 {
		f = 0
	}
	return Value{kind: k, n: math.Float64bits(f)}
}

// NewEnum returns an Enum: the position of a label in its type, from 1, and the
// label. What is stored is the position; the label is "" until whoever knows
// the type has put it there.
func NewEnum(position int, label string) Value {
	return Value{kind: Enum, n: uint64(position), s: label}
}

// NewString returns a value of a textual kind: Text, Bytes, JSON, Decimal,
// UUID (16 raw bytes), Embedding or File.
func NewString(k Kind, s string) Value { return Value{kind: k, s: s} }

// NewText returns a Text.
func NewText(s string) Value { return Value{kind: Text, s: s} }

// NewBigInt returns an Int64.
func NewBigInt(n int64) Value { return Value{kind: Int64, n: uint64(n)} }

// NewTimestamp returns a Timestamp, cut to microseconds.
func NewTimestamp(t time.Time) Value { return NewInt(Timestamp, t.UnixMicro()) }

// Kind returns the kind; Null for NULL.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether v is NULL.
func (v Value) IsNull() bool { return v.kind == Null }

// Bool returns a Bool's value.
func (v Value) Bool() bool { return v.n != 0 }

// Int returns the number of a signed integer kind or of a time kind.
func (v Value) Int() int64 { return int64(v.n) }

// Uint returns the number of an unsigned integer kind, or the position of an
// Enum.
func (v Value) Uint() uint64 { return v.n }

// Float returns the number of a Float32 or Float64.
func (v Value) Float() float64 { return math.Float64frombits(v.n) }

// Str returns the raw string of a textual kind, or the label of an Enum.
func (v Value) Str() string { return v.s }

// Size returns the bytes that v occupies in memory, for accounting.
func (v Value) Size() int { return 40 + len(v.s) }
