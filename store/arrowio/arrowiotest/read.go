// Package arrowiotest reads Arrow IPC streams in tests, with Arrow's own
// reader.
package arrowiotest

import (
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// Table is a stream that was read whole. Cells are as Arrow shows them, NULL
// is "(null)".
type Table struct {
	Fields  []string // name: type, and the extension in brackets
	Rows    [][]string
	Batches []int // rows of each record batch
}

// Read reads a stream to its end, without which it is an error.
func Read(from io.Reader) (*Table, error) {
	r, err := ipc.NewReader(from, ipc.WithEnsureNativeEndian(true))
	if err != nil {
		return nil, err
	}
	defer r.Release()
	t := &Table{}
	for _, f := range r.Schema().Fields() {
		t.Fields = append(t.Fields, fieldText(f))
	}
	for r.Next() {
		batch := r.RecordBatch()
		t.Batches = append(t.Batches, int(batch.NumRows()))
		for i := range int(batch.NumRows()) {
			row := make([]string, batch.NumCols())
			for c := range row {
				row[c] = stored(batch.Column(c)).ValueStr(i)
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t, r.Err()
}

// stored returns a column as it is stored. The reader knows the extensions that
// whatever else is in the program has registered.
func stored(a arrow.Array) arrow.Array {
	if x, ok := a.(array.ExtensionArray); ok {
		return x.Storage()
	}
	return a
}

func fieldText(f arrow.Field) string {
	if x, ok := f.Type.(arrow.ExtensionType); ok {
		return fmt.Sprintf("%s: %s [%s]", f.Name, x.StorageType(), x.ExtensionName())
	}
	s := fmt.Sprintf("%s: %s", f.Name, f.Type)
	if name, ok := f.Metadata.GetValue("ARROW:extension:name"); ok {
		s += " [" + name + "]"
	}
	return s
}
