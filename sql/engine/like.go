package engine

import (
	"fmt"
	"unicode/utf8"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"
	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// like is LIKE. The library's own compares with a pattern that has no
// wildcards as it is, escapes and all, and fails on one that ends with an
// escape.
type like struct {
	expression.BinaryExpressionStub
	escape rune
	known  *pattern // of a literal; nil for another
}

var _ gms.CollationCoercible = (*like)(nil)

const (
	usualEscape = '\\'
	noEscape    = rune(-1)
)

// ownLike puts like in the place of the library's. An index is read by what a
// literal pattern begins with.
func ownLike(ctx *gms.Context, e gms.Expression) (gms.Expression, transform.TreeIdentity, error) {
	l, ok := e.(*expression.Like)
	if !ok {
		return e, transform.SameTree, nil
	}
	out := &like{BinaryExpressionStub: l.BinaryExpressionStub, escape: usualEscape}
	if l.Escape != nil {
		v, err := l.Escape.Eval(ctx, nil) // the gate has let pass literals only
		if err != nil {
			return nil, transform.SameTree, err
		}
		if s, ok := v.(string); ok {
			out.escape = escapeOf(s)
		}
	}
	lit, ok := l.RightChild.(*expression.Literal)
	if !ok {
		return out, transform.NewTree, nil
	}
	text, ok := lit.Value().(string)
	if !ok {
		return out, transform.NewTree, nil
	}
	coll, _ := out.CollationCoercibility(ctx)
	if out.known, ok = newPattern(coll, text, out.escape); !ok {
		return out, transform.NewTree, nil
	}
	return out.ranged(ctx), transform.NewTree, nil
}

// escapeOf returns the character that ESCAPE names.
func escapeOf(s string) rune {
	if s == "" {
		return noEscape
	}
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

// ranged is l as comparisons with what its pattern begins with, where texts
// are compared by code points.
func (l *like) ranged(ctx *gms.Context) gms.Expression {
	t := l.LeftChild.Type(ctx)
	text, ok := t.(gms.StringType)
	if _, isLabels := t.(*labels); !ok || isLabels || text.Collation() != collation ||
		l.known.coll != collation {
		return l
	}
	prefix, whole, open := l.known.prefix()
	switch {
	case whole:
		return expression.NewEquals(l.LeftChild, expression.NewLiteral(prefix, longText))
	case prefix == "":
		return l
	}
	var out gms.Expression = expression.NewGreaterThanOrEqual(l.LeftChild,
		expression.NewLiteral(prefix, longText))
	end, bounded := after(prefix)
	if bounded {
		out = expression.NewAnd(out, expression.NewLessThan(l.LeftChild,
			expression.NewLiteral(end, longText)))
	}
	if bounded && open {
		return out
	}
	return expression.NewAnd(out, l)
}

// Type implements gms.Expression.
func (*like) Type(*gms.Context) gms.Type { return types.Boolean }

// String implements gms.Expression.
func (l *like) String() string { return fmt.Sprintf("%s LIKE %s", l.LeftChild, l.RightChild) }

// CollationCoercibility implements gms.CollationCoercible.
func (l *like) CollationCoercibility(ctx *gms.Context) (gms.CollationID, byte) {
	left, force := gms.GetCoercibility(ctx, l.LeftChild)
	right, other := gms.GetCoercibility(ctx, l.RightChild)
	return gms.ResolveCoercibility(left, force, right, other)
}

// WithChildren implements gms.Expression.
func (l *like) WithChildren(_ *gms.Context, children ...gms.Expression) (gms.Expression, error) {
	if len(children) != 2 {
		return nil, gms.ErrInvalidChildrenNumber.New(l, len(children), 2)
	}
	out := *l
	out.LeftChild, out.RightChild = children[0], children[1]
	return &out, nil
}

// Eval implements gms.Expression.
func (l *like) Eval(ctx *gms.Context, r gms.Row) (any, error) {
	left, ok, err := l.text(ctx, l.LeftChild, r)
	if err != nil || !ok {
		return nil, err
	}
	p := l.known
	if p == nil {
		text, ok, err := l.text(ctx, l.RightChild, r)
		if err != nil || !ok {
			return nil, err
		}
		coll, _ := l.CollationCoercibility(ctx)
		if p, ok = newPattern(coll, text, l.escape); !ok {
			return nil, nil // as in MySQL
		}
	}
	return p.match(left), nil
}

// text evaluates e as a text; ok is false for NULL.
func (l *like) text(ctx *gms.Context, e gms.Expression, r gms.Row) (s string, ok bool, err error) {
	v, err := e.Eval(ctx, r)
	if err != nil || v == nil {
		return "", false, err
	}
	if v, err = gms.UnwrapAny(ctx, v); err != nil {
		return "", false, err
	}
	if s, ok := v.(string); ok {
		return s, true, nil
	}
	s, _, err = types.ConvertToCollatedString(ctx, v, e.Type(ctx))
	return s, err == nil, err
}

// escape passes the ESCAPE of a LIKE: nothing, or one literal character.
func (g *gate) escape(e ast.Expr) error {
	switch lit := e.(type) {
	case nil, *ast.NullVal:
		return nil
	case *ast.SQLVal:
		v, ok := g.run.literal(lit)
		if err := g.literal(lit); err != nil {
			return err
		}
		if v.IsNull() && ok || v.Kind() == value.Text && utf8.RuneCountInString(v.Str()) <= 1 {
			return nil
		}
	}
	g.run.blame("ESCAPE")
	return fault.New(fault.InvalidSQL, "ESCAPE takes one character in quotes, or a parameter")
}
