package engine

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// sizer returns an upper bound of the bytes that a call with these arguments
// returns. It may be above what is returned, never far below.
type sizer func(args []any) int64

// sizers are the functions of the library whose result can be much larger
// than what they are given.
var sizers = map[string]sizer{
	"repeat":              func(a []any) int64 { return size(a, 0) * max(number64(a, 1), 0) },
	"space":               func(a []any) int64 { return number64(a, 0) },
	"lpad":                padded,
	"rpad":                padded,
	"concat":              sum,
	"concat_ws":           func(a []any) int64 { return sum(a) + size(a, 0)*int64(len(a)) },
	"insert":              sum,
	"make_set":            sum,
	"elt":                 sum,
	"export_set":          func(a []any) int64 { return 64 * sum(a) },
	"replace":             replaced,
	"regexp_replace":      func(a []any) int64 { return size(a, 0) + (size(a, 0)+1)*size(a, 2) },
	"hex":                 func(a []any) int64 { return 2 * sum(a) },
	"to_base64":           func(a []any) int64 { return 2 * sum(a) },
	"quote":               func(a []any) int64 { return 2 * sum(a) },
	"json_quote":          func(a []any) int64 { return 6 * sum(a) },
	"random_bytes":        func(a []any) int64 { return number64(a, 0) },
	"format":              func(a []any) int64 { return sum(a) + number64(a, 1) },
	"round":               func(a []any) int64 { return sum(a) + number64(a, 1) },
	"truncate":            func(a []any) int64 { return sum(a) + number64(a, 1) },
	"json_array":          sum,
	"json_object":         sum,
	"json_set":            sum,
	"json_insert":         sum,
	"json_replace":        sum,
	"json_array_append":   sum,
	"json_array_insert":   sum,
	"json_merge":          sum,
	"json_merge_patch":    sum,
	"json_merge_preserve": sum,
	"json_pretty":         func(a []any) int64 { return 20 * sum(a) },
}

// guard puts the guarded forms of the library's functions into m.
func (e *Engine) guard(m map[string]gms.Function) {
	for _, f := range function.BuiltIns {
		bound, ok := sizers[f.FunctionName()]
		if !ok {
			continue
		}
		name := f.FunctionName()
		build := func(ctx *gms.Context, args ...gms.Expression) (gms.Expression, error) {
			args = changed(name, args)
			inner, err := f.NewInstance(ctx, args)
			if err != nil {
				return nil, err
			}
			return &guarded{name: name, inner: inner, args: inner.Children(), bound: bound,
				limit: int64(e.opts.MaxStringBytes)}, nil
		}
		m[name] = gms.FunctionN{Name: name, Fn: build}
	}
}

// guarded is a call that looks at the size of its result before it is made.
// The arguments are evaluated once and given to the library as literals.
type guarded struct {
	name  string
	inner gms.Expression
	args  []gms.Expression
	bound sizer
	limit int64
}

var (
	_ gms.FunctionExpression = (*guarded)(nil)
	_ gms.CollationCoercible = (*guarded)(nil)
)

// FunctionName implements gms.FunctionExpression.
func (g *guarded) FunctionName() string { return g.name }

// Description implements gms.FunctionExpression.
func (g *guarded) Description() string { return "bounded in size" }

// Resolved implements gms.Expression.
func (g *guarded) Resolved() bool { return g.inner.Resolved() }

// String implements gms.Expression.
func (g *guarded) String() string {
	if s, ok := g.inner.(fmt.Stringer); ok {
		return s.String()
	}
	return g.name
}

// Type implements gms.Expression.
func (g *guarded) Type(ctx *gms.Context) gms.Type { return g.inner.Type(ctx) }

// IsNullable implements gms.Expression.
func (g *guarded) IsNullable(ctx *gms.Context) bool { return g.inner.IsNullable(ctx) }

// CollationCoercibility implements gms.CollationCoercible.
func (g *guarded) CollationCoercibility(ctx *gms.Context) (gms.CollationID, byte) {
	return gms.GetCoercibility(ctx, g.inner)
}

// Children implements gms.Expression.
func (g *guarded) Children() []gms.Expression { return g.args }

// WithChildren implements gms.Expression.
func (g *guarded) WithChildren(
	ctx *gms.Context, children ...gms.Expression,
) (gms.Expression, error) {
	inner, err := g.inner.WithChildren(ctx, children...)
	if err != nil {
		return nil, err
	}
	c := *g
	c.inner, c.args = inner, inner.Children()
	return &c, nil
}

// Eval implements gms.Expression.
func (g *guarded) Eval(ctx *gms.Context, r gms.Row) (any, error) {
	vals := make([]any, len(g.args))
	literals := make([]gms.Expression, len(g.args))
	for i, a := range g.args {
		v, err := a.Eval(ctx, r)
		if err != nil {
			return nil, err
		}
		vals[i], literals[i] = v, expression.NewLiteral(v, a.Type(ctx))
	}
	n := g.bound(vals)
	if n > g.limit || n < 0 {
		return nil, fault.New(fault.ResultTooLarge, "%s would return more than %d bytes",
			strings.ToUpper(g.name), g.limit)
	}
	if run := of(ctx); run != nil && n > largeResult {
		if err := run.charge(n); err != nil {
			return nil, err
		}
	}
	return g.call(ctx, literals)
}

// call evaluates the library's function. Some of them panic on numbers that
// they can't turn into decimals, such as ROUND(1e300, 30).
func (g *guarded) call(ctx *gms.Context, literals []gms.Expression) (out any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fault.New(fault.ValueOutOfRange, "%s does not take these values (%v)",
				strings.ToUpper(g.name), p)
		}
	}()
	inner, err := g.inner.WithChildren(ctx, literals...)
	if err != nil {
		return nil, err
	}
	return inner.Eval(ctx, nil)
}

// largeResult is the size from which a result is charged to its statement.
const largeResult = 64 << 10

func size(args []any, i int) int64 {
	if i >= len(args) {
		return 0
	}
	switch x := args[i].(type) {
	case string:
		return int64(len(x))
	case []byte:
		return int64(len(x))
	case gms.JSONWrapper:
		return int64(jsonSize(x, maxJSONSteps))
	case nil:
		return 0
	}
	return 32 // numbers and times
}

func sum(args []any) (n int64) {
	for i := range args {
		n += size(args, i)
	}
	return n
}

// number64 returns an argument as a count; what is no number counts 0. It is
// cut so that a product with a size does not overflow.
func number64(args []any, i int) int64 {
	const most = 1 << 40
	if i >= len(args) || args[i] == nil {
		return 0
	}
	v, _, err := types.Int64.Convert(context.Background(), args[i])
	n, ok := v.(int64)
	if err != nil || !ok {
		return most
	}
	return max(min(n, most), -most)
}

// padded bounds LPAD and RPAD, which count characters.
func padded(a []any) int64 { return number64(a, 1) * max(min(size(a, 2), 4), 1) }

func replaced(a []any) int64 {
	text, from, to := text(a, 0), text(a, 1), size(a, 2)
	if len(from) == 0 {
		return int64(len(text))
	}
	return int64(len(text)) + int64(bytes.Count(text, from))*max(to-int64(len(from)), 0)
}

func text(args []any, i int) []byte {
	if i < len(args) {
		switch x := args[i].(type) {
		case string:
			return []byte(x)
		case []byte:
			return x
		}
	}
	return nil
}

// jsonSize is the size of a JSON value as text, roughly. A value may hold the
// same part many times over, so the walk ends after so many steps.
func jsonSize(x gms.JSONWrapper, steps int) int {
	if raw, ok := x.(interface {
		GetBytes(ctx context.Context) ([]byte, error)
	}); ok {
		if b, err := raw.GetBytes(context.Background()); err == nil {
			return len(b)
		}
	}
	v, err := x.ToInterface(context.Background())
	if err != nil {
		return 0
	}
	return walkJSON(v, &steps)
}

func walkJSON(v any, steps *int) (n int) {
	if *steps--; *steps < 0 {
		return 1 << 40
	}
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			n += len(k) + 4 + walkJSON(x, steps)
			if *steps < 0 {
				break
			}
		}
	case []any:
		for _, x := range v {
			n += 2 + walkJSON(x, steps)
			if *steps < 0 {
				break
			}
		}
	case string:
		return len(v) + 2
	case gms.JSONWrapper:
		inner, err := v.ToInterface(context.Background())
		if err != nil {
			return 0
		}
		return walkJSON(inner, steps)
	}
	return n + 8
}
