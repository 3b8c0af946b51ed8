package engine

import (
	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/kalamdb/kalamdb-go/commons/value"
)

// textual are the functions whose arguments become texts when their result is
// one.
var textual = map[string]bool{
	"concat": true, "concat_ws": true, "coalesce": true, "ifnull": true, "if": true,
}

// shown has dates, times and embeddings become the texts that answers show. The
// library can't make a text of a TIME, gives a DATE a time, and takes the bytes
// of an embedding for a text.
func shown(ctx *gms.Context, e gms.Expression) (gms.Expression, transform.TreeIdentity, error) {
	switch e := e.(type) {
	case *expression.Convert:
	case gms.FunctionExpression:
		if !textual[e.FunctionName()] {
			return e, transform.SameTree, nil
		}
	default:
		return e, transform.SameTree, nil
	}
	if !types.IsTextOnly(e.Type(ctx)) {
		return e, transform.SameTree, nil
	}
	children, changed := e.Children(), false
	out := make([]gms.Expression, len(children))
	for i, c := range children {
		out[i] = c
		t := c.Type(ctx)
		if _, interval := c.(*expression.Interval); interval || t == nil {
			continue
		}
		if types.IsTimespan(t) || types.IsDateType(t) || isVector(t) {
			out[i], changed = &asText{expression.UnaryExpressionStub{Child: c}}, true
		}
	}
	if !changed {
		return e, transform.SameTree, nil
	}
	with, err := e.WithChildren(ctx, out...)
	return with, transform.NewTree, err
}

// asText is a value as the text that answers show.
type asText struct{ expression.UnaryExpressionStub }

var _ gms.CollationCoercible = (*asText)(nil)

// Type implements gms.Expression.
func (*asText) Type(*gms.Context) gms.Type { return longText }

// String implements gms.Expression.
func (a *asText) String() string { return a.Child.String() }

// CollationCoercibility implements gms.CollationCoercible.
func (*asText) CollationCoercibility(*gms.Context) (gms.CollationID, byte) { return collation, 4 }

// WithChildren implements gms.Expression.
func (a *asText) WithChildren(_ *gms.Context, children ...gms.Expression) (gms.Expression, error) {
	if len(children) != 1 {
		return nil, gms.ErrInvalidChildrenNumber.New(a, len(children), 1)
	}
	return &asText{expression.UnaryExpressionStub{Child: children[0]}}, nil
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
	return v.Text(), err
}
