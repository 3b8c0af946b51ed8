package segment

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// metaKeys is the key of the first primary key of each row group and the last
// of the segment: each behind its length as a uvarint, in base64.
const metaKeys = "kalamdb.keys"

// MaxRows bounds the rows of a segment: an ordinal has 32 bits.
const MaxRows = 1<<32 - 1

// Info is what is known of a segment when it has been written.
type Info struct {
	Rows           int64
	Bytes          int64
	MinKey, MaxKey []byte // encoded primary keys
	MinSeq, MaxSeq clock.Seq
	Checksum       [32]byte // SHA-256 of the file
}

// Writer writes a segment, of which it holds two row groups in memory: one gathers
// rows while the one before is encoded by a goroutine, which ends in Close or
// Settle. It is used by one goroutine, and of no use behind an error.
type Writer struct {
	layout   Layout
	sink     *sink // used by the encoding goroutine, as out is
	out      *file.Writer
	encoders []encoder // of the open row group
	rows     int
	bytes    int
	keys     []byte
	info     Info

	encoding chan error // has the outcome of the group before; nil when none is encoded
	spare    []encoder  // of that group
}

// NewWriter returns a Writer of a segment of this layout, which it keeps.
func NewWriter(to io.Writer, l Layout) (w *Writer, err error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	w = &Writer{layout: l, sink: newSink(to)}
	err = w.library(func() error {
		root, err := l.root()
		if err != nil {
			return err
		}
		meta, err := l.metadata()
		if err != nil {
			return err
		}
		kv := metadata.NewKeyValueMetadata()
		for _, m := range meta {
			if err := kv.Append(m[0], m[1]); err != nil {
				return err
			}
		}
		w.out, err = file.NewParquetWriterWithError(w.sink, root,
			file.WithWriterProps(l.properties()), file.WithWriteMetadata(kv))
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, c := range l.codecs() {
		w.encoders, w.spare = append(w.encoders, c.encoder()), append(w.spare, c.encoder())
	}
	return w, nil
}

// properties says how the library is to write: integers as differences, which
// makes a file a fifth smaller and faster to read, and dictionaries for ENUMs
// only, since of texts compression finds as much and a reader of one row would
// read the dictionary too.
func (l *Layout) properties() *parquet.WriterProperties {
	options := []parquet.WriterProperty{
		parquet.WithCreatedBy("kalamdb version 1.0.0"),
		parquet.WithRootName("segment"),
		parquet.WithRootRepetition(required),
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithCompressionLevel(1),
		parquet.WithBatchSize(1 << 30), // the encoders end a page
		parquet.WithDataPageSize(1 << 30),
		parquet.WithDictionaryPageSizeLimit(dictBytes),
		parquet.WithMaxStatsSize(statBytes),
		parquet.WithPageIndexEnabled(true),
		parquet.WithDictionaryDefault(false),
		parquet.WithSortingColumns(l.sorting()),
	}
	deltas := []string{system.ColSeq, system.ColUpdated}
	for i, k := range l.Schema.Kinds {
		c := &l.Columns[i]
		switch p := physicalOf(k, c); {
		case k == value.Enum:
			options = append(options, parquet.WithDictionaryFor(c.Name, true))
		case p.typ == parquet.Types.Int32, p.typ == parquet.Types.Int64:
			deltas = append(deltas, c.Name)
		}
	}
	for _, name := range deltas {
		options = append(options, parquet.WithEncodingFor(name, parquet.Encodings.DeltaBinaryPacked))
	}
	return parquet.NewWriterProperties(options...)
}

// sorting names the columns by which rows are sorted: the order of encoded keys
// is that of their values.
func (l *Layout) sorting() []parquet.SortingColumn {
	var columns []parquet.SortingColumn
	for _, id := range l.Key {
		columns = append(columns, parquet.SortingColumn{
			ColumnIdx: int32(l.position(id)), NullsFirst: true,
		})
	}
	return columns
}

// library runs what calls the library: a panic is an error, and what the
// destination said comes before what the library made of it.
func (w *Writer) library(run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the library panicked: %v", p)
		}
		var told *fault.Error
		switch {
		case err == nil:
		case w.sink.err != nil && errors.As(w.sink.err, &told):
			err = told
		case w.sink.err != nil:
			err = fault.Wrap(fault.StorageUnavailable, w.sink.err, "write a segment")
		default:
			err = fault.Wrap(fault.Internal, err, "write a segment of table %s", w.layout.Table)
		}
	}()
	return run()
}

// Append adds a row, which is live: the encoding of its primary key, which must
// be behind that of the row before, its seq, and a value of each column of the
// layout in its order, of the column's kind or NULL. The strings of vals are
// kept for some time; vals and pk are not. Row n of the segment, from 0, has the
// ordinal n.
func (w *Writer) Append(pk []byte, seq clock.Seq, vals []value.Value) error {
	if err := w.checkRow(pk, seq, vals); err != nil {
		return err
	}
	if w.rows == groupRows || w.bytes >= groupBytes {
		if err := w.endGroup(); err != nil {
			return err
		}
	}
	for i, v := range vals {
		if err := w.encoders[i].add(v); err != nil {
			return fault.Wrap(fault.Internal, err, "column %s of a segment of table %s",
				w.layout.Columns[i].Name, w.layout.Table)
		}
		w.bytes += 8 + len(v.Str())
	}
	for i, v := range []value.Value{value.NewBigInt(int64(seq)), value.NewTimestamp(seq.Time()),
		value.NewBool(false)} {
		if err := w.encoders[len(vals)+i].add(v); err != nil {
			return fault.Wrap(fault.Internal, err, "seq %s of a segment", seq)
		}
	}
	if w.rows == 0 {
		w.addKey(pk)
	}
	if w.info.Rows == 0 {
		w.info.MinKey, w.info.MinSeq, w.info.MaxSeq = bytes.Clone(pk), seq, seq
	}
	w.info.MaxKey = append(w.info.MaxKey[:0], pk...)
	w.info.MinSeq, w.info.MaxSeq = min(w.info.MinSeq, seq), max(w.info.MaxSeq, seq)
	w.info.Rows++
	w.rows++
	return nil
}

func (w *Writer) checkRow(pk []byte, seq clock.Seq, vals []value.Value) error {
	switch {
	case len(vals) != len(w.layout.Columns):
		return fault.New(fault.Internal, "a row of %d values for a segment of %d columns",
			len(vals), len(w.layout.Columns))
	case len(pk) == 0 || seq < 0:
		return fault.New(fault.Internal, "a row of a segment has no primary key or no seq")
	case w.info.Rows > 0 && bytes.Compare(w.info.MaxKey, pk) >= 0:
		return fault.New(fault.Internal, "rows of a segment are not in the order of their keys")
	case w.info.Rows == MaxRows:
		return fault.New(fault.Internal, "a segment has at most %d rows", int64(MaxRows))
	}
	return nil
}

func (w *Writer) addKey(pk []byte) {
	w.keys = append(binary.AppendUvarint(w.keys, uint64(len(pk))), pk...)
}

// endGroup has the open row group encoded, once the one before is.
func (w *Writer) endGroup() error {
	if err := w.Settle(); err != nil {
		return err
	}
	w.encoders, w.spare = w.spare, w.encoders
	w.rows, w.bytes = 0, 0
	full, done := w.spare, make(chan error, 1)
	w.encoding = done
	go func() { done <- w.encode(full) }()
	return nil
}

// Settle waits until nothing is encoded in the background, and returns what failed
// there. Who does not come to Close calls it at the end.
func (w *Writer) Settle() error {
	if w.encoding == nil {
		return nil
	}
	err := <-w.encoding
	w.encoding = nil
	return err
}

// encode writes a row group.
func (w *Writer) encode(encoders []encoder) error {
	return w.library(func() error {
		group, err := w.out.AppendRowGroupChecked()
		if err != nil {
			return err
		}
		for _, e := range encoders {
			chunk, err := group.NextColumn()
			if err != nil {
				return err
			}
			if err := e.flush(chunk); err != nil {
				return err
			}
			if err := chunk.Close(); err != nil {
				return err
			}
		}
		return group.Close()
	})
}

// Close writes what waits and the end of the file. It does not close what is
// written to. A segment without rows is refused.
func (w *Writer) Close() (Info, error) {
	if w.info.Rows == 0 {
		return Info{}, fault.New(fault.Internal, "a segment has at least one row")
	}
	if err := w.Settle(); err != nil {
		return Info{}, err
	}
	if err := w.encode(w.encoders); err != nil {
		return Info{}, err
	}
	w.addKey(w.info.MaxKey)
	err := w.library(func() error {
		blocks, seal := w.sink.hold()
		for _, m := range [][2]string{
			{metaKeys, base64.StdEncoding.EncodeToString(w.keys)}, {metaBlocks, blocks},
			{metaSeal, seal},
		} {
			if err := w.out.AppendKeyValueMetadata(m[0], m[1]); err != nil {
				return err
			}
		}
		if err := w.out.Close(); err != nil {
			return err
		}
		return w.sink.release()
	})
	if err != nil {
		return Info{}, err
	}
	w.info.Bytes = w.sink.size
	w.sink.sum.Sum(w.info.Checksum[:0])
	return w.info, nil
}
