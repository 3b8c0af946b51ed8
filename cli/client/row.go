package client

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// Schema is the columns of rows, in order. It is immutable and shared by the
// rows of a result.
type Schema struct {
	columns []wire.Column
	index   map[string]int // first column of a name
	key     []string       // the columns that are marked as primary key
}

func newSchema(columns []wire.Column) *Schema {
	s := &Schema{columns: columns, index: make(map[string]int, len(columns)),
		key: keyNames(columns)}
	for i, c := range columns {
		if _, taken := s.index[c.Name]; !taken {
			s.index[c.Name] = i
		}
	}
	return s
}

// Columns returns the columns; the caller must not change them.
func (s *Schema) Columns() []wire.Column { return s.columns }

// Row is one row. Values are kept as the JSON the server sent and decoded
// when asked for. The zero value has no columns. A Row is immutable and may be
// kept.
type Row struct {
	schema *Schema
	values []json.RawMessage // nil: the row does not hold the column
}

// Schema returns the row's columns.
func (r Row) Schema() *Schema { return r.schema }

// Len returns the number of columns, those that the row does not hold
// included.
func (r Row) Len() int { return len(r.values) }

// Raw returns the value of column i, from 0, as JSON; nil when the row does
// not hold it (the old values of an update hold what changed). The caller must
// not change it.
func (r Row) Raw(i int) json.RawMessage { return r.values[i] }

// Text returns the value of column i, from 0, as text: a string as it is,
// anything else as its JSON, NULL and what the row does not hold as "".
func (r Row) Text(i int) string { return text(r.values[i]) }

// Has reports whether the row holds the column.
func (r Row) Has(column string) bool {
	_, err := r.find(column)
	return err == nil
}

// IsNull reports whether the column is NULL or not held.
func (r Row) IsNull(column string) bool {
	raw, err := r.find(column)
	return err != nil || isNull(raw)
}

func isNull(raw json.RawMessage) bool {
	return len(raw) == 0 || string(raw) == "null"
}

func (r Row) find(column string) (json.RawMessage, error) {
	if r.schema != nil {
		if i, ok := r.schema.index[column]; ok && i < len(r.values) && r.values[i] != nil {
			return r.values[i], nil
		}
	}
	return nil, fault.New(fault.ColumnNotFound, "the row has no column %q", column)
}

// Value returns the column as Go sees its JSON: nil, bool, string,
// json.Number, []any or map[string]any. BIGINT and DECIMAL are strings.
func (r Row) Value(column string) (any, error) {
	raw, err := r.find(column)
	if err != nil {
		return nil, err
	}
	return decode(column, raw)
}

func decode(column string, raw json.RawMessage) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, fault.Wrap(fault.TypeMismatch, err, "column %q is not valid JSON", column)
	}
	return v, nil
}

// String returns the column as Text does.
func (r Row) String(column string) (string, error) {
	raw, err := r.find(column)
	if err != nil {
		return "", err
	}
	return text(raw), nil
}

func text(raw json.RawMessage) string {
	if isNull(raw) {
		return ""
	}
	var s string
	if raw[0] == '"' && json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// Int64 returns the column as an integer, whether it came as a JSON number
// or, as BIGINT does, as a string. NULL is a TYPE_MISMATCH.
func (r Row) Int64(column string) (int64, error) {
	return parse(r, column, "an integer", func(s string) (int64, error) {
		return strconv.ParseInt(s, 10, 64)
	})
}

// Float64 returns the column as a float, from a number or a string. NULL is a
// TYPE_MISMATCH.
func (r Row) Float64(column string) (float64, error) {
	return parse(r, column, "a number", func(s string) (float64, error) {
		return strconv.ParseFloat(s, 64)
	})
}

// Bool returns a BOOLEAN column. NULL is a TYPE_MISMATCH.
func (r Row) Bool(column string) (bool, error) {
	return parse(r, column, "a boolean", strconv.ParseBool)
}

// Time returns a TIMESTAMP, DATETIME or DATE column. NULL is a TYPE_MISMATCH.
func (r Row) Time(column string) (time.Time, error) {
	return parse(r, column, "a time", func(s string) (time.Time, error) {
		if len(s) == len(time.DateOnly) {
			return time.Parse(time.DateOnly, s)
		}
		return time.Parse(time.RFC3339Nano, s)
	})
}

// Bytes returns a BYTES column. NULL is a TYPE_MISMATCH.
func (r Row) Bytes(column string) ([]byte, error) {
	return parse(r, column, "base64", base64.StdEncoding.DecodeString)
}

// JSON decodes the column into v, as json.Unmarshal does.
func (r Row) JSON(column string, v any) error {
	raw, err := r.find(column)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fault.Wrap(fault.TypeMismatch, err, "column %q does not fit %T", column, v)
	}
	return nil
}

func parse[T any](r Row, column, what string, f func(string) (T, error)) (T, error) {
	var zero T
	raw, err := r.find(column)
	if err != nil {
		return zero, err
	}
	if isNull(raw) {
		return zero, fault.New(fault.TypeMismatch, "column %q is NULL; ask IsNull first", column)
	}
	v, err := f(text(raw))
	if err != nil {
		return zero, fault.Wrap(fault.TypeMismatch, err, "column %q is not %s", column, what)
	}
	return v, nil
}

// AppendJSON appends the row as a JSON object by column name, in the order of
// the columns, without those that the row does not hold.
func (r Row) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	first := true
	for i, raw := range r.values {
		if raw == nil {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendString(dst, r.schema.columns[i].Name)
		dst = append(append(dst, ':'), raw...)
	}
	return append(dst, '}')
}

func appendString(dst []byte, s string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil { // a string always encodes
		return append(dst, `""`...)
	}
	return append(dst, bytes.TrimSpace(b.Bytes())...)
}

// MarshalJSON implements json.Marshaler.
func (r Row) MarshalJSON() ([]byte, error) { return r.AppendJSON(nil), nil }
