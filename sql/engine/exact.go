package engine

import (
	"fmt"
	"math/big"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"
	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// exactOperator replaces the library's operators on whole numbers: its +, - and *
// wrap around at the limits of BIGINT without a word, and its % gives a
// decimal of a precision that a column of the result may not have.
func exactOperator(ctx *gms.Context, e gms.Expression) (gms.Expression, transform.TreeIdentity) {
	switch e := e.(type) {
	case *expression.Arithmetic:
		if wholes(ctx, e.LeftChild, e.RightChild) {
			t := e.Type(ctx)
			if !types.IsInteger(t) { // beside NULL
				t = types.Int64
			}
			return &integer{e.BinaryExpressionStub, e.Op, t}, transform.NewTree
		}
	case *expression.Mod:
		if wholes(ctx, e.LeftChild, e.RightChild) {
			t := gms.Type(types.Int64)
			if types.IsUnsigned(e.LeftChild.Type(ctx)) {
				t = types.Uint64
			}
			return &integer{e.BinaryExpressionStub, ast.ModStr, t}, transform.NewTree
		}
	}
	return e, transform.SameTree
}

// wholes reports whether two operands are of integer types, or one of them and
// NULL.
func wholes(ctx *gms.Context, l, r gms.Expression) bool {
	switch {
	case whole(ctx, l):
		return whole(ctx, r) || isNull(ctx, r)
	case whole(ctx, r):
		return isNull(ctx, l)
	}
	return false
}

func isNull(ctx *gms.Context, e gms.Expression) bool {
	_, interval := e.(*expression.Interval)
	return !interval && e.Type(ctx) == types.Null
}

// whole reports whether e is of an integer type. INTERVAL has no type.
func whole(ctx *gms.Context, e gms.Expression) bool {
	_, interval := e.(*expression.Interval)
	return !interval && types.IsInteger(e.Type(ctx))
}

// integer is an operator on whole numbers with a whole number as its result.
type integer struct {
	expression.BinaryExpressionStub
	op  string
	typ gms.Type // Int64 or Uint64
}

var _ gms.CollationCoercible = (*integer)(nil)

// Type implements gms.Expression.
func (i *integer) Type(*gms.Context) gms.Type { return i.typ }

// IsNullable implements gms.Expression.
func (i *integer) IsNullable(ctx *gms.Context) bool {
	return i.op == ast.ModStr || i.BinaryExpressionStub.IsNullable(ctx)
}

// String implements gms.Expression.
func (i *integer) String() string {
	return fmt.Sprintf("(%s %s %s)", i.LeftChild, i.op, i.RightChild)
}

// CollationCoercibility implements gms.CollationCoercible.
func (i *integer) CollationCoercibility(*gms.Context) (gms.CollationID, byte) {
	return gms.Collation_binary, 5
}

// WithChildren implements gms.Expression.
func (i *integer) WithChildren(
	_ *gms.Context, children ...gms.Expression,
) (gms.Expression, error) {
	if len(children) != 2 {
		return nil, gms.ErrInvalidChildrenNumber.New(i, len(children), 2)
	}
	out := *i
	out.LeftChild, out.RightChild = children[0], children[1]
	return &out, nil
}

// Eval implements gms.Expression.
func (i *integer) Eval(ctx *gms.Context, row gms.Row) (any, error) {
	l, err := i.LeftChild.Eval(ctx, row)
	if err != nil || l == nil {
		return nil, err
	}
	r, err := i.RightChild.Eval(ctx, row)
	if err != nil || r == nil {
		return nil, err
	}
	a, err := wholeNumber(ctx, l)
	if err != nil {
		return nil, err
	}
	b, err := wholeNumber(ctx, r)
	if err != nil {
		return nil, err
	}
	var n big.Int
	switch i.op {
	case ast.PlusStr:
		n.Add(a, b)
	case ast.MinusStr:
		n.Sub(a, b)
	case ast.MultStr:
		n.Mul(a, b)
	default:
		if b.Sign() == 0 {
			return nil, nil
		}
		n.Rem(a, b)
	}
	switch {
	case i.typ == types.Uint64 && n.IsUint64():
		return n.Uint64(), nil
	case i.typ != types.Uint64 && n.IsInt64():
		return n.Int64(), nil
	}
	return nil, fault.New(fault.ValueOutOfRange, "%s %s %s is out of range for BIGINT; "+
		"use DECIMAL", a, i.op, b)
}

// wholeNumber returns an integer of the library as one without limits.
func wholeNumber(ctx *gms.Context, v any) (*big.Int, error) {
	switch n := v.(type) {
	case int64:
		return big.NewInt(n), nil
	case uint64:
		return new(big.Int).SetUint64(n), nil
	}
	n, _, err := types.Int64.Convert(ctx, v)
	if err != nil {
		return nil, err
	}
	whole, ok := n.(int64)
	if !ok {
		return nil, fault.New(fault.TypeMismatch, "%v is no whole number", v)
	}
	return big.NewInt(whole), nil
}
