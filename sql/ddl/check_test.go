package ddl_test

import (
	"strings"
	"testing"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

func checked() *ddl.Table {
	t := notes()
	t.Checks = []ddl.Check{{Name: "small", Expr: "a < 10 OR s = 'x'", Columns: []ident.ColumnID{1, 6}}}
	return t
}

func TestAlter_KeepsTheColumnsOfChecks(t *testing.T) {
	for what, action := range map[string]ddl.Action{
		"dropped":            &ddl.DropColumn{Name: "s"},
		"renamed":            &ddl.RenameColumn{From: "a", To: "b"},
		"given another type": &ddl.ModifyColumn{Column: column("a", value.Int32)},
	} {
		_, err := ddl.Alter(checked(), []ddl.Action{action}, origin())
		if !fault.Is(err, fault.Unsupported) || !strings.Contains(err.Error(), "CHECK small") ||
			!strings.Contains(err.Error(), what) {
			t.Errorf("a column of a check is %s: %v", what, err)
		}
	}
	longer := column("s", value.Text)
	longer.Type.Length = 20
	next, err := ddl.Alter(checked(), []ddl.Action{&ddl.DropColumn{Name: "u"},
		&ddl.ModifyColumn{Column: longer}}, origin())
	if err != nil || len(next.Checks) != 1 || next.CheckOn(6) == nil || next.CheckOn(2) != nil {
		t.Errorf("other changes: %+v, %v", next, err)
	}
}

func TestTable_ValidateChecks(t *testing.T) {
	for _, c := range []ddl.Check{
		{Name: "Small", Expr: "a", Columns: []ident.ColumnID{1}},
		{Name: "a b", Expr: "a", Columns: []ident.ColumnID{1}},
		{Name: "small", Expr: "a", Columns: []ident.ColumnID{1}},
		{Name: "x", Columns: []ident.ColumnID{1}},
		{Name: "x", Expr: strings.Repeat("a", ddl.MaxCheckBytes+1), Columns: []ident.ColumnID{1}},
		{Name: "x", Expr: "1 > 0"},
	} {
		def := checked()
		def.Checks = append(def.Checks, c)
		if def.Validate() == nil {
			t.Errorf("accepted %s CHECK (%.40s)", c.Name, c.Expr)
		}
	}
	if err := checked().Validate(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(ddl.ShowCreate(checked()), "CHECK (a < 10 OR s = 'x')\n)") {
		t.Error(ddl.ShowCreate(checked()))
	}
}
