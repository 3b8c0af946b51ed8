package table

import (
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/store"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Span is the part [Lo, Hi) of a user's primary keys and the direction to
// walk it. A nil Lo is the first key, a nil Hi the end.
type Span struct {
	Lo, Hi  []byte
	Reverse bool
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
}

// Scan walks the rows of a user in the order of their primary keys.
func (t Table) Scan(v *store.View, user ident.UserID, s Span) *Rows {
	prefix := row.UserPrefix(user, 0)
	r := store.Range{Lo: prefix, Hi: row.PrefixEnd(prefix), Reverse: s.Reverse}
	if s.Lo != nil {
		r.Lo = row.Key(user, s.Lo)
	}
	if s.Hi != nil {
		r.Hi = row.Key(user, s.Hi)
	}
	return &Rows{it: v.Scan(t.Part, r), prefix: len(prefix)}
}

// Next moves to the next row, the first one on the first call.
func (r *Rows) Next() bool {
	if r.err != nil || !r.it.Next() {
		return false
	}
	r.read++
	r.err = r.rec.Parse(r.it.Value())
	return r.err == nil
}

// Record returns the present row. Its payload is valid until Next or Close.
func (r *Rows) Record() row.Record { return r.rec }

// Present is Record without a copy, for walks over very many rows. It is not to
// be changed, nor kept beyond Next or Close.
func (r *Rows) Present() *row.Record { return &r.rec }

// PK returns the present row's primary key, valid until Next or Close.
func (r *Rows) PK() []byte { return r.it.Key()[r.prefix:] }

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
	if err := r.it.Close(); r.err == nil {
		r.err = err
	}
	return r.err
}
