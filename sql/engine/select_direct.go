package engine

import (
	"context"
	"io"
	"math"
	"slices"
	"strconv"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
)

// direct runs the simplest SELECTs without the library's planner: columns of
// one table, a conjunction of plain comparisons, the order of the key or of an
// index, a LIMIT. These are most of what is asked, and planning is most of their cost.
// A SELECT that does not fit is left to the library; both give the same
// answer.
type direct struct {
	run     *execution
	columns []predicate.Column
	picks   []int // positions of the result's columns in a row
	filter  []term
	cursor  *cursor
	bounds  bounded
	skip    int64
	left    int64 // rows still to give; -1 for all
	vals    []value.Value
	buf     []value.Value
}

var _ Rows = (*direct)(nil)

// direct returns nil when the SELECT does not fit.
func (run *execution) direct(top *selection) *direct {
	if top == nil || run.engine.opts.PlanAll {
		return nil
	}
	s, sc := top.stmt, top.sc
	if len(sc.sources) != 1 || sc.sources[0].target == nil || s.With != nil || len(s.GroupBy) > 0 ||
		s.Having != nil || s.QueryOpts.Distinct || len(s.Window) > 0 {
		return nil
	}
	src := sc.sources[0]
	if src.target.def.Kind == ddl.SystemTable {
		return nil
	}
	d := &direct{run: run, left: -1, vals: make([]value.Value, src.target.width())}
	c := &compiler{run: run, stmt: s, src: src, top: top, closed: true}
	if !d.project(c) || !d.limit(s.Limit) {
		return nil
	}
	if s.Where != nil && !d.where(c, s.Where.Expr, &d.bounds) {
		return nil
	}
	to, ok := d.route(src, s.OrderBy, sc)
	if !ok {
		return nil
	}
	d.cursor = src.target.scan(to)
	d.cursor.needs(c.used)
	d.cursor.judged = true
	if len(d.filter) == 0 && d.left > 0 {
		d.cursor.need.Rows = int(min(d.left+d.skip, math.MaxInt32))
	}
	d.buf = make([]value.Value, len(d.picks))
	return d
}

// project takes a list of plain columns.
func (d *direct) project(c *compiler) bool {
	for _, e := range c.stmt.SelectExprs {
		a, ok := e.(*ast.AliasedExpr)
		if !ok {
			return false
		}
		col, ok := a.Expr.(*ast.ColName)
		if !ok {
			return false
		}
		t, ok := c.column(col)
		if !ok {
			return false
		}
		out := predicate.Column{Name: col.Name.String(), Kind: t.kind, NotNull: true}
		if !a.As.IsEmpty() {
			out.Name = a.As.String()
		}
		i := c.position(col.Name.Lowered())
		if def := c.src.target.def; i < len(def.Columns) {
			out.Declare(def.Columns[i].Type)
			out.Key = def.IsKey(i)
			out.NotNull = out.Key || def.Columns[i].NotNull
		}
		d.columns, d.picks = append(d.columns, out), append(d.picks, i)
	}
	return true
}

// limit takes literal numbers, which the gate has made of parameters.
func (d *direct) limit(l *ast.Limit) bool {
	if l == nil {
		return true
	}
	for to, e := range map[*int64]ast.Expr{&d.skip: l.Offset, &d.left: l.Rowcount} {
		if e == nil {
			continue
		}
		v, ok := e.(*ast.SQLVal)
		if !ok || v.Type != ast.IntVal {
			return false
		}
		n, err := strconv.ParseInt(string(v.Val), 10, 64)
		if err != nil {
			return false
		}
		*to = n
	}
	return true
}

// where compiles a conjunction and notes what it says of key columns.
func (d *direct) where(c *compiler, e ast.Expr, b *bounded) bool {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return d.where(c, e.Expr, b)
	case *ast.AndExpr:
		return d.where(c, e.Left, b) && d.where(c, e.Right, b)
	case *ast.ComparisonExpr:
		if e.Operator == ast.InStr && c.src.leadsPath(e.Left) {
			return false // the library reads the keys one by one
		}
	case *ast.RangeCond:
	default:
		return false
	}
	b.noteAll(c, e)
	t, ok, err := c.predicate(context.Background(), e)
	d.filter = append(d.filter, t)
	return ok && err == nil
}

// leadsPath reports whether e is a column of the primary key, or the first one
// of an index.
func (s *source) leadsPath(e ast.Expr) bool {
	name, ok := s.columnName(e)
	if !ok {
		return false
	}
	def := s.target.def
	i := def.Column(name)
	return def.IsKey(i) || slices.ContainsFunc(def.Indexes, func(x ddl.Index) bool {
		return !x.Building && x.Columns[0] == def.Columns[i].ID
	})
}

// turned are the operators with their sides exchanged.
var turned = map[string]string{
	ast.EqualStr:    ast.EqualStr,
	ast.LessThanStr: ast.GreaterThanStr, ast.GreaterThanStr: ast.LessThanStr,
	ast.LessEqualStr: ast.GreaterEqualStr, ast.GreaterEqualStr: ast.LessEqualStr,
}

// bounded is what a WHERE says of columns, by position.
type bounded map[int]*limits

// noteAll notes what a condition says of columns.
func (b *bounded) noteAll(c *compiler, e ast.Expr) {
	switch e := e.(type) {
	case *ast.ComparisonExpr:
		b.note(c, e.Left, e.Operator, e.Right)
		if e.Operator == ast.LikeStr {
			b.noteLike(c, e)
		}
		if turned, ok := turned[e.Operator]; ok {
			b.note(c, e.Right, turned, e.Left)
		}
	case *ast.RangeCond:
		if e.Operator == ast.BetweenStr {
			b.note(c, e.Left, ast.GreaterEqualStr, e.From)
			b.note(c, e.Left, ast.LessEqualStr, e.To)
		}
	}
}

// note takes `column op constant`; anything else says nothing.
func (b *bounded) note(c *compiler, column ast.Expr, op string, constant ast.Expr) {
	name, ok := c.src.columnName(column)
	if !ok {
		return
	}
	t, ok := c.simple(constant)
	if !ok || !t.constant {
		return
	}
	i := c.src.target.def.Column(name)
	of := c.src.target.def.Columns[i].Type
	if of.Kind == value.Enum && t.kind == value.Text && op == ast.EqualStr {
		b.labelled(i, labelled(of, t.value.Str()))
		return
	}
	v, ok := placed(of.Kind, t.value)
	if !ok || !alike(term{kind: v.Kind()}, t) {
		return
	}
	b.bound(i, op, v)
}

// bound adds a comparison of a column with a value of its kind.
func (b *bounded) bound(i int, op string, v value.Value) {
	l := b.at(i)
	if op == ast.EqualStr || op == ast.GreaterEqualStr || op == ast.GreaterThanStr {
		over := op == ast.GreaterThanStr
		if d := value.Compare(v, l.lo); l.lo.IsNull() || d > 0 || d == 0 && over {
			l.lo, l.loOver = v, over
		}
	}
	if op == ast.EqualStr || op == ast.LessEqualStr || op == ast.LessThanStr {
		incl := op != ast.LessThanStr
		if d := value.Compare(v, l.hi); l.hi.IsNull() || d < 0 || d == 0 && !incl {
			l.hi, l.hiIncl = v, incl
		}
	}
}

// at returns what is said of a column, to be added to.
func (b *bounded) at(column int) *limits {
	if *b == nil {
		*b = make(bounded)
	}
	l := (*b)[column]
	if l == nil {
		l = &limits{notNull: true}
		(*b)[column] = l
	}
	return l
}

// labelled notes that a column is one label, or none where l says so or another
// was noted before.
func (b *bounded) labelled(column int, l *limits) {
	had := b.at(column)
	switch {
	case had.lo.IsNull() && !had.null:
		*had = *l
	case l.null || had.lo != l.lo:
		*had = limits{null: true, notNull: true}
	}
}

// Next implements Rows.
func (d *direct) Next(ctx context.Context) (vals []value.Value, err error) {
	defer func() {
		if p := recover(); p != nil {
			vals, err = nil, d.run.engine.panicked(p)
		}
	}()
	for d.left != 0 {
		ok, err := d.cursor.next(ctx, d.vals)
		if err != nil {
			return nil, d.run.fault(err)
		}
		if !ok {
			break
		}
		if ok, err = d.passes(); err != nil {
			return nil, d.run.fault(err)
		}
		if !ok {
			continue
		}
		if d.skip > 0 {
			d.skip--
			continue
		}
		if d.left > 0 {
			d.left--
		}
		for i, p := range d.picks {
			d.buf[i] = d.vals[p]
		}
		return d.buf, nil
	}
	return nil, io.EOF
}

func (d *direct) passes() (bool, error) {
	for _, t := range d.filter {
		v, err := t.eval(d.vals)
		if err != nil || v.IsNull() || !v.Bool() {
			return false, err
		}
	}
	return true, nil
}

// Close implements Rows.
func (d *direct) Close() error {
	d.cursor.close()
	d.left = 0
	return nil
}
