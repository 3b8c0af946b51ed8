package engine

import (
	"context"
	"errors"
	"sync"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// errForeign says that an expression needs the library. It never leaves this
// package.
var errForeign = errors.New("engine: the expression needs the library")

// foreign is an expression of the library over the rows of one table.
type foreign struct {
	engine    *Engine
	kind      value.Kind
	condition bool  // its truth is asked for, not its value
	columns   []int // that it reads
	width     int

	mu   sync.Mutex // the library's expressions keep state between calls
	expr gms.Expression
}

// foreign compiles e as the library's own expression.
func (c *compiler) foreign(ctx context.Context, e ast.Expr, condition bool) (term, error) {
	if c.closed {
		return term{}, errForeign
	}
	n, _, err := c.bind(ctx, ast.SelectExprs{&ast.AliasedExpr{Expr: e}}, nil)
	if err != nil {
		return term{}, err
	}
	empty := gms.NewEmptyContext()
	if n, err = tame(empty, n); err != nil {
		return term{}, err
	}
	p, ok := n.(*plan.Project)
	if !ok || len(p.Projections) != 1 {
		return term{}, cannotLive("an expression can't be kept live: %s", ast.String(e))
	}
	f := &foreign{engine: c.run.engine, condition: condition,
		kind: resultKind(p.Projections[0].Type(empty)), width: c.src.target.width()}
	if condition {
		f.kind = value.Bool
	}
	if f.expr, err = c.place(f, p.Projections[0]); err != nil {
		return term{}, err
	}
	return term{kind: f.kind, eval: f.eval}, nil
}

// place gives the columns of an expression their positions in a whole row.
func (c *compiler) place(f *foreign, e gms.Expression) (gms.Expression, error) {
	seen := make(map[int]bool)
	out, _, err := transform.Expr(nil, e,
		func(_ *gms.Context, e gms.Expression) (gms.Expression, transform.TreeIdentity, error) {
			g, ok := e.(*expression.GetField)
			if !ok {
				return e, transform.SameTree, nil
			}
			i := c.position(g.Name())
			if i < 0 {
				return nil, transform.SameTree, c.run.noColumn(g.Name())
			}
			if !seen[i] {
				seen[i] = true
				f.columns = append(f.columns, i)
			}
			return g.WithIndex(i), transform.NewTree, nil
		})
	return out, err
}

func (c *compiler) position(name string) int {
	if i := c.src.target.def.Column(name); i >= 0 {
		return i
	}
	for j, s := range system.Columns {
		if s == name {
			return len(c.src.target.def.Columns) + j
		}
	}
	return -1
}

func (f *foreign) eval(row []value.Value) (value.Value, error) {
	run := &execution{engine: f.engine, env: &Env{}}
	ctx, release, err := f.engine.acquire(context.Background(), run)
	if err != nil {
		return value.Value{}, err
	}
	defer release()
	r := make(gms.Row, f.width)
	for _, i := range f.columns {
		r[i] = toEngine(row[i])
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.condition {
		x, err := gms.EvaluateCondition(ctx, f.expr, r)
		if err != nil || x == nil {
			return value.NullValue, run.fault(err)
		}
		return value.NewBool(gms.IsTrue(x)), nil
	}
	x, err := f.expr.Eval(ctx, r)
	if err != nil {
		return value.Value{}, run.fault(err)
	}
	v, err := fromEngine(ctx, f.kind, x)
	return v, run.fault(err)
}
