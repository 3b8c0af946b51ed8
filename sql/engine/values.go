package engine

import (
	"context"
	"strconv"
	"time"
	"unicode/utf8"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/shopspring/decimal"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

const microsPerDay = int64(24 * time.Hour / time.Microsecond)

// toEngine returns v as the library holds a value of kindType(v.Kind()).
func toEngine(v value.Value) any {
	switch k := v.Kind(); k {
	case value.Null:
		return nil
	case value.Bool:
		if v.Bool() {
			return int8(1)
		}
		return int8(0)
	case value.Int8:
		return int8(v.Int())
	case value.Int16:
		return int16(v.Int())
	case value.Int32:
		return int32(v.Int())
	case value.Int64:
		return v.Int()
	case value.Uint8:
		return uint8(v.Uint())
	case value.Uint16:
		return uint16(v.Uint())
	case value.Uint32:
		return uint32(v.Uint())
	case value.Uint64:
		return v.Uint()
	case value.Float32:
		return float32(v.Float())
	case value.Float64:
		return v.Float()
	case value.Date:
		return time.Unix(v.Int()*(microsPerDay/1e6), 0).UTC()
	case value.Time:
		return types.Timespan(v.Int())
	case value.DateTime, value.Timestamp:
		return time.UnixMicro(v.Int()).UTC()
	}
	return textToEngine(v)
}

func textToEngine(v value.Value) any {
	switch v.Kind() {
	case value.Decimal:
		d, err := decimal.NewFromString(v.Str())
		if err != nil {
			return v.Str() // stored text that is no number compares as text
		}
		return d
	case value.Bytes, value.Embedding:
		return []byte(v.Str())
	case value.JSON, value.File:
		return types.NewLazyJSONDocument([]byte(v.Str()))
	case value.UUID:
		return v.Text()
	}
	return v.Str()
}

// fromEngine returns what the library computed as a value of kind k. A nil
// type of result such as "1 or NULL" leaves the kind open: natural is used.
func fromEngine(ctx context.Context, k value.Kind, x any) (value.Value, error) {
	v, err := natural(ctx, x)
	if err != nil || v.Kind() == k || v.IsNull() {
		return v, err
	}
	if k == value.Embedding && v.Kind() == value.Bytes {
		v = value.NewString(k, v.Str())
		return v, v.Check()
	}
	if k == value.Time && v.Kind() == value.Text || k != value.Text {
		c, err := value.Convert(k, v)
		if err == nil {
			return c, nil
		}
	}
	if k == value.Text {
		return value.NewText(v.Text()), nil
	}
	return v, nil // the engine's type was too narrow; the value is right
}

// natural returns a value of the library by its Go type.
func natural(ctx context.Context, x any) (value.Value, error) {
	switch x := x.(type) {
	case gms.JSONWrapper:
		raw, err := types.MarshallJson(ctx, x)
		if err != nil {
			return value.Value{}, fault.Wrap(fault.InvalidSQL, err, "a JSON value can't be written")
		}
		return value.NewString(value.JSON, string(raw)), nil
	case gms.AnyWrapper:
		inner, err := x.UnwrapAny(ctx)
		if err != nil {
			return value.Value{}, err
		}
		return scalar(inner)
	}
	return scalar(x)
}

// scalar is natural for everything that needs no context.
func scalar(x any) (value.Value, error) {
	switch x := x.(type) {
	case nil:
		return value.NullValue, nil
	case bool:
		return value.NewBool(x), nil
	case int8:
		return value.NewInt(value.Int8, int64(x)), nil
	case int16:
		return value.NewInt(value.Int16, int64(x)), nil
	case int32:
		return value.NewInt(value.Int32, int64(x)), nil
	case int64:
		return value.NewInt(value.Int64, x), nil
	case int:
		return value.NewInt(value.Int64, int64(x)), nil
	case uint8:
		return value.NewUint(value.Uint8, uint64(x)), nil
	case uint16:
		return value.NewUint(value.Uint16, uint64(x)), nil
	case uint32:
		return value.NewUint(value.Uint32, uint64(x)), nil
	case uint64:
		return value.NewUint(value.Uint64, x), nil
	case uint:
		return value.NewUint(value.Uint64, uint64(x)), nil
	case string:
		return value.NewText(x), nil
	}
	return wideScalar(x)
}

func wideScalar(x any) (value.Value, error) {
	switch x := x.(type) {
	case float32:
		return value.CheckedFloat(value.Float32, float64(x))
	case float64:
		return value.CheckedFloat(value.Float64, x)
	case decimal.Decimal:
		if e := x.Exponent(); e < 0 {
			return value.NewString(value.Decimal, x.StringFixed(-e)), nil
		}
		return value.NewString(value.Decimal, x.String()), nil
	case []byte:
		return value.NewString(value.Bytes, string(x)), nil
	case time.Time:
		return value.NewInt(value.DateTime, x.UnixMicro()), nil
	case types.Timespan:
		return value.NewInt(value.Time, int64(x)), nil
	}
	return value.Value{}, fault.New(fault.Unsupported,
		"a value of type %T has no place in a result", x)
}

// assign returns v as column c takes it: of its kind, within its length and
// scale, and not NULL where that is refused. Numbers are rounded to the scale
// of the column, texts and blobs are never cut.
func assign(c *ddl.Column, v value.Value) (value.Value, error) {
	if v.IsNull() {
		if c.NotNull {
			return v, fault.New(fault.NotNullViolation, "column %s must not be NULL", c.Name)
		}
		return v, nil
	}
	out, err := c.Type.Convert(loosen(c.Type.Kind, v))
	if err != nil {
		return v, fault.Wrap(fault.TypeMismatch, err, "column %s", c.Name)
	}
	if out.Kind() == value.Text && !utf8.ValidString(out.Str()) { // such as of CONCAT with BYTES
		return v, fault.New(fault.TypeMismatch,
			"column %s takes text in UTF-8; store other bytes in a BYTES column", c.Name)
	}
	if k := c.Type.Kind; (k == value.Text || k == value.Bytes) && c.Type.Length > 0 {
		return out, checkLength(c, out)
	}
	if out, err = c.Type.Fit(out); err != nil {
		return v, fault.Wrap(fault.ValueOutOfRange, err, "column %s", c.Name)
	}
	return out, nil
}

func checkLength(c *ddl.Column, v value.Value) error {
	n, unit := len(v.Str()), "bytes"
	if v.Kind() == value.Text && n > c.Type.Length {
		n, unit = characters(v.Str()), "characters"
	}
	if n > c.Type.Length {
		return fault.New(fault.ValueOutOfRange, "column %s takes %d %s, not %d",
			c.Name, c.Type.Length, unit, n)
	}
	return nil
}

// loosen makes the conversions that an assignment does in SQL and that
// value.Convert leaves out: fractions are rounded for an integer column, and
// numbers become text for a text column.
func loosen(to value.Kind, v value.Value) value.Value {
	from := v.Kind()
	numeric := from >= value.Int8 && from <= value.Decimal
	switch {
	case !numeric && from != value.Bool:
		return v
	case to == value.Text && numeric:
		return value.NewText(v.Text())
	case to == value.Bool && numeric && (from <= value.Uint64):
		return v
	case to >= value.Int8 && to <= value.Uint64 && from == value.Decimal:
		if r, err := value.Rescale(v, maxDecimalDigits, 0); err == nil {
			return r
		}
	case to >= value.Int8 && to <= value.Uint64 && (from == value.Float32 || from == value.Float64):
		d, err := value.Parse(value.Decimal, strconv.FormatFloat(v.Float(), 'f', -1, 64))
		if err == nil {
			return loosen(to, d)
		}
	}
	return v
}

const maxDecimalDigits = 400 // more than a float64 has

func characters(s string) int {
	n := 0
	for range s {
		n++
	}
	return n
}
