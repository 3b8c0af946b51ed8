package serde

import (
	"encoding/json"
	"unicode/utf8"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// checkRow refuses values that do not belong into a row of these kinds.
func checkRow(kinds []value.Kind, vals []value.Value) error {
	if len(kinds) != len(vals) {
		return fault.New(fault.Internal, "a row of %d values for %d columns", len(vals), len(kinds))
	}
	for i, v := range vals {
		if v.IsNull() {
			continue
		}
		if v.Kind() != kinds[i] {
			return fault.New(fault.TypeMismatch, "column %d of a row is of type %s, not %s",
				i+1, kinds[i].SQL(), v.Kind().SQL())
		}
		if err := v.Check(); err != nil {
			return fault.Wrap(fault.ValueOutOfRange, err, "column %d of a row", i+1)
		}
	}
	return nil
}

// checkPortable is checkRow for codecs whose rows other programs read: text
// must be UTF-8 and JSON must be JSON, or it would not come back as it was.
func checkPortable(kinds []value.Kind, vals []value.Value) error {
	if err := checkRow(kinds, vals); err != nil {
		return err
	}
	for i, v := range vals {
		ok := true
		switch v.Kind() {
		case value.Text, value.Decimal:
			ok = utf8.ValidString(v.Str())
		case value.JSON, value.File:
			ok = utf8.ValidString(v.Str()) && json.Valid([]byte(v.Str()))
		}
		if !ok {
			return fault.New(fault.TypeMismatch, "column %d of a row is no valid %s",
				i+1, v.Kind().SQL())
		}
	}
	return nil
}

func checkTarget(kinds []value.Kind, dst []value.Value) error {
	if len(dst) != len(kinds) {
		return fault.New(fault.Internal, "a row of %d columns read into %d", len(kinds), len(dst))
	}
	return nil
}

func corruptRow(c Codec) error {
	return fault.New(fault.Corruption, "a stored row does not read with codec %s", c.Name())
}

func corruptColumn(c Codec, i int, k value.Kind) error {
	return fault.New(fault.Corruption, "column %d (%s) of a stored row does not read with codec %s",
		i+1, k.SQL(), c.Name())
}

// checked makes the results of value's checked constructors and parsers fit
// decoders, for which every failure is the same.
func checked(v value.Value, err error) (value.Value, bool) { return v, err == nil }
