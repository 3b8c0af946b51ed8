package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
	sqlengine "github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
	"github.com/kalamdb/kalamdb-go/store"
)

// explainColumns are the columns of EXPLAIN: a line of the plan, and of a line
// that reads a table, which and how.
var explainColumns = []predicate.Column{
	{Name: "plan", Kind: value.Text, NotNull: true},
	{Name: "table_name", Kind: value.Text}, {Name: "access", Kind: value.Text},
	{Name: "key_name", Kind: value.Text}, {Name: "key_range", Kind: value.Text},
}

// explain tells how a SELECT is run, with the rights of running it. ANALYZE
// runs it as well and adds what that took; the rows are thrown away.
func (r *run) explain(ctx context.Context, n *ast.Explain, emit Sink) error {
	if n.Live {
		return locateIn(r.explainLive(ctx, n, emit), n.Offset)
	}
	query := *r
	query.st = &dialect.Statement{Kind: dialect.Select, Text: n.Query}
	var steps []sqlengine.Step
	v, err := query.onView(ctx, func(v *store.View) (err error) {
		steps, err = query.steps(ctx, v)
		return err
	})
	if err != nil {
		return locateIn(err, n.Offset)
	}
	defer v.Release()
	if n.Analyze {
		var ran []sqlengine.Step
		ran, err = query.analyze(ctx, v)
		steps = append(steps, ran...)
	}
	if err != nil {
		return locateIn(err, n.Offset)
	}
	rows := make([][]value.Value, len(steps))
	for i, s := range steps {
		rows[i] = []value.Value{
			value.NewText(strings.Repeat("  ", s.Depth) + s.Text), textOrNull(s.Table),
			textOrNull(s.Access), textOrNull(s.Key), textOrNull(s.Range),
		}
	}
	return emit(&Result{Columns: explainColumns, Rows: newFixed(rows)})
}

// locateIn moves the position of an error from a SELECT to the statement in
// which it stands at an offset.
func locateIn(err error, offset int) error {
	if err == nil {
		return nil
	}
	e := fault.From(err)
	if e.Position > 0 {
		e = e.At(0, e.Position+offset)
	}
	return e
}

// steps tells how plan would run the statement.
func (r *run) steps(ctx context.Context, v *store.View) ([]sqlengine.Step, error) {
	env := r.env(v)
	if env.Pending == nil {
		if steps, err := r.x.plans.Explain(ctx, r.st, env); steps != nil || err != nil {
			return steps, err
		}
	}
	return r.x.SQL.Explain(ctx, r.st, env)
}

// analyze runs the statement and tells what it took.
func (r *run) analyze(ctx context.Context, v *store.View) ([]sqlengine.Step, error) {
	start := time.Now()
	res, err := r.plan(ctx, v)
	if err != nil {
		return nil, err
	}
	count := 0
	for {
		if _, err = res.Rows.Next(ctx); err != nil {
			break
		}
		count++
	}
	closing := res.Rows.Close()
	if !errors.Is(err, io.EOF) {
		return nil, err
	}
	return []sqlengine.Step{
		{Text: fmt.Sprintf("Rows: %d", count)},
		{Text: fmt.Sprintf("Rows read: %d", res.RowsRead())},
		{Text: fmt.Sprintf("Time: %.3f ms", float64(time.Since(start).Microseconds())/1000)},
	}, closing
}
