package engine

import (
	"math/big"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function/aggregation"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/shopspring/decimal"

	"github.com/kalamdb/kalamdb-go/sql/exact"
)

// form is how values are added.
type form uint8

const (
	integral    form = iota // whole numbers
	fixed                   // decimals
	approximate             // doubles, and whatever is read as one
)

// totalForm returns how values of a type are added, and how many digits they
// have behind the point.
func totalForm(t gms.Type) (form, uint8) {
	switch {
	case t == types.Null, types.IsInteger(t), types.IsBit(t), types.IsYear(t):
		return integral, 0
	case types.IsDecimal(t):
		if d, ok := t.(gms.DecimalType); ok {
			return fixed, d.Scale()
		}
		return fixed, types.DecimalTypeMaxScale
	}
	return approximate, 0
}

// meanScale returns how many digits an average of values has.
func meanScale(scale uint8) uint8 {
	return min(scale+exact.AverageScale, types.DecimalTypeMaxScale)
}

// tally is a running sum of one of the forms. NULLs are not part of it.
type tally struct {
	form  form
	scale uint8
	mean  bool

	count   int64
	whole   exact.Sum
	decimal decimal.Decimal
	double  float64
}

func newTally(t gms.Type, mean bool) tally {
	f, scale := totalForm(t)
	return tally{form: f, scale: scale, mean: mean}
}

// reset empties the tally.
func (t *tally) reset() { *t = tally{form: t.form, scale: t.scale, mean: t.mean} }

// read returns a value in the form of the tally; nil for NULL.
func (t *tally) read(ctx *gms.Context, v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	switch t.form {
	case integral:
		return wholeNumber(ctx, v)
	case fixed:
		if d, ok := v.(decimal.Decimal); ok {
			return d, nil
		}
		d, _, err := types.InternalDecimalType.Convert(ctx, v)
		return d, err
	}
	d, _, err := types.Float64.Convert(ctx, v)
	if err != nil { // as MySQL: the part that is a number, else 0
		if n, ok := d.(float64); ok {
			return n, nil
		}
		return float64(0), nil
	}
	return d, nil
}

// add adds what read returned.
func (t *tally) add(v any) {
	t.count++
	switch v := v.(type) {
	case nil:
		t.count--
	case *big.Int:
		t.whole.AddBig(v)
	case decimal.Decimal:
		t.decimal = t.decimal.Add(v)
	case float64:
		t.double += v
	}
}

// remove takes away what was added; not of doubles, which lose digits.
func (t *tally) remove(v any) {
	t.count--
	switch v := v.(type) {
	case nil:
		t.count++
	case *big.Int:
		t.whole.Remove(v)
	case decimal.Decimal:
		t.decimal = t.decimal.Sub(v)
	}
}

// result returns the sum or the average, nil when there was no value.
func (t *tally) result() (any, error) {
	switch {
	case t.count == 0:
		return nil, nil
	case t.form == approximate && t.mean:
		return t.double / float64(t.count), nil
	case t.form == approximate:
		return t.double, nil
	case t.form == integral && t.mean:
		return decimal.NewFromString(t.whole.Average(t.count))
	case t.form == integral:
		return decimal.NewFromBigInt(t.whole.Big(), 0), nil
	case t.mean:
		return t.decimal.DivRound(decimal.NewFromInt(t.count), int32(meanScale(t.scale))), nil
	}
	return t.decimal, nil
}

// totalBuffer is the sum of one group.
type totalBuffer struct {
	child gms.Expression
	tally tally
}

// Update implements gms.AggregationBuffer.
func (b *totalBuffer) Update(ctx *gms.Context, r gms.Row) error {
	v, err := b.child.Eval(ctx, r)
	if err != nil {
		return err
	}
	n, err := b.tally.read(ctx, v)
	if err != nil {
		return err
	}
	b.tally.add(n)
	return nil
}

// Eval implements gms.AggregationBuffer.
func (b *totalBuffer) Eval(*gms.Context) (any, error) { return b.tally.result() }

// Dispose implements gms.Disposable.
func (b *totalBuffer) Dispose(ctx *gms.Context) { expression.Dispose(ctx, b.child) }

// totalWindow is the sum over the frames of a partition, each computed from
// the one before.
type totalWindow struct {
	child  gms.Expression
	framer gms.WindowFramer
	tally  tally
	values []any // of the partition
	first  int   // where it begins in the buffer
	frame  gms.WindowInterval
}

// DefaultFramer implements gms.WindowFunction.
func (w *totalWindow) DefaultFramer() gms.WindowFramer {
	if w.framer != nil {
		return w.framer
	}
	return aggregation.NewUnboundedPrecedingToCurrentRowFramer()
}

// StartPartition implements gms.WindowFunction.
func (w *totalWindow) StartPartition(
	ctx *gms.Context, in gms.WindowInterval, buf gms.WindowBuffer,
) error {
	w.tally.reset()
	w.values = make([]any, in.End-in.Start)
	w.first, w.frame = in.Start, gms.WindowInterval{Start: in.Start, End: in.Start}
	for i := range w.values {
		v, err := w.child.Eval(ctx, buf[in.Start+i])
		if err != nil {
			return err
		}
		if w.values[i], err = w.tally.read(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// Compute implements gms.WindowFunction.
func (w *totalWindow) Compute(
	ctx *gms.Context, in gms.WindowInterval, _ gms.WindowBuffer,
) (any, error) {
	if in.End <= in.Start {
		return nil, nil
	}
	moved := in.Start != w.frame.Start || in.End < w.frame.End
	if moved && (w.tally.form == approximate || in.Start < w.frame.Start || in.End < w.frame.End ||
		in.Start > w.frame.End) {
		w.tally.reset()
		w.frame = gms.WindowInterval{Start: in.Start, End: in.Start}
	}
	for ; w.frame.Start < in.Start; w.frame.Start++ {
		w.tally.remove(w.values[w.frame.Start-w.first])
	}
	for ; w.frame.End < in.End; w.frame.End++ {
		if w.frame.End%checkEvery == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		w.tally.add(w.values[w.frame.End-w.first])
	}
	return w.tally.result()
}

// Dispose implements gms.Disposable.
func (w *totalWindow) Dispose(ctx *gms.Context) { expression.Dispose(ctx, w.child) }
