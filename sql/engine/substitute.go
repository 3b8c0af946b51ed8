package engine

import (
	ast "github.com/dolthub/vitess/go/vt/sqlparser"
)

// substitute returns e with the columns that were assigned before replaced by
// what was assigned to them: MySQL's UPDATE works from left to right. Only the
// kinds of expressions that can hold a column outside of a query are looked
// into; columns inside of queries keep their stored value.
func substitute(e ast.Expr, assigned map[string]ast.Expr) ast.Expr {
	if len(assigned) == 0 {
		return e
	}
	sub := func(x ast.Expr) ast.Expr { return substitute(x, assigned) }
	switch e := e.(type) {
	case *ast.ColName:
		if v, ok := assigned[e.Name.Lowered()]; ok {
			if d, is := v.(*ast.Default); !is || d.ColName != "" {
				return &ast.ParenExpr{Expr: v}
			}
		}
	case *ast.ParenExpr:
		return &ast.ParenExpr{Expr: sub(e.Expr)}
	case *ast.BinaryExpr:
		return &ast.BinaryExpr{Left: sub(e.Left), Right: sub(e.Right), Operator: e.Operator}
	case *ast.UnaryExpr:
		return &ast.UnaryExpr{Expr: sub(e.Expr), Operator: e.Operator}
	case *ast.ComparisonExpr:
		c := *e
		c.Left, c.Right = sub(e.Left), sub(e.Right)
		return &c
	case *ast.AndExpr:
		return &ast.AndExpr{Left: sub(e.Left), Right: sub(e.Right)}
	case *ast.OrExpr:
		return &ast.OrExpr{Left: sub(e.Left), Right: sub(e.Right)}
	case *ast.NotExpr:
		return &ast.NotExpr{Expr: sub(e.Expr)}
	case *ast.IsExpr:
		return &ast.IsExpr{Expr: sub(e.Expr), Operator: e.Operator}
	case *ast.ConvertExpr:
		return &ast.ConvertExpr{Expr: sub(e.Expr), Type: e.Type, Name: e.Name}
	case *ast.CaseExpr:
		return substituteCase(e, sub)
	case *ast.FuncExpr:
		c := *e
		c.Exprs = make(ast.SelectExprs, len(e.Exprs))
		for i, x := range e.Exprs {
			c.Exprs[i] = x
			if a, ok := x.(*ast.AliasedExpr); ok {
				c.Exprs[i] = &ast.AliasedExpr{Expr: sub(a.Expr)}
			}
		}
		return &c
	}
	return e
}

func substituteCase(e *ast.CaseExpr, sub func(ast.Expr) ast.Expr) ast.Expr {
	c := &ast.CaseExpr{}
	if e.Expr != nil {
		c.Expr = sub(e.Expr)
	}
	if e.Else != nil {
		c.Else = sub(e.Else)
	}
	for _, w := range e.Whens {
		c.Whens = append(c.Whens, &ast.When{Cond: sub(w.Cond), Val: sub(w.Val)})
	}
	return c
}
