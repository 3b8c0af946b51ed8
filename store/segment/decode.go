package segment

import (
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/kalamdb/kalamdb-go/commons/value"
)

// decoder reads a column chunk. Its errors are for a fault.Corruption.
type decoder interface {
	// seek goes on at a row of the row group, which must be the first of a page.
	seek(row int64) error
	// decode reads the next rows, as many as dst has elements.
	decode(dst []value.Value) error
}

type chunkReader[T primitive] interface {
	file.ColumnChunkReader
	ReadBatch(rows int64, vals []T, definitions, repetitions []int16) (int64, int, error)
	ReadBatchInPage(rows int64, vals []T, definitions, repetitions []int16) (int64, int, error)
}

var errShort = errors.New("a column chunk has fewer rows than its row group")

// scalarDecoder is the decoder of a column with one value a row.
type scalarDecoder[T primitive] struct {
	chunk   chunkReader[T]
	convert func(v T) (value.Value, error)
	vals    []T
	defs    []int16
	never   bool // NULL: there are no levels
}

func (d *scalarDecoder[T]) seek(row int64) error { return d.chunk.SeekToRow(row) }

func (d *scalarDecoder[T]) decode(dst []value.Value) error {
	if len(d.vals) < len(dst) {
		d.vals, d.defs = make([]T, len(dst)), make([]int16, len(dst))
	}
	defs := d.defs[:len(dst)]
	if d.never {
		defs = nil
	}
	rows, n, err := d.chunk.ReadBatch(int64(len(dst)), d.vals[:len(dst)], defs, nil)
	if err == nil {
		err = d.chunk.Err()
	}
	if err != nil {
		return err
	}
	if rows != int64(len(dst)) || n > len(dst) || d.never && n != len(dst) {
		return errShort
	}
	return d.spread(dst, d.vals[:n], defs)
}

// spread puts the values at their rows, and NULL between them.
func (d *scalarDecoder[T]) spread(dst []value.Value, vals []T, defs []int16) (err error) {
	next := 0
	for i := range dst {
		if defs != nil && defs[i] == levelNull {
			dst[i] = value.Value{}
			continue
		}
		if next == len(vals) {
			return errShort
		}
		if dst[i], err = d.convert(vals[next]); err != nil {
			return err
		}
		next++
	}
	return nil
}

// vectorLevels is how many numbers are taken out of a page at once.
const vectorLevels = 8192

// vectorDecoder is the decoder of Embeddings.
type vectorDecoder struct {
	chunk     chunkReader[float32]
	dimension int
	vals      []float32
	defs      []int16
	reps      []int16
	level     int // next one
	val       int
	raw       []byte
}

func (d *vectorDecoder) seek(row int64) error {
	d.vals, d.defs, d.reps, d.level, d.val = d.vals[:0], d.defs[:0], d.reps[:0], 0, 0
	return d.chunk.SeekToRow(row)
}

func (d *vectorDecoder) decode(dst []value.Value) (err error) {
	for i := range dst {
		if dst[i], err = d.row(); err != nil {
			return err
		}
	}
	return nil
}

// row reads an embedding, and looks no further: the next page may not be loaded.
func (d *vectorDecoder) row() (value.Value, error) {
	more, err := d.fill()
	if err != nil {
		return value.Value{}, err
	}
	if !more || d.reps[d.level] != repeatNew {
		return value.Value{}, errShort
	}
	if d.defs[d.level] == levelNull {
		d.level++
		return value.Value{}, nil
	}
	d.raw = d.raw[:0]
	for i := range d.dimension {
		if more, err = d.fill(); err != nil {
			return value.Value{}, err
		}
		if !more || i > 0 && d.reps[d.level] == repeatNew ||
			d.defs[d.level] != levelElement || d.val == len(d.vals) {
			return value.Value{}, fmt.Errorf("an embedding of %d numbers, not %d", i, d.dimension)
		}
		n := math.Float32bits(d.vals[d.val])
		d.raw = append(d.raw, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
		d.level++
		d.val++
	}
	return value.NewString(value.Embedding, string(d.raw)), nil
}

// fill reports whether there is a level to read, and reads further ones when
// there was none.
func (d *vectorDecoder) fill() (bool, error) {
	if d.level < len(d.defs) {
		return true, nil
	}
	if cap(d.defs) < vectorLevels {
		d.vals = make([]float32, vectorLevels)
		d.defs, d.reps = make([]int16, vectorLevels), make([]int16, vectorLevels)
	}
	if !d.chunk.HasNext() {
		return false, d.chunk.Err()
	}
	vals, defs, reps := d.vals[:vectorLevels], d.defs[:vectorLevels], d.reps[:vectorLevels]
	levels, n, err := d.chunk.ReadBatchInPage(vectorLevels, vals, defs, reps)
	if err != nil {
		return false, err
	}
	if levels < 0 || levels > vectorLevels || n < 0 || n > vectorLevels {
		return false, errShort
	}
	d.vals, d.defs, d.reps, d.level, d.val = vals[:n], defs[:levels], reps[:levels], 0, 0
	return levels > 0, nil
}
