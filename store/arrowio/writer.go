package arrowio

import (
	"io"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// Bounds of a record batch. It is written when one is reached, so that a batch
// is above MaxBatchBytes by one row at most.
const (
	MaxBatchRows  = 8192
	MaxBatchBytes = 1 << 20 // as the values are in memory
)

// Writer writes rows as an Arrow IPC stream. What it has written is a stream
// only once Close has returned nil. It is used by one goroutine.
type Writer struct {
	columns []Column
	out     *ipc.Writer
	builder *array.RecordBuilder
	put     []appender
	rows    int
	bytes   int
}

// NewWriter returns a Writer of rows with these columns. Nothing is written
// before the first batch is full, or Close.
func NewWriter(to io.Writer, columns []Column) *Writer {
	schema := schemaOf(columns)
	w := &Writer{
		columns: columns,
		out:     ipc.NewWriter(to, ipc.WithSchema(schema)),
		builder: array.NewRecordBuilder(memory.DefaultAllocator, schema),
		put:     make([]appender, len(columns)),
	}
	for i := range columns {
		w.put[i] = appenderOf(&columns[i], w.builder.Field(i))
	}
	return w
}

// Row adds a row, whose values it does not keep, and writes a batch when that
// is full. A value that has no form in its column is a fault.ValueOutOfRange;
// the stream can't go on behind any error.
func (w *Writer) Row(vals []value.Value) error {
	if len(vals) != len(w.columns) {
		return fault.New(fault.Internal, "a row of %d values for %d columns", len(vals), len(w.columns))
	}
	for i, v := range vals {
		if err := w.value(i, v); err != nil {
			return err
		}
		w.bytes += v.Size()
	}
	if w.rows++; w.rows < MaxBatchRows && w.bytes < MaxBatchBytes {
		return nil
	}
	return w.flush()
}

func (w *Writer) value(i int, v value.Value) error {
	if v.IsNull() {
		w.builder.Field(i).AppendNull()
		return nil
	}
	err := v.Check()
	if err == nil {
		err = w.put[i](v)
	}
	if err != nil {
		return fault.Wrap(fault.ValueOutOfRange, err, "column %s", w.columns[i].Name)
	}
	return nil
}

func (w *Writer) flush() error {
	batch := w.builder.NewRecordBatch()
	defer batch.Release()
	w.rows, w.bytes = 0, 0
	return w.out.Write(batch)
}

// Close writes what waits and the end of the stream. It does not close what is
// written to.
func (w *Writer) Close() error {
	if w.rows > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	return w.out.Close()
}
