package engine

import (
	"bytes"
	"slices"
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/writeset"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// writer collects the writes of one statement to one table.
type writer struct {
	run    *execution
	target *target
	schema *row.Schema // that rows are written with
	set    writeset.Set
	read   decoder
	count  int64

	rows      *upsert // for an INSERT
	name      string  // by which the statement calls the table
	returning ast.SelectExprs
	changes   []*changedRow // for returning, in the order of the statement
	joined    bool          // the statement joins other tables
	deletes   bool          // returning shows rows as they were
}

func (run *execution) newWriter(n ast.TableName) (*writer, error) {
	src, err := run.resolve(n, true)
	if err != nil {
		return nil, err
	}
	schema, err := run.env.Catalog.Schema(src.target.def.ID, src.target.def.Version)
	if err != nil {
		return nil, err
	}
	return &writer{run: run, target: src.target, schema: schema, read: decoder{t: src.target},
		name: string(src.target.def.Name)}, nil
}

func (w *writer) def() *ddl.Table { return w.target.def }

// writable returns the position of a column that a statement assigns to.
func (w *writer) writable(name string) (int, error) {
	if system.IsColumn(name) {
		return 0, fault.New(fault.InvalidSQL,
			"column %s is kept by the system and can't be written", name)
	}
	i := w.def().Column(name)
	if i < 0 {
		return 0, w.run.noColumn(name, w.target)
	}
	return i, nil
}

// insert adds a row whose values have been assigned.
func (w *writer) insert(vals []value.Value) error {
	pk := w.def().KeyOf(vals)
	seq, err := w.free(pk, vals)
	if err == nil && len(w.def().Indexes) > 0 {
		err = w.claim(pk, vals)
	}
	if err != nil {
		return err
	}
	return w.add(row.Insert, pk, vals, &stored{seq: seq})
}

// insertNoted adds a row and shows it in RETURNING.
func (w *writer) insertNoted(pk []byte, vals []value.Value) error {
	if err := w.note(pk, vals); err != nil {
		return err
	}
	return w.insert(vals)
}

// free returns the seq to expect of a key that is to be inserted, or the
// duplicate error when a row is there.
func (w *writer) free(pk []byte, vals []value.Value) (clock.Seq, error) {
	if pending := w.set.Lookup(w.def().ID, w.target.owner, pk); pending != nil {
		if pending.Op == row.Insert || pending.Op == row.Update {
			return 0, w.duplicate(vals)
		}
		return pending.Expect, nil
	}
	found, err := w.target.has(pk)
	if err == nil && found {
		err = w.duplicate(vals)
	}
	return 0, err
}

func (w *writer) duplicate(vals []value.Value) error {
	w.run.suspect(w.keyNames()...)
	return fault.New(fault.DuplicateKey, "table %s has a row with %s already",
		w.def().FullName(), w.keyText(vals))
}

// keyText writes the key of a row for a message.
func (w *writer) keyText(vals []value.Value) string {
	parts := make([]string, len(w.def().PrimaryKey))
	for i, c := range w.def().PrimaryKey {
		parts[i] = w.def().Columns[c].Name + " = " + clip(vals[c].Text())
	}
	return strings.Join(parts, ", ")
}

func clip(s string) string {
	const most = 64
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// remove adds the deletion of a row as it was read.
func (w *writer) remove(old *stored) error {
	return w.add(row.Delete, old.pk, old.vals, old)
}

// add adds a write over the row that was read, whose seq is 0 when there is none.
func (w *writer) add(op row.Op, pk []byte, vals []value.Value, old *stored) error {
	payload, err := w.schema.Encode(vals[:len(w.def().Columns)])
	if err != nil {
		return fault.Wrap(fault.TypeMismatch, err, "table %s", w.def().FullName())
	}
	c := writeset.Write{Table: w.def(), User: w.target.owner, Op: op, PK: pk,
		Payload: payload, Expect: old.seq, Old: old.cold}
	if op != row.Delete {
		if c.Entries, err = w.def().Entries(vals); err != nil {
			return err
		}
	}
	size := len(pk) + len(payload) + writeOverhead
	if old.cold != nil {
		size += len(old.cold.Payload)
	}
	for _, e := range c.Entries {
		h := w.set.Holder(w.def().ID, w.target.owner, e)
		if h != nil && !bytes.Equal(h.PK, pk) {
			return w.broken(e)
		}
		size += len(e.Columns) + entryOverhead
	}
	w.set.Add(c)
	return w.run.charge(int64(size))
}

// Bytes of a Write in memory, and of an entry of it.
const (
	writeOverhead = 160
	entryOverhead = 80
)

// stored is a row as it was when the statement read it.
type stored struct {
	pk   []byte
	seq  clock.Seq
	vals []value.Value
	cold *row.Record // the record, if it was fetched from a segment
}

// stored returns a record as a row that was read.
func (w *writer) stored(pk []byte, rec row.Record) (*stored, error) {
	s := &stored{pk: pk, seq: rec.Seq, vals: make([]value.Value, w.target.width())}
	if rec.Thawed {
		kept := rec
		s.cold = &kept
	}
	return s, w.read.decode(rec, s.vals)
}

// load reads the whole rows of keys that a query has just found, the cold ones
// together, and calls f with them in order.
func (w *writer) load(pks [][]byte, f func(*stored) error) (err error) {
	t := w.target
	rest := slices.DeleteFunc(slices.Clone(pks), t.pending)
	rows := t.store.RowsByKey(w.run.ctx, w.run.env.View, t.owner, rest, table.Need{Rows: len(rest)})
	defer func() {
		if closed := rows.Close(); err == nil {
			err = closed
		}
	}()
	for _, pk := range pks {
		var rec row.Record
		found := true
		if t.pending(pk) {
			rec, found, err = t.recordAt(pk)
		} else if found = rows.Next(); found {
			rec = rows.Record()
			found = rec.Seq >= t.expired
		}
		switch {
		case err != nil:
			return err
		case rows.Err() != nil:
			return rows.Err()
		case !found || rec.Deleted:
			return fault.New(fault.Corruption,
				"a row of %s was found and can't be read", w.def().FullName())
		}
		old, err := w.stored(pk, rec)
		if err != nil {
			return err
		}
		if err := f(old); err != nil {
			return err
		}
	}
	return nil
}

// fallback returns what a column gets that the statement does not name.
func (w *writer) fallback(i int) (value.Value, error) {
	c := &w.def().Columns[i]
	d := c.Default
	switch {
	case d == nil && (c.NotNull || w.def().IsKey(i)):
		return value.Value{}, fault.New(fault.NotNullViolation,
			"column %s has no default and must be given", c.Name)
	case d == nil || d.Null:
		return w.assign(i, value.NullValue)
	case d.Func != "":
		v, err := w.run.env.generate(d.Func)
		if err != nil {
			return v, err
		}
		return w.assign(i, v)
	}
	v, err := c.Type.Parse(d.Text)
	if err != nil {
		return v, fault.Wrap(fault.TypeMismatch, err, "default of column %s", c.Name)
	}
	return w.assign(i, v)
}

// assign converts v for a column; key columns are never NULL.
func (w *writer) assign(i int, v value.Value) (_ value.Value, err error) {
	defer func() {
		if err != nil {
			w.run.blame(w.def().Columns[i].Name)
		}
	}()
	if v.IsNull() && w.def().IsKey(i) {
		return v, fault.New(fault.NotNullViolation, "column %s is part of the key and must not be NULL",
			w.def().Columns[i].Name)
	}
	return assign(&w.def().Columns[i], v)
}
