package engine

import (
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// An UPDATE or DELETE may join tables and changes one of them. A row of it is
// changed once, however many rows it is joined with: by the first of them.

// newChanger returns a writer for the table that an UPDATE or DELETE changes:
// the one called target, or the only one.
func (run *execution) newChanger(
	what, target string, list ast.TableExprs, st *parsed,
) (*writer, error) {
	tables := namedTables(list, nil)
	joined := len(list) > 1 || len(tables) == 0
	if len(list) == 1 {
		_, single := list[0].(*ast.AliasedTableExpr)
		joined = joined || !single
	}
	var found *ast.AliasedTableExpr
	for _, t := range tables {
		if exposedName(t) == target || target == "" && len(tables) == 1 {
			found = t
		}
	}
	if found == nil {
		return nil, fault.New(fault.TableNotFound, "%s: the statement has no table called %q",
			what, clip(target))
	}
	n, _ := found.Expr.(ast.TableName) // namedTables gives no other
	w, err := run.newWriter(n)
	if err != nil {
		return nil, err
	}
	w.name, w.joined, w.returning = exposedName(found), joined, st.returning
	return w, nil
}

// namedTables returns the tables that a FROM names, without those inside of
// queries.
func namedTables(list ast.TableExprs, out []*ast.AliasedTableExpr) []*ast.AliasedTableExpr {
	for _, t := range list {
		switch t := t.(type) {
		case *ast.AliasedTableExpr:
			if _, ok := t.Expr.(ast.TableName); ok {
				out = append(out, t)
			}
		case *ast.ParenTableExpr:
			out = namedTables(t.Exprs, out)
		case *ast.JoinTableExpr:
			out = namedTables(ast.TableExprs{t.LeftExpr, t.RightExpr}, out)
		}
	}
	return out
}

// exposedName returns the name by which a table's columns are qualified.
func exposedName(t *ast.AliasedTableExpr) string {
	if !t.As.IsEmpty() {
		return strings.ToLower(t.As.String())
	}
	n, _ := t.Expr.(ast.TableName)
	return strings.ToLower(n.Name.String())
}

// assigned returns the table that the columns of a SET clause belong to, ""
// when none is qualified.
func assigned(sets ast.AssignmentExprs, tables int) (string, error) {
	target := ""
	for i, a := range sets {
		q := strings.ToLower(a.Name.Qualifier.Name.String())
		switch {
		case tables == 1:
		case q == "":
			return "", fault.New(fault.InvalidSQL, "say whose column %s is, as in t.%[1]s = ...: "+
				"the UPDATE joins tables", a.Name.Name.Lowered())
		case i > 0 && q != target:
			return "", refuse("UPDATE changes one table; %s and %s are two", target, q)
		}
		target = q
	}
	return target, nil
}

// deleted returns the table that a DELETE of joined tables changes, "" for the
// only one.
func deleted(targets ast.TableNames) (string, error) {
	switch len(targets) {
	case 0:
		return "", nil
	case 1:
		return strings.ToLower(targets[0].Name.String()), nil
	}
	return "", refuse("DELETE of more than one table is not offered; write one statement for each")
}

// again reports whether a row that a join found is none of the table's, or was
// found before.
func (w *writer) again(vals []value.Value, pk []byte, seen map[string]bool) bool {
	if !w.joined {
		return false
	}
	for i := range w.def().PrimaryKey {
		if vals[i].IsNull() {
			return true // an outer join without a partner
		}
	}
	if seen[string(pk)] {
		return true
	}
	seen[string(pk)] = true
	return false
}
