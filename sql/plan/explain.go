package plan

import (
	"context"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// Explain tells how Run would run a SELECT, when there is a plan for it; it is
// nil when the engine has to tell. It reads no rows.
func (c *Cache) Explain(
	ctx context.Context, st *dialect.Statement, env *engine.Env,
) ([]engine.Step, error) {
	p, text, kept := c.find(st.Text, env)
	if p == nil || p.verb != selectRows || len(env.Params) != p.params {
		return nil, nil
	}
	x := &execution{plan: p, text: text, env: env}
	if !x.open() {
		return nil, nil
	}
	first := "Direct plan, made now"
	if kept {
		first = "Direct plan, kept"
	}
	steps := []engine.Step{{Text: first}}
	add := func(st engine.Step) {
		st.Depth = len(steps)
		steps = append(steps, st)
	}
	if x.limit != nil {
		n, ok := x.value(*x.limit)
		if !ok || n.Kind() != value.Int64 {
			return nil, nil
		}
		add(engine.Step{Text: engine.LimitText(n.Int(), 0)})
	}
	if x.count {
		add(engine.Step{Text: "Count"})
	}
	if x.grouped != nil {
		for _, text := range x.groupTexts() {
			add(engine.Step{Text: text})
		}
	}
	conditions, ok := x.conditions()
	if !ok {
		return nil, nil
	}
	add(x.step(conditions))
	cold, ok, err := x.cold(ctx)
	if ok {
		add(cold)
	}
	return steps, err
}

// cold tells what the plan would meet of segments.
func (x *execution) cold(ctx context.Context) (st engine.Step, ok bool, err error) {
	if x.path.index != nil || x.single() || x.count {
		return st, false, nil
	}
	s, empty, ok := x.span(nil)
	if !ok || empty {
		return st, false, nil
	}
	return engine.ColdStep(ctx, x.env, table.Wanted{Part: x.store.Part, User: x.user,
		Lo: s.Lo, Hi: s.Hi, Columns: x.needed}, x.limit != nil)
}

// groupTexts tells how groups are ordered and made.
func (p *plan) groupTexts() (list []string) {
	g := p.grouped
	var keys, orders, cells []string
	for _, c := range g.keys {
		keys = append(keys, p.def.Columns[c].Name)
	}
	for _, o := range g.order {
		direction := " ASC"
		if o.desc {
			direction = " DESC"
		}
		orders = append(orders, keys[o.key]+direction)
	}
	for _, c := range p.columns {
		cells = append(cells, c.Name)
	}
	if len(orders) > 0 {
		list = append(list, "Sort: "+strings.Join(orders, ", "))
	}
	made := "Aggregate: "
	if len(keys) > 0 {
		made = "Group by " + strings.Join(keys, ", ") + ": "
	}
	return append(list, made+strings.Join(cells, ", "))
}

// conditions writes what the plan reads as conditions on columns of the key.
func (x *execution) conditions() (list []string, ok bool) {
	for _, k := range x.prefix {
		v, ok := x.bound(k)
		if !ok {
			return nil, false
		}
		list = append(list, engine.RangeText(k.column.Name, v, true, v, true))
	}
	lo, hi := value.NullValue, value.NullValue
	name := ""
	if x.low != nil {
		if lo, ok = x.bound(x.low.keyPart); !ok {
			return nil, false
		}
		name = x.low.column.Name
	}
	if x.high != nil {
		if hi, ok = x.bound(x.high.keyPart); !ok {
			return nil, false
		}
		name = x.high.column.Name
	}
	if name != "" {
		list = append(list, engine.RangeText(name, lo, x.low != nil && x.low.inclusive,
			hi, x.high != nil && x.high.inclusive))
	}
	return list, true
}

// bound returns the value of a part of the key as the column holds it.
func (x *execution) bound(k keyPart) (value.Value, bool) {
	if _, ok := x.appendKey(nil, k); !ok {
		return value.Value{}, false
	}
	v, ok := x.value(k.value)
	if !ok {
		return v, false
	}
	v, err := k.column.Type.Convert(v)
	return v, err == nil && !v.IsNull()
}
