package ddl

import (
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

func (modify *ModifyColumn) apply(a *alteration) error {
	next := modify.Column
	i, err := a.find(next.Name)
	if err != nil {
		return err
	}
	if err := a.notKey(i, "modified"); err != nil {
		return err
	}
	c := &a.t.Columns[i]
	if err := next.Validate(); err != nil {
		return err
	}
	switch {
	case next.NotNull && !c.NotNull:
		return fault.New(fault.Unsupported, "column %s may hold NULL and can't become NOT NULL; "+
			"add a column with NOT NULL DEFAULT, copy the values and drop this one", c.Name)
	case c.Type.Kind == value.Enum && next.Type.Kind == value.Enum && !c.Type.widensTo(next.Type):
		return fault.New(fault.Unsupported, "column %s can't change to %s: labels may only be added "+
			"behind those that are there, %s, since rows hold their positions", c.Name, next.Type.SQL(),
			c.Type.SQL())
	case !c.Type.widensTo(next.Type):
		return fault.New(fault.Unsupported, "column %s can't change from %s to %s: stored rows might "+
			"not fit; add a column, copy the values and drop this one",
			c.Name, c.Type.SQL(), next.Type.SQL())
	}
	if next.Type.Kind != c.Type.Kind {
		if err := a.notChecked(i, "given another type"); err != nil {
			return err
		}
	}
	next.ID = c.ID
	if next.Fill, err = c.widenFill(next.Type); err != nil {
		return err
	}
	*c = next
	a.acted = true
	return nil
}

// widenFill returns the column's filling as a column of a wider type shows it:
// what was stored with the old type is converted in the same way.
func (c *Column) widenFill(t Type) (*Default, error) {
	if c.Fill == nil || t.Kind == c.Type.Kind {
		return c.Fill, nil
	}
	v, err := c.Fill.Literal(c.Type)
	if err == nil {
		v, err = value.Convert(t.Kind, v)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "widen column %s", c.Name)
	}
	return &Default{Text: v.Text()}, nil
}

// wider lists the numbers that each kind of numbers grows to, the narrowest
// first.
var wider = [][]value.Kind{
	{value.Int8, value.Int16, value.Int32, value.Int64},
	{value.Uint8, value.Uint16, value.Uint32, value.Uint64},
	{value.Float32, value.Float64},
}

// widensTo reports whether every value of a column of type t is one of type
// next as well, and is stored or converted without loss.
func (t Type) widensTo(next Type) bool {
	if t.Kind != next.Kind {
		return rank(t.Kind, next.Kind)
	}
	switch t.Kind {
	case value.Text, value.Bytes:
		return next.Length == 0 || t.Length != 0 && t.Length <= next.Length
	case value.Decimal:
		return t.Precision <= next.Precision && t.Scale == next.Scale
	case value.Enum:
		return len(t.Labels) <= len(next.Labels) && slices.Equal(t.Labels, next.Labels[:len(t.Labels)])
	case value.Embedding:
		return t.Length == next.Length
	}
	return true
}

// rank reports whether to stands behind from in one of the lists.
func rank(from, to value.Kind) bool {
	for _, kinds := range wider {
		found := false
		for _, k := range kinds {
			if k == to && found {
				return true
			}
			found = found || k == from
		}
	}
	return false
}
