package rowform

import (
	"encoding/base64"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// csv writes lines of fields. encoding/csv would change line ends in values
// and has no form for NULL.
type csv struct{ columns []predicate.Column }

func openCSV(columns []predicate.Column) (encoder, error) { return &csv{columns}, nil }

func (c *csv) head(dst []byte) []byte {
	for i := range c.columns {
		dst = appendField(dst, i, c.columns[i].Name)
	}
	return append(dst, "\r\n"...)
}

func (c *csv) row(dst []byte, vals []value.Value) ([]byte, error) {
	for i, v := range vals {
		text, err := fieldText(v)
		switch {
		case err != nil:
			return dst, err
		case !v.IsNull():
			dst = appendField(dst, i, text)
		case i > 0:
			dst = append(dst, ',')
		}
	}
	return append(dst, "\r\n"...), nil
}

// fieldText is a value as in JSON answers, without the quotes.
func fieldText(v value.Value) (string, error) {
	if v.Kind() == value.Bytes {
		return base64.StdEncoding.EncodeToString([]byte(v.Str())), nil
	}
	// What has no form in JSON has none here.
	var room [64]byte
	if k := v.Kind(); k.Form() != value.FormString || k == value.Embedding {
		if _, err := value.AppendJSON(room[:0], v); err != nil {
			return "", err
		}
	}
	return strings.ToValidUTF8(v.Text(), "\uFFFD"), nil
}

func appendField(dst []byte, i int, text string) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	if text != "" && !strings.ContainsAny(text, ",\"\r\n") {
		return append(dst, text...)
	}
	dst = append(dst, '"')
	dst = append(dst, strings.ReplaceAll(text, `"`, `""`)...)
	return append(dst, '"')
}

func (c *csv) tail(dst []byte) ([]byte, error) { return dst, nil }

func (c *csv) failure(dst []byte, _ error) ([]byte, bool) { return dst, false }
