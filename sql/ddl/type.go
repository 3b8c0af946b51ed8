package ddl

import (
	"fmt"
	"unicode/utf8"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// Limits of types.
const (
	MaxLength        = 1 << 24 // of a text in characters, of bytes in bytes
	MaxPrecision     = 65      // digits of a DECIMAL
	MaxScale         = 30      // of those, behind the point
	DefaultPrecision = 10      // of DECIMAL without one
)

// Type is the declared type of a column.
type Type struct {
	Kind value.Kind `json:"kind"`
	// Length is the most characters of a Text or bytes of a Bytes, where 0 is no
	// limit, and how many numbers an Embedding has.
	Length    int `json:"length,omitempty"`
	Precision int `json:"precision,omitempty"` // DECIMAL(p, s)
	Scale     int `json:"scale,omitempty"`
	// Labels are those of an Enum. What is stored is the position of one.
	Labels []string `json:"labels,omitempty"`
}

// SQL returns the type as CREATE TABLE reads it, such as "VARCHAR(20)".
func (t Type) SQL() string {
	switch {
	case t.Kind == value.Decimal && t.Precision > 0:
		return fmt.Sprintf("%s(%d, %d)", t.Kind.SQL(), t.Precision, t.Scale)
	case t.Kind == value.Text && t.Length > 0:
		return fmt.Sprintf("VARCHAR(%d)", t.Length)
	case t.Kind == value.Bytes && t.Length > 0:
		return fmt.Sprintf("VARBINARY(%d)", t.Length)
	case t.Kind == value.Embedding:
		return fmt.Sprintf("%s(%d)", t.Kind.SQL(), t.Length)
	case t.Kind == value.Enum:
		return t.Kind.SQL() + "(" + t.labelList(len(t.Labels)) + ")"
	}
	return t.Kind.SQL()
}

// Validate checks that the kind is offered for columns and that length,
// precision and scale belong to it and are in range. It returns a
// fault.InvalidParameter, or fault.Unsupported for a kind that is not offered.
func (t Type) Validate() error {
	info, err := t.Kind.Info()
	if err != nil || t.Kind == value.Null {
		return fault.New(fault.InvalidParameter, "type number %d is no type of a column", t.Kind)
	}
	bad := func(format string, args ...any) error {
		return fault.New(fault.InvalidParameter, format, args...)
	}
	sized := t.Kind == value.Text || t.Kind == value.Bytes || t.Kind == value.Embedding
	exact := t.Kind == value.Decimal
	switch {
	case !info.Column:
		return NotOffered(t.Kind)
	case t.Kind == value.Enum:
		return t.validateLabels()
	case len(t.Labels) > 0:
		return bad("type %s takes no labels", info.SQL)
	case t.Kind == value.Embedding && (t.Length < 1 || t.Length > value.MaxEmbedding):
		return bad("EMBEDDING takes how many numbers it has, 1 to %d: EMBEDDING(384)",
			value.MaxEmbedding)
	case t.Length < 0 || t.Length > MaxLength:
		return bad("the length of %s must be 1 to %d; leave it out for no limit", info.SQL, MaxLength)
	case t.Length != 0 && !sized:
		return bad("type %s takes no length", info.SQL)
	case !exact && (t.Precision != 0 || t.Scale != 0):
		return bad("type %s takes no precision", info.SQL)
	case exact && (t.Precision < 1 || t.Precision > MaxPrecision):
		return bad("the precision of DECIMAL must be 1 to %d digits", MaxPrecision)
	case exact && (t.Scale < 0 || t.Scale > MaxScale || t.Scale > t.Precision):
		return bad("the scale of DECIMAL must be 0 to %d digits and not above the precision", MaxScale)
	}
	return nil
}

// NotOffered returns the fault.Unsupported for a kind that columns can't have.
func NotOffered(k value.Kind) error {
	if k == value.File {
		return fault.New(fault.Unsupported, "type FILE is not supported yet: it comes with the storage "+
			"of files; keep a path or an id in a TEXT column until then")
	}
	return fault.New(fault.Unsupported, "type %s is not supported; use another", k.SQL())
}

// Parse reads text as a column of type t holds it. It fails as Fit does, and
// with a fault.TypeMismatch for what does not read.
func (t Type) Parse(text string) (value.Value, error) {
	if t.Kind == value.Enum {
		return t.Labelled(text)
	}
	v, err := value.Parse(t.Kind, text)
	if err != nil {
		return v, err
	}
	return t.Fit(v)
}

// Convert is value.Convert for a column of type t, which may be an Enum: that
// takes one of its labels, as a text or as an Enum of another type. The result
// was not fitted.
func (t Type) Convert(v value.Value) (value.Value, error) {
	if t.Kind != value.Enum || v.IsNull() {
		return value.Convert(t.Kind, v)
	}
	if k := v.Kind(); k != value.Text && k != value.Enum {
		return v, fault.New(fault.TypeMismatch, "a value of type %s does not go into %s; "+
			"give one of the labels as text", k.SQL(), t.Kind.SQL())
	}
	return t.Labelled(v.Str())
}

// Fit returns v as a column of type t holds it: a Decimal is rounded to the
// scale, everything else is unchanged. v is NULL or of t's kind, else it is a
// fault.TypeMismatch; a value that is too long is a fault.ValueOutOfRange.
func (t Type) Fit(v value.Value) (value.Value, error) {
	if v.IsNull() {
		return v, nil
	}
	if v.Kind() != t.Kind {
		return v, fault.New(fault.TypeMismatch,
			"a value of type %s does not fit %s", v.Kind().SQL(), t.SQL())
	}
	if t.Kind == value.Decimal && t.Precision > 0 {
		return value.Rescale(v, t.Precision, t.Scale)
	}
	if t.Length == 0 {
		return v, nil
	}
	if t.Kind == value.Embedding {
		if n := v.Dimensions(); n != t.Length {
			return v, fault.New(fault.ValueOutOfRange, "%s takes %d numbers, not %d", t.SQL(), t.Length, n)
		}
		return v, nil
	}
	n := len(v.Str())
	if t.Kind == value.Text && n > t.Length {
		n = utf8.RuneCountInString(v.Str())
	}
	if n > t.Length {
		return v, fault.New(fault.ValueOutOfRange,
			"a value of length %d does not fit %s", n, t.SQL())
	}
	return v, nil
}
