package value

import (
	"encoding/json"
	"math"
	"strings"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Infer returns the value of a Go native by its own type, as a parameter of a
// statement is given one: nil is NULL, integers are Int64 (Uint64 above its
// range), floats Float64, a string Text, []byte Bytes, a time.Time Timestamp,
// [16]byte UUID, []float32 Embedding, json.RawMessage, []any and
// map[string]any JSON. A json.Number is an integer when it is one, a Float64
// when that shows the same digits, else a Decimal. A Value is itself. Any
// other type is a fault.InvalidParameter.
func Infer(x any) (Value, error) {
	switch x := x.(type) {
	case nil:
		return Value{}, nil
	case Value:
		return x, nil
	case bool:
		return NewBool(x), nil
	case string:
		return parseText(Text, x)
	case []byte:
		return NewString(Bytes, string(x)), nil
	case float64:
		return CheckedFloat(Float64, x)
	case float32:
		return CheckedFloat(Float32, float64(x))
	case time.Time:
		return CheckedInt(Timestamp, x.UnixMicro())
	case json.Number:
		return inferNumber(string(x))
	case json.RawMessage:
		return parseJSON(JSON, string(x))
	case []any, map[string]any:
		b, err := json.Marshal(x)
		if err != nil {
			return Value{}, fault.Wrap(fault.InvalidParameter, err, "a parameter is no JSON")
		}
		return parseJSON(JSON, string(b))
	case [uuidLen]byte:
		return NewString(UUID, string(x[:])), nil
	case []float32:
		return NewEmbedding(x)
	}
	return inferInteger(x)
}

func inferInteger(x any) (Value, error) {
	switch x := x.(type) {
	case int64:
		return NewBigInt(x), nil
	case int:
		return NewBigInt(int64(x)), nil
	case int32:
		return NewBigInt(int64(x)), nil
	case int16:
		return NewBigInt(int64(x)), nil
	case int8:
		return NewBigInt(int64(x)), nil
	case uint64:
		return inferUint(x), nil
	case uint:
		return inferUint(uint64(x)), nil
	case uint32:
		return NewBigInt(int64(x)), nil
	case uint16:
		return NewBigInt(int64(x)), nil
	case uint8:
		return NewBigInt(int64(x)), nil
	}
	return Value{}, fault.New(fault.InvalidParameter, "a parameter can't be of Go type %T", x)
}

func inferUint(n uint64) Value {
	if n <= math.MaxInt64 {
		return NewBigInt(int64(n))
	}
	return NewUint(Uint64, n)
}

func inferNumber(s string) (Value, error) {
	if !strings.ContainsAny(s, ".eE") {
		if v, err := Parse(Int64, s); err == nil {
			return v, nil
		}
		if v, err := Parse(Uint64, s); err == nil {
			return v, nil
		}
		return parseDecimal(s)
	}
	f, err := parseFloat(Float64, s)
	if err != nil || !validDecimal(s) {
		return f, err
	}
	if same, err := convertNumber(Decimal, f); err == nil && compareDecimals(same.s, s) == 0 {
		return f, nil
	}
	return parseDecimal(s)
}

// FromAny returns a Go native as a value of kind k: Convert of Infer.
func FromAny(k Kind, x any) (Value, error) {
	v, err := Infer(x)
	if err != nil {
		return Value{}, err
	}
	return Convert(k, v)
}

// ToAny returns v as a Go native that FromAny reads back: nil, bool, int64,
// uint64, float64, string (also for Decimal, Time and UUID), []byte, time.Time
// in UTC, json.RawMessage for JSON and File, []float32 for an Embedding.
func (v Value) ToAny() any {
	switch v.kind.class() {
	case classNull:
		return nil
	case classBool:
		return v.Bool()
	case classSigned:
		return v.Int()
	case classUnsigned:
		return v.n
	case classFloat:
		return v.Float()
	case classDate:
		return time.Unix(v.Int()*(microsPerDay/microsPerSecond), 0).UTC()
	case classInstant:
		return time.UnixMicro(v.Int()).UTC()
	case classBytes:
		return []byte(v.s)
	case classJSON, classFile:
		return json.RawMessage(v.s)
	case classVector:
		return v.Vector()
	}
	return v.Text()
}
