package engine

import (
	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

// clause is one that the parser does not know, though other databases do.
type clause struct {
	words   []string // that it begins with
	message string
}

// unknownClauses are told by name where a statement does not parse.
var unknownClauses = []clause{
	{[]string{"FOR", "SHARE"}, "of the locking clauses FOR UPDATE is offered"},
	{[]string{"FOR", "NO"}, "of the locking clauses FOR UPDATE is offered"},
	{[]string{"FOR", "KEY"}, "of the locking clauses FOR UPDATE is offered"},
	{[]string{"DISTINCT", "ON"}, "DISTINCT ON is not offered; " +
		"use ROW_NUMBER() OVER (PARTITION BY ... ORDER BY ...) in a subquery"},
	{[]string{"LIMIT", "ALL"}, "LIMIT ALL is not offered; leave it out"},
	{[]string{"FETCH", "FIRST"}, "FETCH FIRST is not offered; use LIMIT n"},
	{[]string{"FETCH", "NEXT"}, "FETCH NEXT is not offered; use LIMIT n"},
	{[]string{"TABLESAMPLE"}, "TABLESAMPLE is not offered; use WHERE RAND() < 0.1"},
	{[]string{"QUALIFY"}, "QUALIFY is not offered; use a subquery and its WHERE"},
	{[]string{"GROUPING", "SETS"}, "GROUPING SETS is not offered; use UNION ALL"},
	{[]string{"NULLS", "FIRST"}, "NULLS FIRST is not offered; NULL sorts first with ASC"},
	{[]string{"NULLS", "LAST"}, "NULLS LAST is not offered; use ORDER BY c IS NULL, c"},
	{[]string{"FILTER"}, "FILTER of an aggregate is not offered; " +
		"use SUM(CASE WHEN condition THEN value END)"},
}

// unoffered returns the error of a statement that does not parse: that of a
// clause which is not offered, if it has one, else the parser's.
func (r *rewriter) unoffered(err error) error {
	depth := 0
	for i, t := range r.tokens {
		switch t.Kind {
		case dialect.LeftParen:
			depth++
		case dialect.RightParen:
			depth--
		}
		if depth == 0 && r.wordAt(0, "UPDATE") && r.wordAt(i, "FROM") {
			return r.unsupported(i, "UPDATE ... FROM is not offered; use UPDATE t JOIN u ON ... SET ...")
		}
		if depth == 0 && r.deletesUsing(i) {
			return r.unsupported(i, "%s", noUsing)
		}
		for _, c := range unknownClauses {
			if r.begins(i, c.words) {
				return r.unsupported(i, "%s", c.message)
			}
		}
	}
	return err
}

const noUsing = "DELETE ... USING of other tables is not offered; " +
	"use DELETE t FROM t JOIN u ON ... WHERE ..."

// deletesUsing reports whether the token i is the USING of DELETE FROM t USING.
func (r *rewriter) deletesUsing(i int) bool {
	if !r.begins(0, []string{"DELETE", "FROM"}) || !r.wordAt(i, "USING") {
		return false
	}
	for at := range i {
		if r.wordAt(at, "JOIN", "WHERE") {
			return false
		}
	}
	return true
}

// using refuses a DELETE FROM t USING u, which joins t with u in other databases.
// In ours USING names t too, as in MySQL.
func (r *rewriter) using(st ast.Statement) error {
	d, ok := st.(*ast.Delete)
	if !ok || len(d.Targets) != 1 {
		return nil
	}
	for _, t := range namedTables(d.TableExprs, nil) {
		if exposedName(t) == d.Targets[0].Name.String() {
			return nil
		}
	}
	for i := range r.tokens {
		if r.deletesUsing(i) {
			return r.unsupported(i, "%s", noUsing)
		}
	}
	return nil
}

// begins reports whether words stand at the token i.
func (r *rewriter) begins(i int, words []string) bool {
	for n, w := range words {
		if !r.wordAt(i+n, w) {
			return false
		}
	}
	return true
}

// otherCatalogues are the schemas in which other databases describe themselves.
var otherCatalogues = map[string]bool{"information_schema": true, "pg_catalog": true, "mysql": true,
	"performance_schema": true, "sys": true}

// elsewhere returns the error of a table in a namespace that does not exist.
func elsewhere(ns string, err error) error {
	if !otherCatalogues[ns] || !fault.Is(err, fault.NamespaceNotFound) {
		return err
	}
	return fault.New(fault.Unsupported, "%s is not offered; the catalogue is in system.namespaces, "+
		"system.tables, system.columns and system.indexes", ns)
}
