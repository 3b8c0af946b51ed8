package engine

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// Returned are the rows of a RETURNING clause. They are complete but for _seq
// and _updated of what the statement writes, which are NULL until the commit
// gives them: then Fill sets them.
type Returned struct {
	Rows [][]value.Value
	// Written tells for each row which of Result.Writes.Writes() it is, -1 for
	// one that is not written. It is nil when Seq and Updated are empty.
	Written []int
	// Seq and Updated are the result's columns that show _seq and _updated of
	// written rows.
	Seq, Updated []int
}

// Fill sets what the commit gave: first is the seq of the first write, and the
// others follow it one by one.
func (r *Returned) Fill(first clock.Seq) {
	for i, w := range r.Written {
		if w < 0 {
			continue
		}
		seq := first + clock.Seq(w)
		for _, c := range r.Seq {
			r.Rows[i][c] = value.NewBigInt(int64(seq))
		}
		for _, c := range r.Updated {
			r.Rows[i][c] = value.NewTimestamp(seq.Time())
		}
	}
}

// Open returns the rows as a result's.
func (r *Returned) Open() Rows { return &returnedRows{left: r.Rows} }

// returnedRows gives rows that are in memory.
type returnedRows struct{ left [][]value.Value }

// Next implements Rows.
func (r *returnedRows) Next(ctx context.Context) ([]value.Value, error) {
	if len(r.left) == 0 {
		return nil, io.EOF
	}
	vals := r.left[0]
	r.left = r.left[1:]
	return vals, ctx.Err()
}

// Close implements Rows.
func (r *returnedRows) Close() error {
	r.left = nil
	return nil
}

// changedRow is a row as RETURNING shows it.
type changedRow struct {
	pk      []byte        // of the row that was written, nil for none
	vals    []value.Value // with the system columns; nil for a row that is not shown
	written bool
}

// note keeps a row that the statement writes for RETURNING.
func (w *writer) note(pk []byte, vals []value.Value) error {
	if w.returning == nil {
		return nil
	}
	n := len(w.def().Columns)
	all := make([]value.Value, w.target.width())
	copy(all, vals[:n])
	copy(all[n:], []value.Value{value.NullValue, value.NullValue, value.NewBool(false)})
	w.changes = append(w.changes, &changedRow{pk: pk, vals: all, written: true})
	return w.run.charge(sizeOf(all))
}

// noteStored keeps a row as it was read: one that is deleted, or stays.
func (w *writer) noteStored(old *stored) error {
	if w.returning == nil {
		return nil
	}
	w.changes = append(w.changes, &changedRow{vals: old.vals})
	return w.run.charge(sizeOf(old.vals))
}

// unnote takes a row that the statement wrote and removed again out of what
// RETURNING shows.
func (w *writer) unnote(pk []byte) {
	for _, c := range w.changes {
		if c.written && bytes.Equal(c.pk, pk) {
			c.vals = nil
		}
	}
}

// finish returns the statement's result.
func (w *writer) finish(ctx context.Context) (*Result, error) {
	res := &Result{Rows: noRows{}, Writes: &w.set, Affected: w.count, RowsRead: w.run.rowsRead.Load,
		Resolves: w.rows != nil && w.rows.mode != takenFails}
	if w.returning == nil {
		return res, nil
	}
	if err := w.run.env.Rights.CheckTable(w.def(), w.target.owner, false); err != nil {
		return nil, err
	}
	list, err := w.returningList()
	if err != nil {
		return nil, err
	}
	r := &Returned{}
	if err := w.systemColumns(list, r); err != nil {
		return nil, err
	}
	e, err := w.evaluator(w.name, false, list)
	if err != nil {
		return nil, err
	}
	w.changes = slices.DeleteFunc(w.changes, func(c *changedRow) bool { return c.vals == nil })
	rows := make([][]value.Value, len(w.changes))
	for i, c := range w.changes {
		rows[i] = e.row(c.vals, nil)
	}
	if r.Rows, res.Columns, err = e.run(ctx, rows, false); err != nil {
		return nil, err
	}
	for i, x := range list {
		a, _ := x.(*ast.AliasedExpr) // returningList has left no other
		if c, ok := a.Expr.(*ast.ColName); ok {
			at := w.def().Column(c.Name.Lowered())
			res.Columns[i].Key = at >= 0 && w.def().IsKey(at)
		}
	}
	w.number(r)
	res.Returned, res.Rows = r, r.Open()
	return res, nil
}

// returningList expands stars and refuses aggregates.
func (w *writer) returningList() (ast.SelectExprs, error) {
	var out ast.SelectExprs
	for _, x := range w.returning {
		switch x := x.(type) {
		case *ast.AliasedExpr:
			if err := singleRow("RETURNING", x.Expr); err != nil {
				return nil, err
			}
			out = append(out, x)
		case *ast.StarExpr:
			if q := strings.ToLower(x.TableName.Name.String()); q != "" && q != w.name {
				return nil, fault.New(fault.TableNotFound, "the statement writes no table called %s", q)
			}
			for i := range w.def().Columns {
				out = append(out, &ast.AliasedExpr{Expr: ast.NewColName(w.def().Columns[i].Name)})
			}
		default:
			return nil, refuse("this kind of result column (%T) is not offered", x)
		}
	}
	return out, nil
}

// systemColumns notes the columns that the commit fills in. They have no value
// to compute with before it.
func (w *writer) systemColumns(list ast.SelectExprs, r *Returned) error {
	if w.deletes {
		return nil
	}
	for i, x := range list {
		a, _ := x.(*ast.AliasedExpr) // returningList has left no other
		if c, ok := a.Expr.(*ast.ColName); ok {
			switch c.Name.Lowered() {
			case system.ColSeq:
				r.Seq = append(r.Seq, i)
			case system.ColUpdated:
				r.Updated = append(r.Updated, i)
			}
			continue
		}
		if err := w.noneYet(a.Expr); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) noneYet(e ast.Expr) error {
	depth := 0
	var visit ast.Visit
	visit = func(n ast.SQLNode) (bool, error) {
		switch n := n.(type) {
		case *ast.Subquery:
			depth++
			err := ast.Walk(visit, n.Select)
			depth--
			return false, err
		case *ast.ColName:
			name, q := n.Name.Lowered(), strings.ToLower(n.Qualifier.Name.String())
			own := depth == 0 || q == w.name
			if own && (name == system.ColSeq || name == system.ColUpdated) {
				return false, refuse("%s of a written row is given by the commit; "+
					"in RETURNING it stands alone, not in an expression", name)
			}
		}
		return true, nil
	}
	return ast.Walk(visit, e)
}

// number tells which writes the rows are.
func (w *writer) number(r *Returned) {
	if len(r.Seq) == 0 && len(r.Updated) == 0 {
		return
	}
	at := make(map[string]int)
	for i, x := range w.set.Writes() {
		at[string(x.PK)] = i
	}
	r.Written = slices.Repeat([]int{-1}, len(w.changes))
	for i, c := range w.changes {
		if n, ok := at[string(c.pk)]; ok && c.written {
			r.Written[i] = n
		}
	}
}
