package ddl

import (
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// MaxVersions bounds the schemas of one table. All of them are kept, since
// rows are never rewritten.
const MaxVersions = 1000

// Action is one step of ALTER TABLE: one of the types below.
type Action interface{ apply(*alteration) error }

// AddColumn adds a column behind the others. Its id is given here.
type AddColumn struct {
	Column      Column
	IfNotExists bool
}

// DropColumn removes a column for good: one that is added under its name later
// is another.
type DropColumn struct {
	Name     string
	IfExists bool
}

// RenameColumn gives a column another name.
type RenameColumn struct{ From, To string }

// ModifyColumn declares a column anew, all of it but the name. Only what every
// stored row fits is taken.
type ModifyColumn struct{ Column Column }

// SetDefault gives a column another DEFAULT, nil for none. Rows that are there
// keep what they show. A literal was not checked against the column's type.
type SetDefault struct {
	Name    string
	Default *Default
}

// SetOptions changes options of the table; nil fields stay.
type SetOptions struct {
	Access  *Access
	Codec   *serde.ID
	Comment *string

	Storage          *ident.StorageID
	UserStorage      *bool
	Flush            *FlushPolicy
	DeletedRetention *time.Duration
}

// Origin says when and by whom a table is changed, and gives the value of a
// function in DEFAULT for rows that are there already.
type Origin struct {
	Now  time.Time
	By   ident.UserID
	Eval func(Func) (value.Value, error)
}

// alteration is a definition while actions change it.
type alteration struct {
	t      *Table
	origin Origin
	acted  bool
}

// Alter returns the next version of t: what the actions make of it, one after
// another, all or none of them. It returns t itself when they have nothing to
// do. Nothing of t is changed, and nothing that is stored has to be: t.Past
// keeps what reads it.
func Alter(t *Table, actions []Action, o Origin) (*Table, error) {
	if len(t.Past) >= MaxVersions-1 {
		return nil, fault.New(fault.Unsupported, "table %s has had %d schemas, the most; "+
			"create another table and copy the rows", t.FullName(), MaxVersions)
	}
	c := *t
	c.Columns = append([]Column(nil), t.Columns...)
	c.PrimaryKey = append([]int(nil), t.PrimaryKey...)
	c.Indexes = append([]Index(nil), t.Indexes...)
	c.Gone = append([]ident.IndexID(nil), t.Gone...)
	c.Past = append(append([]Version(nil), t.Past...), t.present())
	c.Version, c.Changed, c.ChangedBy = t.Version+1, o.Now, o.By
	if c.NextColumn == 0 {
		for i := range c.Columns {
			c.NextColumn = max(c.NextColumn, c.Columns[i].ID+1)
		}
	}
	a := &alteration{t: &c, origin: o}
	for _, action := range actions {
		if err := action.apply(a); err != nil {
			return nil, err
		}
	}
	if !a.acted {
		return t, nil
	}
	return &c, c.Validate()
}

func (a *alteration) find(name string) (int, error) {
	if i := a.t.Column(name); i >= 0 {
		return i, nil
	}
	names := make([]string, len(a.t.Columns))
	for i := range a.t.Columns {
		names[i] = a.t.Columns[i].Name
	}
	hint := ""
	if near := fault.Nearest(name, names); near != "" {
		hint = "; did you mean " + near + "?"
	}
	return -1, fault.New(fault.ColumnNotFound, "table %s has no column %s%s",
		a.t.FullName(), name, hint)
}

func (a *alteration) free(name string) error {
	if a.t.Column(name) < 0 {
		return nil
	}
	return fault.New(fault.AlreadyExists, "table %s has a column %s already", a.t.FullName(), name)
}

func (a *alteration) notKey(i int, what string) error {
	if !a.t.IsKey(i) {
		return nil
	}
	return fault.New(fault.Unsupported, "column %s is part of the primary key and can't be %s; "+
		"create another table and copy the rows", a.t.Columns[i].Name, what)
}

// notChecked refuses what would change the meaning of a CHECK.
func (a *alteration) notChecked(i int, what string) error {
	c := a.t.CheckOn(a.t.Columns[i].ID)
	if c == nil {
		return nil
	}
	return fault.New(fault.Unsupported, "column %s stands in CHECK %s and can't be %s; "+
		"create another table and copy the rows", a.t.Columns[i].Name, c.Name, what)
}

func (add *AddColumn) apply(a *alteration) error {
	c := add.Column
	if err := a.free(c.Name); err != nil {
		if add.IfNotExists {
			return nil
		}
		return err
	}
	if c.NotNull && c.Default == nil {
		return fault.New(fault.InvalidSQL, "column %s is NOT NULL and needs a DEFAULT for the rows "+
			"that are there", c.Name)
	}
	if err := c.Validate(); err != nil {
		return err
	}
	c.ID, c.Fill = a.t.NextColumn, nil
	if d := c.Default; d != nil && !d.Null {
		fill, err := a.literal(&c)
		if err != nil {
			return err
		}
		c.Fill = fill
	}
	a.t.NextColumn++
	a.t.Columns = append(a.t.Columns, c)
	a.acted = true
	return nil
}

// literal returns the DEFAULT of a new column as the literal that it is for
// the rows that are there.
func (a *alteration) literal(c *Column) (*Default, error) {
	if c.Default.Func == "" {
		return &Default{Text: c.Default.Text}, nil
	}
	v, err := a.origin.Eval(c.Default.Func)
	if err == nil {
		v, err = c.Type.Convert(v)
	}
	if err == nil {
		v, err = c.Type.Fit(v)
	}
	if err != nil {
		return nil, fault.Wrap(fault.TypeMismatch, err, "DEFAULT of column %s", c.Name)
	}
	return &Default{Text: v.Text()}, nil
}

func (drop *DropColumn) apply(a *alteration) error {
	i, err := a.find(drop.Name)
	if err != nil {
		if drop.IfExists {
			return nil
		}
		return err
	}
	if err := a.notKey(i, "dropped"); err != nil {
		return err
	}
	if err := a.notChecked(i, "dropped"); err != nil {
		return err
	}
	if err := a.notIndexed(i); err != nil {
		return err
	}
	a.t.Columns = append(a.t.Columns[:i], a.t.Columns[i+1:]...)
	for n, k := range a.t.PrimaryKey {
		if k > i {
			a.t.PrimaryKey[n]--
		}
	}
	a.acted = true
	return nil
}

func (rename *RenameColumn) apply(a *alteration) error {
	i, err := a.find(rename.From)
	if err != nil || rename.From == rename.To {
		return err
	}
	if err := a.free(rename.To); err != nil {
		return err
	}
	if err := a.notChecked(i, "renamed"); err != nil {
		return err
	}
	a.t.Columns[i].Name = rename.To
	a.acted = true
	return nil
}

func (set *SetDefault) apply(a *alteration) error {
	i, err := a.find(set.Name)
	if err != nil {
		return err
	}
	c := &a.t.Columns[i]
	c.Default = set.Default
	if d := c.Default; d != nil && d.Func == "" && !d.Null {
		v, err := d.Literal(c.Type)
		if err != nil {
			return fault.Wrap(fault.TypeMismatch, err, "DEFAULT of column %s", c.Name)
		}
		if c.Type.Kind == value.Bool {
			c.Default = &Default{Text: v.Text()}
		}
	}
	a.acted = true
	return c.Validate()
}

func (set *SetOptions) apply(a *alteration) error {
	assign(&a.t.Access, set.Access)
	assign(&a.t.Codec, set.Codec)
	assign(&a.t.Comment, set.Comment)
	assign(&a.t.Storage, set.Storage)
	assign(&a.t.UserStorage, set.UserStorage)
	assign(&a.t.Flush, set.Flush)
	assign(&a.t.DeletedRetention, set.DeletedRetention)
	a.acted = true
	return nil
}

func assign[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}
