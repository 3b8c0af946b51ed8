package engine

import (
	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	ast "github.com/dolthub/vitess/go/vt/sqlparser"
)

// computed returns what stands for an operator in the tree, so that the types
// of columns and unions, which the library settles before ours take the place
// of its operators, are right: a % b is a call of a function of ours, and what
// is computed with the word NULL is a NULL of a number.
func (g *gate) computed(e *ast.BinaryExpr) ast.Expr {
	switch e.Operator {
	case ast.PlusStr, ast.MinusStr, ast.MultStr, ast.DivStr, ast.IntDivStr, ast.ModStr:
	default:
		return e
	}
	for _, side := range []ast.Expr{e.Left, e.Right} {
		if _, interval := side.(*ast.IntervalExpr); interval {
			return e
		}
	}
	switch {
	case g.isNull(e.Left) || g.isNull(e.Right):
		return nullNumber()
	case e.Operator == ast.ModStr:
		return &ast.FuncExpr{Name: ast.NewColIdent(remainder), Exprs: ast.SelectExprs{
			&ast.AliasedExpr{Expr: e.Left}, &ast.AliasedExpr{Expr: e.Right}}}
	}
	return e
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
