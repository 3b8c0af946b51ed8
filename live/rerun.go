package live

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// rerun keeps the result of a query by running it again. Rows that are as they
// were keep their entries.
type rerun struct {
	entries map[string]*entry
}

// entryOverhead is the memory of an entry apart from its values.
const entryOverhead = 160

// keep implements keeper.
func (k *rerun) keep(ctx context.Context, g *glance, _ clock.Seq, _ int) ([]*entry, bool, error) {
	run := &running{query: g.query, hub: g.hub, before: k.entries, now: make(map[string]*entry)}
	limited, cancel := context.WithTimeout(ctx, g.hub.opts.RerunTimeout)
	defer cancel()
	columns, err := g.query.Rerun.Run(limited, g.view, run.add)
	switch {
	case err != nil && ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded):
		return nil, false, fault.New(fault.StatementTimeout,
			"running the live query again took longer than %s", g.hub.opts.RerunTimeout)
	case err != nil:
		return nil, false, err
	case !sameColumns(columns, g.query.Columns):
		return nil, false, errSchema
	}
	k.entries = run.now
	return run.entries, false, nil
}

// sameColumns reports whether a run gave the columns that were announced.
func sameColumns(a, b []predicate.Column) bool {
	return slices.EqualFunc(a, b, func(a, b predicate.Column) bool {
		return a.Name == b.Name && a.Kind == b.Kind
	})
}

// running collects the rows of one run.
type running struct {
	query       *predicate.Query
	hub         *Hub
	before, now map[string]*entry
	entries     []*entry
	bytes       int
	id          []byte
}

func (r *running) add(row []value.Value) error {
	opts := &r.hub.opts
	r.bytes += entryOverhead + rowSize(row)
	if len(r.entries) >= opts.ResultRows || r.bytes > opts.ResultBytes {
		return fault.New(fault.ResultTooLarge,
			"the result of a live query that is run again may have %d rows and %d bytes; "+
				"narrow it with WHERE or LIMIT", opts.ResultRows, opts.ResultBytes)
	}
	r.identify(row)
	e := r.before[string(r.id)]
	if e == nil || !equal(e.row, row) {
		e = &entry{id: string(r.id), row: slices.Clone(row)}
		e.key = keyValues(r.query.Columns, e.row)
	}
	r.now[e.id] = e
	r.entries = append(r.entries, e)
	return nil
}

// keyValues returns the values of the columns that are marked as Key.
func keyValues(columns []predicate.Column, row []value.Value) (key []value.Value) {
	for i, c := range columns {
		if c.Key {
			key = append(key, row[i])
		}
	}
	return key
}

// identify writes what tells a row from the others: its key, or all of it, and
// a number where there are several alike.
func (r *running) identify(row []value.Value) {
	keyed := slices.ContainsFunc(r.query.Columns, func(c predicate.Column) bool { return c.Key })
	r.id = r.id[:0]
	for i, c := range r.query.Columns {
		if c.Key || !keyed && !r.query.Rerun.One {
			r.id = appendIdentity(r.id, row[i])
		}
	}
	n := len(r.id)
	for again := uint64(1); r.now[string(r.id)] != nil; again++ {
		r.id = binary.BigEndian.AppendUint64(r.id[:n], again)
	}
}

// appendIdentity appends an encoding that no other value has.
func appendIdentity(dst []byte, v value.Value) []byte {
	dst = append(dst, byte(v.Kind()))
	dst = binary.BigEndian.AppendUint64(dst, v.Uint())
	dst = binary.AppendUvarint(dst, uint64(len(v.Str())))
	return append(dst, v.Str()...)
}
