package engine

import (
	"bytes"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// A transaction reads its own writes: what Env.Pending holds lies over the
// view. A pending row is read with the seq that its key had in the view, 0 for
// a new one, so that what a later statement expects of the stored row stays
// true. A row that the transaction deleted is not there at all.

// recordAt reads the record of a key as the statement sees it, tombstones of
// the view included.
func (t *target) recordAt(pk []byte) (rec row.Record, found bool, err error) {
	env := t.run.env
	if env.Pending != nil {
		if w := env.Pending.Lookup(t.def.ID, t.owner, pk); w != nil {
			return pendingRecord(w), present(w), nil
		}
	}
	rec, found, err = t.store.Get(t.run.ctx, env.View, t.owner, pk)
	return rec, found && rec.Seq >= t.expired, err
}

// unexpired are the stored rows of a stream table. Those that have expired are
// given as deleted, so that whoever walks over many of them can be stopped.
type unexpired struct {
	records
	expired clock.Seq
}

func (u *unexpired) Record() row.Record {
	rec := u.records.Record()
	rec.Deleted = rec.Deleted || rec.Seq < u.expired
	return rec
}

func present(w *writeset.Write) bool { return w.Op == row.Insert || w.Op == row.Update }

func pendingRecord(w *writeset.Write) row.Record {
	return row.Record{
		Seq: w.Expect, Schema: w.Table.Version, Codec: w.Table.Codec, Payload: w.Payload,
	}
}

// records walks stored rows in the order of keys.
type records interface {
	Next() bool
	Record() row.Record
	PK() []byte // valid until Next
	Err() error
	Close() error
}

// records returns the rows of a span as the statement sees them.
func (t *target) records(s span, reverse bool, n table.Need) records {
	env := t.run.env
	stored := t.store.Scan(t.run.ctx, env.View, t.owner,
		table.Span{Lo: s.lo, Hi: s.hi, Reverse: reverse})
	stored.Need(n)
	rows := records(stored)
	if t.expired > 0 {
		rows = &unexpired{stored, t.expired}
	}
	if env.Pending == nil {
		return rows
	}
	pending := env.Pending.Range(t.def.ID, t.owner, s.lo, s.hi)
	if len(pending) == 0 {
		return rows
	}
	if reverse {
		slices.Reverse(pending)
	}
	return &overlaid{rows: rows, pending: pending, reverse: reverse}
}

// overlaid merges the stored rows of a span with pending writes of it, both in
// the order of the walk. A pending write hides the stored row of its key.
type overlaid struct {
	rows    records
	ahead   bool // rows stands on a row that was not given yet
	ended   bool // rows has no more
	pending []*writeset.Write
	reverse bool
	own     *writeset.Write // what is given now, nil for the row of rows
}

func (o *overlaid) Next() bool {
	for {
		if o.own == nil {
			o.ahead = false // the stored row was given
		}
		o.own = nil
		if !o.ahead && !o.ended {
			o.ahead = o.rows.Next()
			o.ended = !o.ahead
		}
		if len(o.pending) == 0 || o.ahead && o.before(o.rows.PK(), o.pending[0].PK) {
			return o.ahead
		}
		w := o.pending[0]
		o.pending = o.pending[1:]
		if o.ahead && bytes.Equal(o.rows.PK(), w.PK) {
			o.ahead = false
		}
		o.own = w
		if present(w) {
			return true
		}
	}
}

func (o *overlaid) before(a, b []byte) bool {
	if o.reverse {
		a, b = b, a
	}
	return bytes.Compare(a, b) < 0
}

func (o *overlaid) Record() row.Record {
	if o.own != nil {
		return pendingRecord(o.own)
	}
	return o.rows.Record()
}

func (o *overlaid) PK() []byte {
	if o.own != nil {
		return o.own.PK
	}
	return o.rows.PK()
}

func (o *overlaid) Err() error   { return o.rows.Err() }
func (o *overlaid) Close() error { return o.rows.Close() }
