package engine

import (
	"strings"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function/aggregation"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/kalamdb/kalamdb-go/commons/value"
)

// textual are the functions whose arguments become texts when their result is
// one.
var textual = map[string]bool{
	"concat": true, "concat_ws": true, "coalesce": true, "ifnull": true, "if": true,
}

// readsText are the functions that read their arguments as texts.
var readsText = map[string]bool{
	"length": true, "octet_length": true, "char_length": true, "character_length": true,
	"upper": true, "ucase": true, "lower": true, "lcase": true, "replace": true, "reverse": true,
	"substr": true, "substring": true, "mid": true, "left": true, "right": true, "trim": true,
	"ltrim": true, "rtrim": true, "lpad": true, "rpad": true, "instr": true, "locate": true,
	"md5": true, "sha1": true, "sha2": true, "group_concat": true,
}

// shown has dates, times and embeddings become the texts that answers show. The
// library can't make a text of a TIME, gives a DATE a time, and takes the bytes
// of an embedding for a text.
func shown(ctx *gms.Context, e gms.Expression) (gms.Expression, transform.TreeIdentity, error) {
	var subject gms.Expression // of a CASE: it is compared, not shown
	switch e := e.(type) {
	case *expression.Like:
	case *aggregation.JsonArray, *aggregation.JSONObjectAgg:
		return inJSON(ctx, e)
	case *expression.Convert:
		if !types.IsTextOnly(e.Type(ctx)) {
			return e, transform.SameTree, nil
		}
	case *expression.Case:
		if subject = e.Expr; !types.IsTextOnly(e.Type(ctx)) {
			return e, transform.SameTree, nil
		}
	case gms.FunctionExpression:
		name := e.FunctionName()
		switch {
		case strings.HasPrefix(name, "json_"):
			return inJSON(ctx, e)
		case readsText[name], textual[name] && types.IsTextOnly(e.Type(ctx)):
		default:
			return e, transform.SameTree, nil
		}
	default:
		return e, transform.SameTree, nil
	}
	return replaceChildren(ctx, e, func(c gms.Expression, t gms.Type) gms.Expression {
		if c != subject && (types.IsTimespan(t) || types.IsDateType(t) || isVector(t)) {
			return &asText{expression.UnaryExpressionStub{Child: c}, longText}
		}
		return nil
	})
}

// inJSON has embeddings become arrays.
func inJSON(ctx *gms.Context, e gms.Expression) (gms.Expression, transform.TreeIdentity, error) {
	return replaceChildren(ctx, e, func(c gms.Expression, t gms.Type) gms.Expression {
		if isVector(t) {
			return &asText{expression.UnaryExpressionStub{Child: c}, types.JSON}
		}
		return nil
	})
}

// replaceChildren puts what f returns in the place of a child, nil for none.
func replaceChildren(
	ctx *gms.Context, e gms.Expression, f func(c gms.Expression, t gms.Type) gms.Expression,
) (gms.Expression, transform.TreeIdentity, error) {
	children, changed := e.Children(), false
	out := make([]gms.Expression, len(children))
	for i, c := range children {
		out[i] = c
		if _, interval := c.(*expression.Interval); interval {
			continue
		}
		if t := c.Type(ctx); t != nil {
			if by := f(c, t); by != nil {
				out[i], changed = by, true
			}
		}
	}
	if !changed {
		return e, transform.SameTree, nil
	}
	with, err := e.WithChildren(ctx, out...)
	return with, transform.NewTree, err
}

// asText is a value as the text that answers show, or as JSON.
type asText struct {
	expression.UnaryExpressionStub
	typ gms.Type // longText or JSON
}

var _ gms.CollationCoercible = (*asText)(nil)

// Type implements gms.Expression.
func (a *asText) Type(*gms.Context) gms.Type { return a.typ }

// String implements gms.Expression.
func (a *asText) String() string { return a.Child.String() }

// CollationCoercibility implements gms.CollationCoercible.
func (*asText) CollationCoercibility(*gms.Context) (gms.CollationID, byte) { return collation, 4 }

// WithChildren implements gms.Expression.
func (a *asText) WithChildren(_ *gms.Context, children ...gms.Expression) (gms.Expression, error) {
	if len(children) != 1 {
		return nil, gms.ErrInvalidChildrenNumber.New(a, len(children), 1)
	}
	return &asText{expression.UnaryExpressionStub{Child: children[0]}, a.typ}, nil
}

// Eval implements gms.Expression.
func (a *asText) Eval(ctx *gms.Context, r gms.Row) (any, error) {
	x, err := a.Child.Eval(ctx, r)
	if err != nil || x == nil {
		return nil, err
	}
	t := a.Child.Type(ctx)
	k := resultKind(t)
	v, err := fromEngine(ctx, k, x)
	if err == nil && v.Kind() != k {
		v, err = value.Convert(k, v)
	}
	if err == nil && types.IsJSON(a.typ) {
		return types.NewLazyJSONDocument([]byte(v.Text())), nil
	}
	return v.Text(), err
}
