package engine

import (
	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function"
	"github.com/dolthub/go-mysql-server/sql/types"
	ast "github.com/dolthub/vitess/go/vt/sqlparser"
)

// computed returns what stands for an operator in the tree, so that the types
// of columns and unions, which the library settles before ours take the place
// of its operators, are right: a % b is a call of a function of ours, and what
// is computed with the word NULL is a NULL of a number.
func (g *gate) computed(e *ast.BinaryExpr) ast.Expr {
	switch e.Operator {
	case ast.JSONExtractOp:
		return callOf("json_extract", e.Left, e.Right)
	case ast.JSONUnquoteExtractOp:
		return callOf("json_unquote", callOf("json_extract", e.Left, e.Right))
	case ast.PlusStr, ast.MinusStr, ast.MultStr, ast.DivStr, ast.IntDivStr, ast.ModStr:
	default:
		return e
	}
	if shifted := shift(e); shifted != nil {
		return shifted
	}
	switch {
	case g.isNull(e.Left) || g.isNull(e.Right):
		return nullNumber()
	case e.Operator == ast.ModStr:
		return callOf(remainder, e.Left, e.Right)
	}
	return e
}

// shift returns the call of ours that stands for value + INTERVAL or value -
// INTERVAL, nil when e is other.
func shift(e *ast.BinaryExpr) ast.Expr {
	of, by, name := e.Left, e.Right, later
	if _, first := of.(*ast.IntervalExpr); first && e.Operator == ast.PlusStr {
		of, by = by, of
	}
	if _, interval := by.(*ast.IntervalExpr); !interval {
		if _, interval = of.(*ast.IntervalExpr); interval {
			return e // which is refused
		}
		return nil
	}
	if e.Operator == ast.MinusStr {
		name = earlier
	}
	return callOf(name, of, by)
}

func callOf(name string, args ...ast.Expr) *ast.FuncExpr {
	f := &ast.FuncExpr{Name: ast.NewColIdent(name)}
	for _, a := range args {
		f.Exprs = append(f.Exprs, &ast.AliasedExpr{Expr: a})
	}
	return f
}

// negated is computed for an operator before its operand.
func (g *gate) negated(e *ast.UnaryExpr) ast.Expr {
	if (e.Operator == ast.MinusStr || e.Operator == ast.PlusStr) && g.isNull(e.Expr) {
		return nullNumber()
	}
	return e
}

func nullNumber() ast.Expr {
	return &ast.ConvertExpr{Name: "cast", Expr: &ast.NullVal{},
		Type: &ast.ConvertType{Type: expression.ConvertToSigned}}
}

// isNull reports whether e is the word NULL, a parameter that is, or what
// nullNumber has made of one.
func (g *gate) isNull(e ast.Expr) bool {
	switch e := bare(e).(type) {
	case *ast.NullVal:
		return true
	case *ast.SQLVal:
		p, ok := g.run.param(e)
		return ok && p.IsNull()
	case *ast.ConvertExpr:
		_, null := e.Expr.(*ast.NullVal)
		return null && e.Type.Type == expression.ConvertToSigned
	}
	return false
}

// later and earlier are the functions that + INTERVAL and - INTERVAL call. Nobody
// else can.
const (
	later   = "kalam_later"
	earlier = "kalam_earlier"
)

// shifts are + and - with an INTERVAL. A TIME stays one, as in MySQL; the library
// makes a time of today of it.
func shifts() map[string]gms.Function {
	of := func(name string, time func(*gms.Context, ...gms.Expression) (gms.Expression, error),
		other func(l, r gms.Expression) *expression.Arithmetic,
	) gms.Function {
		return gms.FunctionN{Name: name, Fn: func(ctx *gms.Context, args ...gms.Expression) (
			gms.Expression, error,
		) {
			if len(args) != 2 {
				return nil, gms.ErrInvalidArgumentNumber.New(name, 2, len(args))
			}
			if ctx == nil {
				ctx = gms.NewEmptyContext()
			}
			if types.IsTimespan(args[0].Type(ctx)) {
				return time(ctx, args...)
			}
			return other(args[0], args[1]), nil
		}}
	}
	return map[string]gms.Function{
		later:   of(later, function.NewDateAdd, expression.NewPlus),
		earlier: of(earlier, function.NewDateSub, expression.NewMinus),
	}
}

// remainder is the function that % calls.
const remainder = "mod"

// remainders is %, exact for whole numbers.
func remainders() map[string]gms.Function {
	build := func(ctx *gms.Context, l, r gms.Expression) gms.Expression {
		if ctx == nil {
			ctx = gms.NewEmptyContext()
		}
		mod := expression.NewMod(l, r)
		if e, same := exactOperator(ctx, mod); !same {
			return e
		}
		return mod
	}
	return map[string]gms.Function{remainder: gms.Function2{Name: remainder, Fn: build}}
}
