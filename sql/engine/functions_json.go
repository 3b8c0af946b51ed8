package engine

import (
	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function/json"
	"github.com/dolthub/go-mysql-server/sql/types"
)

// jsonLength is JSON_LENGTH, in which the library takes an empty array for
// none: it asks the library for the part of the document, and counts itself.
type jsonLength struct {
	gms.Expression // JSON_EXTRACT(document, path)
}

var _ gms.FunctionExpression = (*jsonLength)(nil)

func newJSONLength(ctx *gms.Context, args ...gms.Expression) (gms.Expression, error) {
	if len(args) == 1 {
		args = append(args, expression.NewLiteral("$", types.LongText))
	}
	if len(args) != 2 {
		return nil, gms.ErrInvalidArgumentNumber.New("JSON_LENGTH", "1 or 2", len(args))
	}
	part, err := json.NewJSONExtract(ctx, args...)
	return &jsonLength{Expression: part}, err
}

// FunctionName implements gms.FunctionExpression.
func (*jsonLength) FunctionName() string { return "json_length" }

// Description implements gms.FunctionExpression.
func (*jsonLength) Description() string { return "the number of elements of a JSON value" }

// String implements gms.Expression.
func (j *jsonLength) String() string {
	args := j.Children()
	return "json_length(" + args[0].String() + "," + args[1].String() + ")"
}

// Type implements gms.Expression.
func (*jsonLength) Type(*gms.Context) gms.Type { return types.Int64 }

// IsNullable implements gms.Expression.
func (*jsonLength) IsNullable(*gms.Context) bool { return true }

// CollationCoercibility implements gms.CollationCoercible.
func (*jsonLength) CollationCoercibility(*gms.Context) (gms.CollationID, byte) {
	return gms.Collation_binary, 5
}

// WithChildren implements gms.Expression.
func (*jsonLength) WithChildren(
	ctx *gms.Context, children ...gms.Expression,
) (gms.Expression, error) {
	return newJSONLength(ctx, children...)
}

// Eval implements gms.Expression.
func (j *jsonLength) Eval(ctx *gms.Context, r gms.Row) (any, error) {
	v, err := j.Expression.Eval(ctx, r)
	if err != nil || v == nil {
		return nil, err
	}
	doc, ok := v.(gms.JSONWrapper)
	if !ok {
		return int64(1), nil
	}
	if v, err = doc.ToInterface(ctx); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case []any:
		return int64(len(v)), nil
	case map[string]any:
		return int64(len(v)), nil
	}
	return int64(1), nil
}
