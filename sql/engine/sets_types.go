package engine

import (
	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"
)

// settleSet has the columns of a UNION or the like that are numbers on both sides
// and DOUBLE or FLOAT on one of them be DOUBLE, as in MySQL. The library makes
// texts or decimals of them.
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
		l, r := ls[i].Type, rs[i].Type
		if !types.IsNumber(l) || !types.IsNumber(r) || !types.IsFloat(l) && !types.IsFloat(r) {
			continue
		}
		les[i], res[i] = asDouble(les[i], l), asDouble(res[i], r)
		same = false
	}
	if same {
		return n, transform.SameTree, nil
	}
	out, err := u.WithChildren(ctx,
		plan.NewProject(les, left.Child), plan.NewProject(res, right.Child))
	return out, transform.NewTree, err
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

// fieldOf returns the column in [CAST](column) [AS name], nil when e is other.
func fieldOf(e gms.Expression) *expression.GetField {
	if a, ok := e.(*expression.Alias); ok {
		e = a.Child
	}
	if c, ok := e.(*expression.Convert); ok {
		e = c.Child
	}
	f, _ := e.(*expression.GetField)
	return f
}

// asDouble returns the column of e, which is of type t, as a DOUBLE.
func asDouble(e gms.Expression, t gms.Type) gms.Expression {
	f := fieldOf(e)
	typed := expression.NewGetFieldWithTable(int(f.Id()), int(f.TableId()), t, f.Database(),
		f.Table(), f.Name(), true)
	return expression.NewAlias(f.Name(), expression.NewConvert(typed, expression.ConvertToDouble))
}
