// Package segmenttest is what the figures of package segment are held against:
// the library of the file format as its own documentation uses it. No program
// imports it.
package segmenttest

import (
	"context"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/kalamdb/kalamdb-go/commons/value"
)

// groupRows is the number of rows of a row group.
const groupRows = 64 << 10

var types = map[value.Kind]arrow.DataType{
	value.Int32: arrow.PrimitiveTypes.Int32, value.Int64: arrow.PrimitiveTypes.Int64,
	value.Float64: arrow.PrimitiveTypes.Float64, value.Bool: arrow.FixedWidthTypes.Boolean,
	value.Text: arrow.BinaryTypes.String, value.Enum: arrow.BinaryTypes.String,
	value.Timestamp: arrow.FixedWidthTypes.Timestamp_us,
}

// Write writes rows of these kinds with the library's own writer, whose defaults
// it leaves as they are but for the compression.
func Write(to io.Writer, kinds []value.Kind, rows [][]value.Value) error {
	fields := make([]arrow.Field, len(kinds))
	for i, k := range kinds {
		fields[i] = arrow.Field{Name: string(rune('a' + i)), Type: types[k], Nullable: true}
	}
	schema := arrow.NewSchema(fields, nil)
	w, err := pqarrow.NewFileWriter(schema, to, parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(1)),
		pqarrow.DefaultWriterProps())
	if err != nil {
		return err
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for len(rows) > 0 {
		n := min(len(rows), groupRows)
		for _, r := range rows[:n] {
			for i, v := range r {
				add(b.Field(i), v)
			}
		}
		rows = rows[n:]
		if err := w.Write(b.NewRecordBatch()); err != nil {
			return err
		}
	}
	return w.Close()
}

func add(b array.Builder, v value.Value) {
	if v.IsNull() {
		b.AppendNull()
		return
	}
	switch b := b.(type) {
	case *array.Int32Builder:
		b.Append(int32(v.Int()))
	case *array.Int64Builder:
		b.Append(v.Int())
	case *array.Float64Builder:
		b.Append(v.Float())
	case *array.BooleanBuilder:
		b.Append(v.Bool())
	case *array.StringBuilder:
		b.Append(v.Str())
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.Int()))
	}
}

// Sum reads two columns, a number and a text, and returns how many rows have a
// number below the limit, and the bytes of their texts.
func Sum(
	ctx context.Context, from parquet.ReaderAtSeeker, number, text int, below int64,
) (rows, size int, err error) {
	f, err := file.NewParquetReader(from)
	if err != nil {
		return 0, 0, err
	}
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{BatchSize: 4096},
		memory.DefaultAllocator)
	if err != nil {
		return 0, 0, err
	}
	records, err := r.GetRecordReader(ctx, []int{number, text}, nil)
	if err != nil {
		return 0, 0, err
	}
	defer records.Release()
	for records.Next() {
		b := records.RecordBatch()
		numbers, _ := b.Column(0).(*array.Int64)
		texts, _ := b.Column(1).(*array.String)
		for i := range int(b.NumRows()) {
			if numbers.IsValid(i) && numbers.Value(i) < below {
				rows++
				size += len(texts.Value(i))
			}
		}
	}
	return rows, size, records.Err()
}
