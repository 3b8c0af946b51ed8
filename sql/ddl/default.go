package ddl

import (
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// Func is the name of a function that may stand in DEFAULT.
type Func string

// The functions that may stand in DEFAULT.
const (
	FuncSnowflake     Func = "SNOWFLAKE_ID"
	FuncUUIDv7        Func = "UUID_V7"
	FuncULID          Func = "ULID"
	FuncNow           Func = "NOW"
	FuncCurrentUserID Func = "CURRENT_USER_ID"
)

// DefaultFuncs lists the functions for messages.
const DefaultFuncs = "SNOWFLAKE_ID(), UUID_V7(), ULID(), NOW(), CURRENT_USER_ID()"

// Lengths of what functions make, in characters.
const (
	uuidLength = 36
	ulidLength = 26
)

// Default is what a column gets when an INSERT leaves it out: a function's
// value, or a literal when Func is empty. Text is how it was written, without
// quotes.
type Default struct {
	Func Func   `json:"func,omitempty"`
	Text string `json:"text"` // literal: value.Parse(column kind, Text)
	Null bool   `json:"null,omitempty"`
}

// FuncDefault returns the default that calls f.
func FuncDefault(f Func) *Default { return &Default{Func: f, Text: string(f) + "()"} }

// Literal returns the value of a default that is no function, as a column of
// type t holds it. It fails with fault.TypeMismatch or fault.ValueOutOfRange.
func (d *Default) Literal(t Type) (value.Value, error) {
	if d.Null {
		return value.NullValue, nil
	}
	return t.Parse(d.Text)
}

// Validate checks that the default suits a column of type t.
func (d *Default) Validate(t Type) error {
	if d.Func == "" {
		_, err := d.Literal(t)
		return err
	}
	room := func(n int) bool { return t.Kind == value.Text && (t.Length == 0 || t.Length >= n) }
	ok := false
	switch d.Func {
	case FuncSnowflake:
		ok = t.Kind == value.Int64 || t.Kind == value.Uint64
	case FuncUUIDv7:
		ok = t.Kind == value.UUID || room(uuidLength)
	case FuncULID:
		ok = room(ulidLength)
	case FuncNow:
		ok = t.Kind == value.Timestamp || t.Kind == value.DateTime
	case FuncCurrentUserID:
		ok = t.Kind == value.Text
	default:
		return fault.New(fault.Unsupported, "%s can't stand in DEFAULT; use a literal or one of %s",
			d.Func, DefaultFuncs)
	}
	if !ok {
		return fault.New(fault.TypeMismatch, "%s() does not fit a column of type %s", d.Func, t.SQL())
	}
	return nil
}
