package engine

import (
	"encoding/base64"
	"encoding/hex"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// ParamFor returns the value of a parameter that goes into, or is compared
// with, a column of kind k. JSON has no bytes: there a text is base64 when the
// column is BYTES.
func (env *Env) ParamFor(k value.Kind, v value.Value) (value.Value, error) {
	if !env.JSONParams || k != value.Bytes || v.Kind() != value.Text {
		return v, nil
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(v.Str())
	if err != nil {
		return v, fault.New(fault.TypeMismatch,
			"the parameter %q is not base64, as BYTES are in JSON", clip(v.Str()))
	}
	return value.NewString(value.Bytes, string(raw)), nil
}

// given is the constant v that e is, as a value for column i.
func (w *writer) given(e ast.Expr, i int, v value.Value) (value.Value, error) {
	for {
		p, ok := e.(*ast.ParenExpr)
		if !ok {
			break
		}
		e = p.Expr
	}
	if lit, ok := e.(*ast.SQLVal); !ok || lit.Type != ast.ValArg {
		return v, nil
	}
	c := &w.def().Columns[i]
	v, err := w.run.env.ParamFor(c.Type.Kind, v)
	if err != nil {
		return v, fault.Wrap(fault.TypeMismatch, err, "column %s", c.Name)
	}
	return v, nil
}

// fitAll writes the literals and parameters that a column is compared with in
// the form in which the column shows its values.
func (g *gate) fitAll(sc *scope, list ...ast.Expr) error {
	for i, column := range list {
		k, ok := sc.kindOf(column)
		if !ok || k != value.UUID && k != value.Bytes {
			continue
		}
		for j, e := range list {
			if j == i {
				continue
			}
			if err := g.fit(k, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// kindOf returns the kind of a column of one of the tables.
func (sc *scope) kindOf(e ast.Expr) (value.Kind, bool) {
	c, ok := e.(*ast.ColName)
	if !ok || sc == nil {
		return 0, false
	}
	for _, s := range sc.sources {
		if s.target == nil {
			continue
		}
		if name, ok := s.columnName(c); ok {
			return s.target.def.Columns[s.target.def.Column(name)].Type.Kind, true
		}
	}
	return 0, false
}

func (g *gate) fit(k value.Kind, e ast.Expr) error {
	if tuple, ok := e.(ast.ValTuple); ok {
		for _, x := range tuple {
			if err := g.fit(k, x); err != nil {
				return err
			}
		}
		return nil
	}
	lit, ok := e.(*ast.SQLVal)
	if !ok {
		return nil
	}
	v, param := g.run.param(lit)
	switch {
	case k == value.UUID && (lit.Type == ast.StrVal || v.Kind() == value.Text):
		text := string(lit.Val)
		if param {
			text = v.Str()
		}
		if u, err := value.Parse(value.UUID, text); err == nil {
			lit.Type, lit.Val = ast.StrVal, []byte(u.Text())
		}
	case k == value.Bytes && param:
		v, err := g.run.env.ParamFor(k, v)
		if err != nil {
			return err
		}
		if v.Kind() == value.Bytes {
			lit.Type, lit.Val = ast.HexVal, []byte(hex.EncodeToString([]byte(v.Str())))
		}
	}
	return nil
}
