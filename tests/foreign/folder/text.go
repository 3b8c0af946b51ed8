// Package folder reads the files of the cold tier with readers that are not
// ours, as another program would, and says what rows they hold: of each key the
// newest version by _seq that is not _deleted. Its tests compare that with what
// a SELECT answers. It shares no code with what writes the files, and starts no
// goroutines.
package folder

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// null is the text of NULL; no text of a value is that.
const null = "\x00"

// Column is a column that is read, with its SQL type in capitals.
type Column struct{ Name, Type string }

// Rows are rows as text, by their key, in the form of Text.
type Rows map[string][]string

// kind returns a column's type without what stands in parentheses.
func (c Column) kind() string {
	kind, _, _ := strings.Cut(c.Type, "(")
	return kind
}

// Text brings a value of a SELECT's JSON into the one form in which values are
// compared: times in microseconds, numbers as Go writes them.
func (c Column) Text(v any) (string, error) {
	if v == nil {
		return null, nil
	}
	s, ok := v.(string)
	if !ok {
		b, err := json.Marshal(v)
		if err != nil {
			return "", err
		}
		s = string(b)
	}
	switch c.kind() {
	case "TIMESTAMP", "DATETIME":
		t, err := time.Parse(time.RFC3339Nano, s)
		return strconv.FormatInt(t.UnixMicro(), 10), err
	case "TIME":
		return timeText(s)
	case "FLOAT":
		f, err := strconv.ParseFloat(s, 32)
		return floatText(f, 32), err
	case "DOUBLE":
		f, err := strconv.ParseFloat(s, 64)
		return floatText(f, 64), err
	case "JSON":
		return jsonText([]byte(s))
	case "EMBEDDING":
		return numbersText(s)
	}
	return s, nil
}

func floatText(f float64, bits int) string { return strconv.FormatFloat(f, 'g', -1, bits) }

// timeText returns the microseconds of [-]hh:mm:ss[.ffffff].
func timeText(s string) (string, error) {
	rest, negative := strings.CutPrefix(s, "-")
	parts := strings.Split(rest, ":")
	if len(parts) != 3 {
		return "", fmt.Errorf("%q is no TIME", s)
	}
	hours, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return "", err
	}
	d, err := time.ParseDuration(parts[1] + "m" + parts[2] + "s")
	micros := hours*3600e6 + d.Microseconds()
	if negative {
		micros = -micros
	}
	return strconv.FormatInt(micros, 10), err
}

// jsonText writes a document again, so that spaces and the order of keys do not
// count.
func jsonText(b []byte) (string, error) {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return "", err
	}
	out, err := json.Marshal(v)
	return string(out), err
}

// numbersText writes an array of 32-bit numbers.
func numbersText(s string) (string, error) {
	var numbers []float32
	if err := json.Unmarshal([]byte(s), &numbers); err != nil {
		return "", err
	}
	return arrayText(numbers), nil
}

func arrayText(numbers []float32) string {
	texts := make([]string, len(numbers))
	for i, n := range numbers {
		texts[i] = floatText(float64(n), 32)
	}
	return "[" + strings.Join(texts, ",") + "]"
}

// decimalText puts the point into a number of digits.
func decimalText(unscaled *big.Int, scale int) string {
	digits := new(big.Int).Abs(unscaled).String()
	if missing := scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	if scale > 0 {
		at := len(digits) - scale
		digits = digits[:at] + "." + digits[at:]
	}
	if unscaled.Sign() < 0 {
		digits = "-" + digits
	}
	return digits
}

func bytesText(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
