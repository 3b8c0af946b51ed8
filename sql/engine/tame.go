package engine

import (
	"regexp"
	"strings"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// wild matches texts that read as a number with an exponent of four digits or
// more. The library turns such a text into a decimal and compares it digit by
// digit: '1e999999999' > 1.5 would take minutes and half a gigabyte.
var wild = regexp.MustCompile(`^\s*[+-]?[0-9.]+[eE][+-]?[0-9]{4}`)

func isWild(s string) bool {
	return strings.ContainsAny(s, "eE") && wild.MatchString(s)
}

func errWild(s string) error {
	return fault.New(fault.ValueOutOfRange, "the text %q is no number that fits", clip(s))
}

// numeric are the functions that read texts as decimals.
var numeric = map[string]bool{
	"round": true, "truncate": true, "format": true, "nullif": true, "ceil": true, "ceiling": true,
	"floor": true, "abs": true, "mod": true, "greatest": true, "least": true, "field": true,
	"interval": true, "sign": true, "conv": true, "bin": true, "oct": true, "from_unixtime": true,
}

// tame puts a check between texts and the operators that read them as
// decimals, and replaces operators on whole numbers by exact ones. Literals
// beside such an operator were checked by the gate.
func tame(ctx *gms.Context, n gms.Node) (gms.Node, error) {
	out, _, err := transform.NodeExprsWithOpaque(ctx, n, tameExpr)
	if err != nil {
		return nil, err
	}
	if out, _, err = transform.NodeWithOpaque(ctx, out, settleSet); err != nil {
		return nil, err
	}
	out, _, err = transform.NodeWithOpaque(ctx, out, skipLate)
	return out, err
}

// skipLate has a UNION or the like skip rows after it has sorted them: by
// itself the library skips first.
func skipLate(_ *gms.Context, n gms.Node) (gms.Node, transform.TreeIdentity, error) {
	u, ok := n.(*plan.SetOp)
	if !ok || u.Offset == nil || len(u.SortFields) == 0 {
		return n, transform.SameTree, nil
	}
	bare := *u
	bare.Limit, bare.Offset = nil, nil
	var out gms.Node = plan.NewOffset(u.Offset, &bare)
	if u.Limit != nil {
		out = plan.NewLimit(u.Limit, out)
	}
	return out, transform.NewTree, nil
}

func tameExpr(ctx *gms.Context, e gms.Expression) (gms.Expression, transform.TreeIdentity, error) {
	if sub, ok := e.(*plan.Subquery); ok {
		q, err := tame(ctx, sub.Query)
		if err != nil {
			return nil, transform.SameTree, err
		}
		if q, _, err = veilOuter(ctx, sub.Correlated(), q); err != nil {
			return nil, transform.SameTree, err
		}
		return sub.WithQuery(q), transform.NewTree, nil
	}
	if not, ok := e.(*expression.Not); ok {
		return veilNegated(ctx, not)
	}
	if e, ok := e.(*plan.ExistsSubquery); ok {
		if out := ask(ctx, e); out != gms.Expression(e) {
			return out, transform.NewTree, nil
		}
		return e, transform.SameTree, nil
	}
	same := transform.SameTree
	for _, replace := range []transform.ExprFunc{positioned, numbered, asVectors, shown, ownLike} {
		out, kept, err := replace(ctx, e)
		if err != nil {
			return nil, transform.SameTree, err
		}
		e, same = out, same && kept
	}
	if out, kept := exactOperator(ctx, e); !kept {
		return out, kept, nil
	}
	if !readsDecimals(ctx, e) {
		return e, same, nil
	}
	if in, ok := e.(*plan.InSubquery); ok {
		return tameIn(ctx, in)
	}
	children := e.Children()
	changed, comparer := false, compares(e)
	tamed := make([]gms.Expression, len(children))
	for i, c := range children {
		tamed[i] = c
		if tuple, ok := c.(expression.Tuple); ok {
			inner := make([]gms.Expression, len(tuple))
			for j, x := range tuple {
				inner[j] = check(ctx, x, comparer, &changed)
			}
			tamed[i] = expression.NewTuple(inner...)
			continue
		}
		tamed[i] = check(ctx, c, comparer, &changed)
	}
	if !changed {
		return e, same, nil
	}
	out, err := e.WithChildren(ctx, tamed...)
	return out, transform.NewTree, err
}

// tameIn refuses to compare a number with the texts of a query, into which no
// check can be put.
func tameIn(
	ctx *gms.Context, in *plan.InSubquery,
) (gms.Expression, transform.TreeIdentity, error) {
	left, right := in.LeftChild.Type(ctx), in.RightChild.Type(ctx)
	if sub, ok := in.RightChild.(*plan.Subquery); ok && right == types.Null {
		// NULL when there are rows, else false; the library says false.
		exists := ask(ctx, plan.NewExistsSubquery(sub))
		return expression.NewAnd(exists, expression.NewLiteral(nil, types.Null)), transform.NewTree, nil
	}
	if left == types.Null || right == types.Null || !types.IsText(left) && !types.IsText(right) {
		return in, transform.SameTree, nil
	}
	return nil, transform.SameTree, fault.New(fault.Unsupported,
		"IN compares numbers with the texts of a query; use CAST on one of them")
}

// readsDecimals reports whether an operator may read a text as a decimal: it
// has texts and numbers, or reads numbers only.
func readsDecimals(ctx *gms.Context, e gms.Expression) bool {
	if compares(e) {
		return mixed(ctx, e.Children())
	}
	switch e := e.(type) {
	case *expression.UnaryMinus, *expression.Convert:
		return true
	case gms.FunctionExpression:
		return numeric[e.FunctionName()]
	}
	return false
}

func compares(e gms.Expression) bool {
	switch e.(type) {
	case expression.Comparer, *expression.InTuple, *expression.Between, *plan.InSubquery:
		return true
	}
	return false
}

// mixed reports whether a list has an operand that is no text.
func mixed(ctx *gms.Context, list []gms.Expression) bool {
	for _, c := range list {
		if tuple, ok := c.(expression.Tuple); ok {
			if mixed(ctx, tuple) {
				return true
			}
			continue
		}
		if !types.IsText(c.Type(ctx)) {
			return true
		}
	}
	return false
}

// check puts a check before a text, and before JSON, which is a text if it is not
// compared.
func check(ctx *gms.Context, e gms.Expression, compared bool, changed *bool) gms.Expression {
	if t := e.Type(ctx); !types.IsText(t) && (compared || !types.IsJSON(t)) {
		return e
	}
	if lit, ok := e.(*expression.Literal); ok {
		if s, _ := lit.Value().(string); !isWild(s) {
			return e
		}
	}
	*changed = true
	return &checked{e}
}

// checked is a text that is not wild.
type checked struct{ gms.Expression }

var _ gms.CollationCoercible = (*checked)(nil)

// Eval implements gms.Expression.
func (c *checked) Eval(ctx *gms.Context, r gms.Row) (any, error) {
	v, err := c.Expression.Eval(ctx, r)
	if err != nil {
		return nil, err
	}
	text := v
	if doc, ok := v.(gms.JSONWrapper); ok {
		if text, err = doc.ToInterface(ctx); err != nil {
			return nil, err
		}
	}
	switch s := text.(type) {
	case string:
		if isWild(s) {
			return nil, errWild(s)
		}
	case []byte:
		if isWild(string(s)) {
			return nil, errWild(string(s))
		}
	}
	return v, nil
}

// Children implements gms.Expression.
func (c *checked) Children() []gms.Expression { return []gms.Expression{c.Expression} }

// WithChildren implements gms.Expression.
func (c *checked) WithChildren(_ *gms.Context, children ...gms.Expression) (gms.Expression, error) {
	if len(children) != 1 {
		return nil, gms.ErrInvalidChildrenNumber.New(c, len(children), 1)
	}
	return &checked{children[0]}, nil
}

// CollationCoercibility implements gms.CollationCoercible.
func (c *checked) CollationCoercibility(ctx *gms.Context) (gms.CollationID, byte) {
	return gms.GetCoercibility(ctx, c.Expression)
}
