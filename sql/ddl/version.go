package ddl

import (
	"encoding/json"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Version is a schema that a table had, or has. Changed and ChangedBy say
// since when and by whom.
type Version struct {
	Number    ident.SchemaVersion `json:"number"`
	Columns   []Column            `json:"columns"`
	Codec     serde.ID            `json:"codec"`
	Changed   time.Time           `json:"changed,omitzero"`
	ChangedBy ident.UserID        `json:"changed_by,omitempty"`
}

// Versions returns all versions of the table, the oldest first.
func (t *Table) Versions() []Version {
	return append(append([]Version(nil), t.Past...), t.present())
}

func (t *Table) present() Version {
	v := Version{Number: t.Version, Columns: t.Columns, Codec: t.Codec,
		Changed: t.Changed, ChangedBy: t.ChangedBy}
	if v.Changed.IsZero() {
		v.Changed, v.ChangedBy = t.Created, t.CreatedBy
	}
	return v
}

// SchemaOf returns the physical schema of rows written with a version, and
// whether the table has had that version.
func (t *Table) SchemaOf(v ident.SchemaVersion) (*row.Schema, bool) {
	if v == t.Version {
		return t.Schema(), true
	}
	for i := range t.Past {
		if t.Past[i].Number == v {
			return t.Past[i].schema(), true
		}
	}
	return nil, false
}

func (v *Version) schema() *row.Schema {
	s := &row.Schema{Version: v.Number, Codec: v.Codec}
	for i := range v.Columns {
		s.IDs = append(s.IDs, v.Columns[i].ID)
		s.Kinds = append(s.Kinds, v.Columns[i].Type.Kind)
	}
	s.Labels = labels(v.Columns)
	return s
}

// Reader compiles a reader of records with schema stored into rows of t. A
// schema newer than t is a TRANSACTION_CONFLICT: what reads with an old
// definition must be planned again.
func (t *Table) Reader(stored *row.Schema) (*row.Reader, error) {
	if stored.Version > t.Version {
		return nil, fault.New(fault.TransactionConflict,
			"the schema of table %s changed while the statement ran; run it again", t.FullName())
	}
	fill := make([]value.Value, len(t.Columns))
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Fill == nil {
			continue
		}
		v, err := c.Fill.Literal(c.Type)
		if err != nil {
			return nil, fault.New(fault.Corruption,
				"read what old rows of table %s show in column %s: %v", t.FullName(), c.Name, err)
		}
		fill[i] = v
	}
	return row.NewReader(stored, t.Schema(), fill), nil
}

// ColumnsJSON returns the columns of the version as a JSON array of objects
// with name, data_type, nullable, default and comment.
func (v *Version) ColumnsJSON() (string, error) {
	type column struct {
		Name     string  `json:"name"`
		DataType string  `json:"data_type"`
		Nullable bool    `json:"nullable"`
		Default  *string `json:"default"`
		Comment  string  `json:"comment,omitempty"`
	}
	all := make([]column, len(v.Columns))
	for i := range v.Columns {
		c := &v.Columns[i]
		all[i] = column{Name: c.Name, DataType: c.Type.SQL(), Nullable: !c.NotNull, Comment: c.Comment}
		if c.Default != nil && !c.Default.Null {
			text := c.Default.SQL()
			all[i].Default = &text
		}
	}
	doc, err := json.Marshal(all)
	if err != nil {
		return "", fault.Wrap(fault.Internal, err, "encode the columns of schema version %d", v.Number)
	}
	return string(doc), nil
}

// HistoryHeader returns the columns of DESCRIBE t HISTORY.
func HistoryHeader() []Column {
	return []Column{
		{Name: "version", Type: Type{Kind: value.Int64}, NotNull: true},
		{Name: "changed_at", Type: Type{Kind: value.Timestamp}},
		{Name: "changed_by", Type: Type{Kind: value.Text}},
		{Name: "columns", Type: Type{Kind: value.JSON}, NotNull: true},
	}
}

// History returns the rows of DESCRIBE t HISTORY, the oldest version first.
func History(t *Table) ([][]value.Value, error) {
	var rows [][]value.Value
	for _, v := range t.Versions() {
		doc, err := v.ColumnsJSON()
		if err != nil {
			return nil, err
		}
		at, by := value.NullValue, value.NullValue
		if !v.Changed.IsZero() {
			at = value.NewTimestamp(v.Changed)
		}
		if v.ChangedBy != "" {
			by = value.NewText(string(v.ChangedBy))
		}
		rows = append(rows, []value.Value{value.NewBigInt(int64(v.Number)), at, by,
			value.NewString(value.JSON, doc)})
	}
	return rows, nil
}
