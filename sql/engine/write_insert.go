package engine

import (
	"context"
	"errors"
	"io"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

func (run *execution) insert(ctx context.Context, s *ast.Insert, st *parsed) (*Result, error) {
	switch {
	case s.Ignore != "":
		return nil, refuse("INSERT IGNORE is not offered; use INSERT ... ON CONFLICT DO NOTHING")
	case len(s.Partitions) > 0:
		return nil, refuse("PARTITION is not offered")
	}
	w, err := run.newWriter(s.Table)
	if err != nil {
		return nil, err
	}
	columns, err := w.insertColumns(s.Columns)
	if err != nil {
		return nil, err
	}
	w.returning = st.returning
	g := &gate{run: run}
	if err := g.with(s.With, nil); err != nil {
		return nil, err
	}
	if w.rows, err = w.newUpsert(s, st.conflict); err != nil {
		return nil, err
	}
	switch src := s.Rows.(type) {
	case *ast.AliasedValues:
		err = w.insertValues(ctx, g, columns, src.Values)
	case ast.SelectStatement:
		err = w.insertQuery(ctx, g, columns, src, s.With)
	default:
		err = refuse("this source of rows (%T) is not offered", s.Rows)
	}
	if err == nil {
		err = w.rows.flush(ctx)
	}
	if err != nil {
		return nil, err
	}
	return w.finish(ctx)
}

// insertColumns returns the positions that the rows of an INSERT fill.
func (w *writer) insertColumns(names ast.Columns) ([]int, error) {
	if len(names) == 0 {
		all := make([]int, len(w.def().Columns))
		for i := range all {
			all[i] = i
		}
		return all, nil
	}
	out := make([]int, len(names))
	seen := make(map[int]bool, len(names))
	for i, n := range names {
		c, err := w.writable(n.Lowered())
		if err != nil {
			return nil, err
		}
		if seen[c] {
			w.run.blame(n.Lowered())
			return nil, fault.New(fault.InvalidSQL, "column %s is named twice", n.Lowered())
		}
		seen[c], out[i] = true, c
	}
	return out, nil
}

// insertRow fills in a row and adds it. given holds the values of columns in
// the order of columns; a cell that asks for its default is marked in byDefault.
func (w *writer) insertRow(
	ctx context.Context, columns []int, given []value.Value, byDefault []bool,
) error {
	n := len(w.def().Columns)
	vals := make([]value.Value, n)
	done := make([]bool, n)
	for i, c := range columns {
		if byDefault != nil && byDefault[i] {
			continue
		}
		v, err := w.assign(c, given[i])
		if err != nil {
			return err
		}
		vals[c], done[c] = v, true
	}
	for c := range vals {
		if done[c] {
			continue
		}
		v, err := w.fallback(c)
		if err != nil {
			return err
		}
		vals[c] = v
	}
	if err := w.check(ctx, vals); err != nil {
		return err
	}
	return w.rows.row(ctx, vals)
}

// insertValues inserts literal rows. Cells that have to be computed are asked
// of the library, all in one query.
func (w *writer) insertValues(ctx context.Context, g *gate, columns []int, list ast.Values) error {
	var open []ast.Expr
	for n, tuple := range list {
		if len(tuple) == 0 && len(list) == 1 {
			continue // VALUES (): all defaults
		}
		if len(tuple) != len(columns) {
			w.run.blameRow(n)
			return fault.New(fault.InvalidSQL,
				"row %d has %d values for %d columns", n+1, len(tuple), len(columns))
		}
		for _, e := range tuple {
			if _, _, ok := w.run.constant(e); !ok {
				open = append(open, e)
			}
		}
	}
	computed, err := w.run.compute(ctx, g, open)
	if err != nil {
		return err
	}
	given, byDefault := make([]value.Value, len(columns)), make([]bool, len(columns))
	for n, tuple := range list {
		if len(tuple) == 0 {
			columns = nil
		}
		for i, e := range tuple {
			v, isDefault, ok := w.run.constant(e)
			if !ok {
				v, computed = computed[0], computed[1:]
			} else if v, err = w.given(e, columns[i], v); err != nil {
				return err
			}
			given[i], byDefault[i] = v, isDefault
		}
		if err := w.insertRow(ctx, columns, given, byDefault); err != nil {
			w.run.blameRow(n)
			return err
		}
	}
	return nil
}

// computeChunk is how many expressions stand in one query.
const computeChunk = 256

// compute returns the values of expressions that read no table of their own.
func (run *execution) compute(
	ctx context.Context, g *gate, list []ast.Expr,
) ([]value.Value, error) {
	out := make([]value.Value, 0, len(list))
	for len(list) > 0 {
		n := min(len(list), computeChunk)
		s := &ast.Select{SelectExprs: make(ast.SelectExprs, n)}
		for i, e := range list[:n] {
			s.SelectExprs[i] = &ast.AliasedExpr{Expr: e}
		}
		list = list[n:]
		if err := g.query(s, nil); err != nil {
			return nil, err
		}
		err := run.each(ctx, s, nil, func(vals []value.Value) error {
			out = append(out, vals...)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// each runs a query that has passed the gate and calls f with its rows, whose
// slice is reused.
func (run *execution) each(
	ctx context.Context, s ast.SelectStatement, top *selection, f func([]value.Value) error,
) error {
	var r Rows
	if d := run.direct(top); d != nil {
		r = d
	} else {
		planned, err := run.query(ctx, s, nil)
		if err != nil {
			return err
		}
		planned.raw = true
		r = planned
	}
	defer r.Close()
	for {
		vals, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			return r.Close()
		}
		if err == nil {
			err = f(vals)
		}
		if err != nil {
			return err
		}
	}
}

// insertQuery inserts the rows of a query, all of which are read first.
func (w *writer) insertQuery(
	ctx context.Context, g *gate, columns []int, s ast.SelectStatement, with *ast.With,
) error {
	if err := g.query(s, nil); err != nil {
		return err
	}
	if with != nil {
		return refuse("WITH stands before the SELECT: INSERT INTO t WITH x AS (...) SELECT ...")
	}
	var read [][]value.Value
	err := w.run.each(ctx, s, g.top, func(vals []value.Value) error {
		if len(vals) != len(columns) {
			return fault.New(fault.InvalidSQL, "the query has %d columns for %d", len(vals), len(columns))
		}
		read = append(read, append([]value.Value(nil), vals...))
		return w.run.charge(sizeOf(vals))
	})
	if err != nil {
		return err
	}
	for _, vals := range read {
		if err := w.insertRow(ctx, columns, vals, nil); err != nil {
			return err
		}
	}
	return nil
}

func sizeOf(vals []value.Value) int64 {
	n := 24
	for _, v := range vals {
		n += v.Size()
	}
	return int64(n)
}
