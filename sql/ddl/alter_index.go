package ddl

import (
	"slices"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
)

// AddIndex adds a secondary index, which is Building until its rows are in it.
type AddIndex struct {
	Name        string   // lower case; "" to be given one
	Columns     []string // lower case
	Unique      bool
	IfNotExists bool
}

// DropIndex removes a secondary index. Its number stays in Table.Gone until its
// entries are removed.
type DropIndex struct {
	Name     string // lower case
	IfExists bool
}

func (add *AddIndex) apply(a *alteration) error {
	if add.Name != "" && a.t.Index(add.Name) != nil {
		if add.IfNotExists {
			return nil
		}
		return fault.New(fault.AlreadyExists, "table %s has an index %s already",
			a.t.FullName(), add.Name)
	}
	x := Index{Name: add.Name, Unique: add.Unique, Building: true}
	for _, name := range add.Columns {
		i, err := a.find(name)
		if err != nil {
			return err
		}
		x.Columns = append(x.Columns, a.t.Columns[i].ID)
	}
	if x.Name == "" {
		x.Name = FreeIndexName(a.t.Indexes, add.Columns[0])
	}
	a.t.NextIndex = max(a.t.NextIndex, 1)
	for i := range a.t.Indexes {
		a.t.NextIndex = max(a.t.NextIndex, a.t.Indexes[i].ID+1)
	}
	x.ID = a.t.NextIndex
	a.t.NextIndex++
	a.t.Indexes = append(a.t.Indexes, x)
	a.acted = true
	return a.t.validateIndexes()
}

func (drop *DropIndex) apply(a *alteration) error {
	x := a.t.Index(drop.Name)
	if x == nil {
		if drop.IfExists {
			return nil
		}
		names := make([]string, len(a.t.Indexes))
		for i := range a.t.Indexes {
			names[i] = a.t.Indexes[i].Name
		}
		hint := ""
		if near := fault.Nearest(drop.Name, names); near != "" {
			hint = "; did you mean " + near + "?"
		}
		return fault.New(fault.NotFound, "table %s has no index %s%s", a.t.FullName(), drop.Name, hint)
	}
	a.removeIndex(x.ID)
	return nil
}

func (a *alteration) removeIndex(id ident.IndexID) {
	a.t.Indexes = slices.DeleteFunc(a.t.Indexes, func(x Index) bool { return x.ID == id })
	a.t.Gone = append(a.t.Gone, id)
	a.acted = true
}

// notIndexed refuses to drop a column that an index has.
func (a *alteration) notIndexed(i int) error {
	for n := range a.t.Indexes {
		x := &a.t.Indexes[n]
		if slices.Contains(x.Columns, a.t.Columns[i].ID) {
			return fault.New(fault.InUse, "column %s stands in index %s; DROP INDEX %[2]s ON %[3]s first",
				a.t.Columns[i].Name, x.Name, a.t.FullName())
		}
	}
	return nil
}

// WithoutBuilding is an Action that gives up the indexes that are not complete.
type WithoutBuilding struct{}

func (WithoutBuilding) apply(a *alteration) error {
	for _, x := range slices.Clone(a.t.Indexes) {
		if x.Building {
			a.removeIndex(x.ID)
		}
	}
	return nil
}
