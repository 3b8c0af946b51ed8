package ddl

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/dialect/quote"
)

// SystemColumns returns the columns that stand behind a table's own, in the
// order of system.Columns. They have no id; the caller may change the slice.
func SystemColumns() []Column {
	return []Column{
		{Name: system.ColSeq, Type: Type{Kind: value.Int64}, NotNull: true},
		{Name: system.ColUpdated, Type: Type{Kind: value.Timestamp}, NotNull: true},
		{Name: system.ColDeleted, Type: Type{Kind: value.Bool}, NotNull: true},
	}
}

// ShowCreate returns the statement that makes a table like t, with its
// namespace. That of a system table says what it is and can't be run.
func ShowCreate(t *Table) string {
	var b strings.Builder
	b.WriteString("CREATE " + string(t.Kind) + " TABLE ")
	if t.Namespace != "" {
		b.WriteString(quote.Ident(string(t.Namespace)) + ".")
	}
	b.WriteString(quote.Ident(string(t.Name)) + " (\n")
	for i := range t.Columns {
		b.WriteString("  " + t.Columns[i].definition() + ",\n")
	}
	keys := make([]string, len(t.PrimaryKey))
	for i, k := range t.PrimaryKey {
		keys[i] = quote.Ident(t.Columns[k].Name)
	}
	b.WriteString("  PRIMARY KEY (" + strings.Join(keys, ", ") + ")")
	for i := range t.Indexes {
		b.WriteString(",\n  " + t.indexDefinition(&t.Indexes[i]))
	}
	for i := range t.Checks {
		b.WriteString(",\n  " + t.Checks[i].SQL())
	}
	b.WriteString("\n)")
	if opts := t.options(); len(opts) > 0 {
		b.WriteString(" WITH (" + strings.Join(opts, ", ") + ")")
	}
	return b.String()
}

// definition returns the column as CREATE TABLE reads it.
func (c *Column) definition() string {
	s := quote.Ident(c.Name) + " " + c.Type.SQL()
	if c.NotNull {
		s += " NOT NULL"
	}
	if d := c.Default; d != nil {
		s += " DEFAULT " + d.SQL()
	}
	if c.Comment != "" {
		s += " COMMENT " + quote.String(c.Comment)
	}
	return s
}

// SQL returns the default as it stands behind DEFAULT.
func (d *Default) SQL() string {
	switch {
	case d.Null:
		return "NULL"
	case d.Func != "":
		return string(d.Func) + "()"
	}
	return quote.String(d.Text)
}

// options returns the table options that are not the defaults.
func (t *Table) options() []string {
	var opts []string
	if t.Kind == SharedTable {
		opts = append(opts, "ACCESS = "+quote.String(string(t.Access)))
	}
	if t.Kind == StreamTable {
		opts = append(opts, "TTL = "+quote.String(FormatTTL(t.TTL)),
			"SCOPE = "+quote.String(string(t.Scope)))
	}
	if t.Storage != "" {
		opts = append(opts, "STORAGE = "+quote.String(string(t.Storage)))
	}
	if t.UserStorage {
		opts = append(opts, "USE_USER_STORAGE = true")
	}
	if t.Flush != (FlushPolicy{}) {
		opts = append(opts, "FLUSH_POLICY = "+quote.String(t.Flush.String()))
	}
	if t.DeletedRetention != 0 {
		opts = append(opts, "DELETED_RETENTION = "+quote.String(FormatTTL(t.DeletedRetention)))
	}
	if c, err := serde.ByID(t.Codec); err == nil && t.Codec != serde.Row {
		opts = append(opts, "CODEC = "+quote.String(c.Name()))
	}
	if t.Comment != "" {
		opts = append(opts, "COMMENT = "+quote.String(t.Comment))
	}
	return opts
}

// What stands in the columns of DESCRIBE.
const (
	yes       = "YES"
	no        = "NO"
	keyMark   = "PRI"
	uniMark   = "UNI" // a unique index of this column alone
	mulMark   = "MUL" // the first column of another index
	extraFunc = "DEFAULT_GENERATED"
	extraOwn  = "SYSTEM"
)

// DescribeHeader returns the names of the columns of Describe's rows, as MySQL
// has them, with Comment behind. All are of kind Text.
func DescribeHeader() []string {
	return []string{"Field", "Type", "Null", "Key", "Default", "Extra", "Comment"}
}

// Describe returns the rows of DESCRIBE t: one for each column, and for each
// system column unless t is a system table.
func Describe(t *Table) [][]value.Value {
	rows := make([][]value.Value, 0, len(t.Columns)+len(system.Columns))
	for i := range t.Columns {
		c := &t.Columns[i]
		extra := ""
		if c.Default != nil && c.Default.Func != "" {
			extra = extraFunc
		}
		rows = append(rows, describeRow(c, t.keyMark(i), extra))
	}
	if t.Kind == SystemTable {
		return rows
	}
	for _, c := range SystemColumns() {
		rows = append(rows, describeRow(&c, "", extraOwn))
	}
	return rows
}

// keyMark tells of the column at i in which keys it stands.
func (t *Table) keyMark(i int) string {
	if t.IsKey(i) {
		return keyMark
	}
	mark := ""
	for n := range t.Indexes {
		x := &t.Indexes[n]
		switch {
		case x.Columns[0] != t.Columns[i].ID:
		case x.Unique && len(x.Columns) == 1:
			return uniMark
		default:
			mark = mulMark
		}
	}
	return mark
}

func describeRow(c *Column, key, extra string) []value.Value {
	null, def := yes, value.NullValue
	if c.NotNull {
		null = no
	}
	if d := c.Default; d != nil && !d.Null {
		def = value.NewText(d.Text)
		if d.Func != "" {
			def = value.NewText(d.SQL())
		}
	}
	return []value.Value{value.NewText(c.Name), value.NewText(c.Type.SQL()), value.NewText(null),
		value.NewText(key), def, value.NewText(extra), value.NewText(c.Comment)}
}
