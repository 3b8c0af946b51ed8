package plan

import (
	"bytes"
	"context"
	"io"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// checkEvery is how many rows are walked between two looks at the context.
const checkEvery = 64

// unlimited is the limit of a statement without one.
const unlimited = -1

// rows are the rows of a SELECT: one that was read by its key, or those of a
// scan. The values of a row are valid until Next.
type rows struct {
	x     *execution
	scan  scanner // nil for a row by its key, and behind the last row
	one   bool    // vals holds a row that was not given out yet
	left  int64   // rows to give out, or unlimited
	steps int
	rec   *row.Record   // where the scan is, or own
	own   row.Record    // the row of a key
	vals  []value.Value // of all columns
	out   []value.Value // of the result's
}

var _ engine.Rows = (*rows)(nil)

func (x *execution) selectRows(ctx context.Context) (handled bool, err error) {
	x.result.Columns = x.columns
	x.result.Rows = &x.rows
	x.rows.x, x.rows.left = x, unlimited
	if x.limit != nil {
		n, ok := x.value(*x.limit)
		if !ok || n.Kind() != value.Int64 || n.Int() < 0 {
			return false, nil
		}
		x.rows.left = n.Int()
	}
	if usable, err := x.usable(); err != nil || !usable {
		return err != nil, err
	}
	var room [64]byte
	span, empty, ok := x.span(room[:0])
	switch {
	case !ok:
		return false, nil
	case x.plan.count:
		return x.countRows(ctx, span, empty)
	case x.grouped != nil:
		return x.groupRows(ctx, span, empty)
	}
	n := len(x.def.Columns) + len(system.Columns)
	buf := make([]value.Value, n+len(x.position))
	x.rows.vals, x.rows.out = buf[:n], buf[n:]
	switch {
	case empty || x.rows.left == 0:
		return true, nil
	case x.single():
		return x.rows.get(ctx, span.Lo)
	}
	x.rows.scan = x.scan(ctx, span)
	return true, nil
}

// span returns the keys of the plan's rows; Lo is the whole key when all of it
// is given. empty says that there is none between the bounds.
func (x *execution) span(buf []byte) (s table.Span, empty, ok bool) {
	for _, k := range x.prefix {
		if buf, ok = x.appendKey(buf, k); !ok {
			return s, false, false
		}
	}
	s = table.Span{Lo: buf, Reverse: x.reverse}
	if x.single() {
		return s, false, true
	}
	s.Hi = row.PrefixEnd(buf)
	if x.low == nil && x.high == nil {
		return s, false, true
	}
	prefix := buf[:len(buf):len(buf)]
	if x.low != nil {
		if s.Lo, ok = x.appendKey(prefix, x.low.keyPart); !ok {
			return s, false, false
		}
		if !x.low.inclusive {
			s.Lo = row.PrefixEnd(s.Lo)
		}
	}
	if x.low == nil && x.path.index != nil {
		s.Lo = aboveNull(prefix)
	}
	if x.high != nil {
		if s.Hi, ok = x.appendKey(prefix, x.high.keyPart); !ok {
			return s, false, false
		}
		if x.high.inclusive {
			s.Hi = row.PrefixEnd(s.Hi)
		}
	}
	return s, s.Hi != nil && bytes.Compare(s.Lo, s.Hi) >= 0, true
}

// get reads the row of a key.
func (r *rows) get(ctx context.Context, pk []byte) (handled bool, err error) {
	rec, found, err := r.x.find(ctx, pk)
	if err != nil || !found {
		return true, err
	}
	r.one, r.own = true, rec
	r.rec = &r.own
	return true, r.decode()
}

// record reads the live row of a key.
func (x *execution) record(ctx context.Context, pk []byte) (
	rec row.Record, found bool, err error,
) {
	rec, found, err = x.store.Get(ctx, x.env.View, x.user, pk)
	if found {
		x.read++
	}
	return rec, found && !rec.Deleted, err
}

// decode reads the record into the values of the columns that are needed.
func (r *rows) decode() error {
	n := len(r.x.def.Columns)
	if err := r.x.decodeWanted(r.rec, r.vals[:n]); err != nil {
		return err
	}
	r.vals[n] = value.NewBigInt(int64(r.rec.Seq))
	r.vals[n+1] = value.NewTimestamp(r.rec.Seq.Time())
	r.vals[n+2] = value.NewBool(r.rec.Deleted)
	return nil
}

// decodeWanted reads the columns that the plan needs.
func (x *execution) decodeWanted(rec *row.Record, dst []value.Value) error {
	if len(x.wanted) == 0 {
		return nil
	}
	if rec.Schema == x.schema.Version && len(x.wanted) < len(dst) {
		return x.schema.DecodeColumns(rec, x.wanted, dst)
	}
	return x.decode(*rec, dst)
}

func (x *execution) decode(rec row.Record, dst []value.Value) error {
	if rec.Schema == x.schema.Version {
		return x.schema.Decode(rec, dst)
	}
	if x.reader == nil || !x.reader.Reads(rec) {
		r, err := x.env.Catalog.Reader(x.def, rec.Schema)
		if err != nil {
			return err
		}
		x.reader = r
	}
	return x.reader.Read(rec, dst)
}

// Next implements engine.Rows.
func (r *rows) Next(ctx context.Context) ([]value.Value, error) {
	ok, err := r.advance(ctx)
	if err != nil {
		return nil, fault.From(err)
	}
	if !ok {
		return nil, io.EOF
	}
	for i, c := range r.x.position {
		r.out[i] = r.vals[c]
	}
	return r.out, nil
}

// advance moves to the next row, whose values it puts into vals.
func (r *rows) advance(ctx context.Context) (bool, error) {
	if r.one {
		r.one = false
		return true, nil
	}
	if r.left == 0 || r.scan == nil {
		return false, nil
	}
	ok, err := r.step(ctx)
	if err != nil || !ok {
		return false, err
	}
	if r.left > 0 {
		r.left--
	}
	return true, r.decode()
}

// step walks to the next live row of the scan.
func (r *rows) step(ctx context.Context) (ok bool, err error) {
	for {
		if r.steps%checkEvery == 0 && ctx.Err() != nil {
			return false, ctx.Err()
		}
		r.steps++
		if !r.scan.Next() {
			return false, r.Close()
		}
		r.x.read++
		if r.rec = r.scan.Present(); !r.rec.Deleted {
			return true, nil
		}
	}
}

// Close implements engine.Rows.
func (r *rows) Close() error {
	r.one = false
	if r.scan == nil {
		return nil
	}
	scan := r.scan
	r.scan = nil
	if err := scan.Close(); err != nil {
		return fault.From(err)
	}
	return nil
}

// each calls f with every live row of a span.
func (r *rows) each(
	ctx context.Context, s table.Span, empty bool, f func(*row.Record) error,
) (err error) {
	if empty {
		return nil
	}
	if r.x.single() {
		rec, found, err := r.x.find(ctx, s.Lo)
		if err != nil || !found {
			return err
		}
		return f(&rec)
	}
	r.scan = r.x.scan(ctx, s)
	for {
		ok, err := r.step(ctx)
		if ok {
			err = f(r.rec)
		}
		if err != nil {
			_ = r.Close() // the walk's error comes first
			return err
		}
		if !ok {
			return nil
		}
	}
}

// countRows counts the rows and makes the number the only row.
func (x *execution) countRows(ctx context.Context, s table.Span, empty bool) (bool, error) {
	n := int64(0)
	err := x.rows.each(ctx, s, empty, func(*row.Record) error {
		n++
		return nil
	})
	if err != nil {
		return true, err
	}
	x.rows.one = true
	x.rows.vals = []value.Value{value.NewBigInt(n)}
	x.rows.out = make([]value.Value, 1)
	return true, nil
}
