package value

import "github.com/kalamdb/kalamdb-go/commons/fault"

// Kind is the type of a column and of the values in it. Its number is stored
// with schemas and keys, so it never changes.
type Kind uint8

// The kinds. Null is the kind of the NULL value only, never of a column.
const (
	Null      Kind = 0
	Bool      Kind = 1
	Int8      Kind = 2
	Int16     Kind = 3
	Int32     Kind = 4
	Int64     Kind = 5
	Uint8     Kind = 6
	Uint16    Kind = 7
	Uint32    Kind = 8
	Uint64    Kind = 9
	Float32   Kind = 10
	Float64   Kind = 11
	Decimal   Kind = 12 // text with the column's scale: "-12.50"
	Text      Kind = 13
	Bytes     Kind = 14
	JSON      Kind = 15 // text, compact, valid JSON
	Date      Kind = 16 // days since 1970-01-01
	Time      Kind = 17 // microseconds, signed
	DateTime  Kind = 18 // microseconds since 1970-01-01 UTC
	Timestamp Kind = 19 // microseconds since 1970-01-01 UTC
	UUID      Kind = 20 // 16 bytes
	Enum      Kind = 21 // the text of the member
	Embedding Kind = 22 // little-endian float32s
	File      Kind = 23 // JSON reference to a stored file
)

// KindInfo is what the table of data types says of one kind.
type KindInfo struct {
	Kind   Kind
	Name   string   // the name in result schemas: "BigInt"
	SQL    string   // the name in DESCRIBE and SHOW CREATE: "BIGINT"
	Alias  []string // further names that CREATE TABLE reads
	Key    bool     // may be part of a primary key
	Column bool     // offered by CREATE TABLE today
}

var kinds = []KindInfo{
	{Null, "Null", "NULL", nil, false, false},
	{Bool, "Boolean", "BOOLEAN", []string{"BOOL"}, false, true},
	{Int8, "TinyInt", "TINYINT", nil, true, true},
	{Int16, "SmallInt", "SMALLINT", nil, true, true},
	{Int32, "Int", "INT", []string{"INTEGER"}, true, true},
	{Int64, "BigInt", "BIGINT", nil, true, true},
	{Uint8, "UnsignedTinyInt", "TINYINT UNSIGNED", nil, true, true},
	{Uint16, "UnsignedSmallInt", "SMALLINT UNSIGNED", nil, true, true},
	{Uint32, "UnsignedInt", "INT UNSIGNED", nil, true, true},
	{Uint64, "UnsignedBigInt", "BIGINT UNSIGNED", nil, true, true},
	{Float32, "Float", "FLOAT", []string{"REAL"}, false, true},
	{Float64, "Double", "DOUBLE", nil, false, true},
	{Decimal, "Decimal", "DECIMAL", []string{"NUMERIC"}, false, true},
	{Text, "Text", "TEXT", []string{"VARCHAR", "STRING", "CHAR"}, true, true},
	{Bytes, "Bytes", "BYTES", []string{"BLOB", "VARBINARY", "BINARY", "BYTEA"}, false, true},
	{JSON, "Json", "JSON", []string{"JSONB"}, false, true},
	{Date, "Date", "DATE", nil, true, true},
	{Time, "Time", "TIME", nil, false, true},
	{DateTime, "DateTime", "DATETIME", nil, true, true},
	{Timestamp, "Timestamp", "TIMESTAMP", []string{"TIMESTAMPTZ"}, true, true},
	{UUID, "Uuid", "UUID", nil, true, true},
	{Enum, "Enum", "ENUM", nil, false, false},
	{Embedding, "Embedding", "EMBEDDING", []string{"VECTOR"}, false, false},
	{File, "File", "FILE", nil, false, false},
}

// Kinds returns a copy of the table of data types.
func Kinds() []KindInfo { return append([]KindInfo(nil), kinds...) }

// Valid reports whether k is a kind.
func (k Kind) Valid() bool { return int(k) < len(kinds) }

// String returns the name that result schemas show, such as "BigInt".
func (k Kind) String() string {
	if !k.Valid() {
		return "Invalid"
	}
	return kinds[k].Name
}

// SQL returns the name that DESCRIBE shows, such as "BIGINT".
func (k Kind) SQL() string {
	if !k.Valid() {
		return "INVALID"
	}
	return kinds[k].SQL
}

// Info returns k's row of the table of data types.
func (k Kind) Info() (KindInfo, error) {
	if !k.Valid() {
		return KindInfo{}, fault.New(fault.Corruption, "unknown data type number %d", k)
	}
	return kinds[k], nil
}

// Form is how a Value of a kind holds its content: which accessor reads it.
type Form uint8

// The forms.
const (
	FormNull   Form = iota // nothing
	FormBool               // Value.Bool
	FormInt                // Value.Int: signed integers, dates and times
	FormUint               // Value.Uint
	FormFloat              // Value.Float
	FormString             // Value.Str
)

// Form returns the form of k's values.
func (k Kind) Form() Form {
	switch k.class() {
	case classNull:
		return FormNull
	case classBool:
		return FormBool
	case classSigned, classDate, classTime, classInstant:
		return FormInt
	case classUnsigned:
		return FormUint
	case classFloat:
		return FormFloat
	}
	return FormString
}
