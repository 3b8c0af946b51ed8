package engine

import (
	"context"
	"fmt"
	"math"
	"strings"

	gms "github.com/dolthub/go-mysql-server/sql"

	"github.com/kalamdb/kalamdb-go/store/table"
)

// ColdStep tells what a read of a table by its key would meet of segments; ok is
// false where the user has none. few says that it ends behind few rows.
func ColdStep(ctx context.Context, env *Env, w table.Wanted, few bool) (
	st Step, ok bool, err error,
) {
	if env.Cold == nil {
		return st, false, nil
	}
	if !few {
		w.Passed = math.MaxInt
	}
	o, err := env.Cold.Outlook(ctx, env.View, w)
	if err != nil || o.Segments == 0 {
		return st, false, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Cold rows: %s", counted(o.Segments, "segment"))
	if o.ByKey > 0 {
		fmt.Fprintf(&b, ", %d left out by key", o.ByKey)
	}
	if o.ByStatistics > 0 {
		fmt.Fprintf(&b, ", %d by statistics", o.ByStatistics)
	}
	left := o.Segments - o.ByKey - o.ByStatistics
	switch {
	case left == 0:
		b.WriteString(", none is read")
	case !o.Scans:
		fmt.Fprintf(&b, ", %d with %d rows, which are fetched by their places", left, o.Rows)
	default:
		fmt.Fprintf(&b, ", %d with %d rows scanned", left, o.Rows)
		if o.GroupsPruned > 0 {
			fmt.Fprintf(&b, ", %d of %d row groups left out by statistics", o.GroupsPruned, o.Groups)
		}
	}
	if o.Unknown {
		b.WriteString("; statistics can't be read now")
	}
	return Step{Text: b.String()}, true, nil
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// cold is ColdStep of a cursor.
func (c *cursor) cold(few bool) (st Step, ok bool, err error) {
	if c.path.index != nil || c.point || len(c.spans) == 0 || c.t.store.Part.Name == "" {
		return st, false, nil
	}
	c.begin()
	return ColdStep(c.t.run.ctx, c.t.run.env, table.Wanted{Part: c.t.store.Part, User: c.t.owner,
		Lo: c.spans[0].lo, Hi: c.spans[len(c.spans)-1].hi, Columns: c.need.Columns,
		Filter: c.need.Filter}, few)
}

// coldLookup tells what a read by an index would meet of segments.
func (x *explainer) coldLookup(rel *relation, lookup gms.IndexLookup, depth int) {
	all, err := rel.LookupPartitions(x.ctx, lookup)
	if err != nil {
		x.err = err
		return
	}
	if it, ok := all.(*partIter); ok && !it.done {
		x.cold(rel, route(it.part), depth)
	}
}

// cold tells what reading a part of a table would meet of segments.
func (x *explainer) cold(rel *relation, to route, depth int) {
	if x.err != nil {
		return
	}
	c := rel.target.scan(to)
	defer c.close()
	if rel.columns != nil {
		c.needs(rel.columns)
	}
	st, ok, err := c.cold(false)
	if x.err = err; ok {
		st.Depth = depth
		x.add(st)
	}
}
