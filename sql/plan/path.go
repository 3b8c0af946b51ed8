package plan

import (
	"context"
	"math"
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// path is what a plan finds rows by: the primary key, or a secondary index.
type path struct {
	index *ddl.Index // nil for the primary key
	// columns are the positions of the columns in the encoded keys; own is how
	// many are the index's own, behind which the primary key stands.
	columns []int
	own     int
	single  bool // own columns with one value each find one row at most
}

func (p *path) name() string {
	if p.index == nil {
		return "PRIMARY"
	}
	return p.index.Name
}

func keyPath(def *ddl.Table) path {
	return path{columns: def.PrimaryKey, own: len(def.PrimaryKey), single: true}
}

func indexPath(def *ddl.Table, x *ddl.Index) path {
	p := path{index: x, columns: def.Positions(x), single: x.Unique}
	p.own = len(p.columns)
	shared := slices.ContainsFunc(def.PrimaryKey, func(c int) bool {
		return slices.Contains(p.columns, c)
	})
	if !x.Unique && !shared {
		p.columns = append(p.columns, def.PrimaryKey...)
	}
	return p
}

// compileIndex finds an index of which all conditions bind the beginning, and
// which gives the rows in the order that they are to have.
func (p *plan) compileIndex(st *statement) bool {
	for i := range p.def.Indexes {
		if p.def.Indexes[i].Building {
			continue
		}
		p.path = indexPath(p.def, &p.def.Indexes[i])
		p.prefix, p.low, p.high, p.reverse = nil, nil, nil, false
		if !p.compileKeys(st) {
			continue
		}
		bound := len(p.prefix) >= p.path.own // then rows come in the order of the primary key
		switch {
		case st.counts():
			return true
		case st.groups():
			if bound {
				return true
			}
		case len(st.order) > 0:
			if p.compileOrder(st) {
				return true
			}
		case bound:
			return true
		}
	}
	return false
}

// single reports whether the plan reads one row by its key or a unique value.
func (p *plan) single() bool { return p.path.single && len(p.prefix) == p.path.own }

// scanner walks rows that are found by a path.
type scanner interface {
	Next() bool
	Present() *row.Record
	Close() error
}

// scan walks the rows of a span of the path.
func (x *execution) scan(ctx context.Context, s table.Span) scanner {
	s.Headers = s.Headers || len(x.wanted) == 0
	n := table.Need{Rows: int(min(max(x.rows.left, 0), math.MaxInt32)), Columns: x.needed,
		Values: true}
	if x.path.index != nil {
		rows := x.store.RowsByIndex(ctx, x.env.View, x.user, x.path.index.ID, s)
		rows.Need(n)
		return rows
	}
	rows := x.store.Scan(ctx, x.env.View, x.user, s)
	rows.Need(n)
	return rows
}

// usable reports whether the path may be read: an index must be complete in the
// statement's view.
func (x *execution) usable() (bool, error) {
	if x.path.index == nil {
		return true, nil
	}
	return x.store.IndexComplete(x.env.View, x.path.index.ID)
}

// find reads the live row of a whole key, or of a unique value.
func (x *execution) find(ctx context.Context, key []byte) (
	rec row.Record, found bool, err error,
) {
	if x.path.index == nil {
		return x.record(ctx, key)
	}
	e := row.Entry{Index: x.path.index.ID, Unique: true, Columns: key}
	pk, found, err := x.store.Owner(x.env.View, nil, x.user, e)
	if err != nil || !found {
		return rec, false, err
	}
	x.read++
	rec, err = x.store.Indexed(ctx, x.env.View, x.user, pk)
	return rec, err == nil, err
}

// step is what EXPLAIN tells of how rows are found.
func (x *execution) step(conditions []string) engine.Step {
	return engine.PathStep(x.def, x.path.name(), conditions, x.single(), x.reverse)
}

// aboveNull returns the first key behind those that begin with prefix and have
// a NULL next.
func aboveNull(prefix []byte) []byte {
	return row.PrefixEnd(value.AppendKey(slices.Clone(prefix), value.NullValue))
}
