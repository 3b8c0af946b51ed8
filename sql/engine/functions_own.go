package engine

import (
	"maps"
	"strings"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// Names of our functions that can't stand in DEFAULT.
const (
	funcCurrentRole      ddl.Func = "CURRENT_ROLE"
	funcCurrentNamespace ddl.Func = "CURRENT_NAMESPACE"
)

// ownFunction is a call of one of our functions, none of which has arguments.
type ownFunction struct {
	name ddl.Func
	typ  gms.Type
}

var (
	_ gms.FunctionExpression         = (*ownFunction)(nil)
	_ gms.NonDeterministicExpression = (*ownFunction)(nil)
)

// functions returns the functions that replace or extend the library's.
func (e *Engine) functions() map[string]gms.Function {
	m := make(map[string]gms.Function)
	for name, typ := range map[ddl.Func]gms.Type{
		ddl.FuncSnowflake: types.Int64, ddl.FuncUUIDv7: uuidText, ddl.FuncULID: longText,
		ddl.FuncCurrentUserID: longText, funcCurrentRole: longText, funcCurrentNamespace: longText,
	} {
		f := &ownFunction{name: name, typ: typ}
		lower := strings.ToLower(string(name))
		m[lower] = gms.NewFunction0(lower, func(*gms.Context) gms.Expression { return f })
	}
	for name := range metrics {
		m[name] = gms.Function2{Name: name, Fn: func(_ *gms.Context, a, b gms.Expression) gms.Expression {
			return newDistance(name, a, b)
		}}
	}
	maps.Copy(m, totals())
	maps.Copy(m, remainders())
	maps.Copy(m, shifts())
	maps.Copy(m, jsonFunctions())
	e.guard(m)
	return m
}

// FunctionName implements gms.FunctionExpression.
func (f *ownFunction) FunctionName() string { return strings.ToLower(string(f.name)) }

// Description implements gms.FunctionExpression.
func (f *ownFunction) Description() string { return "own function" }

// IsNonDeterministic implements gms.NonDeterministicExpression.
func (f *ownFunction) IsNonDeterministic() bool { return true }

// Resolved implements gms.Expression.
func (f *ownFunction) Resolved() bool { return true }

// String implements gms.Expression.
func (f *ownFunction) String() string { return string(f.name) + "()" }

// Type implements gms.Expression.
func (f *ownFunction) Type(*gms.Context) gms.Type { return f.typ }

// IsNullable implements gms.Expression.
func (f *ownFunction) IsNullable(*gms.Context) bool { return true }

// Children implements gms.Expression.
func (f *ownFunction) Children() []gms.Expression { return nil }

// WithChildren implements gms.Expression.
func (f *ownFunction) WithChildren(*gms.Context, ...gms.Expression) (gms.Expression, error) {
	return f, nil
}

// Eval implements gms.Expression.
func (f *ownFunction) Eval(ctx *gms.Context, _ gms.Row) (any, error) {
	run := of(ctx)
	if run == nil {
		return nil, fault.New(fault.Internal, "%s has no session", f.name)
	}
	v, err := run.env.generate(f.name)
	return toEngine(v), err
}

// generate returns the value of a function of ours, or of one that may stand
// in DEFAULT.
func (env *Env) generate(f ddl.Func) (value.Value, error) {
	switch f {
	case ddl.FuncSnowflake:
		return value.NewBigInt(env.Gen.Snowflake()), nil
	case ddl.FuncUUIDv7:
		u := env.Gen.UUIDv7()
		return value.NewString(value.UUID, string(u[:])), nil
	case ddl.FuncULID:
		return value.NewText(env.Gen.ULID()), nil
	case ddl.FuncNow:
		return value.NewTimestamp(env.Now), nil
	case ddl.FuncCurrentUserID:
		u, err := env.owner()
		return value.NewText(string(u)), err
	case funcCurrentRole:
		return value.NewText(string(env.Role)), nil
	case funcCurrentNamespace:
		if env.Namespace == "" {
			return value.NullValue, nil
		}
		return value.NewText(string(env.Namespace)), nil
	}
	return value.Value{}, fault.New(fault.Unsupported, "function %s is not offered", f)
}
