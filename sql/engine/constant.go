package engine

import (
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// constant returns the value of an expression that needs no planning: a
// literal, a parameter, or a call of a function of ours. isDefault reports the
// keyword DEFAULT.
func (run *execution) constant(e ast.Expr) (v value.Value, isDefault, ok bool) {
	switch e := e.(type) {
	case *ast.NullVal:
		return value.NullValue, false, true
	case ast.BoolVal:
		return value.NewBool(bool(e)), false, true
	case *ast.Default:
		return v, true, e.ColName == ""
	case *ast.ParenExpr:
		return run.constant(e.Expr)
	case *ast.SQLVal:
		v, ok = run.literal(e)
		return v, false, ok
	case *ast.UnaryExpr:
		n, is := e.Expr.(*ast.SQLVal)
		if !is || e.Operator != ast.MinusStr || n.Type != ast.IntVal && n.Type != ast.FloatVal {
			return v, false, false
		}
		v, ok = number("-" + string(n.Val))
		return v, false, ok
	case *ast.FuncExpr:
		f := ddl.Func(strings.ToUpper(e.Name.Lowered()))
		if len(e.Exprs) > 0 || f == ddl.FuncNow || !e.Qualifier.IsEmpty() || e.Over != nil {
			return v, false, false
		}
		v, err := run.env.generate(f)
		return v, false, err == nil
	}
	return v, false, false
}

func (run *execution) literal(e *ast.SQLVal) (value.Value, bool) {
	switch e.Type {
	case ast.StrVal:
		return value.NewText(string(e.Val)), true
	case ast.IntVal, ast.FloatVal:
		return number(string(e.Val))
	case ast.ValArg:
		return run.param(e)
	}
	return value.Value{}, false
}

// number reads a literal: an integer, a decimal, or a float with an exponent.
func number(s string) (value.Value, bool) {
	for _, k := range []value.Kind{value.Int64, value.Uint64} {
		if v, err := value.Parse(k, s); err == nil {
			return v, true
		}
	}
	k := value.Decimal
	if strings.ContainsAny(s, "eE") {
		k = value.Float64
	}
	v, err := value.Parse(k, s)
	return v, err == nil
}
