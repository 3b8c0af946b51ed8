package segment

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// File reads a segment. It is immutable and safe for concurrent use, as far as
// the io.ReaderAt below it is; it holds the end of the file in memory and nothing
// to close.
type File struct {
	name   string
	from   io.ReaderAt
	size   int64
	body   int64    // where the tail begins
	tail   []byte   // the file from there on
	blocks []uint32 // CRC-32C of each block of the body
	meta   *metadata.FileMetaData
	layout *Layout
	codecs []codec
	groups []group
	rows   int64
	maxKey []byte
}

// group is a row group.
type group struct {
	first, rows int64
	key         []byte  // of its first row
	chunks      []chunk // of every column
	pages       atomic.Pointer[[][]page]
}

// chunk is where a column of a row group stands in the file.
type chunk struct {
	lo, hi int64
	data   int64 // the first page of values; before it stands a dictionary
}

// Open reads the end of a segment of size bytes. name is how errors call the
// file. Whatever is not as a Writer wrote it is a fault.Corruption; what from
// says other than that is a fault.StorageUnavailable unless it is a fault.
func Open(ctx context.Context, from io.ReaderAt, size int64, name string) (*File, error) {
	if err := ctx.Err(); err != nil {
		return nil, fault.From(err)
	}
	f := &File{name: name, from: from, size: size}
	if err := f.readTail(); err != nil {
		return nil, err
	}
	if err := f.guard(f.parse); err != nil {
		return nil, err
	}
	return f, nil
}

// Layout returns the layout with which the segment was written. The caller must
// not change it.
func (f *File) Layout() *Layout { return f.layout }

// NumRows returns how many rows the segment has.
func (f *File) NumRows() int64 { return f.rows }

// NumGroups returns how many row groups the segment has.
func (f *File) NumGroups() int { return len(f.groups) }

// Keys returns the encoded primary keys of the first row and the last. The
// caller must not change them.
func (f *File) Keys() (first, last []byte) { return f.groups[0].key, f.maxKey }

// Memory returns about how many bytes f holds, for whoever keeps many.
func (f *File) Memory() int {
	perGroup := 512 * len(f.codecs) // metadata, as the library has it
	return 4*len(f.tail) + 4*len(f.blocks) + perGroup*len(f.groups)
}

// guard runs what calls the library on what was read: any error, and a panic, is
// damage. What reads from the storage does so outside.
func (f *File) guard(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = f.damaged(fmt.Errorf("the library panicked: %v", p))
		}
	}()
	return f.damaged(run())
}

// damaged returns err as a fault.Corruption that names the file.
func (f *File) damaged(err error) error {
	if err == nil || fault.Is(err, fault.Corruption) {
		return err
	}
	told := fault.New(fault.Corruption, "the file %s of the cold tier is damaged (%v); "+
		"restore it from a backup", f.name, err)
	told.Err = err
	return told
}

func (f *File) damage(format string, args ...any) error {
	return f.damaged(fmt.Errorf(format, args...))
}

// parse reads the tail, which the seal has proved.
func (f *File) parse() error {
	end := len(f.tail) - trailerBytes
	length := int(binary.LittleEndian.Uint32(f.tail[end:]))
	var err error
	if f.meta, err = metadata.NewFileMetaData(f.tail[end-length:end], nil); err != nil {
		return err
	}
	f.meta.SetSourceFileSize(f.size)
	f.meta.WriterVersion() // is kept by the library, and then only read
	all := f.meta.KeyValueMetadata()
	meta := make(map[string]string, all.Len())
	for i, k := range all.Keys() {
		meta[k] = all.Values()[i]
	}
	if f.layout, err = readLayout(meta); err != nil {
		return err
	}
	root, err := f.layout.root()
	if err != nil {
		return err
	}
	if !schema.NewSchema(root).Equals(f.meta.Schema) {
		return errors.New("its columns are not those that its metadata says")
	}
	f.codecs = f.layout.codecs()
	if err := f.parseBlocks(meta[metaBlocks]); err != nil {
		return err
	}
	if err := f.parseGroups(); err != nil {
		return err
	}
	return f.parseKeys(meta[metaKeys])
}

func (f *File) parseBlocks(text string) error {
	size, sums, _ := strings.Cut(text, ":")
	if size != strconv.Itoa(blockBytes) {
		return fmt.Errorf("checksums of blocks of %q bytes", size)
	}
	raw, err := base64.StdEncoding.DecodeString(sums)
	if err != nil || int64(len(raw)) != 4*((f.body+blockBytes-1)/blockBytes) {
		return errors.New("the checksums of its blocks are cut")
	}
	for ; len(raw) > 0; raw = raw[4:] {
		f.blocks = append(f.blocks, binary.LittleEndian.Uint32(raw))
	}
	return nil
}

func (f *File) parseGroups() error {
	f.groups = make([]group, f.meta.NumRowGroups())
	for i := range f.groups {
		g, meta := &f.groups[i], f.meta.RowGroup(i)
		g.first, g.rows = f.rows, meta.NumRows()
		if f.rows += g.rows; g.rows < 1 || f.rows > MaxRows {
			return fmt.Errorf("row group %d has %d rows", i, g.rows)
		}
		if meta.NumColumns() != len(f.codecs) {
			return fmt.Errorf("row group %d has %d columns", i, meta.NumColumns())
		}
		for c := range f.codecs {
			chunk, err := f.parseChunk(meta, c)
			if err != nil {
				return fmt.Errorf("row group %d, column %d: %w", i, c, err)
			}
			g.chunks = append(g.chunks, chunk)
		}
	}
	if len(f.groups) == 0 || f.rows != f.meta.NumRows {
		return fmt.Errorf("%d rows, and %d in its row groups", f.meta.NumRows, f.rows)
	}
	return nil
}

func (f *File) parseChunk(meta *metadata.RowGroupMetaData, column int) (chunk, error) {
	m, err := meta.ColumnChunk(column)
	if err != nil {
		return chunk{}, err
	}
	c := chunk{lo: m.DataPageOffset(), data: m.DataPageOffset()}
	if m.HasDictionaryPage() && m.DictionaryPageOffset() > 0 {
		c.lo = min(c.lo, m.DictionaryPageOffset())
	}
	c.hi = c.lo + m.TotalCompressedSize()
	if c.lo < 0 || c.data >= c.hi || c.hi > f.body || m.Compression() != compress.Codecs.Zstd ||
		m.NumValues() < meta.NumRows() {
		return chunk{}, errors.New("its place or size is wrong")
	}
	return c, nil
}

func (f *File) parseKeys(text string) error {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	var last []byte
	for i := range len(f.groups) + 1 {
		length, n := binary.Uvarint(raw)
		if n <= 0 || length == 0 || length > uint64(len(raw)-n) {
			return errors.New("the keys of its row groups are cut")
		}
		key := raw[n : n+int(length)]
		raw = raw[n+int(length):]
		if c := bytes.Compare(last, key); c > 0 || c == 0 && i < len(f.groups) {
			return errors.New("its row groups are not in order")
		}
		if last = key; i < len(f.groups) {
			f.groups[i].key = key
		}
	}
	if f.maxKey = last; len(raw) > 0 {
		return errors.New("more keys than row groups")
	}
	return nil
}

// reader returns the library's reader over what a span has loaded.
func (f *File) reader(s *span) (*file.Reader, error) {
	props := parquet.NewReaderProperties(scratch{})
	props.BufferedStreamEnabled = true
	props.MaxCompressedPageSize, props.MaxUncompressedPageSize = maxPage, maxPage
	return file.NewParquetReader(s, file.WithMetadata(f.meta), file.WithReadProps(props))
}
