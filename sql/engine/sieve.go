package engine

import (
	"context"
	"strconv"
	"strings"
	"sync"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// sieve is what the WHERE of a SELECT of one table says of single columns. By it
// rows are left out before anything is made of them, in files as in memory. It
// excludes no row for which the WHERE is true; whoever reads judges what is left
// by all of it.
type sieve struct {
	run  *execution
	stmt *ast.Select
	sc   *scope

	once   sync.Once
	tests  []test
	bounds bounded
	after  clock.Seq
	upTo   clock.Seq // 0 for none
}

// test is a condition of the WHERE on one column.
type test struct {
	column int // position in a row
	eval   func(row []value.Value) (value.Value, error)
}

// excludes reports whether the condition is certainly not true of a row.
func (t *test) excludes(vals []value.Value) bool {
	v, err := t.eval(vals)
	return err == nil && (v.IsNull() || !v.Bool())
}

// sieveMark begins what makes the database name of a target with a sieve its own:
// another part of the statement may want other rows of the same table.
const sieveMark = "%"

// sieve has the rows of a SELECT of one table sieved.
func (g *gate) sieve(s *ast.Select, sc *scope) {
	if s.Where == nil || len(sc.sources) != 1 || g.pure || g.same || g.run.locking ||
		g.run.engine.opts.PlanAll {
		return
	}
	src := sc.sources[0]
	if src.target == nil || src.target.def.Kind == ddl.SystemTable || src.target.given != nil {
		return
	}
	t := *src.target
	t.sieve = &sieve{run: g.run, stmt: s, sc: sc}
	src.target, src.db = &t, src.db+sieveMark+strconv.Itoa(len(g.run.tables))
	src.publish()
}

// build reads the WHERE, which has passed the gate.
func (s *sieve) build() {
	s.once.Do(func() {
		c := &compiler{run: s.run, stmt: s.stmt, src: s.sc.sources[0], closed: true,
			top: &selection{stmt: s.stmt, sc: s.sc}}
		s.conjuncts(c, s.stmt.Where.Expr)
	})
}

func (s *sieve) conjuncts(c *compiler, e ast.Expr) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		s.conjuncts(c, e.Expr)
		return
	case *ast.AndExpr:
		s.conjuncts(c, e.Left)
		s.conjuncts(c, e.Right)
		return
	}
	if !s.own(e) {
		return
	}
	c.used = c.used[:0]
	t, ok, err := c.predicate(context.Background(), e)
	if err != nil || !ok || len(c.used) == 0 {
		return
	}
	for _, i := range c.used {
		if i != c.used[0] {
			return
		}
	}
	s.tests = append(s.tests, test{column: c.used[0], eval: t.eval})
	s.bounds.noteAll(c, e)
	s.noteSeq(c, e)
}

// own reports whether e names no column of a query around this one, and has no
// query inside.
func (s *sieve) own(e ast.Expr) bool {
	own := true
	_ = ast.Walk(func(n ast.SQLNode) (bool, error) {
		switch n := n.(type) {
		case *ast.ColName:
			db := n.Qualifier.DbQualifier.String()
			own = own && (db == "" || strings.EqualFold(db, s.sc.sources[0].db))
		case *ast.Subquery:
			own = false
		}
		return own, nil
	}, e) // the function returns no error
	return own
}

// noteSeq notes what a condition says of _seq.
func (s *sieve) noteSeq(c *compiler, e ast.Expr) {
	x, ok := e.(*ast.ComparisonExpr)
	if !ok {
		return
	}
	op, left, right := x.Operator, bare(x.Left), x.Right
	col, ok := left.(*ast.ColName)
	if !ok {
		if op, ok = turned[op]; !ok {
			return
		}
		if col, ok = bare(x.Right).(*ast.ColName); !ok {
			return
		}
		right = x.Left
	}
	t, ok := c.simple(right)
	if !ok || !t.constant || t.kind != value.Int64 || t.value.Int() < 1 ||
		!col.Name.EqualString(system.ColSeq) {
		return
	}
	switch n := clock.Seq(t.value.Int()); op {
	case ast.GreaterThanStr:
		s.after = max(s.after, n)
	case ast.GreaterEqualStr:
		s.after = max(s.after, n-1)
	case ast.LessThanStr, ast.LessEqualStr:
		if s.upTo == 0 || n < s.upTo {
			s.upTo = n
		}
	case ast.EqualStr:
		s.after = max(s.after, n-1)
	}
}

// excludes reports whether a row need not be shown to who reads.
func (s *sieve) excludes(vals []value.Value) bool {
	for i := range s.tests {
		if s.tests[i].excludes(vals) {
			return true
		}
	}
	return false
}

// filter returns the sieve for who reads rows, for one goroutine.
func (s *sieve) filter(t *target) *row.Filter {
	f := &row.Filter{After: s.after, UpTo: s.upTo}
	vals := make([]value.Value, t.width())
	at := make(map[int]int) // of columns among conditions
	for i := range s.tests {
		x := &s.tests[i]
		if x.column >= len(t.def.Columns) {
			continue
		}
		meets := func(v value.Value) bool {
			vals[x.column] = v
			return !x.excludes(vals)
		}
		if n, ok := at[x.column]; ok {
			first := f.Conditions[n].Meets
			f.Conditions[n].Meets = func(v value.Value) bool { return first(v) && meets(v) }
			continue
		}
		c := row.Condition{Column: t.def.Columns[x.column].ID, Meets: meets,
			Kind: t.def.Columns[x.column].Type.Kind}
		if l := s.bounds.of(x.column); l != nil && !l.null {
			c.Min, c.Max = l.lo, l.hi
		}
		at[x.column] = len(f.Conditions)
		f.Conditions = append(f.Conditions, c)
	}
	return f
}

// columns returns the positions of the columns that the sieve is about.
func (s *sieve) columns() (list []int) {
	for i := range s.tests {
		list = append(list, s.tests[i].column)
	}
	return list
}
