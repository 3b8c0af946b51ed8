// Package arrowio writes rows of values as an Arrow IPC stream: the schema,
// record batches that are bounded in rows and bytes, and the end of the stream.
//
// It knows no SQL and no storage; it starts no goroutines. It is the one
// package that imports the Arrow library, beside which store/segment imports that
// of columnar files.
package arrowio

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/kalamdb/kalamdb-go/commons/value"
)

// Column is a column of the rows. Any may hold NULL.
type Column struct {
	Name string
	Kind value.Kind
	// Precision and Scale are those of a Decimal, 0 and 0 when they are not
	// known: its values are then written as text.
	Precision, Scale int
	// Length is how many numbers an Embedding has, 0 when that is not known.
	Length int
}

// Most digits of Arrow's decimals.
const (
	digits128 = 38
	digits256 = 76
)

// kindKey is the key of a field's metadata under which the name of its kind
// stands, as in the schemas of JSON answers.
const kindKey = "kalamdb.type"

// Keys and names by which Arrow's readers know types that are made of others.
const (
	extensionKey  = "ARROW:extension:name"
	extensionData = "ARROW:extension:metadata"
	uuidExtension = "arrow.uuid"
	jsonExtension = "arrow.json"
	uuidBytes     = 16
)

var plainTypes = map[value.Kind]arrow.DataType{
	value.Null: arrow.BinaryTypes.String, value.Bool: arrow.FixedWidthTypes.Boolean,
	value.Int8: arrow.PrimitiveTypes.Int8, value.Int16: arrow.PrimitiveTypes.Int16,
	value.Int32: arrow.PrimitiveTypes.Int32, value.Int64: arrow.PrimitiveTypes.Int64,
	value.Uint8: arrow.PrimitiveTypes.Uint8, value.Uint16: arrow.PrimitiveTypes.Uint16,
	value.Uint32: arrow.PrimitiveTypes.Uint32, value.Uint64: arrow.PrimitiveTypes.Uint64,
	value.Float32: arrow.PrimitiveTypes.Float32, value.Float64: arrow.PrimitiveTypes.Float64,
	value.Bytes: arrow.BinaryTypes.Binary, value.Date: arrow.FixedWidthTypes.Date32,
	value.Time:      arrow.FixedWidthTypes.Duration_us, // more than a day, and below zero
	value.DateTime:  arrow.FixedWidthTypes.Timestamp_us,
	value.Timestamp: arrow.FixedWidthTypes.Timestamp_us,
	value.UUID:      &arrow.FixedSizeBinaryType{ByteWidth: uuidBytes},
}

// dataType returns the Arrow type of a column.
func (c *Column) dataType() arrow.DataType {
	switch c.Kind {
	case value.Decimal:
		switch p, s := int32(c.Precision), int32(c.Scale); {
		case p > 0 && p <= digits128:
			return &arrow.Decimal128Type{Precision: p, Scale: s}
		case p > 0 && p <= digits256:
			return &arrow.Decimal256Type{Precision: p, Scale: s}
		}
	case value.Embedding:
		if c.Length > 0 {
			return arrow.FixedSizeListOfNonNullable(int32(c.Length), arrow.PrimitiveTypes.Float32)
		}
		return arrow.ListOfNonNullable(arrow.PrimitiveTypes.Float32)
	}
	if t, ok := plainTypes[c.Kind]; ok {
		return t
	}
	return arrow.BinaryTypes.String
}

func (c *Column) field() arrow.Field {
	keys, vals := []string{kindKey}, []string{c.Kind.String()}
	extension := ""
	switch c.Kind {
	case value.UUID:
		extension = uuidExtension
	case value.JSON:
		extension = jsonExtension
	}
	if extension != "" {
		keys, vals = append(keys, extensionKey, extensionData), append(vals, extension, "")
	}
	return arrow.Field{Name: c.Name, Type: c.dataType(), Nullable: true,
		Metadata: arrow.NewMetadata(keys, vals)}
}

func schemaOf(columns []Column) *arrow.Schema {
	fields := make([]arrow.Field, len(columns))
	for i := range columns {
		fields[i] = columns[i].field()
	}
	return arrow.NewSchema(fields, nil)
}
