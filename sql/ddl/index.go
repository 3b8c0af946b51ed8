package ddl

import (
	"slices"
	"strconv"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/dialect/quote"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Limits of the secondary indexes of a table.
const (
	MaxIndexes      = 64
	MaxIndexColumns = 16
	MaxIndexBytes   = 3072 // of a row's encoded values in one index
)

// PrimaryIndex is the name of the primary key among the indexes.
const PrimaryIndex = "primary"

// Index is a secondary index: the rows of a user, or of a shared table, in the
// order of some columns. Its columns are known by their ids, so that renaming
// one changes nothing.
type Index struct {
	ID      ident.IndexID    `json:"id"`
	Name    string           `json:"name"` // lower case
	Columns []ident.ColumnID `json:"columns"`
	// Unique says that no two rows of a user, or of a shared table, have the
	// same values. Rows with a NULL among them are not compared.
	Unique bool `json:"unique,omitempty"`
	// Building says that writes keep the index and reads don't use it yet.
	Building bool `json:"building,omitempty"`
}

// Index returns the secondary index called name (lower case), or nil.
func (t *Table) Index(name string) *Index {
	for i := range t.Indexes {
		if t.Indexes[i].Name == name {
			return &t.Indexes[i]
		}
	}
	return nil
}

// IndexByID returns the secondary index with a number, or nil.
func (t *Table) IndexByID(id ident.IndexID) *Index {
	for i := range t.Indexes {
		if t.Indexes[i].ID == id {
			return &t.Indexes[i]
		}
	}
	return nil
}

// Building reports whether an index of the table is not complete yet.
func (t *Table) Building() bool {
	return slices.ContainsFunc(t.Indexes, func(x Index) bool { return x.Building })
}

// Positions returns where the columns of x stand in t.
func (t *Table) Positions(x *Index) []int {
	out := make([]int, len(x.Columns))
	for i, id := range x.Columns {
		out[i] = t.position(id)
	}
	return out
}

// position returns where the column with an id stands, or -1.
func (t *Table) position(id ident.ColumnID) int {
	for i := range t.Columns {
		if t.Columns[i].ID == id {
			return i
		}
	}
	return -1
}

// IndexColumns returns the names of the columns of x.
func (t *Table) IndexColumns(x *Index) []string {
	names := make([]string, len(x.Columns))
	for i, at := range t.Positions(x) {
		names[i] = t.Columns[at].Name
	}
	return names
}

// Entries returns what the indexes of t hold of a row whose values stand in the
// order of Columns. Values that are too long for an index are a
// VALUE_OUT_OF_RANGE.
func (t *Table) Entries(vals []value.Value) ([]row.Entry, error) {
	if len(t.Indexes) == 0 {
		return nil, nil
	}
	const column = 16 // bytes of a usual one
	out := make([]row.Entry, len(t.Indexes))
	buf := make([]byte, 0, column*len(t.Indexes))
	for i := range t.Indexes {
		x := &t.Indexes[i]
		start := len(buf)
		out[i] = row.Entry{Index: x.ID, Unique: x.Unique}
		for _, id := range x.Columns {
			v := vals[t.position(id)]
			if v.IsNull() {
				out[i].Unique = false
			}
			buf = value.AppendKey(buf, v)
		}
		if len(buf)-start > MaxIndexBytes {
			return nil, fault.New(fault.ValueOutOfRange, "the values of a row take %d bytes in index %s "+
				"of table %s, of %d allowed; shorten them, or index other columns",
				len(buf)-start, x.Name, t.FullName(), MaxIndexBytes)
		}
		out[i].Columns = buf[start:len(buf):len(buf)]
	}
	return out, nil
}

// EntryText writes the values of an entry of x as column = value, ... for a
// message; "" for an entry that can't be read.
func (t *Table) EntryText(x *Index, columns []byte) string {
	const most = 64 // bytes of a value
	parts := make([]string, 0, len(x.Columns))
	for _, at := range t.Positions(x) {
		c := &t.Columns[at]
		v, rest, err := value.CutKey(columns, c.Type.Kind)
		if err != nil {
			return ""
		}
		if c.Type.Kind == value.Enum && !v.IsNull() {
			v = c.Type.Label(v)
		}
		text := v.Text()
		if len(text) > most {
			text = strings.ToValidUTF8(text[:most], "") + "..."
		}
		parts, columns = append(parts, c.Name+" = "+text), rest
	}
	return strings.Join(parts, ", ")
}

// Duplicate is the error of a row that breaks the unique index x.
func (t *Table) Duplicate(x *Index, columns []byte) error {
	return fault.New(fault.DuplicateKey, "table %s has a row with %s already, in unique index %s",
		t.FullName(), t.EntryText(x, columns), x.Name)
}

// FreeIndexName returns a name for an index that was given none: that of its
// first column, with a number behind it when that is taken.
func FreeIndexName(indexes []Index, column string) string {
	name := column
	for n := 2; ; n++ {
		taken := name == PrimaryIndex || slices.ContainsFunc(indexes, func(x Index) bool {
			return x.Name == name
		})
		if !taken {
			return name
		}
		suffix := "_" + strconv.Itoa(n)
		name = column[:min(len(column), ident.MaxName-len(suffix))] + suffix
	}
}

// definition returns the index as CREATE TABLE reads it.
func (t *Table) indexDefinition(x *Index) string {
	names := t.IndexColumns(x)
	for i := range names {
		names[i] = quote.Ident(names[i])
	}
	s := "INDEX "
	if x.Unique {
		s = "UNIQUE INDEX "
	}
	return s + quote.Ident(x.Name) + " (" + strings.Join(names, ", ") + ")"
}

// indexed reports whether values of a kind can stand in an index: those whose
// encoding sorts as the values do.
func indexed(k value.Kind) bool {
	switch k {
	case value.Bool, value.Float32, value.Float64, value.Decimal, value.Time, value.Bytes, value.Enum:
		return true
	}
	info, err := k.Info()
	return err == nil && info.Key
}

func (t *Table) validateIndexes() error {
	if len(t.Indexes) == 0 {
		return nil
	}
	if len(t.Indexes) > MaxIndexes {
		return t.invalid(fault.InvalidParameter, "has more than %d indexes", MaxIndexes)
	}
	names := make(map[string]bool, len(t.Indexes))
	for i := range t.Indexes {
		x := &t.Indexes[i]
		name, err := ident.ParseColumnName(x.Name)
		if err != nil || name != x.Name || name == PrimaryIndex {
			return t.invalid(fault.InvalidParameter, "has an index called %q; names are letters, "+
				"digits and underscores, and primary is the primary key", x.Name)
		}
		if names[x.Name] {
			return t.invalid(fault.InvalidSQL, "declares index %s twice", x.Name)
		}
		names[x.Name] = true
		if err := t.validateIndex(x); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) validateIndex(x *Index) error {
	if len(x.Columns) == 0 || len(x.Columns) > MaxIndexColumns {
		return t.invalid(fault.InvalidParameter, "has index %s of %d columns; use 1 to %d",
			x.Name, len(x.Columns), MaxIndexColumns)
	}
	for i, at := range t.Positions(x) {
		if at < 0 {
			return t.invalid(fault.InvalidParameter, "has index %s of a column that it has not", x.Name)
		}
		c := &t.Columns[at]
		if slices.Contains(x.Columns[:i], c.ID) {
			return t.invalid(fault.InvalidSQL, "has column %s twice in index %s", c.Name, x.Name)
		}
		if !indexed(c.Type.Kind) {
			return t.invalid(fault.Unsupported, "has column %s of type %s, which can't stand in an index; "+
				"index a number, text, enum, uuid, date or time", c.Name, c.Type.SQL())
		}
	}
	return nil
}
