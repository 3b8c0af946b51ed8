package engine

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// Names of columns of rows that a statement holds in memory. No column of a
// table can be called so.
const (
	newMark = "@new" // ends the names of the columns of the row that an INSERT brings
	ordinal = "row@" // the number of the row
)

// givenMark ends the database name of rows in memory.
const givenMark = "+"

// evaluator computes expressions over rows that the statement has in memory,
// as if they stood in the writer's table. Queries inside of the expressions
// read the stored tables.
type evaluator struct {
	w      *writer
	target *target
	paired bool // a row is two: the stored one, and the one that an INSERT brings
	s      *ast.Select
	top    *selection
}

// evaluator passes a list of expressions through the gate. Columns of the
// table are qualified by as.
func (w *writer) evaluator(as string, paired bool, list ast.SelectExprs) (*evaluator, error) {
	def := *w.def()
	def.Columns, def.PrimaryKey = slices.Clone(def.Columns), nil
	if paired {
		for _, c := range w.def().Columns {
			c.Name, c.NotNull, c.Default = c.Name+newMark, false, nil
			def.Columns = append(def.Columns, c)
		}
	}
	def.Columns = append(def.Columns, ddl.Column{Name: ordinal, Type: ddl.Type{Kind: value.Int64},
		NotNull: true})
	place := &ast.AliasedTableExpr{Expr: ast.TableName{Name: ast.NewTableIdent(string(def.Name))}}
	if as != string(def.Name) {
		place.As = ast.NewTableIdent(as)
	}
	e := &evaluator{w: w, paired: paired, s: &ast.Select{
		From: ast.TableExprs{place},
		SelectExprs: append(slices.Clone(list),
			&ast.AliasedExpr{Expr: &ast.ColName{Name: ast.NewColIdent(ordinal)}}),
	}}
	e.target = &target{run: w.run, def: &def, owner: w.target.owner}
	g := &gate{run: w.run, live: true, given: &source{ns: def.Namespace, target: e.target,
		db: ownedName(string(def.Namespace), w.target.owner) + givenMark, place: place}}
	if err := g.query(e.s, nil); err != nil {
		return nil, err
	}
	e.top = g.top
	return e, nil
}

// row puts the values of a row, and in a pair those of the new row, where the
// evaluator reads them. vals ends with the system columns.
func (e *evaluator) row(vals, brought []value.Value) []value.Value {
	n := len(e.w.def().Columns)
	out := make([]value.Value, 0, e.target.width())
	out = append(out, vals[:n]...)
	if e.paired {
		out = append(out, brought[:n]...)
	}
	out = append(out, value.NullValue)
	return append(out, vals[n:n+len(system.Columns)]...)
}

// run computes the expressions for rows that row has made, in their order.
// raw values are of the kinds that the library computed.
func (e *evaluator) run(ctx context.Context, rows [][]value.Value, raw bool) (
	out [][]value.Value, columns []predicate.Column, err error,
) {
	at := len(e.target.def.Columns) - 1
	for i, r := range rows {
		r[at] = value.NewBigInt(int64(i))
	}
	e.target.given = rows
	from, columns, err := e.open(ctx, raw)
	if err != nil {
		return nil, nil, err
	}
	defer from.Close()
	out = make([][]value.Value, len(rows))
	for range rows {
		vals, err := from.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil, nil, errRowsLost
		}
		if err != nil {
			return nil, nil, err
		}
		n := len(vals) - 1
		i := vals[n].Int()
		if i < 0 || i >= int64(len(out)) || out[i] != nil {
			return nil, nil, errRowsLost
		}
		out[i] = slices.Clone(vals[:n])
		if err := e.w.run.charge(sizeOf(vals)); err != nil {
			return nil, nil, err
		}
	}
	return out, columns[:len(columns)-1], from.Close()
}

var errRowsLost = fault.New(fault.Unsupported,
	"an expression has one value for several rows; aggregates are not offered here")

func (e *evaluator) open(ctx context.Context, raw bool) (Rows, []predicate.Column, error) {
	if d := e.w.run.direct(e.top); d != nil {
		return d, d.columns, nil
	}
	r, err := e.w.run.query(ctx, e.s, e.top)
	if err != nil {
		return nil, nil, err
	}
	r.raw = raw
	return r, r.columns, nil
}

// singleRow refuses what computes one value of several rows. Queries inside of
// the expressions may do so.
func singleRow(clause string, n ast.SQLNode) error {
	return ast.Walk(func(n ast.SQLNode) (bool, error) {
		name := ""
		switch n := n.(type) {
		case *ast.Subquery:
			return false, nil
		case *ast.GroupConcatExpr:
			name = "GROUP_CONCAT"
		case *ast.FuncExpr:
			if n.IsAggregate() || n.Over != nil {
				name = strings.ToUpper(n.Name.Lowered())
			}
		}
		if name != "" {
			return false, refuse("%s is not offered in %s", name, clause)
		}
		return true, nil
	}, n)
}
