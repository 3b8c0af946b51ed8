package engine

import (
	"context"
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// compiler turns the expressions of a live query into closures over rows of
// values. Operators whose operands are of kinds that compare the same way here
// and in the library are compiled; everything else is the library's own
// expression behind a closure.
type compiler struct {
	run  *execution
	stmt *ast.Select
	src  *source
	top  *selection
	// closed keeps the compiler from asking the library for anything.
	closed bool
	used   []int // positions of the columns that were compiled, some twice
}

// term is a compiled expression. Its kind is that of its values, which may
// also be NULL.
type term struct {
	kind value.Kind
	eval func(row []value.Value) (value.Value, error)
	// constant terms need no row
	constant bool
	value    value.Value
}

func (c *compiler) query(ctx context.Context, text string) (*predicate.Query, error) {
	_, schema, err := c.bind(ctx, c.stmt.SelectExprs, c.stmt.Where)
	if err != nil {
		return nil, err
	}
	q := &predicate.Query{Text: text, Table: c.src.target.def, Columns: c.top.describe(schema)}
	terms := make([]term, 0, len(c.stmt.SelectExprs))
	for i, e := range c.stmt.SelectExprs {
		a, ok := e.(*ast.AliasedExpr)
		if !ok {
			return nil, cannotLive("this kind of result column can't be kept live")
		}
		t, err := c.term(ctx, a.Expr)
		if err != nil {
			return nil, err
		}
		switch _, plain := a.Expr.(*ast.ColName); {
		case t.constant:
			v, err := value.Convert(q.Columns[i].Kind, t.value)
			if err != nil {
				return nil, err
			}
			t = constantTerm(v)
		case !plain:
			q.Columns[i].Kind = t.kind
		}
		terms = append(terms, t)
	}
	match, err := c.matcher(ctx)
	if err != nil {
		return nil, err
	}
	if c.stmt.Where != nil && c.stmt.Limit == nil {
		q.Equal = c.equalities()
	}
	q.Lo, q.Hi = c.keyBounds(c.bounds())
	c.shield(q, terms, match)
	return q, nil
}

// matcher compiles the WHERE.
func (c *compiler) matcher(ctx context.Context) (func([]value.Value) (value.Value, error), error) {
	if c.stmt.Where == nil {
		return func([]value.Value) (value.Value, error) { return value.NewBool(true), nil }, nil
	}
	t, err := c.condition(ctx, c.stmt.Where.Expr)
	return t.eval, err
}

// shield sets the functions of q so that a panic of what they call becomes an
// error.
func (c *compiler) shield(
	q *predicate.Query, terms []term, match func([]value.Value) (value.Value, error),
) {
	e := c.run.engine
	q.Match = func(row []value.Value) (ok bool, err error) {
		defer func() {
			if p := recover(); p != nil {
				ok, err = false, e.panicked(p)
			}
		}()
		v, err := match(row)
		return err == nil && !v.IsNull() && v.Bool(), err
	}
	q.Project = func(dst, row []value.Value) (out []value.Value, err error) {
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
			dst = append(dst, v)
		}
		return dst, nil
	}
}

// term compiles an expression for its value.
func (c *compiler) term(ctx context.Context, e ast.Expr) (term, error) {
	if t, ok := c.simple(e); ok {
		return t, nil
	}
	t, ok, err := c.predicate(ctx, e)
	if ok || err != nil {
		return t, err
	}
	return c.foreign(ctx, e, false)
}

// condition compiles an expression for its truth: a Bool or NULL.
func (c *compiler) condition(ctx context.Context, e ast.Expr) (term, error) {
	t, ok, err := c.predicate(ctx, e)
	if ok || err != nil {
		return t, err
	}
	if t, ok := c.simple(e); ok && t.kind == value.Bool {
		return t, nil
	}
	return c.foreign(ctx, e, true)
}

// simple compiles columns and literals.
func (c *compiler) simple(e ast.Expr) (term, bool) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return c.simple(e.Expr)
	case *ast.ColName:
		return c.column(e)
	}
	if v, isDefault, ok := c.run.constant(e); ok && !isDefault && !v.IsNull() {
		if _, call := e.(*ast.FuncExpr); !call {
			return constantTerm(v), true
		}
	}
	return term{}, false
}

func constantTerm(v value.Value) term {
	return term{kind: v.Kind(), constant: true, value: v,
		eval: func([]value.Value) (value.Value, error) { return v, nil }}
}

func (c *compiler) column(e *ast.ColName) (term, bool) {
	def := c.src.target.def
	if q := strings.ToLower(e.Qualifier.Name.String()); q != "" && q != c.src.name {
		return term{}, false
	}
	name := e.Name.Lowered()
	i, kind := def.Column(name), value.Kind(0)
	if i >= 0 {
		kind = def.Columns[i].Type.Kind
	} else {
		for j, s := range system.Columns {
			if s == name {
				i, kind = len(def.Columns)+j, systemKinds[j]
			}
		}
	}
	if i < 0 {
		return term{}, false
	}
	c.used = append(c.used, i)
	return term{kind: kind, eval: func(row []value.Value) (value.Value, error) {
		if i >= len(row) {
			return value.Value{}, fault.New(fault.Internal, "a row has no column %d", i)
		}
		return row[i], nil
	}}, true
}

// systemKinds are the kinds of system.Columns.
var systemKinds = [...]value.Kind{value.Int64, value.Timestamp, value.Bool}

// predicate compiles the operators whose result is a truth value. ok is false
// for what has to be asked of the library.
func (c *compiler) predicate(ctx context.Context, e ast.Expr) (t term, ok bool, err error) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return c.predicate(ctx, e.Expr)
	case *ast.AndExpr:
		return c.logic(ctx, e.Left, e.Right, false)
	case *ast.OrExpr:
		return c.logic(ctx, e.Left, e.Right, true)
	case *ast.NotExpr:
		inner, err := c.condition(ctx, e.Expr)
		return truth(func(row []value.Value) (value.Value, error) {
			return not(inner.eval(row))
		}), true, err
	case *ast.ComparisonExpr:
		return c.comparison(e)
	case *ast.RangeCond:
		return c.between(e)
	case *ast.IsExpr:
		return c.is(ctx, e)
	}
	return t, false, nil
}

func truth(f func(row []value.Value) (value.Value, error)) term {
	return term{kind: value.Bool, eval: f}
}

func not(v value.Value, err error) (value.Value, error) {
	if err != nil || v.IsNull() {
		return v, err
	}
	return value.NewBool(!v.Bool()), nil
}

// logic compiles AND and OR: decisive is the value of one side that decides.
func (c *compiler) logic(
	ctx context.Context, left, right ast.Expr, decisive bool,
) (term, bool, error) {
	l, err := c.condition(ctx, left)
	if err != nil {
		return term{}, false, err
	}
	r, err := c.condition(ctx, right)
	if err != nil {
		return term{}, false, err
	}
	return truth(func(row []value.Value) (value.Value, error) {
		a, err := l.eval(row)
		if err != nil || !a.IsNull() && a.Bool() == decisive {
			return a, err
		}
		b, err := r.eval(row)
		if err != nil || !b.IsNull() && b.Bool() == decisive {
			return b, err
		}
		if a.IsNull() || b.IsNull() {
			return value.NullValue, nil
		}
		return value.NewBool(!decisive), nil
	}), true, nil
}

func (c *compiler) is(ctx context.Context, e *ast.IsExpr) (term, bool, error) {
	switch e.Operator {
	case ast.IsNullStr, ast.IsNotNullStr:
		inner, err := c.term(ctx, e.Expr)
		want := e.Operator == ast.IsNullStr
		return truth(func(row []value.Value) (value.Value, error) {
			v, err := inner.eval(row)
			return value.NewBool(v.IsNull() == want), err
		}), true, err
	case ast.IsTrueStr, ast.IsFalseStr, ast.IsNotTrueStr, ast.IsNotFalseStr:
		inner, err := c.condition(ctx, e.Expr)
		truthOf := strings.HasSuffix(e.Operator, "true")
		negated := strings.Contains(e.Operator, "not")
		return truth(func(row []value.Value) (value.Value, error) {
			v, err := inner.eval(row)
			is := !v.IsNull() && v.Bool() == truthOf
			return value.NewBool(is != negated), err
		}), true, err
	}
	return term{}, false, nil
}
