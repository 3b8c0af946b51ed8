package row

import (
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// Tail is the end of a column's text, and what it takes to append there without
// knowing the table. It is immutable.
type Tail struct {
	Column ident.ColumnID
	Most   int // bytes that the text may have
	// Layouts are the schema versions in which the column is a text.
	Layouts []Layout
}

// Layout is the physical schema of a version: the kinds of its columns, and the
// place of the tail's column among them.
type Layout struct {
	Schema ident.SchemaVersion
	At     int
	Kinds  []value.Kind
}

// Append returns the payload of a record with more text at its tail, by the
// same schema version and codec. ok is false when the record is of another
// version, or its text is NULL. A text that would get too long is a
// VALUE_OUT_OF_RANGE.
func (t *Tail) Append(r Record, text []byte) (payload []byte, p Piece, ok bool, err error) {
	at := slices.IndexFunc(t.Layouts, func(l Layout) bool { return l.Schema == r.Schema })
	if at < 0 {
		return nil, p, false, nil
	}
	layout := &t.Layouts[at]
	codec, err := serde.ByID(r.Codec)
	if err != nil {
		return nil, p, false, err
	}
	vals := make([]value.Value, len(layout.Kinds))
	if err := codec.DecodeRow(r.Payload, layout.Kinds, vals); err != nil {
		return nil, p, false, err
	}
	end := &vals[layout.At]
	if end.Kind() != value.Text {
		return nil, p, false, nil
	}
	p = Piece{Column: t.Column, Offset: len(end.Str()), Length: len(text)}
	if size := p.Offset + p.Length; size > t.Most {
		return nil, p, false, fault.New(fault.ValueOutOfRange,
			"the text would have %d bytes, of %d allowed; begin another row", size, t.Most)
	}
	*end = value.NewText(end.Str() + string(text))
	const length = 8 // bytes by which the length of the text may take more
	payload, err = codec.AppendRow(
		make([]byte, 0, len(r.Payload)+len(text)+length), layout.Kinds, vals)
	return payload, p, err == nil, err
}
