package engine

import (
	"fmt"
	"strings"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// keyIndexName is the name of the primary key as an index.
const keyIndexName = "PRIMARY"

// explainer tells of a plan of the library.
type explainer struct {
	ctx   *gms.Context
	steps []Step
	err   error
}

func (x *explainer) add(st Step) { x.steps = append(x.steps, st) }

// node tells of n and what it reads.
func (x *explainer) node(n gms.Node, depth int) {
	switch n := n.(type) {
	case *plan.IndexedTableAccess:
		x.indexed(n, depth)
	case *plan.ResolvedTable:
		x.table(n, depth)
	case *plan.TableAlias:
		for _, c := range n.Children() {
			x.node(c, depth)
		}
	default:
		x.add(Step{Depth: depth, Text: oneStep(x.ctx, n)})
		x.subqueries(n, depth+1)
		for _, c := range n.Children() {
			x.node(c, depth+1)
		}
	}
}

// subqueries tells of the queries within n's expressions.
func (x *explainer) subqueries(n gms.Node, depth int) {
	e, ok := n.(gms.Expressioner)
	if !ok {
		return
	}
	for _, e := range e.Expressions() {
		gms.Inspect(x.ctx, e, func(_ *gms.Context, e gms.Expression) bool {
			if sub, ok := e.(*plan.Subquery); ok {
				x.add(Step{Depth: depth, Text: "Subquery"})
				x.node(sub.Query, depth+1)
				return false
			}
			return true
		})
	}
}

// oneStep returns the name of a step and what it does.
func oneStep(ctx *gms.Context, n gms.Node) string {
	switch n := n.(type) {
	case *plan.Filter:
		return "Filter: " + expressionText(n.Expression)
	case *plan.Having:
		return "Having: " + expressionText(n.Cond)
	case *plan.Project:
		return "Project: " + expressionTexts(n.Projections)
	case *plan.GroupBy:
		if len(n.GroupByExprs) == 0 {
			return "Aggregate: " + expressionTexts(n.SelectDeps)
		}
		return "Group by " + expressionTexts(n.GroupByExprs) + ": " + expressionTexts(n.SelectDeps)
	case *plan.Window:
		return "Window: " + expressionTexts(n.SelectExprs)
	case *plan.Sort:
		return "Sort: " + sortText(n.SortFields)
	case *plan.TopN:
		return "Top " + expressionText(n.Limit) + ": " + sortText(n.Fields)
	case *plan.Limit:
		return "Limit: " + expressionText(n.Limit)
	case *plan.Offset:
		return "Offset: " + expressionText(n.Offset)
	case *plan.JoinNode:
		text := words(n.JoinType().String())
		if n.Filter != nil && !alwaysTrue(n.Filter) {
			text += ": " + expressionText(n.Filter)
		}
		return text
	case *plan.SetOp:
		return "Set operation" // UNION, INTERSECT or EXCEPT
	case *plan.SubqueryAlias:
		return "Subquery " + n.Name()
	}
	return words(strings.TrimPrefix(fmt.Sprintf("%T", n), "*plan."))
}

func alwaysTrue(e gms.Expression) bool {
	lit, ok := e.(*expression.Literal)
	return ok && lit.Value() == true
}

// words makes words of a name of the library, LeftOuterHashJoin.
func words(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte(' ')
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// expressionText is one line; what a subquery in it reads is told apart.
func expressionText(e gms.Expression) string {
	text, more, _ := strings.Cut(clean(e.String()), "\n")
	if more != "" {
		text += " ..."
	}
	return text
}

func expressionTexts(list []gms.Expression) string {
	texts := make([]string, len(list))
	for i, e := range list {
		texts[i] = expressionText(e)
	}
	return strings.Join(texts, ", ")
}

func sortText(fields gms.SortFields) string {
	texts := make([]string, len(fields))
	for i, f := range fields {
		texts[i] = expressionText(f.Column) + " " + f.Order.String()
	}
	return strings.Join(texts, ", ")
}

// table tells of a table that is read whole.
func (x *explainer) table(n *plan.ResolvedTable, depth int) {
	rel, ok := n.UnderlyingTable().(*relation)
	if !ok {
		x.add(Step{Depth: depth, Text: "One row without a table"})
		return
	}
	st := KeyStep(rel.target.def, nil, false, false)
	if rel.target.def.Kind == ddl.SystemTable {
		st.Access = AccessMade
	}
	st.Depth = depth
	st.Text += rel.columnText()
	x.add(st)
	if st.Access != AccessMade {
		x.cold(rel, route{path: keyPath(rel.target.def), spans: []span{{}}}, depth+1)
	}
}

// columnText tells which columns are read, when these are not all.
func (r *relation) columnText() string {
	if r.names == nil {
		return ""
	}
	return ", columns " + strings.Join(r.names, ", ")
}

// indexed tells of a table that is read by an index.
func (x *explainer) indexed(n *plan.IndexedTableAccess, depth int) {
	rel, ok := n.Table.(*relation)
	if !ok {
		x.add(Step{Depth: depth, Text: "Table " + clean(n.Name())})
		return
	}
	st := Step{Depth: depth, Table: rel.target.def.FullName(), Key: n.Index().ID()}
	if !n.IsStatic() {
		st.Access, st.Range = AccessLookup, expressionTexts(n.Expressions())
		st.Text = "Rows of " + st.Table + " by " + st.Key + " = " + st.Range + rel.columnText()
		x.add(st)
		return
	}
	lookup := plan.GetIndexLookup(n)
	columns := n.Index().Expressions()
	for i, c := range columns {
		columns[i] = c[strings.LastIndexByte(c, '.')+1:]
	}
	var exact bool
	st.Range, exact = rangesText(columns, lookup)
	switch {
	case exact:
		st.Access, st.Text = AccessKey, "Row of "
	case st.Range == "":
		st.Access, st.Text = AccessScan, "All rows of "
	default:
		st.Access, st.Text = AccessRange, "Range of "
	}
	st.Text += st.Table + " by " + st.Key
	if st.Range != "" {
		st.Text += ": " + st.Range
	}
	if lookup.IsReverse {
		st.Text += ", backward"
	}
	st.Text += rel.columnText()
	x.add(st)
	if !exact {
		x.coldLookup(rel, lookup, depth+1)
	}
}

// rangesText writes the ranges of a lookup as a condition. exact says that
// each of them is one key.
func rangesText(columns []string, lookup gms.IndexLookup) (text string, exact bool) {
	ranges, ok := lookup.Ranges.(gms.MySQLRangeCollection)
	if !ok || lookup.IsEmptyRange {
		return "", false
	}
	exact = true
	var all []string
	for _, rg := range ranges {
		var parts []string
		for i, col := range rg {
			if i >= len(columns) {
				break
			}
			lo, loIncl := cutValue(col.LowerBound, true)
			hi, hiIncl := cutValue(col.UpperBound, false)
			if part := RangeText(columns[i], lo, loIncl, hi, hiIncl); part != "" {
				parts = append(parts, part)
			} else if part = nullText(columns[i], col); part != "" {
				parts = append(parts, part)
			}
			exact = exact && !lo.IsNull() && loIncl && hiIncl && value.Equal(lo, hi)
		}
		exact = exact && len(rg) == len(columns)
		if len(parts) > 0 {
			all = append(all, strings.Join(parts, " AND "))
		}
	}
	return strings.Join(all, " OR "), exact
}

// nullText writes what a range without values says of a column.
func nullText(column string, col gms.MySQLRangeColumnExpr) string {
	_, fromNull := col.LowerBound.(gms.BelowNull)
	switch col.UpperBound.(type) {
	case gms.AboveNull:
		return column + " IS NULL"
	case gms.AboveAll:
		if !fromNull {
			return column + " IS NOT NULL"
		}
	}
	return ""
}

// cutValue returns the value at an end of a range, NULL for an open end, and
// whether it belongs to the range.
func cutValue(cut gms.MySQLRangeCut, lower bool) (v value.Value, inclusive bool) {
	var raw any
	switch c := cut.(type) {
	case gms.Below:
		raw, inclusive = c.Key, lower
	case gms.Above:
		raw, inclusive = c.Key, !lower
	default:
		return value.NullValue, false
	}
	v, err := scalar(raw)
	if err != nil {
		return value.NewText(fmt.Sprint(raw)), inclusive
	}
	return v, inclusive
}
