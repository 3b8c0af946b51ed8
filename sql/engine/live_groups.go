package engine

import (
	"context"
	"slices"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// liveGroups compiles aggregates over one table that can be kept without
// reading it again: of plain columns, in groups by plain columns. What can't be
// added exactly, or expires, is run again instead.
func (run *execution) liveGroups(
	ctx context.Context, stmt ast.Statement,
) (*predicate.Query, ident.UserID, error) {
	s, ok := stmt.(*ast.Select)
	if !ok || !groupShape(s) {
		return nil, "", onlyAgain("this kind of SELECT")
	}
	if err := run.liveTable(s); err != nil {
		return nil, "", err
	}
	if err := run.inlineParams(s); err != nil {
		return nil, "", err
	}
	g := &gate{run: run, live: true, same: true}
	if err := g.query(s, nil); err != nil {
		return nil, "", err
	}
	rows := &gate{run: run, live: true, pure: true, depth: 1}
	if err := rows.where(s.Where, g.top.sc); err != nil {
		return nil, "", err
	}
	c := &compiler{run: run, stmt: s, src: g.top.sc.sources[0], top: g.top}
	def, owner := c.src.target.def, c.src.target.owner
	if def.TTL > 0 {
		return nil, "", onlyAgain("an aggregate of rows that expire")
	}
	columns, err := run.columns(ctx, s, g.top)
	if err != nil {
		return nil, "", err
	}
	markKey(columns, g.top)
	groups, err := c.groups(columns)
	if err != nil {
		return nil, "", err
	}
	key := liveKey{c.canonical(), def.ID, def.Version}
	if q, ok := run.engine.live.get(key); ok {
		return q, owner, nil
	}
	q := &predicate.Query{Text: key.text, Table: def, Columns: columns, Groups: groups}
	match, err := c.matcher(ctx)
	if err != nil {
		return nil, "", err
	}
	q.Lo, q.Hi = c.keyBounds(c.bounds())
	c.shield(q, nil, match)
	q.Project = nil
	run.engine.live.put(key, q, run.engine.opts.MaxLiveQueries)
	return q, owner, nil
}

// groupShape takes a SELECT from one table with an aggregate in its list, and
// nothing behind GROUP BY.
func groupShape(s *ast.Select) bool {
	if s.With != nil || len(s.From) != 1 || s.Having != nil || s.QueryOpts.Distinct ||
		len(s.OrderBy) > 0 || s.Limit != nil || len(s.Window) > 0 {
		return false
	}
	if _, ok := s.From[0].(*ast.AliasedTableExpr); !ok {
		return false
	}
	return slices.ContainsFunc(s.SelectExprs, func(e ast.SelectExpr) bool {
		a, ok := e.(*ast.AliasedExpr)
		if !ok {
			return false
		}
		f, ok := a.Expr.(*ast.FuncExpr)
		return ok && f.IsAggregate()
	})
}

// groups compiles GROUP BY and the list. columns say of what kind the library
// makes each.
func (c *compiler) groups(columns []predicate.Column) (*predicate.Groups, error) {
	g := &predicate.Groups{}
	def := c.src.target.def
	for _, e := range c.stmt.GroupBy {
		name, ok := c.src.columnName(e)
		if !ok || c.top.sc.aliases[name] || !groupable(def.Columns[def.Column(name)].Type.Kind) {
			return nil, onlyAgain("GROUP BY an expression")
		}
		g.Keys = append(g.Keys, def.Column(name))
	}
	if len(columns) != len(c.stmt.SelectExprs) {
		return nil, onlyAgain("this kind of result column")
	}
	for i, item := range c.stmt.SelectExprs {
		a, ok := item.(*ast.AliasedExpr)
		if !ok {
			return nil, onlyAgain("this kind of result column")
		}
		cell, ok := c.cell(a.Expr, g.Keys, columns[i].Kind)
		if !ok {
			return nil, onlyAgain("an expression over groups")
		}
		g.Cells = append(g.Cells, cell)
	}
	return g, nil
}

// groupable reports whether values of a kind are told apart here as the library
// does.
func groupable(k value.Kind) bool {
	switch k {
	case value.Bool, value.Text, value.UUID, value.Date, value.DateTime, value.Timestamp:
		return true
	}
	return k >= value.Int8 && k <= value.Uint64
}

// cell compiles an item of the list: a column of GROUP BY or an aggregate of a
// column, that the library shows as kind.
func (c *compiler) cell(e ast.Expr, keys []int, kind value.Kind) (predicate.Cell, bool) {
	def := c.src.target.def
	if name, ok := c.src.columnName(e); ok {
		at := slices.Index(keys, def.Column(name))
		return predicate.Cell{From: at, Kind: kind}, at >= 0
	}
	f, ok := e.(*ast.FuncExpr)
	if !ok || f.Distinct || f.Over != nil || len(f.Exprs) != 1 {
		return predicate.Cell{}, false
	}
	out := predicate.Cell{From: -1, Kind: kind}
	name := f.Name.Lowered()
	if _, ok := f.Exprs[0].(*ast.StarExpr); ok {
		out.Call = predicate.Count
		return out, name == "count"
	}
	a, ok := f.Exprs[0].(*ast.AliasedExpr)
	if !ok {
		return out, false
	}
	column, ok := c.src.columnName(a.Expr)
	if !ok {
		return out, false
	}
	out.From = def.Column(column)
	return out, aggregateOf(&out, name, def.Columns[out.From].Type)
}

// aggregateOf fills in the call of a column of type t, and reports whether it
// can be kept.
func aggregateOf(out *predicate.Cell, name string, t ddl.Type) bool {
	whole := t.Kind >= value.Int8 && t.Kind <= value.Uint64
	switch name {
	case "count":
		out.Call = predicate.Count
		return out.Kind == value.Int64
	case exactSum, exactAvg:
		out.Call = predicate.Sum
		if name == exactAvg {
			out.Call = predicate.Average
		}
		out.Scale = t.Scale
		return out.Kind == value.Decimal &&
			(whole || t.Kind == value.Decimal && t.Precision > 0)
	case "min", "max":
		out.Call = predicate.Least
		if name == "max" {
			out.Call = predicate.Greatest
		}
		switch t.Kind {
		case value.Timestamp:
			return out.Kind == value.DateTime
		case value.Text, value.Date, value.DateTime, value.Float32, value.Float64:
			return out.Kind == t.Kind
		}
		return whole && out.Kind == t.Kind
	}
	return false
}
