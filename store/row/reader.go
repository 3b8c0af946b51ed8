package row

import (
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// Reader reads the records of one schema version as rows of another. Columns
// are the same when their ids are: a column that the stored version had not
// gets its filling, one that is no longer wanted is left out, and one whose
// kind was widened is converted. Names play no part.
//
// It is immutable and safe for concurrent use. To compile one costs more than
// to read a row, so whoever reads rows keeps it.
type Reader struct {
	stored  *Schema
	plain   bool // what is stored is what is wanted
	inPlace bool // stored columns stand at the same places, others behind them
	columns []readColumn
}

type readColumn struct {
	from int         // position in the stored version, -1 for none
	kind value.Kind  // wanted, when the stored one is to be converted; else Null
	fill value.Value // when there is none
}

// NewReader compiles a Reader of records of version stored into rows of
// version wanted. fill has the value of each wanted column for rows that were
// written without it.
func NewReader(stored, wanted *Schema, fill []value.Value) *Reader {
	r := &Reader{stored: stored, columns: make([]readColumn, len(wanted.IDs))}
	r.plain = len(stored.IDs) == len(wanted.IDs)
	r.inPlace = len(stored.IDs) <= len(wanted.IDs)
	for i, id := range wanted.IDs {
		c := readColumn{from: -1, fill: fill[i]}
		for j, have := range stored.IDs {
			if have == id {
				c.from = j
			}
		}
		if c.from >= 0 && stored.Kinds[c.from] != wanted.Kinds[i] {
			c.kind = wanted.Kinds[i]
		}
		r.plain = r.plain && c.from == i && c.kind == value.Null
		r.inPlace = r.inPlace && (c.from == i || i >= len(stored.IDs))
		r.columns[i] = c
	}
	return r
}

// Reads reports whether rec is of the version that r reads.
func (r *Reader) Reads(rec Record) bool { return r.stored.Version == rec.Schema }

// Read reads a record of the stored version into dst, which has an element for
// each wanted column.
func (r *Reader) Read(rec Record, dst []value.Value) error {
	if len(dst) != len(r.columns) {
		return fault.New(fault.Internal, "a row of %d columns is read into %d values",
			len(r.columns), len(dst))
	}
	switch {
	case r.plain:
		return r.stored.Decode(rec, dst)
	case r.inPlace:
		n := len(r.stored.Kinds)
		if err := r.stored.Decode(rec, dst[:n]); err != nil {
			return err
		}
		return r.arrange(dst, dst[:n])
	}
	vals := make([]value.Value, len(r.stored.Kinds))
	if err := r.stored.Decode(rec, vals); err != nil {
		return err
	}
	return r.arrange(dst, vals)
}

func (r *Reader) arrange(dst, vals []value.Value) error {
	for i := range r.columns {
		c := &r.columns[i]
		switch {
		case c.from < 0:
			dst[i] = c.fill
		case c.kind == value.Null:
			dst[i] = vals[c.from]
		default:
			v, err := value.Convert(c.kind, vals[c.from])
			if err != nil {
				return fault.New(fault.Corruption, "read column %d of schema version %d: %v",
					c.from+1, r.stored.Version, err)
			}
			dst[i] = v
		}
	}
	return nil
}
