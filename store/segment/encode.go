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

// flush gives the library so few rows at once that a page is not much larger
// than it should be.
func (e *scalarEncoder[T]) flush(to file.ColumnChunkWriter) error {
	w, ok := to.(chunkWriter[T])
	if !ok {
		return errChunk
	}
	defer e.reset()
	vals, defs := e.vals, e.defs
	for len(vals) > 0 || len(defs) > 0 {
		n, levels := e.step(vals, defs)
		var err error
		if e.never {
			_, err = w.WriteBatch(vals[:n], nil, nil)
		} else {
			_, err = w.WriteBatch(vals[:n], defs[:levels], nil)
			defs = defs[levels:]
		}
		if err != nil {
			return err
		}
		vals = vals[n:]
	}
	return nil
}

// step returns how many values and levels to write next.
func (e *scalarEncoder[T]) step(vals []T, defs []int16) (n, levels int) {
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
	vals, defs, reps := e.vals, e.defs, e.reps
	for len(defs) > 0 {
		n, levels := 0, 0
		for levels < len(defs) && (n*4 < pageBytes || reps[levels] != repeatNew) {
			if defs[levels] == levelElement {
				n++
			}
			levels++
		}
		if _, err := w.WriteBatch(vals[:n], defs[:levels], reps[:levels]); err != nil {
			return err
		}
		vals, defs, reps = vals[n:], defs[levels:], reps[levels:]
	}
	return nil
}
