package engine

import (
	"context"
	"slices"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// assignment is one `column = value` of an UPDATE. The value is a constant, a
// default, or the column of the query that finds the rows.
type assignment struct {
	column    int
	constant  value.Value
	isDefault bool
	computed  int // position in the query's rows, -1 for none
}

func (run *execution) update(ctx context.Context, s *ast.Update, st *parsed) (*Result, error) {
	if s.Ignore != "" {
		return nil, refuse("UPDATE IGNORE is not offered")
	}
	target, err := assigned(s.Exprs, len(namedTables(s.TableExprs, nil)))
	if err != nil {
		return nil, err
	}
	w, err := run.newChanger("UPDATE", target, s.TableExprs, st)
	if err != nil {
		return nil, err
	}
	if w.joined && (len(s.OrderBy) > 0 || s.Limit != nil) {
		return nil, refuse("ORDER BY and LIMIT are not offered in an UPDATE that joins tables")
	}
	find := &ast.Select{From: s.TableExprs, With: s.With,
		Where: s.Where, OrderBy: s.OrderBy, Limit: s.Limit}
	w.selectKey(find)
	sets, err := w.assignments(find, s.Exprs, !w.joined)
	if err != nil {
		return nil, err
	}
	var moved [][]value.Value
	err = w.find(ctx, find, func(old *stored, vals []value.Value) error {
		next, err := w.changed(ctx, old, sets, vals)
		if err != nil {
			return err
		}
		if !w.rekeyed(old.vals, next) {
			if err := w.note(old.pk, next); err != nil {
				return err
			}
			return w.add(row.Update, old.pk, next, old)
		}
		if err := w.note(w.def().KeyOf(next), next); err != nil {
			return err
		}
		moved = append(moved, next)
		return w.remove(old)
	})
	if err != nil {
		return nil, err
	}
	for _, vals := range moved { // when all old keys are free
		if err := w.insert(vals); err != nil {
			return nil, err
		}
	}
	if len(w.def().Indexes) > 0 && w.movesUnique(sets) {
		if err := w.verify(); err != nil {
			return nil, err
		}
	}
	return w.finish(ctx)
}

func (run *execution) delete(ctx context.Context, s *ast.Delete, st *parsed) (*Result, error) {
	if len(s.Partitions) > 0 {
		return nil, refuse("PARTITION is not offered")
	}
	target, err := deleted(s.Targets)
	if err != nil {
		return nil, err
	}
	w, err := run.newChanger("DELETE", target, s.TableExprs, st)
	if err != nil {
		return nil, err
	}
	w.deletes = true
	find := &ast.Select{From: s.TableExprs, With: s.With,
		Where: s.Where, OrderBy: s.OrderBy, Limit: s.Limit}
	w.selectKey(find)
	err = w.find(ctx, find, func(old *stored, _ []value.Value) error {
		if err := w.noteStored(old); err != nil {
			return err
		}
		return w.remove(old)
	})
	if err != nil {
		return nil, err
	}
	return w.finish(ctx)
}

// selectKey makes a query return the key of the rows it finds.
func (w *writer) selectKey(s *ast.Select) {
	q := ast.TableName{Name: ast.NewTableIdent(w.name)}
	for _, c := range w.def().PrimaryKey {
		s.SelectExprs = append(s.SelectExprs, &ast.AliasedExpr{Expr: &ast.ColName{
			Name: ast.NewColIdent(w.def().Columns[c].Name), Qualifier: q,
		}})
	}
}

// find calls f with the rows that a query finds, as they are stored, and with
// the query's own values. All keys are read before the first call.
func (w *writer) find(
	ctx context.Context, s *ast.Select, f func(old *stored, vals []value.Value) error,
) error {
	g := &gate{run: w.run, live: true}
	if err := g.query(s, nil); err != nil {
		return err
	}
	var found [][]value.Value
	err := w.run.each(ctx, s, g.top, func(vals []value.Value) error {
		found = append(found, append([]value.Value(nil), vals...))
		return w.run.charge(sizeOf(vals))
	})
	if err != nil {
		return err
	}
	seen := make(map[string]bool)
	for chunk := range slices.Chunk(found, loadRows) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := w.findChunk(chunk, seen, f); err != nil {
			return err
		}
	}
	return nil
}

// loadRows is how many rows are read at once.
const loadRows = 256

func (w *writer) findChunk(
	found [][]value.Value, seen map[string]bool, f func(old *stored, vals []value.Value) error,
) error {
	var pks [][]byte
	var of [][]value.Value
	for _, vals := range found {
		pk, err := w.key(vals)
		if err != nil {
			return err
		}
		if !w.again(vals, pk, seen) {
			pks, of = append(pks, pk), append(of, vals)
		}
	}
	next := 0
	return w.load(pks, func(old *stored) error {
		if err := f(old, of[next]); err != nil {
			return err
		}
		next++
		w.count++
		return nil
	})
}

// key encodes the primary key that a row of the query begins with.
func (w *writer) key(vals []value.Value) (pk []byte, err error) {
	for i, c := range w.def().PrimaryKey {
		v, err := value.Convert(w.def().Columns[c].Type.Kind, vals[i])
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "key column %s", w.def().Columns[c].Name)
		}
		pk = value.AppendKey(pk, v)
	}
	return pk, nil
}

// assignments reads the SET clause. Values that have to be computed become
// columns of the query. In turn means that they see what stands to the left of
// them, as in MySQL; else all see the row as it was.
func (w *writer) assignments(
	find *ast.Select, list ast.AssignmentExprs, inTurn bool,
) ([]assignment, error) {
	out := make([]assignment, len(list))
	earlier := make(map[string]ast.Expr, len(list))
	for i, a := range list {
		name := a.Name.Name.Lowered()
		c, err := w.writable(name)
		if err != nil {
			return nil, err
		}
		if _, twice := earlier[name]; twice {
			w.run.blame(name)
			return nil, fault.New(fault.InvalidSQL, "column %s is assigned twice", name)
		}
		out[i] = assignment{column: c, computed: -1}
		var ok bool
		if out[i].constant, out[i].isDefault, ok = w.run.constant(a.Expr); !ok {
			e := a.Expr
			if inTurn {
				e = substitute(e, earlier)
			}
			out[i].computed = len(find.SelectExprs)
			find.SelectExprs = append(find.SelectExprs, &ast.AliasedExpr{Expr: e})
			a.Expr = e
		} else if out[i].constant, err = w.given(a.Expr, c, out[i].constant); err != nil {
			return nil, err
		}
		earlier[name] = a.Expr
	}
	return out, nil
}

// changed returns a row's values after the assignments.
func (w *writer) changed(
	ctx context.Context, old *stored, sets []assignment, vals []value.Value,
) ([]value.Value, error) {
	next := append([]value.Value(nil), old.vals[:len(w.def().Columns)]...)
	for _, a := range sets {
		v := a.constant
		if a.computed >= 0 {
			v = vals[a.computed]
		}
		var err error
		if a.isDefault {
			v, err = w.fallback(a.column)
		} else {
			v, err = w.assign(a.column, v)
		}
		if err != nil {
			return nil, err
		}
		next[a.column] = v
	}
	return next, w.check(ctx, next)
}

func (w *writer) rekeyed(old, next []value.Value) bool {
	for _, c := range w.def().PrimaryKey {
		if old[c] != next[c] {
			return true
		}
	}
	return false
}
