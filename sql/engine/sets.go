package engine

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/iters"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/rowexec"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/shopspring/decimal"
)

// The library keeps hashes of rows for DISTINCT and set operations: EXCEPT adds
// that of no row, NULL has that of the text '<nil>', 1.0 another than 1, and
// nothing is charged. Here the rows themselves are kept, as keys, and charged.

// rowKeys counts rows.
type rowKeys struct {
	run    *execution
	counts map[string]int
	held   int64
	key    []byte
}

func newRowKeys(run *execution) *rowKeys {
	return &rowKeys{run: run, counts: make(map[string]int)}
}

// rowKeyOverhead is what a kept key takes beside its bytes.
const rowKeyOverhead = 64

// add counts a row and returns how often it was there before.
func (k *rowKeys) add(ctx *gms.Context, r gms.Row) (int, error) {
	if err := k.of(ctx, r); err != nil {
		return 0, err
	}
	n, ok := k.counts[string(k.key)]
	if !ok {
		size := int64(len(k.key) + rowKeyOverhead)
		k.held += size
		if err := k.run.charge(size); err != nil {
			return 0, err
		}
	}
	k.counts[string(k.key)] = n + 1
	return n, nil
}

// take uncounts a row and reports whether it was there.
func (k *rowKeys) take(ctx *gms.Context, r gms.Row) (bool, error) {
	if err := k.of(ctx, r); err != nil {
		return false, err
	}
	n := k.counts[string(k.key)]
	if n == 0 {
		return false, nil
	}
	k.counts[string(k.key)] = n - 1
	return true, nil
}

// release gives back what was charged.
func (k *rowKeys) release() {
	k.run.used.Add(-k.held)
	k.held, k.counts = 0, nil
}

// of makes the key of a row: equal for equal rows, NULL being equal to NULL.
func (k *rowKeys) of(ctx *gms.Context, r gms.Row) error {
	k.key = k.key[:0]
	for _, v := range r {
		v, err := gms.UnwrapAny(ctx, v)
		if err != nil {
			return err
		}
		text, err := keyText(ctx, v)
		if err != nil {
			return err
		}
		if v == nil {
			k.key = append(k.key, '-')
			continue
		}
		k.key = strconv.AppendInt(k.key, int64(len(text)), 10)
		k.key = append(k.key, ':')
		k.key = append(k.key, text...)
	}
	return nil
}

// keyText writes a value so that equal ones of a column have one text.
func keyText(ctx *gms.Context, v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	case bool:
		if v {
			return "1", nil
		}
		return "0", nil
	case float32:
		return floatText(float64(v)), nil
	case float64:
		return floatText(v), nil
	case decimal.Decimal:
		s := v.String()
		if strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		if s == "-0" {
			s = "0"
		}
		return s, nil
	case time.Time:
		return strconv.FormatInt(v.UnixMicro(), 10), nil
	case gms.JSONWrapper:
		return types.JsonToMySqlString(ctx, v)
	}
	return fmt.Sprint(v), nil // whole numbers and times of a day
}

func floatText(f float64) string {
	if f == 0 {
		f = 0 // not -0
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// distinctIter gives each row of another iterator once.
type distinctIter struct {
	gms.RowIter
	seen *rowKeys
}

// Next implements gms.RowIter.
func (it *distinctIter) Next(ctx *gms.Context) (gms.Row, error) {
	for {
		r, err := it.RowIter.Next(ctx)
		if err != nil {
			return nil, err
		}
		if n, err := it.seen.add(ctx, r); err != nil || n == 0 {
			return r, err
		}
	}
}

// Close implements gms.RowIter.
func (it *distinctIter) Close(ctx *gms.Context) error {
	it.seen.release()
	return it.RowIter.Close(ctx)
}

// matchIter gives the rows of one iterator that another has (INTERSECT) or
// does not have (EXCEPT), each row of the other counting once.
type matchIter struct {
	gms.RowIter
	other gms.RowIter
	has   bool
	seen  *rowKeys
	read  bool
}

// Next implements gms.RowIter.
func (it *matchIter) Next(ctx *gms.Context) (gms.Row, error) {
	for !it.read {
		r, err := it.other.Next(ctx)
		if err == io.EOF {
			it.read = true
			break
		}
		if err == nil {
			_, err = it.seen.add(ctx, r)
		}
		if err != nil {
			return nil, err
		}
	}
	for {
		r, err := it.RowIter.Next(ctx)
		if err != nil {
			return nil, err
		}
		found, err := it.seen.take(ctx, r)
		if err != nil || found == it.has {
			return r, err
		}
	}
}

// Close implements gms.RowIter.
func (it *matchIter) Close(ctx *gms.Context) error {
	it.seen.release()
	err := it.other.Close(ctx)
	if e := it.RowIter.Close(ctx); err == nil {
		err = e
	}
	return err
}

// buildDistinct builds a DISTINCT.
func (run *execution) buildDistinct(
	ctx *gms.Context, b *rowexec.BaseBuilder, n *plan.Distinct, r gms.Row,
) (gms.RowIter, error) {
	it, err := b.Build(ctx, n.Child, r)
	if err != nil {
		return nil, err
	}
	return &distinctIter{it, newRowKeys(run)}, nil
}

// buildSet builds a UNION, INTERSECT or EXCEPT.
func (run *execution) buildSet(
	ctx *gms.Context, b *rowexec.BaseBuilder, n *plan.SetOp, r gms.Row,
) (gms.RowIter, error) {
	it, err := b.Build(ctx, n.Left(), r)
	if err != nil {
		return nil, err
	}
	right := func(ctx *gms.Context) (gms.RowIter, error) { return b.Build(ctx, n.Right(), r) }
	if n.SetOpType == plan.UnionType {
		it = &iters.UnionIter{Cur: it, NextIter: right}
	} else {
		other, err := right(ctx)
		if err != nil {
			return nil, err
		}
		if n.Distinct {
			it = &distinctIter{it, newRowKeys(run)}
			other = &distinctIter{other, newRowKeys(run)}
		}
		it = &matchIter{RowIter: it, other: other, has: n.SetOpType == plan.IntersectType,
			seen: newRowKeys(run)}
	}
	if n.Distinct && n.SetOpType == plan.UnionType {
		it = &distinctIter{it, newRowKeys(run)}
	}
	return run.sortSet(ctx, n, it)
}

// sortSet sorts and limits the rows of a set operation.
func (run *execution) sortSet(
	ctx *gms.Context, n *plan.SetOp, it gms.RowIter,
) (gms.RowIter, error) {
	if len(n.SortFields) > 0 {
		it = iters.NewSortIter(n.SortFields, &meterIter{RowIter: it, node: &meteredNode{Node: n}})
	}
	if n.Offset != nil {
		skip, err := iters.GetInt64Value(ctx, n.Offset)
		if err != nil {
			return nil, err
		}
		it = &skipIter{it, skip}
	}
	if n.Limit != nil {
		limit, err := iters.GetInt64Value(ctx, n.Limit)
		if err != nil {
			return nil, err
		}
		it = &iters.LimitIter{Limit: limit, ChildIter: it}
	}
	return it, nil
}

// skipIter leaves out the first rows.
type skipIter struct {
	gms.RowIter
	skip int64
}

// Next implements gms.RowIter.
func (it *skipIter) Next(ctx *gms.Context) (gms.Row, error) {
	for ; it.skip > 0; it.skip-- {
		if _, err := it.RowIter.Next(ctx); err != nil {
			return nil, err
		}
	}
	return it.RowIter.Next(ctx)
}
