package engine

import (
	"context"
	"strings"
	"sync"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function/aggregation"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// labels is the library's type for an ENUM. Its values are the labels, as text,
// so that functions, LIKE and comparisons with texts see what everyone sees;
// only among themselves they compare by position: in ORDER BY, MIN, MAX and
// windows. Where a number is asked for, positionOf gives the position.
//
// The library's own type for ENUM has positions as values, which its functions
// take for numbers, and reads the label '3' as the third.
type labels struct {
	types.StringType // what the library asks of a text
	of               ddl.Type

	once     sync.Once
	position map[string]int
}

var (
	_ gms.ExtendedType = (*labels)(nil) // by which the library knows a text of others
	_ gms.StringType   = (*labels)(nil)
)

func labelsOf(t ddl.Type) (gms.Type, error) {
	text, ok := longText.(types.StringType)
	if !ok {
		return nil, fault.New(fault.Internal, "the type of texts is %T", longText)
	}
	return &labels{StringType: text, of: t}, nil
}

// at returns the position of a label from 1, 0 for a text that is none.
func (l *labels) at(label string) int {
	l.once.Do(func() {
		l.position = make(map[string]int, len(l.of.Labels))
		for i, s := range l.of.Labels {
			l.position[s] = i + 1
		}
	})
	return l.position[label]
}

// Compare implements gms.Type. What is no label, as an expression over labels
// and texts may give, stands behind the labels.
func (l *labels) Compare(ctx context.Context, a, b any) (int, error) {
	s, isA := a.(string)
	t, isB := b.(string)
	if !isA || !isB {
		return l.StringType.Compare(ctx, a, b)
	}
	i, j := l.at(s), l.at(t)
	switch {
	case i == 0 && j == 0:
		return strings.Compare(s, t), nil
	case i == 0:
		return 1, nil
	case j == 0:
		return -1, nil
	}
	return max(min(i-j, 1), -1), nil
}

// Equals implements gms.Type.
func (l *labels) Equals(other gms.Type) bool {
	o, ok := other.(*labels)
	return ok && (l == o || l.of.SQL() == o.of.SQL())
}

// Length implements gms.StringType: any other text is longer, so that the
// library makes texts of labels and other texts.
func (l *labels) Length() int64 { return 0 }

// MaxTextResponseByteLength implements gms.Type. By it the library takes a
// literal of a longer type for a text, which is compared as one.
func (l *labels) MaxTextResponseByteLength(*gms.Context) uint32 { return 0 }

// Promote implements gms.Type.
func (l *labels) Promote() gms.Type { return l }

// String implements gms.Type.
func (l *labels) String() string { return l.of.SQL() }

// SerializedCompare implements gms.ExtendedType.
func (l *labels) SerializedCompare(ctx context.Context, a, b []byte) (int, error) {
	return l.Compare(ctx, string(a), string(b))
}

// SerializeValue implements gms.ExtendedType. No label is empty, as NULL is.
func (l *labels) SerializeValue(_ context.Context, v any) ([]byte, error) {
	s, _ := v.(string)
	return []byte(s), nil
}

// DeserializeValue implements gms.ExtendedType.
func (l *labels) DeserializeValue(_ context.Context, v []byte) (any, error) {
	return string(v), nil
}

// FormatValue implements gms.ExtendedType.
func (l *labels) FormatValue(v any) (string, error) {
	s, _ := v.(string)
	return s, nil
}

// MaxSerializedWidth implements gms.ExtendedType.
func (l *labels) MaxSerializedWidth() gms.ExtendedTypeSerializedWidth {
	return gms.ExtendedTypeSerializedWidth_64K
}

// ConvertToType implements gms.ExtendedType.
func (l *labels) ConvertToType(
	_ *gms.Context, _ gms.ExtendedType, v any,
) (any, gms.ConvertInRange, error) {
	return v, gms.InRange, nil
}

// value returns a label as a value of the type, and any other text as itself.
func (l *labels) value(v value.Value) value.Value {
	if i := l.at(v.Str()); i > 0 && v.Kind() == value.Text {
		return value.NewEnum(i, v.Str())
	}
	return v
}

// labelTerm shows the labels of an ENUM term as texts, which is what they are
// to a comparison with a text.
func labelTerm(t term) term {
	if t.kind != value.Enum {
		return t
	}
	return term{kind: value.Text, eval: func(row []value.Value) (value.Value, error) {
		v, err := t.eval(row)
		if err != nil || v.IsNull() {
			return v, err
		}
		return value.NewText(v.Str()), nil
	}}
}

// positioned puts positions in the place of labels where an operator computes
// with numbers, or compares with them.
func positioned(
	ctx *gms.Context, e gms.Expression,
) (gms.Expression, transform.TreeIdentity, error) {
	switch e := e.(type) {
	case *expression.Arithmetic, *expression.Div, *expression.IntDiv, *expression.Mod,
		*expression.UnaryMinus:
	case gms.Aggregation:
		if !addsUp(e) {
			return e, transform.SameTree, nil
		}
	case *expression.Convert:
		if !types.IsNumber(e.Type(ctx)) {
			return e, transform.SameTree, nil
		}
	case expression.Comparer, *expression.InTuple, *expression.Between:
		if !withNumber(ctx, e.Children()) {
			return e, transform.SameTree, nil
		}
	default:
		return e, transform.SameTree, nil
	}
	return replaceChildren(ctx, e, func(c gms.Expression, t gms.Type) gms.Expression {
		if l, ok := t.(*labels); ok {
			return &positionOf{expression.UnaryExpressionStub{Child: c}, l}
		}
		return nil
	})
}

// addsUp reports whether e is an aggregate that adds numbers up.
func addsUp(e gms.Expression) bool {
	switch e.(type) {
	case *total, *aggregation.Sum, *aggregation.Avg:
		return true
	}
	return false
}

func withNumber(ctx *gms.Context, list []gms.Expression) bool {
	for _, c := range list {
		if tuple, ok := c.(expression.Tuple); ok && withNumber(ctx, tuple) {
			return true
		}
		if types.IsNumber(c.Type(ctx)) {
			return true
		}
	}
	return false
}

// positionOf is the position of a label.
type positionOf struct {
	expression.UnaryExpressionStub
	of *labels
}

// Type implements gms.Expression.
func (*positionOf) Type(*gms.Context) gms.Type { return types.Int64 }

// String implements gms.Expression.
func (p *positionOf) String() string { return p.Child.String() + " + 0" }

// WithChildren implements gms.Expression.
func (p *positionOf) WithChildren(
	_ *gms.Context, children ...gms.Expression,
) (gms.Expression, error) {
	if len(children) != 1 {
		return nil, gms.ErrInvalidChildrenNumber.New(p, len(children), 1)
	}
	return &positionOf{expression.UnaryExpressionStub{Child: children[0]}, p.of}, nil
}

// Eval implements gms.Expression.
func (p *positionOf) Eval(ctx *gms.Context, r gms.Row) (any, error) {
	v, err := p.Child.Eval(ctx, r)
	if err != nil || v == nil {
		return nil, err
	}
	s, _ := v.(string)
	return int64(p.of.at(s)), nil
}
