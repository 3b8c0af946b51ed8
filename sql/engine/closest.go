package engine

import (
	"container/heap"
	"context"
	"errors"
	"io"
	"slices"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/rowexec"
	"github.com/dolthub/go-mysql-server/sql/types"
)

// byDistance reports whether a sort computes distances of embeddings.
func byDistance(ctx *gms.Context, fields gms.SortFields) bool {
	found := false
	for _, f := range fields {
		gms.Inspect(ctx, f.Column, func(_ *gms.Context, e gms.Expression) bool {
			_, is := e.(*distance)
			found = found || is
			return !found
		})
	}
	return found
}

// closest are the first rows of an order by distance, or of one with a high
// LIMIT, for all of which the library would make room at once. It also computes
// what it orders by for both rows of each comparison, which for distances is
// most of the work; here it is computed once a row. Rows that are equal in the
// order come as they were read.
type closest struct {
	fields gms.SortFields
	types  []gms.Type
	child  gms.RowIter
	limit  int64
	top    rankedRows // a heap with the last of the first rows on top, then all in order
	read   bool
	ctx    context.Context // of the reading, while it goes on
	err    error           // of a comparison
}

var _ gms.RowIter = (*closest)(nil)

// ranked is a row with the values that it is ordered by.
type ranked struct {
	row  gms.Row
	keys []any
	n    int // which row it was
}

func newClosest(
	ctx *gms.Context, b *rowexec.BaseBuilder, n *plan.TopN, r gms.Row,
) (gms.RowIter, error) {
	limit, err := n.Limit.Eval(ctx, nil)
	if err != nil {
		return nil, err
	}
	whole, _, err := types.Int64.Convert(ctx, limit)
	if err != nil {
		return nil, err
	}
	child, err := b.Build(ctx, n.Child, r)
	if err != nil {
		return nil, err
	}
	it := &closest{fields: n.Fields, child: child}
	it.limit, _ = whole.(int64)
	it.top.it = it
	for _, f := range n.Fields {
		it.types = append(it.types, f.Column.Type(ctx))
	}
	return it, nil
}

// Next implements gms.RowIter.
func (it *closest) Next(ctx *gms.Context) (gms.Row, error) {
	if !it.read {
		it.read = true
		if err := it.readAll(ctx); err != nil {
			return nil, err
		}
	}
	if len(it.top.list) == 0 {
		return nil, io.EOF
	}
	first := it.top.list[0]
	it.top.list = it.top.list[1:]
	return first.row, nil
}

func (it *closest) readAll(ctx *gms.Context) error {
	it.ctx = ctx
	for n := 0; ; n++ {
		row, err := it.child.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := it.add(ctx, ranked{row: row, n: n}); err != nil {
			return err
		}
	}
	slices.SortFunc(it.top.list, it.compare)
	return it.err
}

func (it *closest) add(ctx *gms.Context, r ranked) error {
	r.keys = make([]any, len(it.fields))
	for i, f := range it.fields {
		v, err := f.Column.Eval(ctx, r.row)
		if err != nil {
			return err
		}
		r.keys[i] = v
	}
	switch {
	case int64(len(it.top.list)) < it.limit:
		heap.Push(&it.top, r)
	case it.limit > 0 && it.compare(r, it.top.list[0]) < 0:
		it.top.list[0] = r
		heap.Fix(&it.top, 0)
	}
	return it.err
}

// compare orders two rows as the library's sorter does.
func (it *closest) compare(a, b ranked) int {
	for i, f := range it.fields {
		if c := it.compareKey(i, f, a.keys[i], b.keys[i]); c != 0 {
			return c
		}
	}
	return a.n - b.n
}

func (it *closest) compareKey(i int, f gms.SortField, a, b any) int {
	if f.Order == gms.Descending {
		a, b = b, a
	}
	nullFirst := 1
	if f.NullOrdering == gms.NullsFirst {
		nullFirst = -1
	}
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return nullFirst
	case b == nil:
		return -nullFirst
	}
	c, err := it.types[i].Compare(it.ctx, a, b)
	if err != nil && it.err == nil {
		it.err = err
	}
	return c
}

// Close implements gms.RowIter.
func (it *closest) Close(ctx *gms.Context) error {
	it.top.list = nil
	return it.child.Close(ctx)
}

// rankedRows is a heap whose top is the row that comes last.
type rankedRows struct {
	it   *closest
	list []ranked
}

var _ heap.Interface = (*rankedRows)(nil)

// Len implements heap.Interface.
func (r *rankedRows) Len() int { return len(r.list) }

// Less implements heap.Interface.
func (r *rankedRows) Less(i, j int) bool { return r.it.compare(r.list[i], r.list[j]) > 0 }

// Swap implements heap.Interface.
func (r *rankedRows) Swap(i, j int) { r.list[i], r.list[j] = r.list[j], r.list[i] }

// Push implements heap.Interface.
func (r *rankedRows) Push(x any) {
	if row, ok := x.(ranked); ok {
		r.list = append(r.list, row)
	}
}

// Pop implements heap.Interface.
func (r *rankedRows) Pop() any {
	last := len(r.list) - 1
	row := r.list[last]
	r.list = r.list[:last]
	return row
}
