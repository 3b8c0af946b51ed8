package plan

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/sql/exact"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// maxGroups bounds the bytes of a statement's groups here. What is larger the
// engine runs, which counts the memory of each statement.
const maxGroups = 32 << 20

var errTooLarge = errors.New("the groups take too much memory")

// groupOverhead is what a group takes beside its values, in bytes.
const groupOverhead = 160

// groups are the groups of a SELECT. After the rows were read they are its
// rows, given out one by one.
type groups struct {
	*grouping
	found map[string]*group // by the encoded keys
	list  []*group          // as they were first met
	bytes int
	code  []byte // room for the encoded keys of a row
	last  *group // of the last row
	at    int    // of the next one to give out
	out   []value.Value
}

var _ engine.Rows = (*groups)(nil)

type group struct {
	keys    []value.Value
	tallies []tally
}

// tally is what is known of an aggregate's values.
type tally struct {
	n     int64       // how many are not NULL
	whole exact.Sum   // of whole numbers
	sum   float64     // of others
	most  value.Value // the least or greatest one
}

// groupRows reads the rows into groups. It leaves to the engine what needs too
// much memory, and sums without an end.
func (x *execution) groupRows(ctx context.Context, s table.Span, empty bool) (bool, error) {
	g := &groups{
		grouping: x.grouped, found: make(map[string]*group),
		out: make([]value.Value, len(x.columns)),
	}
	if len(g.keys) == 0 {
		g.last = g.add(nil)
	}
	vals := make([]value.Value, len(x.def.Columns))
	err := x.rows.each(ctx, s, empty, func(rec *row.Record) error {
		if err := x.decodeWanted(rec, vals); err != nil {
			return err
		}
		g.of(vals).count(g.cells, vals)
		if g.bytes > maxGroups {
			return errTooLarge
		}
		return nil
	})
	switch {
	case errors.Is(err, errTooLarge):
		return false, nil
	case err != nil:
		return true, err
	case slices.ContainsFunc(g.list, (*group).endless):
		return false, nil
	}
	if len(g.order) > 0 {
		slices.SortFunc(g.list, g.compare)
	}
	x.result.Rows = g
	return true, nil
}

// of returns the group that a row belongs to.
func (g *groups) of(vals []value.Value) *group {
	if g.last != nil && g.inLast(vals) {
		return g.last
	}
	g.code = g.code[:0]
	for _, c := range g.keys {
		g.code = value.AppendKey(g.code, vals[c])
	}
	g.last = g.found[string(g.code)]
	if g.last == nil {
		g.last = g.add(vals)
		g.found[string(g.code)] = g.last
	}
	return g.last
}

// inLast reports whether a row is of the group of the row before it, as it
// mostly is in the order of a key that begins with the columns of GROUP BY.
func (g *groups) inLast(vals []value.Value) bool {
	for i, c := range g.keys {
		if g.last.keys[i] != vals[c] {
			return false
		}
	}
	return true
}

func (g *groups) add(vals []value.Value) *group {
	room := make([]value.Value, len(g.keys))
	for i, c := range g.keys {
		room[i] = vals[c]
		g.bytes += vals[c].Size()
	}
	added := &group{room, make([]tally, len(g.cells))}
	g.list = append(g.list, added)
	g.bytes += groupOverhead + len(g.code) + len(g.cells)*(16+value.NullValue.Size())
	return added
}

// count adds a row.
func (g *group) count(cells []cell, vals []value.Value) {
	for i := range cells {
		c, t := &cells[i], &g.tallies[i]
		if c.call == noAggregate {
			continue
		}
		if c.from < 0 {
			t.n++
			continue
		}
		v := &vals[c.from]
		if v.IsNull() {
			continue
		}
		t.n++
		switch c.call {
		case sum, average:
			t.add(v)
		case least:
			if t.n == 1 || value.Compare(*v, t.most) < 0 {
				t.most = *v
			}
		case greatest:
			if t.n == 1 || value.Compare(*v, t.most) > 0 {
				t.most = *v
			}
		}
	}
}

// add adds a number as the engine does.
func (t *tally) add(v *value.Value) {
	switch v.Kind().Form() {
	case value.FormInt:
		t.whole.Add(v.Int())
	case value.FormUint:
		t.whole.AddUint(v.Uint())
	default:
		t.sum += v.Float()
	}
}

// endless reports whether a sum is no number any more.
func (g *group) endless() bool {
	return slices.ContainsFunc(g.tallies, func(t tally) bool {
		return math.IsInf(t.sum, 0) || math.IsNaN(t.sum)
	})
}

func (g *groups) compare(a, b *group) int {
	for _, o := range g.order {
		if d := value.Compare(a.keys[o.key], b.keys[o.key]); d != 0 {
			if o.desc {
				return -d
			}
			return d
		}
	}
	return 0
}

// Next implements engine.Rows.
func (g *groups) Next(ctx context.Context) ([]value.Value, error) {
	if g.at%checkEvery == 0 && ctx.Err() != nil {
		return nil, fault.From(ctx.Err())
	}
	if g.at >= len(g.list) {
		return nil, io.EOF
	}
	one := g.list[g.at]
	g.at++
	for i, c := range g.cells {
		if c.call == noAggregate {
			g.out[i] = one.keys[c.from]
		} else {
			g.out[i] = one.tallies[i].value(c)
		}
	}
	return g.out, nil
}

// value returns the result of an aggregate.
func (t *tally) value(c cell) value.Value {
	switch {
	case c.call == count:
		return value.NewBigInt(t.n)
	case t.n == 0:
		return value.NullValue
	case c.call == sum && c.kind == value.Decimal:
		return value.NewString(value.Decimal, t.whole.String())
	case c.call == average && c.kind == value.Decimal:
		return value.NewString(value.Decimal, t.whole.Average(t.n))
	case c.call == sum:
		return value.NewFloat(value.Float64, t.sum)
	case c.call == average:
		return value.NewFloat(value.Float64, t.sum/float64(t.n))
	case t.most.Kind() != c.kind: // a Timestamp, shown as a DateTime
		return value.NewInt(c.kind, t.most.Int())
	}
	return t.most
}

// Close implements engine.Rows.
func (g *groups) Close() error {
	g.list, g.found = nil, nil
	return nil
}
