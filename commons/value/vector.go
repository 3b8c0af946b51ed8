package value

import (
	"math"
	"strconv"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// vectorElement is how many bytes a number of an Embedding takes.
const vectorElement = 4

// NewEmbedding returns an Embedding of the numbers in list, of which there are
// 1 to MaxEmbedding. NaN and infinities are a fault.ValueOutOfRange.
func NewEmbedding(list []float32) (Value, error) {
	if len(list) == 0 || len(list) > MaxEmbedding {
		return Value{}, vectorLength(len(list))
	}
	raw := make([]byte, 0, vectorElement*len(list))
	for _, f := range list {
		if g := float64(f); math.IsNaN(g) || math.IsInf(g, 0) {
			return Value{}, outOfRange(Embedding, strconv.FormatFloat(g, 'g', -1, 32))
		}
		raw = appendElement(raw, f)
	}
	return NewString(Embedding, string(raw)), nil
}

func vectorLength(n int) error {
	return fault.New(fault.ValueOutOfRange, "an EMBEDDING has 1 to %d numbers, not %d",
		MaxEmbedding, n)
}

// Dimensions returns how many numbers an Embedding has.
func (v Value) Dimensions() int { return len(v.s) / vectorElement }

// Element returns a number of an Embedding, counted from 0.
func (v Value) Element(i int) float32 { return element(v.s, i) }

// Vector returns the numbers of an Embedding in a slice of the caller's.
func (v Value) Vector() []float32 {
	list := make([]float32, v.Dimensions())
	for i := range list {
		list[i] = element(v.s, i)
	}
	return list
}

func element(s string, i int) float32 {
	s = s[vectorElement*i : vectorElement*i+vectorElement]
	return math.Float32frombits(uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24)
}

func appendElement(dst []byte, f float32) []byte {
	if f == 0 {
		f = 0 // no negative zeros
	}
	n := math.Float32bits(f)
	return append(dst, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
}

func appendVector(dst []byte, s string) []byte {
	dst = append(dst, '[')
	for i := range len(s) / vectorElement {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendFloat(dst, NewFloat(Float32, float64(element(s, i))))
	}
	return append(dst, ']')
}

// finiteVector reports whether s holds whole numbers of an Embedding, and none
// that is NaN or infinite.
func finiteVector(s string) bool {
	if len(s)%vectorElement != 0 {
		return false
	}
	const exponent = 0x7F80 // of a float32, in its upper two bytes
	for i := 2; i < len(s); i += vectorElement {
		if (uint16(s[i])|uint16(s[i+1])<<8)&exponent == exponent {
			return false
		}
	}
	return true
}

// parseVector reads a JSON array of numbers.
func parseVector(s string) (Value, error) {
	rest, ok := strings.CutPrefix(trimJSON(s), "[")
	if !ok {
		return Value{}, notVector(s)
	}
	raw := make([]byte, 0, min(vectorElement*(1+strings.Count(rest, ",")), vectorElement*MaxEmbedding))
	for more := true; more; {
		var item string
		if item, rest, more = strings.Cut(rest, ","); !more {
			if item, ok = strings.CutSuffix(trimJSON(item), "]"); !ok {
				return Value{}, notVector(s)
			}
			if len(raw) == 0 && trimJSON(item) == "" {
				return Value{}, vectorLength(0)
			}
		}
		if item = trimJSON(item); !jsonNumber([]byte(item)) {
			return Value{}, notVector(s)
		}
		f, err := strconv.ParseFloat(item, 32)
		if err != nil {
			return Value{}, numberError(Embedding, item, err)
		}
		if len(raw) == vectorElement*MaxEmbedding {
			return Value{}, vectorLength(MaxEmbedding + 1 + strings.Count(rest, ","))
		}
		raw = appendElement(raw, float32(f))
	}
	return NewString(Embedding, string(raw)), nil
}

func trimJSON(s string) string { return strings.Trim(s, " \t\r\n") }

func notVector(s string) error {
	return fault.New(fault.TypeMismatch,
		"%q can't be read as EMBEDDING; write an array of numbers such as [0.5, -1]", clip(s))
}
