package engine

import (
	"time"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/shopspring/decimal"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// readsNumbers are the functions that read a date or a time as a number.
var readsNumbers = map[string]bool{
	"abs": true, "ceil": true, "ceiling": true, "floor": true, "mod": true, "round": true,
	"sign": true, "sqrt": true, "truncate": true,
}

// numbered has dates and times become the numbers that MySQL makes of them where
// an operator computes with them: HHMMSS, YYYYMMDD, YYYYMMDDHHMMSS. The library
// takes the first digits of their texts, or a part of them.
func numbered(ctx *gms.Context, e gms.Expression) (gms.Expression, transform.TreeIdentity, error) {
	switch e := e.(type) {
	case *expression.Arithmetic, *expression.Div, *expression.IntDiv, *expression.Mod,
		*expression.UnaryMinus:
		for _, c := range e.Children() {
			if _, interval := c.(*expression.Interval); interval {
				return e, transform.SameTree, nil
			}
		}
	case *expression.Convert:
		if !types.IsNumber(e.Type(ctx)) {
			return e, transform.SameTree, nil
		}
	case gms.Expression:
		f, call := e.(gms.FunctionExpression)
		if !addsUp(e) && !(call && readsNumbers[f.FunctionName()]) {
			return e, transform.SameTree, nil
		}
	}
	return replaceChildren(ctx, e, func(c gms.Expression, t gms.Type) gms.Expression {
		if types.IsTimespan(t) || types.IsDateType(t) || types.IsDatetimeType(t) ||
			types.IsTimestampType(t) {
			return &asNumber{expression.UnaryExpressionStub{Child: c}, t}
		}
		return nil
	})
}

// asNumber is a date or a time as a number.
type asNumber struct {
	expression.UnaryExpressionStub
	of gms.Type
}

var _ gms.CollationCoercible = (*asNumber)(nil)

// stampNumber is the type of a date with a time as a number.
var stampNumber = types.MustCreateDecimalType(20, 6)

// Type implements gms.Expression. It is the one that the library gives to an
// operator on such operands.
func (n *asNumber) Type(*gms.Context) gms.Type {
	switch {
	case types.IsTimespan(n.of):
		return types.Float64
	case n.whole():
		return types.Int64
	}
	return stampNumber
}

// whole reports whether the operand has no fractions of a second.
func (n *asNumber) whole() bool {
	if types.IsDateType(n.of) {
		return true
	}
	t, ok := n.of.(gms.DatetimeType)
	return ok && t.Precision() == 0
}

// String implements gms.Expression.
func (n *asNumber) String() string { return n.Child.String() + " + 0" }

// CollationCoercibility implements gms.CollationCoercible.
func (*asNumber) CollationCoercibility(*gms.Context) (gms.CollationID, byte) {
	return gms.Collation_binary, 5
}

// WithChildren implements gms.Expression.
func (n *asNumber) WithChildren(
	_ *gms.Context, children ...gms.Expression,
) (gms.Expression, error) {
	if len(children) != 1 {
		return nil, gms.ErrInvalidChildrenNumber.New(n, len(children), 1)
	}
	return &asNumber{expression.UnaryExpressionStub{Child: children[0]}, n.of}, nil
}

// Eval implements gms.Expression.
func (n *asNumber) Eval(ctx *gms.Context, r gms.Row) (any, error) {
	v, err := n.Child.Eval(ctx, r)
	if err != nil || v == nil {
		return nil, err
	}
	if _, text := v.(string); text { // as CURDATE gives
		if v, _, err = n.of.Convert(ctx, v); err != nil {
			return nil, err
		}
	}
	switch v := v.(type) {
	case types.Timespan:
		return timeNumber(int64(v)), nil
	case time.Time:
		day := int64(v.Year())*10000 + int64(v.Month())*100 + int64(v.Day())
		if types.IsDateType(n.of) {
			return day, nil
		}
		stamp := day*1000000 + int64(v.Hour())*10000 + int64(v.Minute())*100 + int64(v.Second())
		if n.whole() {
			return stamp, nil
		}
		return decimal.New(stamp, 0).Add(decimal.New(int64(v.Nanosecond()/1000), -6)), nil
	}
	return nil, fault.New(fault.Internal, "a time of type %T is no number", v)
}

// timeNumber writes a time in microseconds as HHMMSS.
func timeNumber(micros int64) float64 {
	sign := int64(1)
	if micros < 0 {
		sign, micros = -1, -micros
	}
	s := micros / 1e6
	whole := s/3600*10000 + s/60%60*100 + s%60
	return float64(sign*(whole*1e6+micros%1e6)) / 1e6
}
