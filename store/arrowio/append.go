package arrowio

import (
	"math/big"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// appender adds a value, which is not NULL, to a column.
type appender func(v value.Value) error

// appenderOf returns what adds values to a builder of c's type. A value of
// another kind is converted to that of the column.
func appenderOf(c *Column, b array.Builder) appender {
	add := appendTo(c, b)
	if add == nil { // a text
		b, _ := b.(*array.StringBuilder)
		return func(v value.Value) error {
			b.Append(strings.ToValidUTF8(v.Text(), "\uFFFD"))
			return nil
		}
	}
	kind := c.Kind
	return func(v value.Value) error {
		if v.Kind() != kind {
			var err error
			if v, err = value.Convert(kind, v); err != nil {
				return err
			}
		}
		return add(v)
	}
}

// appendTo returns nil for a column of texts.
func appendTo(c *Column, b array.Builder) appender {
	switch b := b.(type) {
	case *array.BooleanBuilder:
		return plain(func(v value.Value) { b.Append(v.Bool()) })
	case *array.BinaryBuilder:
		return plain(func(v value.Value) { b.Append([]byte(v.Str())) })
	case *array.FixedSizeBinaryBuilder:
		return plain(func(v value.Value) { b.Append([]byte(v.Str())) })
	case *array.Float32Builder:
		return plain(func(v value.Value) { b.Append(float32(v.Float())) })
	case *array.Float64Builder:
		return plain(func(v value.Value) { b.Append(v.Float()) })
	case *array.Date32Builder:
		return plain(func(v value.Value) { b.Append(arrow.Date32(v.Int())) })
	case *array.DurationBuilder:
		return plain(func(v value.Value) { b.Append(arrow.Duration(v.Int())) })
	case *array.TimestampBuilder:
		return plain(func(v value.Value) { b.Append(arrow.Timestamp(v.Int())) })
	case *array.Decimal128Builder:
		return decimals(c, func(n *big.Int) { b.Append(decimal128.FromBigInt(n)) })
	case *array.Decimal256Builder:
		return decimals(c, func(n *big.Int) { b.Append(decimal256.FromBigInt(n)) })
	case *array.FixedSizeListBuilder:
		return embeddings(c, b.ValueBuilder(), func() { b.Append(true) })
	case *array.ListBuilder:
		return embeddings(c, b.ValueBuilder(), func() { b.Append(true) })
	}
	return integers(b)
}

func plain(add func(v value.Value)) appender {
	return func(v value.Value) error {
		add(v)
		return nil
	}
}

func integers(b array.Builder) appender {
	switch b := b.(type) {
	case *array.Int8Builder:
		return plain(func(v value.Value) { b.Append(int8(v.Int())) })
	case *array.Int16Builder:
		return plain(func(v value.Value) { b.Append(int16(v.Int())) })
	case *array.Int32Builder:
		return plain(func(v value.Value) { b.Append(int32(v.Int())) })
	case *array.Int64Builder:
		return plain(func(v value.Value) { b.Append(v.Int()) })
	case *array.Uint8Builder:
		return plain(func(v value.Value) { b.Append(uint8(v.Uint())) })
	case *array.Uint16Builder:
		return plain(func(v value.Value) { b.Append(uint16(v.Uint())) })
	case *array.Uint32Builder:
		return plain(func(v value.Value) { b.Append(uint32(v.Uint())) })
	case *array.Uint64Builder:
		return plain(func(v value.Value) { b.Append(v.Uint()) })
	}
	return nil
}

// decimals adds a decimal as its digits without the point.
func decimals(c *Column, add func(n *big.Int)) appender {
	return func(v value.Value) error {
		v, err := value.Rescale(v, c.Precision, c.Scale)
		if err != nil {
			return err
		}
		n, ok := new(big.Int).SetString(strings.Replace(v.Str(), ".", "", 1), 10)
		if !ok {
			return fault.New(fault.Internal, "the decimal %q has no digits", v.Str())
		}
		add(n)
		return nil
	}
}

func embeddings(c *Column, numbers array.Builder, begin func()) appender {
	list, _ := numbers.(*array.Float32Builder)
	return func(v value.Value) error {
		if n := v.Dimensions(); c.Length > 0 && n != c.Length {
			return fault.New(fault.ValueOutOfRange, "an embedding of %d numbers, not %d", n, c.Length)
		}
		begin()
		for i := range v.Dimensions() {
			list.Append(v.Element(i))
		}
		return nil
	}
}
