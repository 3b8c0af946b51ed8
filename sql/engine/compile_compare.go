package engine

import (
	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/value"
)

// alike reports whether a and b are compared by value.Compare just as
// the library does: kinds of one family, for which it converts neither side.
func alike(a, b term) bool {
	signed := func(k value.Kind) bool { return k >= value.Int8 && k <= value.Int64 }
	exact := func(k value.Kind) bool { return signed(k) || k == value.Decimal }
	switch {
	case exact(a.kind) && exact(b.kind), a.kind == value.Text && b.kind == value.Text:
		return true
	case a.kind == b.kind:
		return a.kind == value.Bool || a.kind == value.Float64 || a.kind == value.Int64 ||
			a.kind >= value.Date && a.kind <= value.Timestamp
	case a.kind == value.Float64 && signed(b.kind):
		return smallConstant(b)
	case b.kind == value.Float64 && signed(a.kind):
		return smallConstant(a)
	}
	return false
}

// smallConstant reports whether t is a literal that a float holds exactly.
func smallConstant(t term) bool {
	const exactFloat = 1 << 53
	return t.constant && t.value.Int() < exactFloat && t.value.Int() > -exactFloat
}

// comparison compiles =, <>, <, <=, >, >=, <=>, IN and LIKE.
func (c *compiler) comparison(e *ast.ComparisonExpr) (term, bool, error) {
	left, ok := c.simple(e.Left)
	if !ok {
		return term{}, false, nil
	}
	switch e.Operator {
	case ast.InStr, ast.NotInStr:
		return c.in(left, e)
	case ast.LikeStr, ast.NotLikeStr:
		return c.like(left, e)
	}
	right, ok := c.simple(e.Right)
	if left.kind == value.Text || right.kind == value.Text {
		left, right = labelTerm(left), labelTerm(right)
	}
	if !ok || !alike(left, right) {
		return term{}, false, nil
	}
	if e.Operator == ast.NullSafeEqualStr {
		return pair(left, right, func(a, b value.Value) value.Value {
			return value.NewBool(a.IsNull() && b.IsNull() || !a.IsNull() && !b.IsNull() && value.Equal(a, b))
		}), true, nil
	}
	test, ok := tests[e.Operator]
	if !ok {
		return term{}, false, nil
	}
	return pair(left, right, func(a, b value.Value) value.Value {
		if a.IsNull() || b.IsNull() {
			return value.NullValue
		}
		return value.NewBool(test(value.Compare(a, b)))
	}), true, nil
}

var tests = map[string]func(cmp int) bool{
	ast.EqualStr:        func(c int) bool { return c == 0 },
	ast.NotEqualStr:     func(c int) bool { return c != 0 },
	ast.LessThanStr:     func(c int) bool { return c < 0 },
	ast.LessEqualStr:    func(c int) bool { return c <= 0 },
	ast.GreaterThanStr:  func(c int) bool { return c > 0 },
	ast.GreaterEqualStr: func(c int) bool { return c >= 0 },
}

func pair(left, right term, f func(a, b value.Value) value.Value) term {
	return truth(func(row []value.Value) (value.Value, error) {
		a, err := left.eval(row)
		if err != nil {
			return a, err
		}
		b, err := right.eval(row)
		if err != nil {
			return b, err
		}
		return f(a, b), nil
	})
}

// in compiles IN over literals, none of which is NULL.
func (c *compiler) in(left term, e *ast.ComparisonExpr) (term, bool, error) {
	list, ok := e.Right.(ast.ValTuple)
	if !ok {
		return term{}, false, nil
	}
	left = labelTerm(left)
	vals := make([]value.Value, len(list))
	for i, x := range list {
		t, ok := c.simple(x)
		if !ok || !t.constant || !alike(left, t) {
			return term{}, false, nil
		}
		vals[i] = t.value
	}
	found := e.Operator == ast.InStr
	return truth(func(row []value.Value) (value.Value, error) {
		v, err := left.eval(row)
		if err != nil || v.IsNull() {
			return value.NullValue, err
		}
		for _, x := range vals {
			if value.Equal(v, x) {
				return value.NewBool(found), nil
			}
		}
		return value.NewBool(!found), nil
	}), true, nil
}

func (c *compiler) between(e *ast.RangeCond) (term, bool, error) {
	left, ok := c.simple(e.Left)
	left = labelTerm(left)
	low, okLow := c.simple(e.From)
	high, okHigh := c.simple(e.To)
	if !ok || !okLow || !okHigh || !alike(left, low) || !alike(left, high) {
		return term{}, false, nil
	}
	atLeast := pair(left, low, func(a, b value.Value) value.Value { return ordered(b, a) })
	atMost := pair(left, high, ordered)
	negated := e.Operator == ast.NotBetweenStr
	return truth(func(row []value.Value) (value.Value, error) {
		a, err := atLeast.eval(row)
		if err != nil {
			return a, err
		}
		b, err := atMost.eval(row)
		if err != nil {
			return b, err
		}
		switch {
		case !a.IsNull() && !a.Bool(), !b.IsNull() && !b.Bool():
			return value.NewBool(negated), nil
		case a.IsNull() || b.IsNull():
			return value.NullValue, nil
		}
		return value.NewBool(!negated), nil
	}), true, nil
}

// ordered is a <= b.
func ordered(a, b value.Value) value.Value {
	if a.IsNull() || b.IsNull() {
		return value.NullValue
	}
	return value.NewBool(value.Compare(a, b) <= 0)
}
