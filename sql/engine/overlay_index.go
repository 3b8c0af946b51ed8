package engine

import (
	"bytes"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// A transaction has no entries in the stored indexes. Those of its rows come
// with its writes; an entry that is stored counts only while its row has no
// pending write.

// indexed returns the rows of a span of an index as the statement sees them, in
// the order of the index.
func (t *target) indexed(x *ddl.Index, s span, reverse bool, n table.Need) records {
	env := t.run.env
	stored := &unexpiredIndexed{t.store.RowsByIndex(t.run.ctx, env.View, t.owner, x.ID,
		table.Span{Lo: s.lo, Hi: s.hi, Reverse: reverse}), t.expired}
	stored.Need(n)
	if env.Pending == nil || env.Pending.Len() == 0 {
		return stored
	}
	held := env.Pending.HeldIn(t.def.ID, t.owner, x.ID, s.lo, s.hi)
	if reverse {
		slices.Reverse(held)
	}
	return &overlaidIndex{t: t, rows: stored, held: held, reverse: reverse}
}

// unexpiredIndexed is unexpired for rows that are found by an index.
type unexpiredIndexed struct {
	*table.Indexed
	expired clock.Seq // 0 in tables without a TTL
}

func (u *unexpiredIndexed) Record() row.Record {
	rec := u.Indexed.Record()
	rec.Deleted = rec.Deleted || rec.Seq < u.expired
	return rec
}

// overlaidIndex merges stored rows with those of pending writes, both in the
// order of an index.
type overlaidIndex struct {
	t       *target
	rows    *unexpiredIndexed
	ahead   bool // rows stands on a row that was not given yet
	ended   bool // rows has no more
	held    []writeset.Held
	reverse bool
	own     *writeset.Write // what is given now, nil for the row of rows
}

func (o *overlaidIndex) Next() bool {
	if o.own == nil {
		o.ahead = false // the stored row was given
	}
	o.own = nil
	for !o.ahead && !o.ended {
		o.ahead = o.rows.Next()
		o.ended = !o.ahead
		if o.ahead && o.t.pending(o.rows.PK()) {
			o.ahead = false
		}
	}
	if len(o.held) == 0 || o.ahead && o.before(o.rows.Key(), o.held[0].Key) {
		return o.ahead
	}
	o.own = o.held[0].Write
	o.held = o.held[1:]
	return true
}

func (o *overlaidIndex) before(a, b []byte) bool {
	if o.reverse {
		a, b = b, a
	}
	return bytes.Compare(a, b) < 0
}

func (o *overlaidIndex) Record() row.Record {
	if o.own != nil {
		return pendingRecord(o.own)
	}
	return o.rows.Record()
}

func (o *overlaidIndex) PK() []byte {
	if o.own != nil {
		return o.own.PK
	}
	return o.rows.PK()
}

func (o *overlaidIndex) Err() error {
	if o.ended || o.own == nil {
		return o.rows.Err()
	}
	return nil
}

func (o *overlaidIndex) Close() error { return o.rows.Close() }

// pending reports whether the transaction has written a key.
func (t *target) pending(pk []byte) bool {
	p := t.run.env.Pending
	return p != nil && p.Lookup(t.def.ID, t.owner, pk) != nil
}

// byKey returns the rows of some spans of an index as the statement sees them,
// in the order of the primary key. The keys are held in memory, the rows are
// not.
func (t *target) byKey(x *ddl.Index, spans []span, n table.Need) records {
	env := t.run.env
	var pks [][]byte
	var pending []*writeset.Write
	for _, s := range spans {
		if err := t.collectKeys(x.ID, s, &pks); err != nil {
			return failed{err}
		}
		if env.Pending == nil {
			continue
		}
		for _, h := range env.Pending.HeldIn(t.def.ID, t.owner, x.ID, s.lo, s.hi) {
			pending = append(pending, h.Write)
		}
	}
	slices.SortFunc(pks, bytes.Compare)
	rows := records(t.store.RowsByKey(t.run.ctx, env.View, t.owner, pks, n))
	if t.expired > 0 {
		rows = &unexpired{rows, t.expired}
	}
	if len(pending) == 0 {
		return rows
	}
	slices.SortFunc(pending, func(a, b *writeset.Write) int { return bytes.Compare(a.PK, b.PK) })
	return &overlaid{rows: rows, pending: pending}
}

const keyOverhead = 24 // bytes of a slice

// collectKeys adds the keys of the stored rows of a span that have no pending
// write.
func (t *target) collectKeys(x ident.IndexID, s span, pks *[][]byte) error {
	entries := t.store.ScanIndex(t.run.env.View, t.owner, x, table.Span{Lo: s.lo, Hi: s.hi})
	for entries.Next() {
		if t.pending(entries.PK()) {
			continue
		}
		*pks = append(*pks, bytes.Clone(entries.PK()))
		if err := t.run.charge(int64(len(entries.PK()) + keyOverhead)); err != nil {
			_ = entries.Close() // the limit's error comes first
			return err
		}
	}
	return entries.Close()
}

// failed are rows that can't be read.
type failed struct{ err error }

func (failed) Next() bool         { return false }
func (failed) Record() row.Record { return row.Record{} }
func (failed) PK() []byte         { return nil }
func (f failed) Err() error       { return f.err }
func (f failed) Close() error     { return f.err }
