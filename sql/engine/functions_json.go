package engine

import (
	"strings"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// The library's paths of JSON are of another language than MySQL's: '$.a' of an array is
// an array of what its elements have, [last] and [0 to 1] are errors, ** finds nothing.
// Ours are those of package jsonpath.

// jsonFunctions returns the functions on JSON that take our paths.
func jsonFunctions() map[string]gms.Function {
	m := make(map[string]gms.Function)
	for name, f := range map[string]jsonFunction{
		"json_extract": {typ: types.JSON, least: 2, most: 1 << 10, eval: extract},
		"json_length":  {typ: types.Int64, least: 1, most: 2, eval: jsonLength},
	} {
		f.name = name
		m[name] = gms.FunctionN{Name: name, Fn: f.with}
	}
	for _, f := range function.BuiltIns {
		switch name := f.FunctionName(); name {
		case "json_contains_path", "json_keys", "json_value", "json_contains", "json_remove":
			m[name] = gms.FunctionN{Name: name, Fn: func(
				ctx *gms.Context, args ...gms.Expression,
			) (gms.Expression, error) {
				if len(args) > 0 {
					args[0] = asDocument(args[0], name)
				}
				return f.NewInstance(ctx, args)
			}}
		}
	}
	return m
}

// jsonFunction is a call of a function of a document and paths.
type jsonFunction struct {
	expression.NaryExpression
	name        string
	typ         gms.Type
	least, most int // arguments
	eval        func(doc any, paths []string) (any, error)
}

var _ gms.FunctionExpression = (*jsonFunction)(nil)

func (f jsonFunction) with(
	_ *gms.Context, args ...gms.Expression,
) (gms.Expression, error) {
	if len(args) < f.least || len(args) > f.most {
		return nil, fault.New(fault.InvalidSQL, "%s does not take %d arguments",
			strings.ToUpper(f.name), len(args))
	}
	f.ChildExpressions = args
	return &f, nil
}

// FunctionName implements gms.FunctionExpression.
func (f *jsonFunction) FunctionName() string { return f.name }

// Description implements gms.FunctionExpression.
func (f *jsonFunction) Description() string { return "a function of a JSON value and paths" }

// String implements gms.Expression.
func (f *jsonFunction) String() string {
	args := make([]string, len(f.ChildExpressions))
	for i, e := range f.ChildExpressions {
		args[i] = e.String()
	}
	return f.name + "(" + strings.Join(args, ", ") + ")"
}

// Type implements gms.Expression.
func (f *jsonFunction) Type(*gms.Context) gms.Type { return f.typ }

// IsNullable implements gms.Expression.
func (*jsonFunction) IsNullable(*gms.Context) bool { return true }

// CollationCoercibility implements gms.CollationCoercible.
func (*jsonFunction) CollationCoercibility(*gms.Context) (gms.CollationID, byte) {
	return gms.Collation_binary, 2
}

// WithChildren implements gms.Expression.
func (f *jsonFunction) WithChildren(
	ctx *gms.Context, children ...gms.Expression,
) (gms.Expression, error) {
	return f.with(ctx, children...)
}

// Eval implements gms.Expression: NULL where an argument is.
func (f *jsonFunction) Eval(ctx *gms.Context, r gms.Row) (any, error) {
	v, err := f.ChildExpressions[0].Eval(ctx, r)
	if err != nil {
		return nil, err
	}
	doc, ok, err := documentOf(ctx, v, f.name)
	if err != nil || !ok {
		return nil, err
	}
	paths := make([]string, 0, len(f.ChildExpressions)-1)
	for _, e := range f.ChildExpressions[1:] {
		path, err := e.Eval(ctx, r)
		if err == nil && path != nil {
			path, _, err = types.LongText.Convert(ctx, path)
		}
		if err != nil || path == nil {
			return nil, err
		}
		paths = append(paths, path.(string))
	}
	return f.eval(doc, paths)
}

// extract is JSON_EXTRACT: the part, or an array of the parts where there may be several.
func extract(doc any, paths []string) (any, error) {
	var parts []any
	several := len(paths) > 1
	for _, path := range paths {
		found, wild, err := find(doc, path)
		if err != nil {
			return nil, err
		}
		parts, several = append(parts, found...), several || wild
	}
	switch {
	case len(parts) == 0:
		return nil, nil
	case several:
		return document{types.JSONDocument{Val: parts}}, nil
	}
	return document{types.JSONDocument{Val: parts[0]}}, nil
}

// jsonLength is JSON_LENGTH.
func jsonLength(doc any, paths []string) (any, error) {
	for _, path := range paths {
		found, wild, err := find(doc, path)
		switch {
		case err != nil:
			return nil, err
		case wild:
			return nil, fault.New(fault.InvalidSQL, "JSON_LENGTH takes a path of one part, not %q",
				clip(path))
		case len(found) == 0:
			return nil, nil
		}
		doc = found[0]
	}
	switch v := doc.(type) {
	case []any:
		return int64(len(v)), nil
	case map[string]any:
		return int64(len(v)), nil
	}
	return int64(1), nil
}

// changed has the documents that a function changes keep their numbers.
func changed(function string, args []gms.Expression) []gms.Expression {
	switch function {
	case "json_set", "json_insert", "json_replace", "json_array_append", "json_array_insert":
		if len(args) > 0 {
			args[0] = asDocument(args[0], function)
		}
	case "json_merge", "json_merge_patch", "json_merge_preserve":
		for i := range args {
			args[i] = asDocument(args[i], function)
		}
	}
	return args
}

// searched is an argument as a document in which the library finds what our paths name.
type searched struct {
	expression.UnaryExpressionStub
	function string
}

func asDocument(e gms.Expression, function string) gms.Expression {
	if _, is := e.(*searched); is {
		return e
	}
	return &searched{expression.UnaryExpressionStub{Child: e}, function}
}

var _ gms.CollationCoercible = (*searched)(nil)

// Type implements gms.Expression.
func (*searched) Type(*gms.Context) gms.Type { return types.JSON }

// String implements gms.Expression.
func (s *searched) String() string { return s.Child.String() }

// CollationCoercibility implements gms.CollationCoercible.
func (*searched) CollationCoercibility(*gms.Context) (gms.CollationID, byte) {
	return gms.Collation_binary, 2
}

// WithChildren implements gms.Expression.
func (s *searched) WithChildren(
	_ *gms.Context, children ...gms.Expression,
) (gms.Expression, error) {
	if len(children) != 1 {
		return nil, gms.ErrInvalidChildrenNumber.New(s, len(children), 1)
	}
	return &searched{expression.UnaryExpressionStub{Child: children[0]}, s.function}, nil
}

// Eval implements gms.Expression.
func (s *searched) Eval(ctx *gms.Context, r gms.Row) (any, error) {
	v, err := s.Child.Eval(ctx, r)
	if err != nil {
		return nil, err
	}
	doc, ok, err := documentOf(ctx, v, s.function)
	if err != nil || !ok {
		return nil, err
	}
	return document{types.JSONDocument{Val: doc}}, nil
}
