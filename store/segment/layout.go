package segment

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/store/row"
)

// Layout says whose rows a segment has and what they are made of. It is
// immutable once a Writer was made with it.
type Layout struct {
	Table ident.TableID
	User  ident.UserID // "" for a shared table
	// Schema is the version that all rows of the segment are of.
	Schema *row.Schema
	// Columns has one element for each of Schema.IDs.
	Columns []Column
	// Key are the columns of the primary key, in its order.
	Key []ident.ColumnID
}

// Column is what a segment keeps of a column beside its id and its kind.
type Column struct {
	Name             string
	Precision, Scale int // of a Decimal, which has exactly Scale digits behind the point
	Dimension        int // of an Embedding: how many numbers it has
}

// Digits of a decimal of a table.
const maxPrecision = 65

func (l *Layout) check() error {
	bad := func(format string, args ...any) error {
		return fault.New(fault.Internal, "layout of a segment: "+format, args...)
	}
	s := l.Schema
	switch {
	case s == nil || len(s.IDs) == 0:
		return bad("no columns")
	case len(s.Kinds) != len(s.IDs) || len(l.Columns) != len(s.IDs),
		s.Labels != nil && len(s.Labels) != len(s.IDs):
		return bad("%d ids, %d kinds, %d columns", len(s.IDs), len(s.Kinds), len(l.Columns))
	case len(l.Key) == 0:
		return bad("no primary key")
	}
	for i, k := range s.Kinds {
		c := &l.Columns[i]
		switch {
		case c.Name == "" || s.IDs[i] == 0 || slices.Contains(s.IDs[:i], s.IDs[i]):
			return bad("column %d has no name, or its id is not its own", i)
		case slices.ContainsFunc(l.Columns[:i], func(o Column) bool { return o.Name == c.Name }),
			system.IsColumn(c.Name):
			return bad("two columns named %s", c.Name)
		case k == value.Null || !k.Valid():
			return bad("column %s is of kind %d", c.Name, k)
		case k == value.Decimal && (c.Precision < 1 || c.Precision > maxPrecision ||
			c.Scale < 0 || c.Scale > c.Precision):
			return bad("column %s is DECIMAL(%d, %d)", c.Name, c.Precision, c.Scale)
		case k == value.Embedding && (c.Dimension < 1 || c.Dimension > value.MaxEmbedding):
			return bad("column %s is EMBEDDING(%d)", c.Name, c.Dimension)
		case k == value.Enum && len(l.labels(i)) == 0:
			return bad("column %s is an ENUM without labels", c.Name)
		}
	}
	for _, id := range l.Key {
		if !slices.Contains(s.IDs, id) {
			return bad("column %d of the primary key is none of the table's", id)
		}
	}
	return nil
}

func (l *Layout) labels(i int) []string {
	if l.Schema.Labels == nil {
		return nil
	}
	return l.Schema.Labels[i]
}

// position returns where a column stands, -1 when the segment has it not.
func (l *Layout) position(id ident.ColumnID) int { return slices.Index(l.Schema.IDs, id) }

// Names of the file's own metadata.
const (
	metaFormat   = "kalamdb.format"
	metaTable    = "kalamdb.table"
	metaUser     = "kalamdb.user"
	metaSchema   = "kalamdb.schema_version"
	metaCodec    = "kalamdb.codec"
	metaColumns  = "kalamdb.columns"
	metaKey      = "kalamdb.key"
	metaEncoding = "kalamdb.key_encoding"
)

// Versions of what is written today.
const (
	formatVersion = 1 // of the file
	keyEncoding   = 1 // of primary keys: value.AppendKey, column after column
)

// columnMeta is a column in the metadata of the file.
type columnMeta struct {
	ID        ident.ColumnID `json:"id"`
	Name      string         `json:"name"`
	Kind      value.Kind     `json:"kind"`
	Type      string         `json:"type"`
	Precision int            `json:"precision,omitempty"`
	Scale     int            `json:"scale,omitempty"`
	Dimension int            `json:"dimension,omitempty"`
	Labels    []string       `json:"labels,omitempty"`
}

// metadata returns keys and values, one after the other.
func (l *Layout) metadata() ([][2]string, error) {
	columns := make([]columnMeta, len(l.Columns))
	for i, c := range l.Columns {
		k := l.Schema.Kinds[i]
		columns[i] = columnMeta{ID: l.Schema.IDs[i], Name: c.Name, Kind: k, Type: k.SQL(),
			Precision: c.Precision, Scale: c.Scale, Dimension: c.Dimension, Labels: l.labels(i)}
	}
	cols, err := json.Marshal(columns)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "columns of a segment")
	}
	key, err := json.Marshal(l.Key)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "primary key of a segment")
	}
	return [][2]string{
		{metaFormat, strconv.Itoa(formatVersion)}, {metaTable, l.Table.String()},
		{metaUser, string(l.User)}, {metaSchema, strconv.Itoa(int(l.Schema.Version))},
		{metaCodec, strconv.Itoa(int(l.Schema.Codec))}, {metaColumns, string(cols)},
		{metaKey, string(key)}, {metaEncoding, strconv.Itoa(keyEncoding)},
	}, nil
}

// readLayout is the inverse of metadata. Its errors are for a fault.Corruption.
func readLayout(meta map[string]string) (*Layout, error) {
	if v := meta[metaFormat]; v != strconv.Itoa(formatVersion) {
		return nil, fmt.Errorf("format version %q, this program reads %d", v, formatVersion)
	}
	if v := meta[metaEncoding]; v != strconv.Itoa(keyEncoding) {
		return nil, fmt.Errorf("key encoding %q, this program reads %d", v, keyEncoding)
	}
	table, err := strconv.ParseUint(meta[metaTable], 10, 32)
	if err != nil {
		return nil, fmt.Errorf("table: %w", err)
	}
	version, err := strconv.ParseUint(meta[metaSchema], 10, 32)
	if err != nil {
		return nil, fmt.Errorf("schema version: %w", err)
	}
	codec, err := strconv.ParseUint(meta[metaCodec], 10, 8)
	if err != nil {
		return nil, fmt.Errorf("codec: %w", err)
	}
	var columns []columnMeta
	if err := json.Unmarshal([]byte(meta[metaColumns]), &columns); err != nil {
		return nil, fmt.Errorf("columns: %w", err)
	}
	l := &Layout{Table: ident.TableID(table), User: ident.UserID(meta[metaUser]),
		Schema: &row.Schema{Version: ident.SchemaVersion(version), Codec: serde.ID(codec)}}
	if err := json.Unmarshal([]byte(meta[metaKey]), &l.Key); err != nil {
		return nil, fmt.Errorf("primary key: %w", err)
	}
	for i, c := range columns {
		l.Schema.IDs = append(l.Schema.IDs, c.ID)
		l.Schema.Kinds = append(l.Schema.Kinds, c.Kind)
		l.Columns = append(l.Columns, Column{Name: c.Name, Precision: c.Precision,
			Scale: c.Scale, Dimension: c.Dimension})
		if c.Labels != nil && l.Schema.Labels == nil {
			l.Schema.Labels = make([][]string, len(columns))
		}
		if c.Labels != nil {
			l.Schema.Labels[i] = c.Labels
		}
	}
	return l, l.check()
}
