package wire

import (
	"encoding/json"
	"strconv"
	"time"
)

// Millis is a duration that is written as a number of milliseconds with at
// most three decimals.
type Millis time.Duration

// AppendJSON appends m to dst, for writers that do without reflection.
func (m Millis) AppendJSON(dst []byte) []byte {
	micros := time.Duration(m).Round(time.Microsecond).Microseconds()
	return strconv.AppendFloat(dst, float64(micros)/1000, 'f', -1, 64)
}

// MarshalJSON implements json.Marshaler.
func (m Millis) MarshalJSON() ([]byte, error) { return m.AppendJSON(nil), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (m *Millis) UnmarshalJSON(b []byte) error {
	var ms float64
	if err := json.Unmarshal(b, &ms); err != nil {
		return err
	}
	*m = Millis(ms * float64(time.Millisecond))
	return nil
}
