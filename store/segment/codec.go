package segment

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"unsafe"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// codec makes what writes and reads a column.
type codec interface {
	encoder() encoder
	decoder(chunk file.ColumnChunkReader) (decoder, error)
	// bound reads a value of the statistics, which are plainly encoded; ok is
	// false when their order is not that of value.Compare.
	bound(plain []byte) (v value.Value, ok bool)
}

// scalar is the codec of a column with one value a row.
type scalar[T primitive] struct {
	to    func(v value.Value) (T, error)
	from  func(v T) (value.Value, error)
	size  func(v T) int
	plain func(b []byte) (T, bool) // nil when statistics are of no use
	never bool                     // NULL
	read  sync.Pool                // of *levels[T]
}

func (c *scalar[T]) encoder() encoder {
	return &scalarEncoder[T]{convert: c.to, size: c.size, never: c.never}
}

func (c *scalar[T]) decoder(chunk file.ColumnChunkReader) (decoder, error) {
	r, ok := chunk.(chunkReader[T])
	if !ok {
		return nil, errChunk
	}
	into, ok := c.read.Get().(*levels[T])
	if !ok {
		into = new(levels[T])
	}
	return &scalarDecoder[T]{chunk: r, convert: c.from, never: c.never, levels: into,
		from: &c.read}, nil
}

func (c *scalar[T]) bound(b []byte) (value.Value, bool) {
	if c.plain == nil {
		return value.Value{}, false
	}
	x, ok := c.plain(b)
	if !ok {
		return value.Value{}, false
	}
	v, err := c.from(x)
	return v, err == nil
}

// vector is the codec of Embeddings.
type vector struct{ dimension int }

func (c vector) encoder() encoder { return &vectorEncoder{dimension: c.dimension} }

func (c vector) decoder(chunk file.ColumnChunkReader) (decoder, error) {
	r, ok := chunk.(chunkReader[float32])
	if !ok {
		return nil, errChunk
	}
	return &vectorDecoder{chunk: r, dimension: c.dimension}, nil
}

func (c vector) bound([]byte) (value.Value, bool) { return value.Value{}, false }

// The columns of the system, behind those of the table.
var (
	seqCodec     = systemInt(value.Int64)
	updatedCodec = systemInt(value.Timestamp)
	deletedCodec = &scalar[bool]{to: toBool, from: fromBool, size: fixed[bool](1), never: true}
)

func systemInt(k value.Kind) codec {
	return &scalar[int64]{to: toInt64(k), from: fromInt64(k), size: fixed[int64](8),
		plain: plain64, never: true}
}

// codecs returns the codecs of the columns of the table and of the system.
func (l *Layout) codecs() []codec {
	all := make([]codec, len(l.Columns), len(l.Columns)+3)
	for i, k := range l.Schema.Kinds {
		all[i] = codecOf(k, &l.Columns[i], l.labels(i))
	}
	return append(all, seqCodec, updatedCodec, deletedCodec)
}

func codecOf(k value.Kind, c *Column, labels []string) codec {
	switch k {
	case value.Bool:
		return &scalar[bool]{to: toBool, from: fromBool, size: fixed[bool](1)}
	case value.Float32:
		return &scalar[float32]{to: toFloat32, from: fromFloat32, size: fixed[float32](4),
			plain: plainFloat32}
	case value.Float64:
		return &scalar[float64]{to: toFloat64, from: fromFloat64, size: fixed[float64](8),
			plain: plainFloat64}
	case value.Decimal:
		return decimalCodec(c)
	case value.UUID:
		return &scalar[parquet.FixedLenByteArray]{to: toUUID, from: fromUUID,
			size: fixed[parquet.FixedLenByteArray](uuidBytes)}
	case value.Embedding:
		return vector{dimension: c.Dimension}
	case value.Enum:
		return enumCodec(labels)
	}
	switch {
	case physicals[k].typ == parquet.Types.ByteArray:
		return &scalar[parquet.ByteArray]{to: toBytes(k), from: fromBytes(k), size: ofBytes,
			plain: plainBytes}
	case physicals[k].typ == parquet.Types.Int32:
		return &scalar[int32]{to: toInt32(k), from: fromInt32(k), size: fixed[int32](4), plain: plain32}
	}
	return &scalar[int64]{to: toInt64(k), from: fromInt64(k), size: fixed[int64](8), plain: plain64}
}

func fixed[T primitive](n int) func(T) int { return func(T) int { return n } }

func ofBytes(v parquet.ByteArray) int { return 4 + len(v) }

func kindOf(v value.Value, k value.Kind) error {
	if v.Kind() != k {
		return fault.New(fault.Internal, "a value of kind %s, not %s", v.Kind(), k)
	}
	return nil
}

func toBool(v value.Value) (bool, error)       { return v.Bool(), kindOf(v, value.Bool) }
func fromBool(b bool) (value.Value, error)     { return value.NewBool(b), nil }
func toFloat64(v value.Value) (float64, error) { return v.Float(), kindOf(v, value.Float64) }

func toFloat32(v value.Value) (float32, error) {
	return float32(v.Float()), kindOf(v, value.Float32)
}

func fromFloat32(f float32) (value.Value, error) {
	return value.CheckedFloat(value.Float32, float64(f))
}

func fromFloat64(f float64) (value.Value, error) { return value.CheckedFloat(value.Float64, f) }

// toInt32 serves signed and unsigned integers and dates: of an unsigned one the
// bits are kept.
func toInt32(k value.Kind) func(value.Value) (int32, error) {
	return func(v value.Value) (int32, error) {
		if v.Kind() != k {
			return 0, kindOf(v, k)
		}
		return int32(uint32(v.Uint())), v.Check()
	}
}

func fromInt32(k value.Kind) func(int32) (value.Value, error) {
	if k.Form() == value.FormUint {
		return func(n int32) (value.Value, error) { return value.CheckedUint(k, uint64(uint32(n))) }
	}
	return func(n int32) (value.Value, error) { return value.CheckedInt(k, int64(n)) }
}

func toInt64(k value.Kind) func(value.Value) (int64, error) {
	return func(v value.Value) (int64, error) {
		if v.Kind() != k {
			return 0, kindOf(v, k)
		}
		return v.Int(), v.Check()
	}
}

func fromInt64(k value.Kind) func(int64) (value.Value, error) {
	switch k {
	case value.Int64:
		return func(n int64) (value.Value, error) { return value.NewBigInt(n), nil }
	case value.Uint64:
		return func(n int64) (value.Value, error) { return value.NewUint(k, uint64(n)), nil }
	}
	return func(n int64) (value.Value, error) { return value.CheckedInt(k, n) }
}

// toBytes does not copy: a string never changes, and the library does not
// change what it is given.
func toBytes(k value.Kind) func(value.Value) (parquet.ByteArray, error) {
	return func(v value.Value) (parquet.ByteArray, error) {
		s := v.Str()
		return unsafe.Slice(unsafe.StringData(s), len(s)), kindOf(v, k)
	}
}

// fromBytes does not copy: ReadBatch has, and nobody writes to its copy.
func fromBytes(k value.Kind) func(parquet.ByteArray) (value.Value, error) {
	return func(b parquet.ByteArray) (value.Value, error) {
		return value.NewString(k, unsafe.String(unsafe.SliceData(b), len(b))), nil
	}
}

func toUUID(v value.Value) (parquet.FixedLenByteArray, error) {
	if v.Kind() != value.UUID || len(v.Str()) != uuidBytes {
		return nil, fault.New(fault.Internal, "a %s of %d bytes is no UUID", v.Kind(), len(v.Str()))
	}
	return unsafe.Slice(unsafe.StringData(v.Str()), uuidBytes), nil
}

func fromUUID(b parquet.FixedLenByteArray) (value.Value, error) {
	if len(b) != uuidBytes {
		return value.Value{}, fmt.Errorf("a UUID of %d bytes", len(b))
	}
	return value.NewString(value.UUID, unsafe.String(unsafe.SliceData(b), len(b))), nil
}

// enumCodec keeps the label, for other readers, and reads back its position.
func enumCodec(labels []string) codec {
	positions := make(map[string]int, len(labels))
	for i, s := range labels {
		positions[s] = i + 1
	}
	return &scalar[parquet.ByteArray]{
		size: ofBytes,
		to: func(v value.Value) (parquet.ByteArray, error) {
			n := v.Uint()
			if v.Kind() != value.Enum || n < 1 || n > uint64(len(labels)) {
				return nil, fault.New(fault.Internal, "%s %d is no label of %d", v.Kind(), n, len(labels))
			}
			s := labels[n-1]
			return unsafe.Slice(unsafe.StringData(s), len(s)), nil
		},
		from: func(b parquet.ByteArray) (value.Value, error) {
			n, ok := positions[string(b)]
			if !ok {
				return value.Value{}, fmt.Errorf("the label %q is none of the column's", b)
			}
			return value.NewEnum(n, labels[n-1]), nil
		},
	}
}

func decimalCodec(c *Column) codec {
	precision, scale := c.Precision, c.Scale
	digits := func(v value.Value) (string, error) { return v.Str(), kindOf(v, value.Decimal) }
	to := func(v value.Value) (int64, error) {
		s, err := digits(v)
		if err != nil {
			return 0, err
		}
		return decimalInt(s, precision, scale)
	}
	from := func(n int64) (value.Value, error) {
		var b [20]byte
		return decimalText(strconv.AppendInt(b[:0], n, 10), precision, scale)
	}
	switch {
	case precision <= digits32:
		return &scalar[int32]{size: fixed[int32](4), plain: plain32,
			to: func(v value.Value) (int32, error) {
				n, err := to(v)
				return int32(n), err
			},
			from: func(n int32) (value.Value, error) { return from(int64(n)) },
		}
	case precision <= digits64:
		return &scalar[int64]{size: fixed[int64](8), plain: plain64, to: to, from: from}
	}
	if precision > digits128 {
		return longDecimal(precision, scale)
	}
	length := decimalBytes(precision)
	return &scalar[parquet.FixedLenByteArray]{
		size: fixed[parquet.FixedLenByteArray](length),
		to: func(v value.Value) (parquet.FixedLenByteArray, error) {
			s, err := digits(v)
			if err != nil {
				return nil, err
			}
			return decimalFixed(s, precision, scale, length)
		},
		from: func(b parquet.FixedLenByteArray) (value.Value, error) {
			if len(b) != length {
				return value.Value{}, errors.New("a decimal of another length")
			}
			return fixedDecimal(b, precision, scale)
		},
	}
}

// longDecimal keeps the digits as they are written.
func longDecimal(precision, scale int) codec {
	check := func(s string) error {
		_, err := decimalNumber(s, precision, scale)
		return err
	}
	return &scalar[parquet.ByteArray]{
		size: ofBytes,
		to: func(v value.Value) (parquet.ByteArray, error) {
			if err := kindOf(v, value.Decimal); err != nil {
				return nil, err
			}
			return unsafe.Slice(unsafe.StringData(v.Str()), len(v.Str())), check(v.Str())
		},
		from: func(b parquet.ByteArray) (value.Value, error) {
			s := unsafe.String(unsafe.SliceData(b), len(b))
			return value.NewString(value.Decimal, s), check(s)
		},
	}
}

func plain32(b []byte) (int32, bool) {
	if len(b) != 4 {
		return 0, false
	}
	return int32(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24), true
}

func plain64(b []byte) (int64, bool) {
	if len(b) != 8 {
		return 0, false
	}
	n := uint64(0)
	for i := 7; i >= 0; i-- {
		n = n<<8 | uint64(b[i])
	}
	return int64(n), true
}

func plainFloat32(b []byte) (float32, bool) {
	n, ok := plain32(b)
	return math.Float32frombits(uint32(n)), ok
}

func plainFloat64(b []byte) (float64, bool) {
	n, ok := plain64(b)
	return math.Float64frombits(uint64(n)), ok
}

func plainBytes(b []byte) (parquet.ByteArray, bool) { return b, true }
