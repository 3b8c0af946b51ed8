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
	Enum      Kind = 21 // the position of a label, from 1, and the label
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
	Limits string   // arguments and range, for the documentation
}

var kinds = []KindInfo{
	{Null, "Null", "NULL", nil, false, false, ""},
	{Bool, "Boolean", "BOOLEAN", []string{"BOOL"}, false, true, "true or false"},
	{Int8, "TinyInt", "TINYINT", nil, true, true, "-128 to 127"},
	{Int16, "SmallInt", "SMALLINT", nil, true, true, "-32768 to 32767"},
	{Int32, "Int", "INT", []string{"INTEGER"}, true, true, "-2147483648 to 2147483647"},
	{
		Int64, "BigInt", "BIGINT", nil, true, true,
		"-9223372036854775808 to 9223372036854775807; a string in JSON",
	},
	{Uint8, "UnsignedTinyInt", "TINYINT UNSIGNED", nil, true, true, "0 to 255"},
	{Uint16, "UnsignedSmallInt", "SMALLINT UNSIGNED", nil, true, true, "0 to 65535"},
	{Uint32, "UnsignedInt", "INT UNSIGNED", nil, true, true, "0 to 4294967295"},
	{
		Uint64, "UnsignedBigInt", "BIGINT UNSIGNED", nil, true, true,
		"0 to 18446744073709551615; a string in JSON",
	},
	{Float32, "Float", "FLOAT", []string{"REAL"}, false, true, "32 bits; no NaN, no infinities"},
	{Float64, "Double", "DOUBLE", nil, false, true, "64 bits; no NaN, no infinities"},
	{
		Decimal, "Decimal", "DECIMAL", []string{"NUMERIC"}, false, true,
		"(p, s): p of 1 to 65 digits, s of them, 0 to 30, behind the point; (10, 0) by " +
			"itself; rounded to s; a string in JSON",
	},
	{
		Text, "Text", "TEXT", []string{"VARCHAR", "STRING", "CHAR"}, true, true,
		"UTF-8; (n): at most n characters, 1 to 16777216",
	},
	{
		Bytes, "Bytes", "BYTES", []string{"BLOB", "VARBINARY", "BINARY", "BYTEA"}, false, true,
		"(n): at most n bytes, 1 to 16777216; base64 in JSON",
	},
	{
		JSON, "Json", "JSON", []string{"JSONB"}, false, true,
		"nested at most 50 deep; any JSON value",
	},
	{Date, "Date", "DATE", nil, true, true, "0001-01-01 to 9999-12-31"},
	{Time, "Time", "TIME", nil, false, true, "-838:59:59.999999 to 838:59:59.999999"},
	{DateTime, "DateTime", "DATETIME", nil, true, true, "years 1 to 9999, microseconds, UTC"},
	{
		Timestamp, "Timestamp", "TIMESTAMP", []string{"TIMESTAMPTZ"}, true, true,
		"years 1 to 9999, microseconds, UTC",
	},
	{UUID, "Uuid", "UUID", nil, true, true, "with or without dashes"},
	{
		Enum, "Enum", "ENUM", nil, false, true,
		"('a', 'b', ...): 1 to 4096 labels of 1 to 255 characters, case counts; stored as " +
			"the position; ordered, grouped, MIN and MAX by position, compared with texts as " +
			"text, with numbers as position; MODIFY COLUMN may add labels at the end",
	},
	{
		Embedding, "Embedding", "EMBEDDING", []string{"VECTOR"}, false, true,
		"(n): n numbers of 32 bits, 1 to 8192; no NaN, no infinities; a JSON array, also as " +
			"text",
	},
	{File, "File", "FILE", nil, false, false, ""},
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
	FormUint               // Value.Uint: unsigned integers, and the position of an Enum
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
	case classUnsigned, classEnum:
		return FormUint
	case classFloat:
		return FormFloat
	}
	return FormString
}
