package engine

import (
	"strconv"
	"strings"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// paramPrefix begins the parser's names of parameters: ":v1".
const paramPrefix = ":v"

// param returns the value of a parameter of the statement.
func (run *execution) param(v *ast.SQLVal) (value.Value, bool) {
	if v.Type != ast.ValArg {
		return value.Value{}, false
	}
	n, err := strconv.Atoi(strings.TrimPrefix(string(v.Val), paramPrefix))
	if err != nil || n < 1 || n > len(run.env.Params) {
		return value.Value{}, false
	}
	return run.env.Params[n-1], true
}

func (run *execution) isParam(v *ast.SQLVal) bool {
	_, ok := run.param(v)
	return ok
}

// literalKind returns the kind of a literal or parameter, roughly: all numbers
// are Decimal.
func (run *execution) literalKind(v *ast.SQLVal) value.Kind {
	switch v.Type {
	case ast.StrVal:
		return value.Text
	case ast.HexVal, ast.BitVal:
		return value.Bytes
	case ast.ValArg:
		p, _ := run.param(v)
		return p.Kind()
	}
	return value.Decimal
}

// bindings returns the parameters as the library's literals.
func (run *execution) bindings() map[string]gms.Expression {
	if len(run.env.Params) == 0 {
		return nil
	}
	out := make(map[string]gms.Expression, len(run.env.Params))
	for i, p := range run.env.Params {
		out["v"+strconv.Itoa(i+1)] = expression.NewLiteral(toEngine(p), kindType(p.Kind()))
	}
	return out
}

// noLimit is more rows than there can be. The sum of two has its place too.
const noLimit = 1 << 62

// limitParam checks that a parameter of LIMIT is a whole number.
func (g *gate) limitParam(v *ast.SQLVal) error {
	p, ok := g.run.param(v)
	if !ok {
		if n, err := strconv.ParseUint(string(v.Val), 10, 64); err == nil && n > noLimit {
			v.Val = []byte(strconv.Itoa(noLimit))
		}
		return g.literal(v)
	}
	n, err := value.Convert(value.Int64, p)
	if err != nil || n.IsNull() || n.Int() < 0 {
		return fault.New(fault.InvalidParameter, "LIMIT and OFFSET take a whole number, not %s", p.Text())
	}
	v.Type, v.Val = ast.IntVal, strconv.AppendInt(nil, min(n.Int(), noLimit), 10)
	return nil
}
