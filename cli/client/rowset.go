package client

import (
	"cmp"
	"encoding/json"
	"errors"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/commons/wire"
)

// errInconsistent means that an event does not fit the rows that are there:
// the result has to be read anew.
var errInconsistent = errors.New("client: a change does not fit the result")

// rowset is the result of a live query, put together from its events. It is
// not safe for concurrent use.
//
// Rows are told apart by their key: the columns that were named, else those
// that the schema marks as primary key, else the whole row. They stand in the
// order of the snapshot. When that is the order of the key, an inserted row
// goes to its place in it; where a change names a position, that counts;
// otherwise a new row goes to the end.
type rowset struct {
	key    []string // columns that were named; nil for those of the schema
	merged bool     // changes may have been merged on their way (wire.Conflate)
	rows   []keyedRow
	sorted bool // rows are in the order of their keys
}

type keyedRow struct {
	key string // keys of one kind sort as the server sorts
	row Row
}

// load appends a batch of a snapshot.
func (s *rowset) load(e Event) error {
	for _, r := range e.Rows {
		k, err := s.keyOf(e.Schema, r)
		if err != nil {
			return err
		}
		s.rows = append(s.rows, keyedRow{k, r})
	}
	if !e.Ready {
		return nil
	}
	return s.seal(e.Schema)
}

// extendBy puts rows behind a window, or none of them.
func (s *rowset) extendBy(e Event) error {
	next := rowset{key: s.key, merged: s.merged, rows: slices.Clone(s.rows)}
	if err := next.load(Event{Rows: e.Rows, Schema: e.Schema, Ready: true}); err != nil {
		return errInconsistent
	}
	*s = next
	return nil
}

// seal looks at the order of a snapshot that is whole.
func (s *rowset) seal(schema *Schema) error {
	if len(s.keyColumns(schema)) == 0 {
		return nil
	}
	s.sorted = slices.IsSortedFunc(s.rows, compareKeys)
	seen := make(map[string]struct{}, len(s.rows))
	for _, r := range s.rows {
		if _, twice := seen[r.key]; twice {
			return errAmbiguous()
		}
		seen[r.key] = struct{}{}
	}
	return nil
}

func compareKeys(a, b keyedRow) int { return cmp.Compare(a.key, b.key) }

func errAmbiguous() error {
	return fault.New(fault.InvalidParameter,
		"two rows have the same key; select every column of the primary key, or name the key")
}

// apply applies one change.
func (s *rowset) apply(e Event) error {
	for i := range max(len(e.Rows), len(e.Old)) {
		if err := s.applyRow(e, i); err != nil {
			return err
		}
	}
	return nil
}

func (s *rowset) applyRow(e Event, i int) error {
	switch {
	case e.Kind == Delete && i < len(e.Old):
		return s.remove(e.Schema, e.Old[i], e.Position)
	case e.Kind == Delete:
		return s.remove(e.Schema, e.Rows[i], e.Position)
	case i >= len(e.Rows):
		return errInconsistent
	case e.Append != nil:
		return s.extend(e.Schema, e.Rows[i], e.Append)
	case e.Kind == Insert:
		return s.insert(e.Schema, e.Rows[i], e.Position)
	}
	var old Row
	if i < len(e.Old) {
		old = e.Old[i]
	}
	return s.replace(e.Schema, e.Rows[i], old, e.Position)
}

func (s *rowset) insert(schema *Schema, row Row, position *int) error {
	k, err := s.keyOf(schema, row)
	if err != nil {
		return err
	}
	named := len(s.keyColumns(schema)) > 0
	_, found := s.find(k)
	switch {
	case found && named && !s.merged:
		return errAmbiguous()
	case found && named:
		return s.replace(schema, row, row, position)
	}
	return s.put(keyedRow{k, row}, position)
}

// replace puts a row in the place of the one with its key. old holds the key
// and the columns that changed.
func (s *rowset) replace(schema *Schema, row, old Row, position *int) error {
	k, err := s.keyOf(schema, row)
	if err != nil {
		return err
	}
	was := k
	if len(s.keyColumns(schema)) == 0 {
		if was, err = s.keyOf(schema, overlay(schema, row, old)); err != nil {
			return err
		}
	}
	at, found := s.find(was)
	switch {
	case !found && s.merged:
		return s.put(keyedRow{k, row}, position)
	case !found:
		return errInconsistent
	case position == nil || *position == at:
		s.rows[at] = keyedRow{k, row}
		return nil
	}
	if *position < 0 || *position >= len(s.rows) {
		return errInconsistent
	}
	s.rows = slices.Delete(s.rows, at, at+1)
	return s.put(keyedRow{k, row}, position)
}

// remove takes a row out: that at the position, where one is named, since rows
// without a key may be there twice.
func (s *rowset) remove(schema *Schema, old Row, position *int) error {
	k, err := s.keyOf(schema, old)
	if err != nil {
		return err
	}
	at, found := s.find(k)
	if position != nil {
		at = *position
		found = at >= 0 && at < len(s.rows) && s.rows[at].key == k
	}
	switch {
	case found:
		s.rows = slices.Delete(s.rows, at, at+1)
	case !s.merged:
		return errInconsistent
	}
	return nil
}

// extend puts text behind the end of a column.
func (s *rowset) extend(schema *Schema, key Row, a *Append) error {
	k, err := s.keyOf(schema, key)
	if err != nil {
		return err
	}
	at, found := s.find(k)
	if !found {
		return errInconsistent
	}
	r := s.rows[at].row
	i, known := r.schema.index[a.Column]
	if !known || i >= len(r.values) {
		return errInconsistent
	}
	before := text(r.values[i])
	if len(before) != a.Offset {
		return errInconsistent
	}
	values := slices.Clone(r.values)      // rows that were handed out stay as they are
	for name, j := range r.schema.index { // what comes beside the key, _seq
		if raw, err := key.find(name); err == nil {
			values[j] = raw
		}
	}
	values[i] = appendString(nil, before+a.Text)
	s.rows[at].row = Row{schema: r.schema, values: values}
	return nil
}

// put places a row that is not there.
func (s *rowset) put(r keyedRow, position *int) error {
	at := len(s.rows)
	switch {
	case position != nil:
		if at = *position; at < 0 || at > len(s.rows) {
			return errInconsistent
		}
		s.sorted = s.sorted && s.fits(r.key, at)
	case s.sorted:
		at, _ = s.find(r.key)
	}
	s.rows = slices.Insert(s.rows, at, r)
	return nil
}

// fits reports whether rows stay sorted with a key at a place.
func (s *rowset) fits(key string, at int) bool {
	return (at == 0 || s.rows[at-1].key <= key) && (at == len(s.rows) || key <= s.rows[at].key)
}

// find returns where the row of a key is, or would be.
func (s *rowset) find(key string) (at int, found bool) {
	if s.sorted {
		return slices.BinarySearchFunc(s.rows, keyedRow{key: key}, compareKeys)
	}
	at = slices.IndexFunc(s.rows, func(r keyedRow) bool { return r.key == key })
	return at, at >= 0
}

// keyColumns returns the columns that tell rows apart; none when that takes
// the whole row.
func (s *rowset) keyColumns(schema *Schema) []string {
	if s.key != nil {
		return s.key
	}
	return schema.key
}

func (s *rowset) keyOf(schema *Schema, row Row) (string, error) {
	columns := s.keyColumns(schema)
	if len(columns) == 0 {
		return string(overlay(schema, row, Row{}).AppendJSON(nil)), nil
	}
	var k []byte
	for _, name := range columns {
		raw, err := row.find(name)
		if err != nil {
			return "", fault.New(fault.InvalidParameter,
				"the query does not select its key column %q; add it", name)
		}
		k = value.AppendKey(k, keyValue(row.schema.kind(name), raw))
	}
	return string(k), nil
}

// keyValue reads a value by the type of its column. What does not fit it, as
// from a newer server, is taken as text.
func keyValue(kind value.Kind, raw json.RawMessage) value.Value {
	if v, err := value.FromJSON(kind, raw); err == nil {
		return v
	}
	return value.NewText(string(raw))
}

// overlay returns the columns of the schema, from old where it has them.
func overlay(schema *Schema, row, old Row) Row {
	r := Row{schema: schema, values: make([]json.RawMessage, len(schema.columns))}
	for i, c := range schema.columns {
		raw, err := old.find(c.Name)
		if err != nil {
			raw, _ = row.find(c.Name) // nil for none
		}
		r.values[i] = raw
	}
	return r
}

// keyNames returns the names of the columns that are marked as primary key.
func keyNames(columns []wire.Column) []string {
	var names []string
	for _, c := range columns {
		if slices.Contains(c.Flags, wire.PrimaryKey) {
			names = append(names, c.Name)
		}
	}
	return names
}

// kind returns the type of a column; value.Null for one that is not known.
func (s *Schema) kind(name string) value.Kind {
	i, ok := s.index[name]
	if !ok {
		return value.Null
	}
	for _, k := range value.Kinds() {
		if k.Name == s.columns[i].DataType {
			return k.Kind
		}
	}
	return value.Null
}
