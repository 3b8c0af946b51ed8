package engine

import (
	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/sqltypes"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// collation is that of all texts: code points in order, no padding.
const collation = gms.Collation_utf8mb4_0900_bin

const uuidLength = 36

// textTypes are made once; making one checks collations each time.
var (
	longText = types.MustCreateString(sqltypes.Text, types.LongTextBlobMax, collation)
	uuidText = types.MustCreateString(sqltypes.Char, uuidLength, collation)
)

// columnType returns the library's type for a declared type.
func columnType(t ddl.Type) (gms.Type, error) {
	switch t.Kind {
	case value.Enum:
		return labelsOf(t)
	case value.Embedding:
		return types.CreateVectorType(t.Length)
	case value.Text:
		const most = 16383 // characters of a VARCHAR
		if t.Length == 0 || t.Length > most {
			return longText, nil
		}
		return types.CreateString(sqltypes.VarChar, int64(t.Length), collation)
	case value.Decimal:
		if t.Precision == 0 {
			return types.InternalDecimalType, nil
		}
		return types.CreateColumnDecimalType(uint8(t.Precision), uint8(t.Scale))
	}
	return kindType(t.Kind), nil
}

// kindType returns the type of a value of which only the kind is known.
func kindType(k value.Kind) gms.Type {
	switch k {
	case value.Null:
		return types.Null
	case value.Bool:
		return types.Boolean
	case value.Int8:
		return types.Int8
	case value.Int16:
		return types.Int16
	case value.Int32:
		return types.Int32
	case value.Int64:
		return types.Int64
	case value.Uint8:
		return types.Uint8
	case value.Uint16:
		return types.Uint16
	case value.Uint32:
		return types.Uint32
	case value.Uint64:
		return types.Uint64
	case value.Float32:
		return types.Float32
	case value.Float64:
		return types.Float64
	case value.Decimal:
		return types.InternalDecimalType
	case value.Bytes:
		return types.LongBlob
	case value.Embedding:
		return types.VectorType{}
	case value.JSON, value.File:
		return types.JSON
	case value.Date:
		return types.Date
	case value.Time:
		return types.Time
	case value.DateTime, value.Timestamp:
		return types.DatetimeMaxPrecision
	case value.UUID:
		return uuidText
	}
	return longText
}

// resultKind returns the kind in which a computed column of type t is shown.
func resultKind(t gms.Type) value.Kind {
	if _, ok := t.(*labels); ok {
		return value.Enum
	}
	switch t.Type() {
	case querypb.Type_VECTOR:
		return value.Embedding
	case querypb.Type_NULL_TYPE:
		return value.Text
	case querypb.Type_INT8:
		if n, ok := t.(gms.NumberType); ok && n.DisplayWidth() == 1 {
			return value.Bool
		}
		return value.Int8
	case querypb.Type_INT16, querypb.Type_YEAR:
		return value.Int16
	case querypb.Type_INT24, querypb.Type_INT32:
		return value.Int32
	case querypb.Type_INT64:
		return value.Int64
	case querypb.Type_UINT8:
		return value.Uint8
	case querypb.Type_UINT16:
		return value.Uint16
	case querypb.Type_UINT24, querypb.Type_UINT32:
		return value.Uint32
	case querypb.Type_UINT64, querypb.Type_BIT:
		return value.Uint64
	case querypb.Type_FLOAT32:
		return value.Float32
	case querypb.Type_FLOAT64:
		return value.Float64
	case querypb.Type_DECIMAL:
		return value.Decimal
	case querypb.Type_DATE:
		return value.Date
	case querypb.Type_TIME:
		return value.Time
	case querypb.Type_DATETIME:
		return value.DateTime
	case querypb.Type_TIMESTAMP:
		return value.Timestamp
	case querypb.Type_JSON:
		return value.JSON
	case querypb.Type_BLOB, querypb.Type_BINARY, querypb.Type_VARBINARY:
		return value.Bytes
	}
	return value.Text
}
