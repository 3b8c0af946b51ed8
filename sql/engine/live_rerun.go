package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// liveRerun checks a SELECT that is kept live by running it again: what it
// follows, what it reads beside, and what tells its rows apart.
func (run *execution) liveRerun(
	ctx context.Context, stmt ast.Statement,
) (*predicate.Query, ident.UserID, error) {
	s, ok := stmt.(ast.SelectStatement)
	if !ok {
		return nil, "", cannotLive("a live query is a SELECT")
	}
	if err := run.inlineParams(s); err != nil {
		return nil, "", err
	}
	g := &gate{run: run, same: true}
	if err := g.query(s, nil); err != nil {
		return nil, "", err
	}
	r := &predicate.Rerun{Ordered: isOrdered(s)}
	owner, err := run.divide(r)
	if err != nil {
		return nil, "", err
	}
	if def := run.sharedLead(s); def != nil {
		return nil, "", sharedLive(def)
	}
	columns, err := run.columns(ctx, s, g.top)
	if err != nil {
		return nil, "", err
	}
	markKey(columns, g.top)
	r.One = g.top.isTotal()
	q := &predicate.Query{
		Text: run.textAgain(s, r.Reads), Table: r.Follows[0], Columns: columns, Rerun: r,
	}
	return q, owner, nil
}

// divide sorts the tables of the statement into those that are followed, which
// are of one owner, and those that are looked up.
func (run *execution) divide(r *predicate.Rerun) (owner ident.UserID, err error) {
	seen := make(map[ident.TableID]bool)
	first := true
	for _, t := range run.tables {
		switch t.def.Kind {
		case ddl.SystemTable:
			return "", errSystemLive
		case ddl.SharedTable:
			if !seen[t.def.ID] {
				r.Reads = append(r.Reads, t.def)
			}
			seen[t.def.ID] = true
			continue
		}
		if !first && t.owner != owner {
			return "", cannotLive("a live query follows tables of one owner")
		}
		owner, first = t.owner, false
		if !seen[t.def.ID] {
			r.Follows = append(r.Follows, t.def)
		}
		seen[t.def.ID] = true
	}
	byID := func(a, b *ddl.Table) int { return int(a.ID) - int(b.ID) }
	slices.SortFunc(r.Follows, byID)
	slices.SortFunc(r.Reads, byID)
	switch {
	case len(r.Follows) > 0:
		return owner, nil
	case len(r.Reads) > 0:
		return "", sharedLive(r.Reads[0])
	}
	return "", cannotLive("a SELECT that reads no table can't be kept live")
}

// sharedLead returns the SHARED table that one of the united SELECTs is led by:
// the one that stands first in its FROM, or that a RIGHT JOIN keeps whole. Its
// rows make the result, so its changes would have to be followed.
func (run *execution) sharedLead(s ast.SelectStatement) *ddl.Table {
	switch s := s.(type) {
	case *ast.ParenSelect:
		return run.sharedLead(s.Select)
	case *ast.SetOp:
		if def := run.sharedLead(s.Left); def != nil {
			return def
		}
		return run.sharedLead(s.Right)
	case *ast.Select:
		if len(s.From) > 0 {
			return run.sharedIn(s.From[0])
		}
	}
	return nil
}

func (run *execution) sharedIn(t ast.TableExpr) *ddl.Table {
	switch t := t.(type) {
	case *ast.JoinTableExpr:
		if strings.HasPrefix(t.Join, "right") {
			return run.sharedIn(t.RightExpr)
		}
		return run.sharedIn(t.LeftExpr)
	case *ast.ParenTableExpr:
		return run.sharedIn(t.Exprs[0])
	case *ast.AliasedTableExpr:
		n, ok := t.Expr.(ast.TableName)
		if !ok {
			return nil
		}
		found, ok := run.tables[tableKey{n.DbQualifier.String(), n.Name.String()}]
		if ok && found.def.Kind == ddl.SharedTable {
			return found.def
		}
	}
	return nil
}

// columns plans a query and returns the columns of its result.
func (run *execution) columns(ctx context.Context, s ast.Statement, top *selection) (
	[]predicate.Column, error,
) {
	c, release, err := run.engine.acquire(ctx, run)
	if err != nil {
		return nil, err
	}
	defer release()
	node, err := run.analyze(c, s)
	if err != nil {
		return nil, err
	}
	return top.describe(node.Schema(c)), nil
}

func isOrdered(s ast.SelectStatement) bool {
	switch s := s.(type) {
	case *ast.ParenSelect:
		return isOrdered(s.Select)
	case *ast.SetOp:
		return len(s.OrderBy) > 0
	case *ast.Select:
		return len(s.OrderBy) > 0
	}
	return false
}

// markKey marks the columns that tell the rows of a result apart: those of
// GROUP BY, else the keys of all tables, when all of them are there.
func markKey(columns []predicate.Column, top *selection) {
	for i := range columns {
		columns[i].Key = false
	}
	if top == nil || len(top.stmt.SelectExprs) != len(columns) {
		return
	}
	key, ok := top.groupKey()
	if !ok {
		key, ok = top.tableKeys()
	}
	for _, i := range key {
		columns[i].Key = ok
	}
}

// isTotal reports whether the result is one row of aggregates over all rows.
func (s *selection) isTotal() bool {
	if s == nil || len(s.stmt.GroupBy) > 0 {
		return false
	}
	for _, e := range s.stmt.SelectExprs {
		a, ok := e.(*ast.AliasedExpr)
		if !ok {
			continue
		}
		if f, ok := a.Expr.(*ast.FuncExpr); ok && f.Over == nil && isAggregate(f) {
			return true
		}
	}
	return false
}

func isAggregate(f *ast.FuncExpr) bool {
	return f.IsAggregate() || f.Name.Lowered() == exactSum || f.Name.Lowered() == exactAvg
}

// groupKey returns where the columns of GROUP BY stand in the list.
func (s *selection) groupKey() (key []int, ok bool) {
	for _, e := range s.stmt.GroupBy {
		col, ok := e.(*ast.ColName)
		if !ok {
			return nil, false
		}
		i := slices.IndexFunc(s.stmt.SelectExprs, func(x ast.SelectExpr) bool {
			a, ok := x.(*ast.AliasedExpr)
			if !ok {
				return false
			}
			c, plain := a.Expr.(*ast.ColName)
			return plain && c.Name.Lowered() == col.Name.Lowered() &&
				(len(s.sc.sources) == 1 || strings.EqualFold(ast.String(c), ast.String(col)))
		})
		if i < 0 {
			return nil, false
		}
		key = append(key, i)
	}
	return key, len(key) > 0
}

// tableKeys returns where the key columns of all tables stand in the list.
func (s *selection) tableKeys() (key []int, ok bool) {
	if len(s.stmt.GroupBy) > 0 {
		return nil, false
	}
	for _, src := range s.sc.sources {
		if src.target == nil || len(src.target.def.PrimaryKey) == 0 {
			return nil, false
		}
		for _, c := range src.target.def.PrimaryKey {
			i := s.position(src, src.target.def.Columns[c].Name)
			if i < 0 {
				return nil, false
			}
			key = append(key, i)
		}
	}
	return key, len(key) > 0
}

// position returns where a column of a source stands in the list by itself, -1
// for nowhere.
func (s *selection) position(src *source, name string) int {
	return slices.IndexFunc(s.stmt.SelectExprs, func(x ast.SelectExpr) bool {
		a, ok := x.(*ast.AliasedExpr)
		if !ok {
			return false
		}
		c, ok := a.Expr.(*ast.ColName)
		if !ok || c.Name.Lowered() != name {
			return false
		}
		q := strings.ToLower(c.Qualifier.Name.String())
		return q == src.name || q == "" && len(s.sc.sources) == 1
	})
}

// textAgain writes the statement without the names of its owner, and with the
// versions of what it reads beside, so that its text says all about it.
func (run *execution) textAgain(s ast.SelectStatement, reads []*ddl.Table) string {
	plain := func(n ast.TableName) ast.TableName {
		if t, ok := run.tables[tableKey{n.DbQualifier.String(), n.Name.String()}]; ok {
			n.DbQualifier = ast.NewTableIdent(string(t.def.Namespace))
		}
		return n
	}
	_ = ast.Walk(func(n ast.SQLNode) (bool, error) { // the function returns no error
		switch n := n.(type) {
		case *ast.AliasedTableExpr:
			if name, ok := n.Expr.(ast.TableName); ok {
				n.Expr = plain(name)
			}
		case *ast.ColName:
			n.Qualifier = plain(n.Qualifier)
		case *ast.FuncExpr:
			plainName(n)
		}
		return true, nil
	}, s)
	text := ast.String(s)
	for _, t := range reads {
		text += fmt.Sprintf(" /* %s version %d */", t.FullName(), t.Version)
	}
	return text
}
