package engine

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"sync/atomic"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// metric computes a distance of two embeddings of one length, each as
// little-endian float32s. ok is false where there is none.
type metric func(a, b []byte) (d float64, ok bool)

// metrics are our functions on embeddings.
var metrics = map[string]metric{"cosine_distance": cosine, "l2_distance": euclidean}

// cosine is 1 minus the cosine of the angle between a and b, from 0 for the
// same direction to 2 for the opposite one. A vector of zeros has no direction.
func cosine(a, b []byte) (float64, bool) {
	var dot, aa, bb float64
	b = b[:len(a)]
	for i := 0; i+float32Size <= len(a); i += float32Size {
		x, y := float64(float32At(a, i)), float64(float32At(b, i))
		dot += x * y
		aa += x * x
		bb += y * y
	}
	if aa == 0 || bb == 0 {
		return 0, false
	}
	return 1 - max(-1, min(1, dot/math.Sqrt(aa*bb))), true
}

// euclidean is the length of the difference of a and b.
func euclidean(a, b []byte) (float64, bool) {
	var sum float64
	b = b[:len(a)]
	for i := 0; i+float32Size <= len(a); i += float32Size {
		d := float64(float32At(a, i)) - float64(float32At(b, i))
		sum += d * d
	}
	return math.Sqrt(sum), true
}

const float32Size = 4

func float32At(b []byte, i int) float32 {
	return math.Float32frombits(binary.LittleEndian.Uint32(b[i : i+float32Size]))
}

// apart computes a distance, NULL where there is none.
func (m metric) apart(name string, a, b []byte) (value.Value, error) {
	if len(a) != len(b) {
		return value.NullValue, fault.New(fault.ValueOutOfRange,
			"%s takes embeddings of one length, not of %d and %d numbers", strings.ToUpper(name),
			len(a)/float32Size, len(b)/float32Size)
	}
	d, ok := m(a, b)
	if !ok {
		return value.NullValue, nil
	}
	return value.CheckedFloat(value.Float64, d)
}

// distance is a call of one of metrics.
type distance struct {
	expression.BinaryExpressionStub
	name   string
	metric metric
	known  [2]atomic.Pointer[[]byte] // arguments that are literals, once they were read
}

var (
	_ gms.FunctionExpression = (*distance)(nil)
	_ gms.CollationCoercible = (*distance)(nil)
)

func newDistance(name string, a, b gms.Expression) gms.Expression {
	d := &distance{name: name, metric: metrics[name]}
	d.LeftChild, d.RightChild = a, b
	return d
}

// FunctionName implements gms.FunctionExpression.
func (d *distance) FunctionName() string { return d.name }

// Description implements gms.FunctionExpression.
func (d *distance) Description() string { return "distance of two embeddings" }

// Type implements gms.Expression.
func (d *distance) Type(*gms.Context) gms.Type { return types.Float64 }

// IsNullable implements gms.Expression.
func (d *distance) IsNullable(*gms.Context) bool { return true }

// CollationCoercibility implements gms.CollationCoercible.
func (d *distance) CollationCoercibility(*gms.Context) (gms.CollationID, byte) {
	return gms.Collation_binary, 5
}

// String implements gms.Expression.
func (d *distance) String() string {
	return fmt.Sprintf("%s(%s,%s)", d.name, d.LeftChild, d.RightChild)
}

// WithChildren implements gms.Expression.
func (d *distance) WithChildren(
	_ *gms.Context, children ...gms.Expression,
) (gms.Expression, error) {
	if len(children) != 2 {
		return nil, gms.ErrInvalidChildrenNumber.New(d, len(children), 2)
	}
	return newDistance(d.name, children[0], children[1]), nil
}

// Eval implements gms.Expression.
func (d *distance) Eval(ctx *gms.Context, r gms.Row) (any, error) {
	a, err := d.argument(ctx, r, 0, d.LeftChild)
	if err != nil || a == nil {
		return nil, err
	}
	b, err := d.argument(ctx, r, 1, d.RightChild)
	if err != nil || b == nil {
		return nil, err
	}
	v, err := d.metric.apart(d.name, a, b)
	return toEngine(v), err
}

func (d *distance) argument(ctx *gms.Context, r gms.Row, i int, e gms.Expression) ([]byte, error) {
	if known := d.known[i].Load(); known != nil {
		return *known, nil
	}
	x, err := e.Eval(ctx, r)
	if err != nil || x == nil {
		return nil, err
	}
	b, err := vectorBytes(ctx, x, e.Type(ctx))
	if _, literal := e.(*expression.Literal); literal && err == nil {
		d.known[i].Store(&b)
	}
	return b, err
}

// vectorBytes returns what the library holds, of type t, as an embedding.
func vectorBytes(ctx *gms.Context, x any, t gms.Type) ([]byte, error) {
	if b, ok := x.([]byte); ok && isVector(t) {
		return b, nil
	}
	v, err := natural(ctx, x)
	if err == nil {
		v, err = value.Convert(value.Embedding, v)
	}
	return []byte(v.Str()), err
}

func isVector(t gms.Type) bool {
	_, ok := t.(types.VectorType)
	return ok
}

// asVectors reads the texts and JSON beside an embedding as embeddings, in what
// compares them or chooses one.
func asVectors(
	ctx *gms.Context, e gms.Expression,
) (gms.Expression, transform.TreeIdentity, error) {
	switch e := e.(type) {
	case *expression.Arithmetic, *expression.Div, *expression.IntDiv, *expression.Mod,
		*expression.UnaryMinus:
		return noNumber(ctx, e)
	case gms.Aggregation:
		if addsUp(e) {
			return noNumber(ctx, e)
		}
		return e, transform.SameTree, nil
	case expression.Comparer, *expression.InTuple, *expression.Between:
	case gms.FunctionExpression:
		switch e.FunctionName() {
		case "coalesce", "ifnull", "nullif", "if":
		default:
			return e, transform.SameTree, nil
		}
	default:
		return e, transform.SameTree, nil
	}
	children := e.Children()
	of := -1
	for i, c := range children {
		if isVector(c.Type(ctx)) {
			of = i
		}
	}
	if of < 0 {
		return e, transform.SameTree, nil
	}
	t := children[of].Type(ctx)
	out, changed := readAsVectors(ctx, children, t)
	if !changed {
		return e, transform.SameTree, nil
	}
	with, err := e.WithChildren(ctx, out...)
	return with, transform.NewTree, err
}

// noNumber refuses to compute with embeddings, whose bytes the library would
// read as a number.
func noNumber(ctx *gms.Context, e gms.Expression) (gms.Expression, transform.TreeIdentity, error) {
	for _, c := range e.Children() {
		if _, interval := c.(*expression.Interval); !interval && isVector(c.Type(ctx)) {
			return nil, transform.SameTree, fault.New(fault.TypeMismatch,
				"an EMBEDDING is no number; use COSINE_DISTANCE or L2_DISTANCE")
		}
	}
	return e, transform.SameTree, nil
}

func readAsVectors(
	ctx *gms.Context, list []gms.Expression, t gms.Type,
) (out []gms.Expression, changed bool) {
	out = make([]gms.Expression, len(list))
	for i, c := range list {
		out[i] = c
		if tuple, ok := c.(expression.Tuple); ok {
			if inner, is := readAsVectors(ctx, tuple, t); is {
				out[i], changed = expression.NewTuple(inner...), true
			}
			continue
		}
		if is := c.Type(ctx); types.IsText(is) || types.IsJSON(is) {
			out[i], changed = &asVector{expression.UnaryExpressionStub{Child: c}, t}, true
		}
	}
	return out, changed
}

// asVector is a text or JSON read as an embedding.
type asVector struct {
	expression.UnaryExpressionStub
	typ gms.Type
}

// Type implements gms.Expression.
func (a *asVector) Type(*gms.Context) gms.Type { return a.typ }

// String implements gms.Expression.
func (a *asVector) String() string { return a.Child.String() }

// WithChildren implements gms.Expression.
func (a *asVector) WithChildren(
	_ *gms.Context, children ...gms.Expression,
) (gms.Expression, error) {
	if len(children) != 1 {
		return nil, gms.ErrInvalidChildrenNumber.New(a, len(children), 1)
	}
	return &asVector{expression.UnaryExpressionStub{Child: children[0]}, a.typ}, nil
}

// Eval implements gms.Expression.
func (a *asVector) Eval(ctx *gms.Context, r gms.Row) (any, error) {
	x, err := a.Child.Eval(ctx, r)
	if err != nil || x == nil {
		return nil, err
	}
	return vectorBytes(ctx, x, a.Child.Type(ctx))
}
