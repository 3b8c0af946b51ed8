package row

import (
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// Schema is one version of a table's physical schema: what a payload of that
// version holds, in order. It is immutable.
type Schema struct {
	Version ident.SchemaVersion
	Codec   serde.ID // of rows written with this version
	IDs     []ident.ColumnID
	Kinds   []value.Kind
	// Labels has the labels of the columns that are Enums and nil for others;
	// it is nil itself when there is none. A payload has their positions.
	Labels [][]string
}

// numberSize is about what a column takes beside its text.
const numberSize = 6

// Encode returns the payload of a row whose values stand in the order of s.
func (s *Schema) Encode(vals []value.Value) ([]byte, error) {
	c, err := serde.ByID(s.Codec)
	if err != nil {
		return nil, err
	}
	size := 0
	for i := range vals {
		size += numberSize + len(vals[i].Str())
	}
	return c.AppendRow(make([]byte, 0, size), s.Kinds, vals)
}

// Decode reads the payload of r, which was written with this version, into
// dst, which has len(s.Kinds) elements.
func (s *Schema) Decode(r Record, dst []value.Value) error {
	if r.Schema != s.Version {
		return fault.New(fault.Internal,
			"row of schema version %d read with version %d", r.Schema, s.Version)
	}
	if r.Values != nil {
		return s.take(r.Values, dst)
	}
	c, err := serde.ByID(r.Codec)
	if err != nil {
		return err
	}
	if err := c.DecodeRow(r.Payload, s.Kinds, dst); err != nil {
		return err
	}
	for i := range s.Labels {
		if err := s.label(dst, i); err != nil {
			return err
		}
	}
	if r.cut > 0 {
		return s.cut(r, dst)
	}
	return nil
}

// take copies what a scan has read.
func (s *Schema) take(vals, dst []value.Value) error {
	if len(vals) != len(s.Kinds) || len(dst) != len(vals) {
		return fault.New(fault.Internal, "a row of %d values read as one of schema version %d",
			len(vals), s.Version)
	}
	copy(dst, vals)
	return nil
}

// cut takes from a row what was appended to it later in its run.
func (s *Schema) cut(r Record, dst []value.Value) error {
	i, length := slices.Index(s.IDs, r.Run), r.cut-1
	if i < 0 || dst[i].Kind() != value.Text || len(dst[i].Str()) < length {
		return fault.New(fault.Corruption,
			"the history of an appended text does not fit schema version %d", s.Version)
	}
	dst[i] = value.NewText(dst[i].Str()[:length])
	return nil
}

// label puts the label into an Enum that was read.
func (s *Schema) label(dst []value.Value, i int) error {
	all := s.Labels[i]
	if all == nil || dst[i].IsNull() {
		return nil
	}
	n := dst[i].Uint()
	if n < 1 || n > uint64(len(all)) {
		return fault.New(fault.Corruption, "column %d of schema version %d has label %d of %d",
			i+1, s.Version, n, len(all))
	}
	dst[i] = value.NewEnum(int(n), all[n-1])
	return nil
}

// DecodeColumns is Decode for the columns at the positions want, which ascend.
// What else dst gets depends on the codec; see serde.ColumnDecoder.
func (s *Schema) DecodeColumns(r *Record, want []int, dst []value.Value) error {
	if r.Values != nil && r.Schema == s.Version && len(r.Values) == len(s.Kinds) {
		for _, i := range want {
			dst[i] = r.Values[i]
		}
		return nil
	}
	if c, err := serde.ByID(r.Codec); err == nil && r.Schema == s.Version && r.cut == 0 {
		if c, ok := c.(serde.ColumnDecoder); ok {
			return s.decodeColumns(c, r, want, dst)
		}
	}
	return s.Decode(*r, dst)
}

func (s *Schema) decodeColumns(
	c serde.ColumnDecoder, r *Record, want []int, dst []value.Value,
) error {
	if err := c.DecodeColumns(r.Payload, s.Kinds, want, dst); err != nil || s.Labels == nil {
		return err
	}
	for _, i := range want {
		if err := s.label(dst, i); err != nil {
			return err
		}
	}
	return nil
}
