package segment

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"unsafe"

	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/kalamdb/kalamdb-go/commons/value"
)

// decoder reads a column chunk. Its errors are for a fault.Corruption.
type decoder interface {
	// seek goes on at a row of the row group, which must be the first of a page.
	seek(row int64) error
	// decode reads the next rows, as many as dst has elements. Strings share
	// memory that is theirs alone.
	decode(dst []value.Value) error
	// pick reads the next n rows, which are a page or what is left of it, and puts
	// those at the ascending positions at into dst. Strings have their own memory.
	pick(n int, at []int, dst []value.Value) error
	// sift is pick of the values that meet a condition, nil for all: it appends
	// them to dst, and to kept which of at they are, from base on. Strings share
	// memory with neighbours.
	sift(n int, at []int, meets func(value.Value) bool, base int,
		dst []value.Value, kept []int) ([]value.Value, []int, error)
	// close gives back what the decoder holds, after which it is of no use.
	close()
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
	never   bool // NULL: there are no levels
	*levels[T]
	from *sync.Pool // of levels
	room room
}

// levels are what a column chunk is read into.
type levels[T primitive] struct {
	vals []T
	defs []int16
}

func (d *scalarDecoder[T]) close() {
	d.chunk.Close() // of memory only
	d.from.Put(d.levels)
	d.levels = nil
}

func (d *scalarDecoder[T]) seek(row int64) error { return d.chunk.SeekToRow(row) }

func (d *scalarDecoder[T]) decode(dst []value.Value) error {
	vals, defs, err := d.read(len(dst), d.chunk.ReadBatch)
	if err != nil {
		return err
	}
	return d.spread(dst, vals, defs)
}

func (d *scalarDecoder[T]) pick(n int, at []int, dst []value.Value) (err error) {
	vals, defs, err := d.read(n, d.chunk.ReadBatchInPage)
	if err != nil {
		return err
	}
	row, next := 0, 0 // of vals
	for i, wanted := range at {
		if defs == nil {
			next = wanted
		}
		for ; defs != nil && row < wanted; row++ {
			next += int(defs[row]) // levelNull or levelPresent
		}
		switch {
		case defs != nil && defs[wanted] == levelNull:
			dst[i] = value.Value{}
			continue
		case next >= len(vals):
			return errShort
		}
		if dst[i], err = d.convert(vals[next]); err != nil {
			return err
		}
		if dst[i].Kind().Form() == value.FormString {
			dst[i] = value.NewString(dst[i].Kind(), strings.Clone(dst[i].Str()))
		}
	}
	return nil
}

func (d *scalarDecoder[T]) sift(n int, at []int, meets func(value.Value) bool, base int,
	dst []value.Value, kept []int,
) ([]value.Value, []int, error) {
	vals, defs, err := d.read(n, d.chunk.ReadBatchInPage)
	if err != nil {
		return dst, kept, err
	}
	row, next := 0, 0 // of vals
	for i, wanted := range at {
		if defs == nil {
			next = wanted
		}
		for ; defs != nil && row < wanted; row++ {
			next += int(defs[row]) // levelNull or levelPresent
		}
		var v value.Value
		if defs == nil || defs[wanted] != levelNull {
			if next >= len(vals) {
				return dst, kept, errShort
			}
			if v, err = d.convert(vals[next]); err != nil {
				return dst, kept, err
			}
		}
		if meets != nil && !meets(v) {
			continue
		}
		if v.Kind().Form() == value.FormString {
			v = value.NewString(v.Kind(), d.room.copy(v.Str()))
		}
		dst, kept = append(dst, v), append(kept, base+i)
	}
	return dst, kept, nil
}

// roomBytes is how much memory strings that were read behind each other share.
const roomBytes = 16 << 10

// room has copies of strings.
type room struct{ free []byte }

func (r *room) copy(s string) string {
	switch {
	case s == "":
		return ""
	case len(s) > roomBytes/4:
		return strings.Clone(s)
	case len(s) > cap(r.free)-len(r.free):
		r.free = make([]byte, 0, roomBytes)
	}
	from := len(r.free)
	r.free = append(r.free, s...)
	return unsafe.String(&r.free[from], len(s)) // nobody writes there again
}

// read reads the next n rows. There are no levels when there is no NULL.
func (d *scalarDecoder[T]) read(
	n int, batch func(int64, []T, []int16, []int16) (int64, int, error),
) ([]T, []int16, error) {
	if len(d.vals) < n {
		d.vals, d.defs = make([]T, n), make([]int16, n)
	}
	defs := d.defs[:n]
	if d.never {
		defs = nil
	}
	rows, present, err := batch(int64(n), d.vals[:n], defs, nil)
	if err == nil {
		err = d.chunk.Err()
	}
	if err != nil {
		return nil, nil, err
	}
	if rows != int64(n) || present > n || d.never && present != n {
		return nil, nil, errShort
	}
	if present == n {
		defs = nil
	}
	return d.vals[:present], defs, nil
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

func (d *vectorDecoder) close() { d.chunk.Close() } // of memory only

func (d *vectorDecoder) seek(row int64) error {
	d.vals, d.defs, d.reps, d.level, d.val = d.vals[:0], d.defs[:0], d.reps[:0], 0, 0
	return d.chunk.SeekToRow(row)
}

func (d *vectorDecoder) pick(n int, at []int, dst []value.Value) error {
	for row := range n {
		v, err := d.row()
		if err != nil {
			return err
		}
		if len(at) > 0 && at[0] == row {
			dst[0] = v
			at, dst = at[1:], dst[1:]
		}
	}
	return nil
}

func (d *vectorDecoder) sift(n int, at []int, meets func(value.Value) bool, base int,
	dst []value.Value, kept []int,
) ([]value.Value, []int, error) {
	next := 0
	for row := range n {
		v, err := d.row()
		if err != nil {
			return dst, kept, err
		}
		if next == len(at) || at[next] != row {
			continue
		}
		if meets == nil || meets(v) {
			dst, kept = append(dst, v), append(kept, base+next)
		}
		next++
	}
	return dst, kept, nil
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
