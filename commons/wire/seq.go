package wire

import (
	"bytes"
	"encoding/json"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// Seq is a clock.Seq on the wire: a string of decimal digits, since
// JavaScript's numbers can't hold one. A number is also read.
type Seq clock.Seq

// MarshalJSON implements json.Marshaler.
func (s Seq) MarshalJSON() ([]byte, error) { return s.AppendJSON(nil), nil }

// AppendJSON appends s to dst, for writers that do without reflection.
func (s Seq) AppendJSON(dst []byte) []byte {
	dst = append(dst, '"')
	dst = append(dst, clock.Seq(s).String()...)
	return append(dst, '"')
}

// UnmarshalJSON implements json.Unmarshaler. null leaves s as it is.
func (s *Seq) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		return nil
	}
	text := string(b)
	if b[0] == '"' {
		if err := json.Unmarshal(b, &text); err != nil {
			return err
		}
	}
	n, err := clock.ParseSeq(text)
	if err != nil {
		return fault.New(fault.InvalidParameter,
			"a seq is a string of decimal digits, as a message of the server gave it")
	}
	*s = Seq(n)
	return nil
}
