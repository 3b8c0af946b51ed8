package table

import (
	"bytes"
	"context"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Span is the part [Lo, Hi) of a user's primary keys and the direction to
// walk it. A nil Lo is the first key, a nil Hi the end.
type Span struct {
	Lo, Hi  []byte
	Reverse bool
	// Headers says that the values of the rows are not needed: records of cold
	// rows are given as they are.
	Headers bool
}

// Need is what whoever walks rows knows of what is needed of them; the zero Need
// is everything. More may be taken.
type Need struct {
	Rows    int              // 0 when nobody knows how many
	Columns []ident.ColumnID // nil for all; of cold rows others may be NULL
	// Filter says which rows are needed, nil for all; its columns are among Columns.
	// Of the others, cold ones may be left out.
	Filter *row.Filter
	// Values says that records may have Values in place of a payload, which lets a
	// long walk scan.
	Values bool
}

// Rows walks the records of one user, tombstones included. It is used by one
// goroutine and must be closed.
//
//	for rows.Next() { use(rows.PK(), rows.Record()) }
//	err := rows.Close()
type Rows struct {
	it     store.Iterator
	prefix int // bytes before the primary key in a key
	rec    row.Record
	read   int
	err    error

	headers bool
	ctx     context.Context
	table   Table
	view    *store.View
	user    ident.UserID
	need    Need
	ahead   *ahead // nil until a row was cold
	key     []byte // of a row from ahead; nil for one that it stands on
	scan    scanner
	lo, hi  []byte // of the span
	reverse bool
}

// Headers is Scan with Span.Headers, for who does not need the values of rows and
// for tables that have no cold ones.
func (t Table) Headers(v *store.View, user ident.UserID, s Span) *Rows {
	s.Headers = true
	return t.scan(v, user, s)
}

// Scan walks the rows of a user in the order of their primary keys. ctx ends the
// reading of cold ones. The caller holds v until Close.
func (t Table) Scan(ctx context.Context, v *store.View, user ident.UserID, s Span) *Rows {
	rows := t.scan(v, user, s)
	rows.ctx = ctx
	return rows
}

func (t Table) scan(v *store.View, user ident.UserID, s Span) *Rows {
	prefix := row.UserPrefix(user, 0)
	r := store.Range{Lo: prefix, Hi: row.PrefixEnd(prefix), Reverse: s.Reverse}
	if s.Lo != nil {
		r.Lo = row.Key(user, s.Lo)
	}
	if s.Hi != nil {
		r.Hi = row.Key(user, s.Hi)
	}
	return &Rows{it: v.Scan(t.Part, r), prefix: len(prefix), headers: s.Headers,
		table: t, view: v, user: user, lo: r.Lo, hi: r.Hi, reverse: s.Reverse}
}

// Need says what is needed of the rows, before the first Next. It is no part of the
// Span, whose keys would not stay on the caller's stack then.
func (r *Rows) Need(n Need) { r.need = n }

// Next moves to the next row, the first one on the first call.
func (r *Rows) Next() bool {
	if r.ahead != nil {
		if ok := r.takeAhead(); ok || r.err != nil || r.ahead.ended {
			return ok
		}
	}
	for r.err == nil && r.it.Next() {
		r.read++
		if r.read%checkEvery == 0 && r.ctx != nil && r.ctx.Err() != nil {
			r.err = fault.From(r.ctx.Err())
			return false
		}
		if r.err = r.rec.Parse(r.it.Value()); r.err != nil {
			return false
		}
		switch {
		case !r.need.Filter.Covers(r.rec.Seq):
			continue
		case !r.rec.Cold || r.headers:
			return true
		case !r.scans():
			return r.lookAhead()
		}
		ok, err := r.scan.scan.Take(&r.rec)
		if err != nil {
			r.scan.give()
			return r.lookAhead()
		}
		if ok {
			return true
		}
	}
	return false
}

// scans reports whether cold rows are scanned from here on.
func (r *Rows) scans() bool {
	return r.scan.scan != nil ||
		r.need.Values && r.scan.due() && r.scan.ask(r.ctx, r.table, r.view, r.wanted())
}

// checkEvery is how many rows are walked between two looks at the context.
const checkEvery = 1024

// wanted is what is left to be read, for a scan.
func (r *Rows) wanted() Wanted {
	w := Wanted{Part: r.table.Part, User: r.user, Lo: r.lo[r.prefix:], Columns: r.need.Columns,
		Filter: r.need.Filter, Reverse: r.reverse}
	if end := row.PrefixEnd(r.lo[:r.prefix]); !bytes.Equal(r.hi, end) {
		w.Hi = r.hi[r.prefix:]
	}
	return w
}

// takeAhead moves to a row that was read ahead, if there is one.
func (r *Rows) takeAhead() bool {
	r.key = nil
	it, ok, err := r.ahead.take(r.ctx, r.table, r.view, r.user)
	if err != nil {
		r.err = err
	}
	if ok {
		r.read++
		r.rec, r.key = it.rec, it.key
	}
	return ok
}

// lookAhead reads ahead from the row that it stands on.
func (r *Rows) lookAhead() bool {
	if r.ahead == nil {
		r.ahead = newAhead(r.need)
	}
	r.read-- // it is counted when it is taken
	first, _ := r.standsOn()
	r.ahead.look(r.ctx, r.table, r.view, r.user, first, func() (item, bool, error) {
		for r.it.Next() {
			it, err := r.standsOn()
			if err != nil || r.need.Filter.Covers(it.rec.Seq) {
				return it, err == nil, err
			}
		}
		return item{}, false, r.it.Err()
	})
	r.scan.passed += len(r.ahead.items)
	return r.takeAhead()
}

// standsOn returns the row that the iterator is at.
func (r *Rows) standsOn() (it item, err error) {
	it.key, it.value = bytes.Clone(r.it.Key()[r.prefix:]), bytes.Clone(r.it.Value())
	err = it.rec.Parse(it.value)
	return it, err
}

// Record returns the present row. Its payload is valid until Next or Close.
func (r *Rows) Record() row.Record { return r.rec }

// Present is Record without a copy, for walks over very many rows. It is not to
// be changed, nor kept beyond Next or Close.
func (r *Rows) Present() *row.Record { return &r.rec }

// PK returns the present row's primary key, valid until Next or Close.
func (r *Rows) PK() []byte {
	if r.key != nil {
		return r.key
	}
	return r.it.Key()[r.prefix:]
}

// Read returns how many rows were read so far.
func (r *Rows) Read() int { return r.read }

// Err returns what ended the walk early, if anything did.
func (r *Rows) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.it.Err()
}

// Close frees the iterator and returns Err's error. It may be called twice.
func (r *Rows) Close() error {
	r.scan.close()
	if err := r.it.Close(); r.err == nil {
		r.err = err
	}
	return r.err
}
