package engine

import (
	"context"
	"strconv"
	"strings"

	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

// Access is how the rows of a table are found.
type Access string

// The ways to find rows.
const (
	AccessKey    Access = "key"    // one row, by its whole key
	AccessRange  Access = "range"  // the rows of a range of a key
	AccessLookup Access = "lookup" // by key, for each row of the other side of a join
	AccessScan   Access = "scan"   // all rows of the owner
	AccessMade   Access = "made"   // rows of a system table, made on request
)

// Step is one step of how a statement is run. Those behind it with a greater
// Depth are what it takes its rows from.
type Step struct {
	Depth int
	Text  string
	// Of a step that reads a table, "" otherwise:
	Table  string // with its namespace
	Access Access
	Key    string // the index that is used
	Range  string // the part of it that is read, as a condition
}

// Explain tells how Run would run a SELECT. It checks the same rights and
// reads no rows. Errors are those of Run.
func (e *Engine) Explain(
	ctx context.Context, st *dialect.Statement, env *Env,
) (steps []Step, err error) {
	run := &execution{
		ctx: ctx, engine: e, env: env, text: st.Text, tables: make(map[tableKey]*target),
	}
	defer func() {
		if p := recover(); p != nil {
			steps, err = nil, e.panicked(p)
		}
		err = run.fault(err)
		run.cursors.closeAll()
	}()
	stmt, err := e.parse(st.Text, env)
	if err != nil {
		return nil, err
	}
	s, ok := stmt.Statement.(ast.SelectStatement)
	if !ok {
		return nil, refuse("EXPLAIN of anything but a SELECT is not offered")
	}
	g := &gate{run: run}
	if err := g.query(s, nil); err != nil {
		return nil, err
	}
	if d := run.direct(g.top); d != nil {
		return d.explain(g.top.stmt)
	}
	c, release, err := e.acquire(ctx, run)
	if err != nil {
		return nil, err
	}
	defer release()
	node, err := run.analyze(c, s)
	if err != nil {
		return nil, err
	}
	x := &explainer{ctx: c}
	x.add(Step{Text: "Query engine"})
	x.node(node, 1)
	return x.steps, x.err
}

// explain tells of a SELECT without the library.
func (d *direct) explain(s *ast.Select) ([]Step, error) {
	steps := []Step{{Text: "Direct read"}}
	add := func(st Step) {
		st.Depth = len(steps)
		steps = append(steps, st)
	}
	if d.left >= 0 {
		add(Step{Text: LimitText(d.left, d.skip)})
	}
	if s.Where != nil {
		add(Step{Text: "Filter: " + clean(ast.String(s.Where.Expr))})
	}
	p := d.cursor.path
	var conditions []string
	exact := p.index == nil || p.index.Unique
	for _, i := range p.distinct() {
		l := d.bounds[i]
		if l == nil {
			exact = false
			break
		}
		conditions = append(conditions, l.text(p.def.Columns[i].Name))
		if !l.one() {
			exact = false
			break
		}
	}
	add(PathStep(p.def, p.name(), conditions, exact, d.cursor.reverse))
	st, ok, err := d.cursor.cold(d.left >= 0 && len(d.filter) == 0)
	if ok && !exact {
		add(st)
	}
	return steps, err
}

// LimitText is the text of a step that ends a result early.
func LimitText(rows, skip int64) string {
	text := "Limit: " + strconv.FormatInt(rows, 10)
	if skip > 0 {
		text += " behind the first " + strconv.FormatInt(skip, 10)
	}
	return text
}

// KeyStep is PathStep for the primary key.
func KeyStep(def *ddl.Table, conditions []string, exact, reverse bool) Step {
	return PathStep(def, keyIndexName, conditions, exact, reverse)
}

// PathStep is the step that reads a table by its primary key or another index,
// called name, within conditions on its leading columns; exact says that they
// name one row.
func PathStep(def *ddl.Table, name string, conditions []string, exact, reverse bool) Step {
	st := Step{Table: def.FullName(), Access: AccessScan, Range: strings.Join(conditions, " AND ")}
	switch {
	case exact:
		st.Access, st.Key = AccessKey, name
		st.Text = "Row of " + st.Table + " by " + st.Key + ": " + st.Range
		return st
	case len(conditions) > 0:
		st.Access, st.Key = AccessRange, name
		st.Text = "Range of " + st.Table + " by " + st.Key + ": " + st.Range
	default:
		st.Text = "All rows of " + st.Table
		if name != keyIndexName {
			st.Key = name
			st.Text += " by " + name
		}
	}
	if reverse {
		st.Key = name
		st.Text += ", backward"
	}
	return st
}

// text writes the limits of a column as a condition.
func (l *limits) text(column string) string {
	return RangeText(column, l.lo, !l.loOver, l.hi, l.hiIncl)
}

// RangeText writes the bounds of a column as a condition; a NULL bound is
// none.
func RangeText(column string, lo value.Value, loIncl bool, hi value.Value, hiIncl bool) string {
	if !lo.IsNull() && !hi.IsNull() && loIncl && hiIncl && value.Equal(lo, hi) {
		return column + " = " + literalText(lo)
	}
	var parts []string
	if !lo.IsNull() {
		parts = append(parts, column+operator(" >", loIncl)+literalText(lo))
	}
	if !hi.IsNull() {
		parts = append(parts, column+operator(" <", hiIncl)+literalText(hi))
	}
	return strings.Join(parts, " AND ")
}

func operator(sign string, inclusive bool) string {
	if inclusive {
		return sign + "= "
	}
	return sign + " "
}

// maxLiteral bounds a value in what Explain tells, in bytes.
const maxLiteral = 60

// literalText writes a value as it may stand in a statement, long ones
// shortened.
func literalText(v value.Value) string {
	text := v.Text()
	if len(text) > maxLiteral {
		text = strings.ToValidUTF8(text[:maxLiteral], "") + "..."
	}
	switch v.Kind() {
	case value.Bool, value.Int8, value.Int16, value.Int32, value.Int64, value.Uint8, value.Uint16,
		value.Uint32, value.Uint64, value.Float32, value.Float64, value.Decimal, value.Null:
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}
