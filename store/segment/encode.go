package segment

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/kalamdb/kalamdb-go/commons/value"
)

// encoder gathers a column of a row group.
type encoder interface {
	// add takes a value of the column's kind, or NULL.
	add(v value.Value) error
	// flush writes what was added as a column chunk, and forgets it.
	flush(to file.ColumnChunkWriter) error
}

// primitive are the types that the library has column chunks of.
type primitive interface {
	bool | int32 | int64 | float32 | float64 | parquet.ByteArray | parquet.FixedLenByteArray
}

type chunkWriter[T primitive] interface {
	WriteBatch(vals []T, definitions, repetitions []int16) (int64, error)
	FlushCurrentPage() error
}

// Levels of definition.
const (
	levelNull    = 0 // there is no value
	levelPresent = 1 // of a column that may be NULL
	levelElement = 2 // of an element of a list that may be NULL
)

var errChunk = errors.New("the column chunk is of another type than its column")

// scalarEncoder is the encoder of a column with one value a row.
type scalarEncoder[T primitive] struct {
	convert func(v value.Value) (T, error)
	size    func(v T) int // bytes that a page takes for v
	vals    []T
	defs    []int16
	never   bool // NULL: there are no levels
}

func (e *scalarEncoder[T]) add(v value.Value) error {
	if v.IsNull() {
		if e.never {
			return errors.New("NULL in a column of the system")
		}
		e.defs = append(e.defs, levelNull)
		return nil
	}
	x, err := e.convert(v)
	if err != nil {
		return err
	}
	e.vals = append(e.vals, x)
	if !e.never {
		e.defs = append(e.defs, levelPresent)
	}
	return nil
}

// flush writes a page at a time, and says itself where one ends.
func (e *scalarEncoder[T]) flush(to file.ColumnChunkWriter) error {
	w, ok := to.(chunkWriter[T])
	if !ok {
		return errChunk
	}
	defer e.reset()
	for vals, defs := e.vals, e.defs; ; {
		n, levels := e.page(vals, defs)
		now := defs[:min(levels, len(defs))]
		if e.never {
			now = nil
		}
		if _, err := w.WriteBatch(vals[:n], now, nil); err != nil {
			return err
		}
		vals, defs = vals[n:], defs[len(now):]
		if len(vals) == 0 && len(defs) == 0 {
			return nil // the last page ends with the chunk
		}
		if err := w.FlushCurrentPage(); err != nil {
			return err
		}
	}
}

// page returns how many values and levels the next page has.
func (e *scalarEncoder[T]) page(vals []T, defs []int16) (n, levels int) {
	for bytes := 0; levels < pageRows && bytes < pageBytes; levels++ {
		switch {
		case e.never && n == len(vals), !e.never && levels == len(defs):
			return n, levels
		case e.never || defs[levels] == levelPresent:
			bytes += e.size(vals[n])
			n++
		}
	}
	return n, levels
}

func (e *scalarEncoder[T]) reset() {
	clear(e.vals) // lets go of strings
	e.vals, e.defs = e.vals[:0], e.defs[:0]
}

// vectorEncoder is the encoder of Embeddings.
type vectorEncoder struct {
	dimension int
	vals      []float32
	defs      []int16
	reps      []int16
}

const (
	repeatNew  = 0 // a new row
	repeatSame = 1 // a further element of the row
)

func (e *vectorEncoder) add(v value.Value) error {
	if v.IsNull() {
		e.defs, e.reps = append(e.defs, levelNull), append(e.reps, repeatNew)
		return nil
	}
	if v.Dimensions() != e.dimension || v.Kind() != value.Embedding {
		return fmt.Errorf("an embedding of %d numbers, not %d", v.Dimensions(), e.dimension)
	}
	for i := range e.dimension {
		e.vals = append(e.vals, v.Element(i))
		e.defs, e.reps = append(e.defs, levelElement), append(e.reps, repeatSame)
	}
	e.reps[len(e.reps)-e.dimension] = repeatNew
	return nil
}

func (e *vectorEncoder) flush(to file.ColumnChunkWriter) error {
	w, ok := to.(chunkWriter[float32])
	if !ok {
		return errChunk
	}
	defer func() { e.vals, e.defs, e.reps = e.vals[:0], e.defs[:0], e.reps[:0] }()
	for vals, defs, reps := e.vals, e.defs, e.reps; ; {
		n, levels, rows := 0, 0, 0
		for levels < len(defs) && (n*4 < pageBytes && rows < pageRows || reps[levels] != repeatNew) {
			n += int(defs[levels]) / levelElement
			rows += repeatSame - int(reps[levels])
			levels++
		}
		if _, err := w.WriteBatch(vals[:n], defs[:levels], reps[:levels]); err != nil {
			return err
		}
		if vals, defs, reps = vals[n:], defs[levels:], reps[levels:]; len(defs) == 0 {
			return nil
		}
		if err := w.FlushCurrentPage(); err != nil {
			return err
		}
	}
}
