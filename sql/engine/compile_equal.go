package engine

import (
	"slices"
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// equalities returns the comparisons of WHERE that every row of the result
// satisfies and that hold for equal bytes only, by column.
func (c *compiler) equalities() []predicate.Equal {
	if c.stmt.Where == nil {
		return nil
	}
	var out []predicate.Equal
	todo := []ast.Expr{c.stmt.Where.Expr}
	for len(todo) > 0 {
		e := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		switch e := e.(type) {
		case *ast.ParenExpr:
			todo = append(todo, e.Expr)
		case *ast.AndExpr:
			todo = append(todo, e.Left, e.Right)
		case *ast.ComparisonExpr:
			if eq, ok := c.equality(e); ok {
				out = append(out, eq)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b predicate.Equal) int { return a.Column - b.Column })
	return slices.CompactFunc(out, func(a, b predicate.Equal) bool { return a.Column == b.Column })
}

func (c *compiler) equality(e *ast.ComparisonExpr) (eq predicate.Equal, ok bool) {
	if e.Operator != ast.EqualStr {
		return eq, false
	}
	left, right := e.Left, e.Right
	if _, ok := bare(left).(*ast.ColName); !ok {
		left, right = right, left
	}
	col, ok := bare(left).(*ast.ColName)
	if !ok {
		return eq, false
	}
	if _, known := c.column(col); !known {
		return eq, false
	}
	t, ok := c.simple(right)
	if !ok || !t.constant || t.value.IsNull() {
		return eq, false
	}
	eq.Column = c.src.target.def.Column(strings.ToLower(col.Name.String()))
	if eq.Column < 0 {
		return eq, false
	}
	kind := c.src.target.def.Columns[eq.Column].Type.Kind
	signed := func(k value.Kind) bool { return k >= value.Int8 && k <= value.Int64 }
	if !(signed(kind) && signed(t.kind) || kind == value.Text && t.kind == value.Text) {
		return eq, false
	}
	v, err := value.Convert(kind, t.value)
	eq.Value = v
	return eq, err == nil
}

// bare takes an expression out of its parentheses.
func bare(e ast.Expr) ast.Expr {
	for {
		p, ok := e.(*ast.ParenExpr)
		if !ok {
			return e
		}
		e = p.Expr
	}
}
