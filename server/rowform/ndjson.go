package rowform

import (
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/server/sqljson"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// ndjson writes objects. names holds, for each column, what stands in front of
// its value.
type ndjson struct{ names [][]byte }

func openNDJSON(columns []predicate.Column) (encoder, error) {
	seen := make(map[string]bool, len(columns))
	n := &ndjson{names: make([][]byte, len(columns))}
	for i, c := range columns {
		if seen[c.Name] {
			return nil, fault.New(fault.InvalidParameter,
				"two columns are called %s, which an object can't hold; name one with AS", c.Name)
		}
		seen[c.Name] = true
		sign := byte(',')
		if i == 0 {
			sign = '{'
		}
		n.names[i] = append(value.AppendJSONString([]byte{sign}, c.Name), ':')
	}
	return n, nil
}

func (n *ndjson) head(dst []byte) []byte { return dst }

func (n *ndjson) row(dst []byte, vals []value.Value) (_ []byte, err error) {
	for i, v := range vals {
		dst = append(dst, n.names[i]...)
		start := len(dst)
		if dst, err = value.AppendJSON(dst, v); err != nil {
			return dst, err
		}
		if v.Kind() == value.JSON {
			oneLine(dst[start:])
		}
	}
	return append(dst, '}', '\n'), nil
}

// oneLine replaces the line ends in a JSON text, which stand between its
// tokens only.
func oneLine(text []byte) {
	for i, c := range text {
		if c == '\n' || c == '\r' {
			text[i] = ' '
		}
	}
}

func (n *ndjson) tail(dst []byte) ([]byte, error) { return dst, nil }

func (n *ndjson) failure(dst []byte, err error) ([]byte, bool) {
	dst = append(dst, `{"error":`...)
	dst = sqljson.AppendError(dst, err)
	return append(dst, '}', '\n'), true
}
