package rowform

import (
	"bytes"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
	"github.com/kalamdb/kalamdb-go/store/arrowio"
)

// arrow writes record batches. Rows wait in the writer until a batch is full;
// then it stands in out.
type arrow struct {
	out bytes.Buffer
	w   *arrowio.Writer
}

func openArrow(columns []predicate.Column) (encoder, error) {
	list := make([]arrowio.Column, len(columns))
	for i, c := range columns {
		list[i] = arrowio.Column{Name: c.Name, Kind: c.Kind,
			Precision: c.Precision, Scale: c.Scale, Length: c.Length}
	}
	a := &arrow{}
	a.w = arrowio.NewWriter(&a.out, list)
	return a, nil
}

func (a *arrow) head(dst []byte) []byte { return dst }

func (a *arrow) row(dst []byte, vals []value.Value) ([]byte, error) {
	if err := a.w.Row(vals); err != nil {
		return dst, err
	}
	return a.take(dst), nil
}

func (a *arrow) tail(dst []byte) ([]byte, error) {
	if err := a.w.Close(); err != nil {
		return dst, err
	}
	return a.take(dst), nil
}

// take moves what was written to dst.
func (a *arrow) take(dst []byte) []byte {
	dst = append(dst, a.out.Bytes()...)
	a.out.Reset()
	return dst
}

func (a *arrow) failure(dst []byte, _ error) ([]byte, bool) { return dst, false }
