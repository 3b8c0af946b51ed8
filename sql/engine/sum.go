package engine

import (
	"strings"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/planbuilder"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"
	ast "github.com/dolthub/vitess/go/vt/sqlparser"
)

// The library computes SUM and AVG in double precision, and of whole numbers
// always says so. Ours are exact for whole numbers and DECIMAL. Its planner
// takes an aggregate called sum for a double whatever it is, so in the tree
// they have names of their own.
const (
	exactSum = "exact_sum"
	exactAvg = "exact_avg"
)

// ownAggregates are our names of the library's aggregates.
var ownAggregates = map[string]string{"sum": exactSum, "avg": exactAvg}

// nameAggregates tells the library's planner of them.
func nameAggregates() {
	known := planbuilder.IsAggregateFunc
	planbuilder.IsAggregateFunc = func(name string) bool {
		return name == exactSum || name == exactAvg || known(name)
	}
}

// exactly gives an aggregate our name. As a window function it keeps its own,
// by which the planner knows it.
func exactly(f *ast.FuncExpr) {
	if own, ok := ownAggregates[f.Name.Lowered()]; ok && f.Over == nil {
		f.Name = ast.NewColIdent(own)
	}
}

// totals returns SUM and AVG by all their names.
func totals() map[string]gms.Function {
	out := make(map[string]gms.Function)
	for name, own := range ownAggregates {
		mean := name == "avg"
		build := func(_ *gms.Context, e gms.Expression) gms.Expression {
			return &total{child: e, mean: mean}
		}
		out[name] = gms.Function1{Name: name, Fn: build}
		out[own] = gms.Function1{Name: own, Fn: build}
	}
	return out
}

// total is SUM, or AVG when mean, as an aggregate or over a window.
type total struct {
	child  gms.Expression
	mean   bool
	window *gms.WindowDefinition
	id     gms.ColumnId
}

var (
	_ gms.FunctionExpression        = (*total)(nil)
	_ gms.Aggregation               = (*total)(nil)
	_ gms.WindowAdaptableExpression = (*total)(nil)
	_ gms.CollationCoercible        = (*total)(nil)
)

// FunctionName implements gms.FunctionExpression.
func (t *total) FunctionName() string {
	if t.mean {
		return "avg"
	}
	return "sum"
}

// Description implements gms.FunctionExpression.
func (t *total) Description() string { return "exact for whole numbers and decimals" }

// Type implements gms.Expression.
func (t *total) Type(ctx *gms.Context) gms.Type {
	form, scale := totalForm(t.child.Type(ctx))
	if form == approximate {
		return types.Float64
	}
	if t.mean {
		scale = meanScale(scale)
	}
	return types.MustCreateDecimalType(types.DecimalTypeMaxPrecision, scale)
}

// IsNullable implements gms.Expression.
func (t *total) IsNullable(*gms.Context) bool { return true }

// Resolved implements gms.Expression.
func (t *total) Resolved() bool {
	for _, c := range t.Children() {
		if !c.Resolved() {
			return false
		}
	}
	return true
}

// String implements gms.Expression. It tells windows apart, since the planner
// takes two with one text for the same.
func (t *total) String() string {
	s := strings.ToUpper(t.FunctionName()) + "(" + t.child.String() + ")"
	if t.window != nil {
		s += " " + t.window.String()
	}
	return s
}

// CollationCoercibility implements gms.CollationCoercible.
func (t *total) CollationCoercibility(*gms.Context) (gms.CollationID, byte) {
	return gms.Collation_binary, 5
}

// Children implements gms.Expression.
func (t *total) Children() []gms.Expression {
	out := []gms.Expression{t.child}
	if t.window != nil {
		out = append(out, t.window.ToExpressions()...)
	}
	return out
}

// WithChildren implements gms.Expression.
func (t *total) WithChildren(
	ctx *gms.Context, children ...gms.Expression,
) (gms.Expression, error) {
	if len(children) < 1 {
		return nil, gms.ErrInvalidChildrenNumber.New(t, len(children), 1)
	}
	out := *t
	out.child = children[0]
	if t.window == nil || len(children) == 1 {
		return &out, nil
	}
	var err error
	out.window, err = t.window.FromExpressions(ctx, children[1:])
	return &out, err
}

// Id implements gms.IdExpression.
func (t *total) Id() gms.ColumnId { return t.id }

// WithId implements gms.IdExpression.
func (t *total) WithId(id gms.ColumnId) gms.IdExpression {
	out := *t
	out.id = id
	return &out
}

// Window implements gms.WindowAdaptableExpression.
func (t *total) Window() *gms.WindowDefinition { return t.window }

// WithWindow implements gms.WindowAdaptableExpression.
func (t *total) WithWindow(
	_ *gms.Context, w *gms.WindowDefinition,
) gms.WindowAdaptableExpression {
	out := *t
	out.window = w
	return &out
}

// Eval implements gms.Expression.
func (t *total) Eval(*gms.Context, gms.Row) (any, error) {
	return nil, refuse("%s stands where no aggregate can", strings.ToUpper(t.FunctionName()))
}

// NewBuffer implements gms.Aggregation.
func (t *total) NewBuffer(ctx *gms.Context) (gms.AggregationBuffer, error) {
	child, err := transform.Clone(ctx, t.child)
	if err != nil {
		return nil, err
	}
	return &totalBuffer{child: child, tally: newTally(child.Type(ctx), t.mean)}, nil
}

// NewWindowFunction implements gms.WindowAdaptableExpression.
func (t *total) NewWindowFunction(ctx *gms.Context) (gms.WindowFunction, error) {
	child, err := transform.Clone(ctx, t.child)
	if err != nil {
		return nil, err
	}
	w := &totalWindow{child: child, tally: newTally(child.Type(ctx), t.mean)}
	if t.window != nil && t.window.Frame != nil {
		if w.framer, err = t.window.Frame.NewFramer(t.window); err != nil {
			return nil, err
		}
	}
	return w, nil
}
