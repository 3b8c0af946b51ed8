package engine

import (
	"context"
	"math"
	"strconv"
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// window compiles ORDER BY and LIMIT. The order of the key, as a SELECT would
// read it, needs no sorting.
func (c *compiler) window(ctx context.Context) (*predicate.Window, error) {
	s := c.stmt
	w := &predicate.Window{}
	var err error
	if w.Limit, err = limitOf(s.Limit.Rowcount); err != nil {
		return nil, err
	}
	if s.Limit.Offset != nil {
		if w.Offset, err = limitOf(s.Limit.Offset); err != nil {
			return nil, err
		}
	}
	key := keyPath(c.src.target.def)
	d := &direct{bounds: c.bounds()}
	if reverse, ok := d.inOrder(c.src, key, s.OrderBy, c.top.sc); ok {
		w.Reverse = reverse
		return w, nil
	}
	terms := make([]orderTerm, 0, len(s.OrderBy))
	for _, o := range s.OrderBy {
		t, err := c.term(ctx, c.ordered(o.Expr))
		if err != nil {
			return nil, err
		}
		if t.constant {
			continue
		}
		if !sortable(t.kind) {
			return nil, onlyAgain("ORDER BY " + t.kind.SQL())
		}
		terms = append(terms, orderTerm{t, strings.EqualFold(o.Direction, ast.DescScr)})
	}
	w.Order = c.run.engine.orderKey(terms)
	return w, nil
}

// limitOf reads a number of LIMIT, which the gate has checked.
func limitOf(e ast.Expr) (int, error) {
	if v, ok := e.(*ast.SQLVal); ok && v.Type == ast.IntVal {
		if n, err := strconv.ParseUint(string(v.Val), 10, 64); err == nil {
			return int(min(n, math.MaxInt32)), nil
		}
	}
	return 0, fault.New(fault.InvalidSQL, "LIMIT and OFFSET take a whole number")
}

// bounds returns what the WHERE says of columns.
func (c *compiler) bounds() bounded {
	if c.stmt.Where == nil {
		return nil
	}
	closed := *c
	closed.closed = true
	var b bounded
	(&direct{}).where(&closed, c.stmt.Where.Expr, &b) // what it can't compile says nothing
	return b
}

// keyBounds returns what b says of the key: the encoded keys from lo to hi may
// match, nil for no bound.
func (c *compiler) keyBounds(b bounded) (lo, hi []byte) {
	sp, _, empty := keyPath(c.src.target.def).span(b.of)
	if empty {
		return []byte{}, []byte{}
	}
	return sp.lo, sp.hi
}

// ordered returns the expression that an item of ORDER BY means: the name of an
// item of the list comes before that of a column.
func (c *compiler) ordered(e ast.Expr) ast.Expr {
	col, ok := e.(*ast.ColName)
	if !ok || !col.Qualifier.IsEmpty() {
		return e
	}
	for _, item := range c.stmt.SelectExprs {
		if a, ok := item.(*ast.AliasedExpr); ok && a.As.EqualString(col.Name.String()) {
			return a.Expr
		}
	}
	return e
}

// sortable reports whether the key encoding orders values of a kind as the
// library does.
func sortable(k value.Kind) bool {
	switch k {
	case value.Bool, value.Text, value.UUID, value.Date, value.DateTime, value.Timestamp,
		value.Decimal:
		return true
	}
	return k >= value.Int8 && k <= value.Float64
}

type orderTerm struct {
	term
	desc bool
}

// orderKey returns a function that appends what rows are ordered by.
func (e *Engine) orderKey(
	terms []orderTerm,
) func(dst []byte, row []value.Value) ([]byte, error) {
	return func(dst []byte, row []value.Value) (out []byte, err error) {
		defer func() {
			if p := recover(); p != nil {
				out, err = nil, e.panicked(p)
			}
		}()
		for _, t := range terms {
			v, err := t.eval(row)
			if err != nil {
				return nil, err
			}
			from := len(dst)
			dst = value.AppendKey(dst, v)
			for i := from; t.desc && i < len(dst); i++ {
				dst[i] = ^dst[i]
			}
		}
		return dst, nil
	}
}
