package exec

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/live"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
	"github.com/kalamdb/kalamdb-go/sql/predicate"
	"github.com/kalamdb/kalamdb-go/store"
)

// compileLive compiles the SELECT of a live query with the rights of who runs
// r, and returns whose rows it follows.
func (r *run) compileLive(ctx context.Context, text string) (
	*predicate.Query, ident.UserID, error,
) {
	var q *predicate.Query
	var owner ident.UserID
	v, err := r.onView(ctx, func(v *store.View) (err error) {
		if r.reading != nil {
			r.reading.parsed = true
		}
		q, owner, err = r.x.SQL.CompileLive(ctx, text, r.env(v))
		return err
	})
	if err != nil {
		return nil, "", err
	}
	v.Release()
	if q.Rerun != nil {
		again := &again{x: r.x, id: r.id, req: Request{Namespace: r.req.Namespace, Params: r.req.Params},
			st: dialect.Statement{Kind: dialect.Select, Text: text}}
		q.Rerun.Run = again.run
	}
	return q, owner, nil
}

// settleLive ends a subscription whose tables have changed since its query was
// compiled. Whoever changes a schema publishes it before ending subscriptions:
// what was registered too late for that sees the new one here.
func (x *Executor) settleLive(s *live.Subscription, q *predicate.Query) {
	for _, t := range q.Follows() {
		if why := x.changed(t); why != "" {
			s.Close(why)
		}
	}
}

// changed says what became of a table since it was t; "" for nothing.
func (x *Executor) changed(t *ddl.Table) live.EndReason {
	now, err := x.Catalog.Snapshot().Table(t.Namespace, string(t.Name))
	switch {
	case err != nil:
		return live.TableDropped
	case now.ID != t.ID:
		return live.TableTruncated
	case now.Version != t.Version:
		return live.SchemaChanged
	}
	return ""
}

// Follow takes up what the system tables say now, after another node may have
// changed them: the catalogue is read again, and live queries end whose tables are
// not what they were.
func (x *Executor) Follow() error {
	if err := x.follow(); err != nil {
		return err
	}
	x.Hub.EndChanged(x.changed)
	return nil
}

// again runs a live query again, with the rights of who subscribed.
type again struct {
	x   *Executor
	id  session.Identity
	req Request
	st  dialect.Statement
}

// run is a predicate.Rerun's Run.
func (a *again) run(ctx context.Context, v *store.View, visit func([]value.Value) error) (
	_ []predicate.Column, err error,
) {
	req := a.req
	r := &run{x: a.x, id: a.id, req: &req, session: a.x.NewSession(), st: &a.st}
	res, err := r.plan(ctx, v)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, res.Rows.Close()) }()
	for {
		row, err := res.Rows.Next(ctx)
		if errors.Is(err, io.EOF) {
			return res.Columns, nil
		}
		if err == nil {
			err = visit(row)
		}
		if err != nil {
			return nil, err
		}
	}
}

// liveColumns are the columns of EXPLAIN LIVE.
var liveColumns = []predicate.Column{
	{Name: "property", Kind: value.Text, NotNull: true},
	{Name: "value", Kind: value.Text, NotNull: true},
}

// explainLive tells how a SELECT would be kept live, with the rights of
// subscribing to it.
func (r *run) explainLive(ctx context.Context, n *ast.Explain, emit Sink) error {
	q, _, err := r.compileLive(ctx, n.Query)
	if err != nil {
		return err
	}
	var rows [][]value.Value
	add := func(name, text string) {
		rows = append(rows, []value.Value{value.NewText(name), value.NewText(text)})
	}
	add("kind", string(q.Kind()))
	add("follows", tableNames(q.Follows()))
	if q.Rerun != nil && len(q.Rerun.Reads) > 0 {
		add("reads without following", tableNames(q.Rerun.Reads))
	}
	add("key", liveKey(q))
	add("change costs", r.x.Hub.Cost(q))
	add("resumes", liveResume(q))
	add("slow subscriber", livePolicy(q))
	return emit(&Result{Columns: liveColumns, Rows: newFixed(rows)})
}

func tableNames(tables []*ddl.Table) string {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.FullName()
	}
	return strings.Join(names, ", ")
}

// liveKey tells what identifies a row in the messages.
func liveKey(q *predicate.Query) string {
	var names []string
	switch q.Kind() {
	case predicate.Rows, predicate.WindowRows:
		for _, k := range q.Table.PrimaryKey {
			names = append(names, q.Table.Columns[k].Name)
		}
	default:
		for _, c := range q.Columns {
			if c.Key {
				names = append(names, c.Name)
			}
		}
	}
	if len(names) == 0 {
		return "the whole row"
	}
	return strings.Join(names, ", ")
}

func liveResume(q *predicate.Query) string {
	if q.Kind() == predicate.Rows {
		return "from a cursor: exactly what was missed"
	}
	return "from a cursor while nothing it follows has changed; else by a resync and a new snapshot"
}

func livePolicy(q *predicate.Query) string {
	if q.Kind() == predicate.Rows {
		return "by its policy: replay, conflate or disconnect"
	}
	return fmt.Sprintf("is told the difference to what it has, whatever came between; "+
		"policies %q and %q are one", live.Replay, live.Conflate)
}
