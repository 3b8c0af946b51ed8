package engine

import (
	"sync"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function/aggregation"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/rowexec"

	"github.com/kalamdb/kalamdb-go/commons/fault"
)

// charge counts bytes that the statement holds.
func (run *execution) charge(n int64) error {
	if run.used.Add(n) > run.engine.opts.MaxMemoryBytes {
		return fault.New(fault.ResultTooLarge,
			"the statement needs more than %d bytes of memory; add a LIMIT or narrow the WHERE",
			run.engine.opts.MaxMemoryBytes)
	}
	return nil
}

// meter is asked by the library before it builds a node of a plan. Below the
// nodes that keep rows (sort, group, join, window) it puts a meter that
// charges every row to the statement and looks at its context: the library
// itself bounds neither.
type meter struct{ base *rowexec.BaseBuilder }

var _ gms.NodeExecBuilder = (*meter)(nil)

// Build implements gms.NodeExecBuilder. No iterator means: build it as usual.
func (m *meter) Build(ctx *gms.Context, n gms.Node, r gms.Row) (gms.RowIter, error) {
	run := of(ctx)
	if run == nil {
		return nil, nil
	}
	switch n := n.(type) {
	case *plan.SetOp:
		return run.buildSet(ctx, m.base, n, r)
	case *plan.Distinct:
		if len(n.DistinctOn()) == 0 {
			return run.buildDistinct(ctx, m.base, n, r)
		}
		return nil, nil
	case *plan.RecursiveCte:
		return run.meters.around(ctx, m.base, n, r)
	case *plan.GroupBy:
		if len(n.GroupByExprs) == 0 && !retains(ctx, n.SelectDeps) {
			return nil, nil
		}
	case *plan.TopN:
		switch {
		case !small(n.Limit):
		case byDistance(ctx, n.Fields) && !n.CalcFoundRows:
			return newClosest(ctx, m.base, n, r)
		default:
			return nil, nil
		}
	case *plan.Sort, *plan.Window, *plan.HashLookup, *plan.CachedResults, *plan.RangeHeap,
		*plan.JoinNode:
	default:
		return nil, nil
	}
	inside, done, err := run.meters.inside(ctx, n)
	if err != nil || done {
		return nil, err
	}
	if top, ok := inside.(*plan.TopN); ok { // the library makes room for the LIMIT, however high
		return newClosest(ctx, m.base, top, r)
	}
	return m.base.Build(ctx, inside, r)
}

const smallTop = 10_000

// small reports whether a LIMIT is low enough for its rows not to matter.
func small(e gms.Expression) bool {
	lit, ok := e.(*expression.Literal)
	if !ok {
		return false
	}
	n, ok := lit.Value().(int64)
	return ok && n <= smallTop
}

// retains reports whether an aggregate keeps what it has seen.
func retains(ctx *gms.Context, list []gms.Expression) bool {
	found := false
	for _, e := range list {
		gms.Inspect(ctx, e, func(_ *gms.Context, e gms.Expression) bool {
			switch e.(type) {
			case *aggregation.GroupConcat, *aggregation.JsonArray, *aggregation.JSONObjectAgg,
				*aggregation.CountDistinct, *expression.DistinctExpression:
				found = true
			}
			return !found
		})
	}
	return found
}

// meters holds the nodes of an execution that have got meters. A node gets
// them once, since some keep their rows in themselves.
type meters struct {
	mu     sync.Mutex
	nodes  map[gms.Node]gms.Node
	passed gms.Node // is built as usual the next time
}

// inside returns n with meters below it; done reports that it has them.
func (ms *meters) inside(ctx *gms.Context, n gms.Node) (_ gms.Node, done bool, err error) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if known, ok := ms.nodes[n]; ok {
		return known, false, nil
	}
	children := n.Children()
	metered := make([]gms.Node, len(children))
	for i, c := range children {
		if _, is := c.(*meteredNode); is {
			return n, true, nil
		}
		metered[i] = &meteredNode{Node: c, free: !keeps(n, i)}
	}
	out, err := n.WithChildren(ctx, metered...)
	if err != nil {
		return nil, false, err
	}
	if ms.nodes == nil {
		ms.nodes = make(map[gms.Node]gms.Node)
	}
	ms.nodes[n] = out
	return out, false, nil
}

// keeps reports whether n holds the rows of its child i. A join reads its
// children row by row and only has to notice the end of its context.
func keeps(n gms.Node, _ int) bool {
	_, join := n.(*plan.JoinNode)
	return !join
}

// around builds n as usual with a meter above it.
func (ms *meters) around(
	ctx *gms.Context, b *rowexec.BaseBuilder, n gms.Node, r gms.Row,
) (gms.RowIter, error) {
	ms.mu.Lock()
	if ms.passed == n {
		ms.passed = nil
		ms.mu.Unlock()
		return nil, nil
	}
	ms.passed = n
	ms.mu.Unlock()
	it, err := b.Build(ctx, n, r)
	if err != nil {
		return nil, err
	}
	return &meterIter{RowIter: it, node: &meteredNode{Node: n}}, nil
}

// meteredNode is a node whose rows are charged, unless free.
type meteredNode struct {
	gms.Node
	free bool
	held int64 // charged for the rows of the present iterator
}

var _ gms.ExecBuilderNode = (*meteredNode)(nil)

// WithChildren implements gms.Node.
func (n *meteredNode) WithChildren(ctx *gms.Context, children ...gms.Node) (gms.Node, error) {
	c, err := n.Node.WithChildren(ctx, children...)
	return &meteredNode{Node: c, free: n.free}, err
}

// BuildRowIter implements gms.ExecBuilderNode. An iterator made again replaces
// the one before, whose rows are gone.
func (n *meteredNode) BuildRowIter(
	ctx *gms.Context, b gms.NodeExecBuilder, r gms.Row,
) (gms.RowIter, error) {
	it, err := b.Build(ctx, n.Node, r)
	if err != nil {
		return nil, err
	}
	if run := of(ctx); run != nil {
		run.used.Add(-n.held)
	}
	n.held = 0
	return &meterIter{RowIter: it, node: n}, nil
}

type meterIter struct {
	gms.RowIter
	node  *meteredNode
	steps int
}

// Next implements gms.RowIter.
func (it *meterIter) Next(ctx *gms.Context) (gms.Row, error) {
	if it.steps++; it.steps%checkEvery == 0 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	r, err := it.RowIter.Next(ctx)
	if err != nil || it.node.free {
		return r, err
	}
	run := of(ctx)
	if run == nil {
		return r, nil
	}
	size := rowSize(r)
	it.node.held += size
	return r, run.charge(size)
}

// rowSize is what a row of the library takes in memory, roughly.
func rowSize(r gms.Row) int64 {
	n := 24
	for _, x := range r {
		n += 24
		switch x := x.(type) {
		case string:
			n += len(x)
		case []byte:
			n += len(x)
		case gms.JSONWrapper:
			n += jsonSize(x, maxJSONSteps)
		}
	}
	return int64(n)
}

const maxJSONSteps = 1 << 20
