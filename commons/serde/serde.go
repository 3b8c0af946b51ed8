// Package serde turns rows of values into bytes and back. A Codec is chosen
// per table; its ID stands in each record, so a table may change its codec and
// still read what was written before.
//
// Codecs hold no state and are safe for concurrent use.
package serde

import (
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// ID is the number of a codec in a record header. It never changes.
type ID uint8

// The codecs.
const (
	Row     ID = 1 // compact row codec, the default
	JSON    ID = 2
	MsgPack ID = 3
	CBOR    ID = 4
)

// Codec encodes the values of a row in the order of its schema's stored
// columns. Names of columns are never written.
type Codec interface {
	// ID returns the codec's number.
	ID() ID
	// Name returns the name used by the table option CODEC.
	Name() string
	// AppendRow appends the encoding of vals to dst. Value i is NULL or of
	// kind kinds[i]; anything else is an error.
	AppendRow(dst []byte, kinds []value.Kind, vals []value.Value) ([]byte, error)
	// DecodeRow reads a row of the given kinds into dst, which has
	// len(kinds) elements. Values do not alias src. Damaged input is a
	// fault.Corruption, never a panic, and never allocates more than a small
	// multiple of len(src).
	DecodeRow(src []byte, kinds []value.Kind, dst []value.Value) error
}

// ColumnDecoder is a Codec that reads some columns of a row without making
// values of the others.
type ColumnDecoder interface {
	Codec
	// DecodeColumns is DecodeRow for the columns at the positions want, which
	// ascend; the other elements of dst stay as they are. What stands behind
	// the last of them is not looked at. A string that an element of dst
	// already holds is kept instead of copied.
	DecodeColumns(src []byte, kinds []value.Kind, want []int, dst []value.Value) error
}

// ByID returns the codec with a number.
func ByID(id ID) (Codec, error) {
	if int(id) < len(codecs) && codecs[id] != nil {
		return codecs[id], nil
	}
	return nil, fault.New(fault.Corruption, "unknown codec %d in a record", id)
}

// ByName returns the codec that the table option CODEC names.
func ByName(name string) (Codec, error) {
	for _, c := range codecs {
		if c != nil && c.Name() == name {
			return c, nil
		}
	}
	return nil, fault.New(fault.InvalidParameter,
		"unknown codec %.64q; use row, json, msgpack or cbor", name)
}
