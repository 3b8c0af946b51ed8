package engine

import (
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/value"
)

// Many texts that nobody means as a number read as a wild one (see tame.go): of
// the ids that are written in hexadecimal digits, one in a hundred. So a literal
// is refused only where it may be read as a number, not where it is compared with
// texts, is part of one, or stands as the result.

// texts are the functions that read all of their arguments as texts; those on
// JSON do too.
var texts = map[string]bool{
	"concat": true, "concat_ws": true, "replace": true, "reverse": true, "instr": true,
	"upper": true, "ucase": true, "lower": true, "lcase": true, "ltrim": true, "rtrim": true,
	"length": true, "octet_length": true, "char_length": true, "character_length": true,
	"md5": true, "sha1": true, "strcmp": true, "uuid_to_bin": true,
}

func takesTexts(function string) bool {
	return texts[function] || strings.HasPrefix(function, "json_")
}

// compared passes operands that are compared with each other.
func (g *gate) compared(sc *scope, list ...*ast.Expr) error {
	operands := make([]ast.Expr, len(list))
	for i, at := range list {
		operands[i] = *at
	}
	if err := g.fitAll(sc, operands...); err != nil {
		return err
	}
	for _, e := range operands {
		if !g.isText(e, sc) {
			return g.each(sc, list...)
		}
	}
	for _, at := range list {
		if err := g.plain(at, sc); err != nil {
			return err
		}
	}
	return nil
}

// plain passes an expression whose value is not read as a number.
func (g *gate) plain(at *ast.Expr, sc *scope) error {
	switch e := (*at).(type) {
	case *ast.SQLVal:
		return g.known(e)
	case *ast.ParenExpr:
		return g.plain(&e.Expr, sc)
	case ast.ValTuple:
		for i := range e {
			if err := g.plain(&e[i], sc); err != nil {
				return err
			}
		}
		return nil
	}
	return g.expr(at, sc)
}

// isText reports whether e is known to be a text, or texts in parentheses.
func (g *gate) isText(e ast.Expr, sc *scope) bool {
	switch e := bare(e).(type) {
	case *ast.SQLVal:
		p, param := g.run.param(e)
		return e.Type == ast.StrVal || param && p.Kind() == value.Text
	case *ast.ColName:
		k, ok := sc.kindOf(e)
		return ok && (k == value.Text || k == value.UUID)
	case *ast.BinaryExpr:
		return e.Operator == ast.JSONUnquoteExtractOp
	case *ast.FuncExpr:
		return textual[e.Name.Lowered()] && takesTexts(e.Name.Lowered())
	case ast.ValTuple:
		for _, x := range e {
			if !g.isText(x, sc) {
				return false
			}
		}
		return true
	}
	return false
}
