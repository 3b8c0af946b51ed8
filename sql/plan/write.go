package plan

import (
	"context"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// maxWrite bounds the bytes of a statement's writes here. What is larger the
// engine runs, which counts the memory of each statement.
const maxWrite = 16 << 20

// insert makes the writes of an INSERT. It reads nothing: that the keys are
// free is checked when the writes are applied, so to look here as well would
// cost each row twice.
func (x *execution) insert() (handled bool, err error) {
	set := new(writeset.Set)
	vals := make([]value.Value, len(x.def.Columns))
	width := len(x.position)
	for at := 0; at < len(x.cells); at += width {
		if !x.fill(vals, x.cells[at:at+width]) {
			return false, nil
		}
		pk := x.def.KeyOf(vals)
		if at > 0 && set.Lookup(x.def.ID, x.user, pk) != nil {
			return false, nil // a duplicate
		}
		if !x.add(set, row.Insert, pk, vals, row.Record{}) {
			return false, nil
		}
		x.result.Affected++
	}
	x.result.Rows, x.result.Writes, x.result.Assumed = noRows{}, set, true
	return true, nil
}

// fill makes the values of a row to insert.
func (x *execution) fill(vals []value.Value, cells []operand) bool {
	for i, c := range x.position {
		if cells[i].form != formDefault && !x.set(vals, c, cells[i]) {
			return false
		}
	}
	for c := range vals { // in this order ids are made
		i := slices.Index(x.position, c)
		if (i < 0 || cells[i].form == formDefault) && !x.set(vals, c, operand{form: formDefault}) {
			return false
		}
	}
	return true
}

// set gives a column the value of an operand, as the column stores it.
func (x *execution) set(vals []value.Value, c int, o operand) bool {
	var v value.Value
	ok := true
	if o.form == formDefault {
		v, ok = x.fallback(c)
	} else {
		v, ok = x.value(o)
	}
	if !ok || v.IsNull() && x.def.IsKey(c) {
		return false
	}
	var err error
	if o.form == formParam {
		if v, err = x.env.ParamFor(x.def.Columns[c].Type.Kind, v); err != nil {
			return false
		}
	}
	v, err = engine.Assign(&x.def.Columns[c], v)
	vals[c] = v
	return err == nil
}

func (x *execution) fallback(c int) (value.Value, bool) {
	f := &x.fillers[c]
	if f.call == "" {
		return f.constant, true
	}
	v, err := x.env.Generate(f.call)
	return v, err == nil
}

func (x *execution) update(ctx context.Context) (handled bool, err error) {
	if x.tail != nil {
		return x.append()
	}
	return x.change(ctx, func(set *writeset.Set, pk []byte, rec row.Record) (bool, error) {
		vals := make([]value.Value, len(x.def.Columns))
		if err := x.decode(rec, vals); err != nil {
			return true, err
		}
		for _, s := range x.sets {
			if !x.set(vals, s.column, s.value) {
				return false, nil
			}
		}
		return x.add(set, row.Update, pk, vals, rec), nil
	})
}

func (x *execution) delete(ctx context.Context) (handled bool, err error) {
	return x.change(ctx, func(set *writeset.Set, pk []byte, rec row.Record) (bool, error) {
		vals := make([]value.Value, len(x.def.Columns))
		if err := x.decode(rec, vals); err != nil {
			return true, err
		}
		return x.add(set, row.Delete, pk, vals, rec), nil
	})
}

// change reads the row of the plan's key and calls f with it when it is there.
func (x *execution) change(
	ctx context.Context,
	f func(set *writeset.Set, pk []byte, rec row.Record) (handled bool, err error),
) (handled bool, err error) {
	set := new(writeset.Set)
	x.result.Rows, x.result.Writes = noRows{}, set
	span, _, ok := x.span(nil)
	if !ok {
		return false, nil
	}
	rec, found, err := x.record(ctx, span.Lo)
	if err != nil || !found {
		return true, err
	}
	x.result.Affected = 1
	return f(set, span.Lo, rec)
}

// add puts a write over the record old into the set; false when it gets too large for this path.
func (x *execution) add(
	set *writeset.Set, op row.Op, pk []byte, vals []value.Value, old row.Record,
) bool {
	payload, err := x.schema.Encode(vals)
	if err != nil {
		return false
	}
	w := writeset.Write{
		Table: x.def, User: x.user, Op: op, PK: pk, Payload: payload, Expect: old.Seq,
	}
	if old.Thawed {
		kept := old
		w.Old = &kept
	}
	if op != row.Delete {
		if w.Entries, err = x.def.Entries(vals); err != nil {
			return false
		}
		for _, e := range w.Entries {
			if set.Holder(x.def.ID, x.user, e) != nil {
				return false // a duplicate
			}
		}
	}
	set.Add(w)
	return set.Bytes() <= maxWrite
}
