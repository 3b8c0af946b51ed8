package engine

import (
	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"
)

// settleSet gives the columns of a UNION or the like the types of MySQL, where the
// library makes texts or decimals of them, or bounds them to BIGINT.
func settleSet(ctx *gms.Context, n gms.Node) (gms.Node, transform.TreeIdentity, error) {
	u, ok := n.(*plan.SetOp)
	if !ok {
		return n, transform.SameTree, nil
	}
	left, right := converted(ctx, u.Left()), converted(ctx, u.Right())
	if left == nil || right == nil || len(left.Projections) != len(right.Projections) {
		return n, transform.SameTree, nil
	}
	ls, rs := left.Child.Schema(ctx), right.Child.Schema(ctx)
	same := true
	les := append([]gms.Expression(nil), left.Projections...)
	res := append([]gms.Expression(nil), right.Projections...)
	for i := range les {
		to := setType(ls[i].Type, rs[i].Type)
		if to == nil || bareField(les[i]) && bareField(res[i]) {
			continue
		}
		les[i], res[i] = columnAs(les[i], ls[i].Type, to), columnAs(res[i], rs[i].Type, to)
		same = false
	}
	if same {
		return n, transform.SameTree, nil
	}
	out, err := u.WithChildren(ctx,
		plan.NewProject(les, left.Child), plan.NewProject(res, right.Child))
	return out, transform.NewTree, err
}

// bothSigns is the type of a BIGINT UNSIGNED and a whole number with a sign: that of
// a CAST to DECIMAL.
var bothSigns = types.InternalDecimalType

// setType returns the type of a column of a UNION or the like whose sides are of
// the types l and r, nil where it is the library's or there is nothing to convert.
func setType(l, r gms.Type) gms.Type {
	switch {
	case l.Equals(r): // which the library did not know of the sides of another one
		return kept(l)
	case l == types.Null:
		return kept(r)
	case r == types.Null:
		return kept(l)
	case types.IsNumber(l) && types.IsNumber(r):
		return setNumber(l, r)
	case types.IsTime(l) && types.IsTime(r):
		return types.DatetimeMaxPrecision
	}
	return nil
}

// kept returns the type of a column that is NULL on the other side.
func kept(t gms.Type) gms.Type {
	if types.IsText(t) || types.IsEnum(t) {
		return nil
	}
	return t
}

func setNumber(l, r gms.Type) gms.Type {
	switch {
	case types.IsFloat(l) || types.IsFloat(r):
		return types.Float64
	case l == types.Uint64 && types.IsSigned(r), types.IsSigned(l) && r == types.Uint64,
		l.Equals(bothSigns) && types.IsInteger(r), types.IsInteger(l) && r.Equals(bothSigns):
		return bothSigns
	}
	return nil
}

func bareField(e gms.Expression) bool {
	_, ok := e.(*expression.GetField)
	return ok
}

// converted returns the projection by which the library converts a side of a set
// operation, nil when it does not: it names the columns of a whole SELECT as they
// are named there.
func converted(ctx *gms.Context, n gms.Node) *plan.Project {
	p, ok := n.(*plan.Project)
	if !ok || !isQuery(p.Child) {
		return nil
	}
	schema := p.Child.Schema(ctx)
	if len(schema) != len(p.Projections) {
		return nil
	}
	for i, e := range p.Projections {
		f := fieldOf(e)
		if f == nil || f.Name() != schema[i].Name {
			return nil
		}
	}
	return p
}

// isQuery reports whether n is the plan of a whole SELECT.
func isQuery(n gms.Node) bool {
	switch n := n.(type) {
	case *plan.Project, *plan.SetOp:
		return true
	case *plan.Distinct:
		return isQuery(n.Child)
	case *plan.Sort:
		return isQuery(n.Child)
	case *plan.Limit:
		return isQuery(n.Child)
	case *plan.Offset:
		return isQuery(n.Child)
	}
	return false
}

// fieldOf returns the column in [CAST](column) [AS name], nil when e is other. What
// tameExpr has put between them is passed.
func fieldOf(e gms.Expression) *expression.GetField {
	for {
		switch x := e.(type) {
		case *expression.GetField:
			return x
		case *expression.Alias:
			e = x.Child
		case *expression.Convert:
			e = x.Child
		case *asText:
			e = x.Child
		case *checked:
			e = x.Expression
		default:
			return nil
		}
	}
}

// columnAs returns the column of e, which is of type t, as one of another type.
func columnAs(e gms.Expression, t, to gms.Type) gms.Expression {
	f := fieldOf(e)
	typed := gms.Expression(expression.NewGetFieldWithTable(int(f.Id()), int(f.TableId()), t,
		f.Database(), f.Table(), f.Name(), true))
	switch {
	case t.Equals(to):
	case t == types.Null:
		typed = expression.NewLiteral(nil, to)
	case to == types.Float64:
		typed = expression.NewConvert(typed, expression.ConvertToDouble)
	case to == types.DatetimeMaxPrecision:
		typed = expression.NewConvertWithLengthAndScale(typed, expression.ConvertToDatetime, 6, 0)
	default:
		typed = expression.NewConvert(typed, expression.ConvertToDecimal)
	}
	return expression.NewAlias(f.Name(), typed)
}
