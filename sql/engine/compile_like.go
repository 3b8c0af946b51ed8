package engine

import (
	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/value"
)

// like compiles LIKE of a text column and a literal.
func (c *compiler) like(left term, e *ast.ComparisonExpr) (term, bool, error) {
	left = labelTerm(left)
	p := c.pattern(e)
	if left.kind != value.Text || p == nil {
		return term{}, false, nil
	}
	found := e.Operator == ast.LikeStr
	return truth(func(row []value.Value) (value.Value, error) {
		v, err := left.eval(row)
		if err != nil || v.IsNull() {
			return value.NullValue, err
		}
		return value.NewBool(p.match(v.Str()) == found), nil
	}), true, nil
}

// pattern returns the literal pattern of a LIKE, nil for another one.
func (c *compiler) pattern(e *ast.ComparisonExpr) *pattern {
	text, ok := c.simple(e.Right)
	if !ok || text.kind != value.Text || !text.constant {
		return nil
	}
	escape := usualEscape
	if lit, ok := e.Escape.(*ast.SQLVal); ok {
		if v, _ := c.run.literal(lit); !v.IsNull() {
			escape = escapeOf(v.Str())
		}
	}
	p, ok := newPattern(collation, text.value.Str(), escape)
	if !ok {
		return nil
	}
	return p
}

// noteLike notes the range of what a pattern begins with.
func (b *bounded) noteLike(c *compiler, e *ast.ComparisonExpr) {
	name, ok := c.src.columnName(e.Left)
	if !ok {
		return
	}
	i := c.src.target.def.Column(name)
	p := c.pattern(e)
	if p == nil || c.src.target.def.Columns[i].Type.Kind != value.Text {
		return
	}
	prefix, whole, _ := p.prefix()
	if whole {
		b.bound(i, ast.EqualStr, value.NewText(prefix))
		return
	}
	if prefix != "" {
		b.bound(i, ast.GreaterEqualStr, value.NewText(prefix))
	}
	if end, ok := after(prefix); ok {
		b.bound(i, ast.LessThanStr, value.NewText(end))
	}
}
