package engine

import (
	"bytes"
	"context"
	"slices"
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// taken is what an INSERT does with a row whose key is taken.
type taken uint8

const (
	takenFails    taken = iota
	takenStays          // ON CONFLICT DO NOTHING
	takenReplaced       // REPLACE
	takenUpdated        // ON DUPLICATE KEY UPDATE: each row in turn, from left to right
	takenOnce           // ON CONFLICT DO UPDATE: a row once, from its stored values
)

// excluded qualifies the columns of the new row behind ON CONFLICT.
const excluded = "excluded"

// upsert does the rows of an INSERT one after another. Rows to update are
// collected, so that one query computes the new values of many; a row is
// updated before it is met again.
type upsert struct {
	w     *writer
	mode  taken
	sets  []assignment
	where int // the query's column that says whether to update, -1 for all
	eval  *evaluator
	open  []clash         // to update
	keys  map[string]bool // of open; for takenOnce, all that were written
	moves bool            // sets may change what later rows clash with
	// What ON CONFLICT names: the unique index target, or the key when keyOnly;
	// neither for any of them.
	target  *ddl.Index
	keyOnly bool
}

// clash is a row that is there, and the one that was to be inserted.
type clash struct {
	old     *stored
	brought []value.Value
	shown   *changedRow // the place in RETURNING, nil without one
}

// newUpsert reads what the statement says about keys that are taken.
func (w *writer) newUpsert(s *ast.Insert, c *conflict) (*upsert, error) {
	u := &upsert{w: w, where: -1, keys: make(map[string]bool)}
	sets, where := ast.AssignmentExprs(s.OnDup), (*ast.Where)(nil)
	brought := &newColumns{w: w, qualifier: newRow}
	switch {
	case c != nil && (s.Action != ast.InsertStr || len(s.OnDup) > 0):
		return nil, fault.New(fault.InvalidSQL, "ON CONFLICT stands behind a plain INSERT")
	case s.Action != ast.InsertStr && len(s.OnDup) > 0:
		return nil, fault.New(fault.InvalidSQL, "REPLACE has no ON DUPLICATE KEY UPDATE")
	case s.Action != ast.InsertStr:
		u.mode = takenReplaced
	case len(s.OnDup) > 0:
		u.mode = takenUpdated
		if err := brought.alias(s); err != nil {
			return nil, err
		}
	case c == nil:
		return u, nil
	default:
		if err := u.setTarget(c); err != nil {
			return nil, err
		}
		if u.mode = takenOnce; c.nothing {
			u.mode = takenStays
		}
		sets, where, brought.qualifier = c.sets, c.where, excluded
	}
	if len(sets) == 0 {
		return u, nil
	}
	return u, u.compile(sets, where, brought)
}

// setTarget finds the primary key or the unique index that ON CONFLICT names.
func (u *upsert) setTarget(c *conflict) error {
	w := u.w
	if c.index != "" {
		return u.setTargetIndex(c.index)
	}
	if c.columns == nil {
		if c.nothing {
			return nil
		}
		return fault.New(fault.InvalidSQL, "ON CONFLICT DO UPDATE needs the columns of the primary key, "+
			"or of a unique index: ON CONFLICT (%s)", strings.Join(w.keyNames(), ", "))
	}
	for _, name := range c.columns {
		if w.def().Column(name) < 0 {
			return w.run.noColumn(name, w.target)
		}
	}
	if u.keyOnly = sameNames(c.columns, w.keyNames()); u.keyOnly {
		return nil
	}
	for i := range w.def().Indexes {
		x := &w.def().Indexes[i]
		if x.Unique && !x.Building && sameNames(c.columns, w.def().IndexColumns(x)) {
			u.target = x
			return nil
		}
	}
	return refuse("ON CONFLICT takes the primary key (%s), not (%s), or the columns of a unique index",
		strings.Join(w.keyNames(), ", "), strings.Join(c.columns, ", "))
}

// setTargetIndex finds what ON CONFLICT ON CONSTRAINT names.
func (u *upsert) setTargetIndex(name string) error {
	def := u.w.def()
	if u.keyOnly = name == ddl.PrimaryIndex; u.keyOnly {
		return nil
	}
	known := []string{ddl.PrimaryIndex}
	for i := range def.Indexes {
		x := &def.Indexes[i]
		if !x.Unique || x.Building {
			continue
		}
		if x.Name == name {
			u.target = x
			return nil
		}
		known = append(known, x.Name)
	}
	return fault.New(fault.NotFound, "table %s has no unique index %s for ON CONFLICT ON CONSTRAINT; "+
		"it has %s", def.FullName(), clip(name), strings.Join(known, ", "))
}

func sameNames(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

func (w *writer) keyNames() []string {
	out := make([]string, len(w.def().PrimaryKey))
	for i, c := range w.def().PrimaryKey {
		out[i] = w.def().Columns[c].Name
	}
	return out
}

// newColumns finds the columns of the row that an INSERT brings in the
// expressions behind it.
type newColumns struct {
	w         *writer
	qualifier string         // VALUES(c) has become a column of it
	as        string         // the name given to the row, "" for none
	renamed   map[string]int // the names given to its columns
}

// alias reads INSERT ... VALUES (...) AS name (column, ...).
func (n *newColumns) alias(s *ast.Insert) error {
	v, ok := s.Rows.(*ast.AliasedValues)
	if !ok || v.As.IsEmpty() {
		return nil
	}
	if n.as = strings.ToLower(v.As.String()); n.as == n.w.name {
		return fault.New(fault.InvalidSQL, "the new row must not be called %s, as the table is", n.as)
	}
	if len(v.Columns) == 0 {
		return nil
	}
	columns, err := n.w.insertColumns(s.Columns)
	if err != nil {
		return err
	}
	if len(v.Columns) != len(columns) {
		return fault.New(fault.InvalidSQL, "%s names %d columns of %d",
			n.as, len(v.Columns), len(columns))
	}
	n.renamed = make(map[string]int, len(columns))
	for i, c := range v.Columns {
		n.renamed[c.Lowered()] = columns[i]
	}
	return nil
}

// mark gives the columns of the new row the names by which the evaluator knows
// them.
func (n *newColumns) mark(node ast.SQLNode) error {
	return ast.Walk(func(x ast.SQLNode) (bool, error) {
		c, ok := x.(*ast.ColName)
		if !ok {
			return true, nil
		}
		name, q := c.Name.Lowered(), strings.ToLower(c.Qualifier.Name.String())
		at, renamed := -1, false
		switch {
		case q == n.qualifier:
			at = n.w.def().Column(name)
		case q != "" && q == n.as || q == "" && n.renamed != nil && n.w.def().Column(name) < 0:
			if at, renamed = n.renamed[name]; !renamed {
				at = -1
			}
			if n.renamed == nil {
				at = n.w.def().Column(name)
			}
			if q == "" && at < 0 {
				return false, nil
			}
		default:
			return false, nil
		}
		if at < 0 {
			return false, n.w.run.noColumn(name, n.w.target)
		}
		c.Qualifier = ast.TableName{}
		c.Name = ast.NewColIdent(n.w.def().Columns[at].Name + newMark)
		return false, nil
	}, node)
}

// compile prepares the assignments and the condition.
func (u *upsert) compile(sets ast.AssignmentExprs, where *ast.Where, brought *newColumns) error {
	for _, a := range sets {
		if err := singleRow("an update of rows that are there", a.Expr); err != nil {
			return err
		}
		if err := brought.mark(a.Expr); err != nil {
			return err
		}
	}
	find := &ast.Select{}
	var err error
	if u.sets, err = u.w.assignments(find, sets, u.mode == takenUpdated); err != nil {
		return err
	}
	if where != nil {
		if err := singleRow("WHERE", where.Expr); err != nil {
			return err
		}
		if err := brought.mark(where.Expr); err != nil {
			return err
		}
		u.where = len(find.SelectExprs)
		find.SelectExprs = append(find.SelectExprs, &ast.AliasedExpr{
			Expr: &ast.IsExpr{Operator: ast.IsTrueStr, Expr: &ast.ParenExpr{Expr: where.Expr}},
		})
	}
	u.moves = u.w.movesUnique(u.sets)
	u.eval, err = u.w.evaluator(u.w.name, true, find.SelectExprs)
	return err
}

// row inserts a row, or does what the statement says when its key is taken, or
// what it has in a unique index.
func (u *upsert) row(ctx context.Context, vals []value.Value) error {
	w := u.w
	pk := w.def().KeyOf(vals)
	if u.mode == takenFails {
		w.count++
		return w.insertNoted(pk, vals)
	}
	if u.moves {
		if err := u.flush(ctx); err != nil {
			return err
		}
	}
	clashes, err := u.conflicts(pk, vals, u.mode == takenReplaced)
	if err != nil {
		return err
	}
	if len(clashes) > 0 && u.keys[string(clashes[0].pk)] {
		if u.mode == takenOnce {
			return fault.New(fault.DuplicateKey, "the statement brings the row with %s twice; "+
				"ON CONFLICT DO UPDATE changes a row once", w.keyText(clashes[0].vals))
		}
		if err := u.flush(ctx); err != nil {
			return err
		}
		if clashes, err = u.conflicts(pk, vals, false); err != nil {
			return err
		}
	}
	switch {
	case u.mode == takenReplaced:
		return u.replace(pk, vals, clashes)
	case len(clashes) == 0:
		if u.mode == takenOnce {
			u.keys[string(pk)] = true
		}
		w.count++
		return w.insertNoted(pk, vals)
	case u.mode == takenStays:
		return nil
	}
	return u.collect(clashes[0], vals)
}

// replace writes a row in the place of those it clashes with.
func (u *upsert) replace(pk []byte, vals []value.Value, clashes []*stored) error {
	w := u.w
	w.count++
	var old *stored
	for _, c := range clashes {
		if bytes.Equal(c.pk, pk) {
			old = c
			continue
		}
		if err := w.remove(c); err != nil {
			return err
		}
		w.unnote(c.pk)
	}
	if old == nil {
		return w.insertNoted(pk, vals)
	}
	if err := w.add(row.Update, pk, vals, old); err != nil {
		return err
	}
	return w.note(pk, vals)
}

// collect keeps a clash until flush.
func (u *upsert) collect(old *stored, brought []value.Value) error {
	u.keys[string(old.pk)] = true
	p := clash{old: old, brought: brought}
	if u.w.returning != nil {
		p.shown = &changedRow{}
		u.w.changes = append(u.w.changes, p.shown)
	}
	u.open = append(u.open, p)
	return u.w.run.charge(sizeOf(old.vals) + sizeOf(brought))
}

// flush updates the collected rows.
func (u *upsert) flush(ctx context.Context) error {
	if len(u.open) == 0 {
		return nil
	}
	rows := make([][]value.Value, len(u.open))
	for i, p := range u.open {
		rows[i] = u.eval.row(p.old.vals, p.brought)
	}
	vals, _, err := u.eval.run(ctx, rows, true)
	if err != nil {
		return err
	}
	for i, p := range u.open {
		if u.where >= 0 && !vals[i][u.where].Bool() {
			continue
		}
		if err := u.update(ctx, p, vals[i]); err != nil {
			return err
		}
	}
	u.open = u.open[:0]
	if u.mode != takenOnce {
		clear(u.keys)
	}
	return nil
}

// update changes one row. ON DUPLICATE KEY UPDATE counts two for it, and
// leaves a row alone that would stay the same.
func (u *upsert) update(ctx context.Context, p clash, vals []value.Value) error {
	w := u.w
	next, err := w.changed(ctx, p.old, u.sets, vals)
	if err != nil {
		return err
	}
	w.count++
	if u.mode == takenUpdated {
		if slices.Equal(next, p.old.vals[:len(next)]) {
			w.count--
			p.show(nil, p.old.vals)
			return nil
		}
		w.count++
	}
	if !w.rekeyed(p.old.vals, next) {
		if u.moves {
			if err := w.claim(p.old.pk, next); err != nil {
				return err
			}
		}
		p.show(p.old.pk, next)
		return w.add(row.Update, p.old.pk, next, p.old)
	}
	if err := w.remove(p.old); err != nil {
		return err
	}
	p.show(w.def().KeyOf(next), next)
	return w.insert(next)
}

// show sets the place of the clash in RETURNING. A nil pk is a row that stays.
func (p clash) show(pk []byte, vals []value.Value) {
	if p.shown == nil {
		return
	}
	n := len(p.old.vals) - len(system.Columns)
	p.shown.pk, p.shown.written = pk, pk != nil
	p.shown.vals = append(slices.Clone(vals[:n]), p.old.vals[n:]...)
	if pk != nil {
		copy(p.shown.vals[n:], []value.Value{value.NullValue, value.NullValue})
	}
}

// present returns the row of a key as it is after what the statement has done
// so far, nil for none. Without whole its values are left out.
func (w *writer) present(pk []byte, whole bool) (*stored, error) {
	rec := row.Record{Schema: w.schema.Version, Codec: w.schema.Codec}
	pending := w.set.Lookup(w.def().ID, w.target.owner, pk)
	switch {
	case pending == nil && !whole:
		found, err := w.target.has(pk)
		if err != nil || !found {
			return nil, err
		}
		return &stored{pk: pk}, nil
	case pending == nil:
		stored, found, err := w.target.get(pk)
		if err != nil || !found {
			return nil, err
		}
		rec = stored
	case pending.Op != row.Insert && pending.Op != row.Update:
		return nil, nil
	default:
		rec.Seq, rec.Payload = pending.Expect, pending.Payload
	}
	return w.stored(pk, rec)
}
