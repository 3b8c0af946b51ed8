package engine

import (
	"io"
	"strconv"

	gms "github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// tableKey names a target to the library: the database name that the gate put
// before the table's name, and that name.
type tableKey struct{ db, table string }

// provider shows the library the tables of the present execution.
type provider struct{ functions map[string]gms.Function }

var (
	_ gms.DatabaseProvider = provider{}
	_ gms.FunctionProvider = provider{}
)

// Database implements gms.DatabaseProvider.
func (provider) Database(_ *gms.Context, name string) (gms.Database, error) {
	return database(name), nil
}

// HasDatabase implements gms.DatabaseProvider.
func (provider) HasDatabase(*gms.Context, string) bool { return true }

// AllDatabases implements gms.DatabaseProvider.
func (provider) AllDatabases(*gms.Context) []gms.Database { return nil }

// Function implements gms.FunctionProvider: our own functions, and the
// library's where they are guarded or changed.
func (p provider) Function(_ *gms.Context, name string) (gms.Function, bool) {
	f, ok := p.functions[name]
	return f, ok
}

// database is one name that the gate put before a table's.
type database string

// Name implements gms.Database.
func (d database) Name() string { return string(d) }

// GetTableInsensitive implements gms.Database.
func (d database) GetTableInsensitive(ctx *gms.Context, name string) (gms.Table, bool, error) {
	run := of(ctx)
	if run == nil {
		return nil, false, nil
	}
	t, ok := run.tables[tableKey{string(d), name}]
	if !ok {
		return nil, false, nil
	}
	tab, err := newTable(string(d), t)
	return tab, err == nil, err
}

// GetTableNames implements gms.Database.
func (d database) GetTableNames(*gms.Context) ([]string, error) { return nil, nil }

// relation is a target as the library's table. It is immutable; projections
// and lookups make copies.
type relation struct {
	db      string
	target  *target
	schema  gms.Schema // all columns
	columns []int      // projected positions; nil for all
	names   []string
	lookup  *gms.IndexLookup
}

var (
	_ gms.IndexAddressableTable = (*relation)(nil)
	_ gms.IndexedTable          = (*relation)(nil)
	_ gms.ProjectedTable        = (*relation)(nil)
	_ gms.PrimaryKeyTable       = (*relation)(nil)
	_ gms.StatisticsTable       = (*relation)(nil)
	_ gms.Databaseable          = (*relation)(nil)
)

func newTable(db string, t *target) (*relation, error) {
	s, err := schemaOf(db, t.def)
	return &relation{db: db, target: t, schema: s}, err
}

func schemaOf(db string, def *ddl.Table) (gms.Schema, error) {
	s := make(gms.Schema, 0, len(def.Columns)+len(system.Columns))
	add := func(name string, typ gms.Type, key, null bool) {
		s = append(s, &gms.Column{Name: name, Type: typ, Source: string(def.Name),
			DatabaseSource: db, PrimaryKey: key, Nullable: null})
	}
	for i := range def.Columns {
		c := &def.Columns[i]
		typ, err := columnType(c.Type)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "type of column %s", c.Name)
		}
		key := def.IsKey(i)
		add(c.Name, typ, key, !key && !c.NotNull)
	}
	null := def.Kind == ddl.SystemTable
	add(system.ColSeq, types.Int64, false, null)
	add(system.ColUpdated, types.DatetimeMaxPrecision, false, null)
	add(system.ColDeleted, types.Boolean, false, null)
	return s, nil
}

// Name implements gms.Table.
func (r *relation) Name() string { return string(r.target.def.Name) }

// String implements gms.Table.
func (r *relation) String() string { return r.Name() }

// Database implements gms.Databaseable.
func (r *relation) Database() string { return r.db }

// Collation implements gms.Table.
func (r *relation) Collation() gms.CollationID { return collation }

// Schema implements gms.Table: the projected columns.
func (r *relation) Schema(*gms.Context) gms.Schema {
	if r.columns == nil {
		return r.schema
	}
	s := make(gms.Schema, len(r.columns))
	for i, c := range r.columns {
		s[i] = r.schema[c]
	}
	return s
}

// PrimaryKeySchema implements gms.PrimaryKeyTable.
func (r *relation) PrimaryKeySchema(*gms.Context) gms.PrimaryKeySchema {
	return gms.NewPrimaryKeySchema(r.schema, r.target.def.PrimaryKey...)
}

// assumedRows is the size that the library plans joins with.
const assumedRows = 1000

// RowCount implements gms.StatisticsTable. It is a guess, never exact.
func (r *relation) RowCount(*gms.Context) (uint64, bool, error) { return assumedRows, false, nil }

// DataLength implements gms.StatisticsTable.
func (r *relation) DataLength(*gms.Context) (uint64, error) { return assumedRows, nil }

// WithProjections implements gms.ProjectedTable.
func (r *relation) WithProjections(_ *gms.Context, names []string) (gms.Table, error) {
	c := *r
	c.names = names
	c.columns = make([]int, 0, len(names))
	for _, n := range names {
		i := r.schema.IndexOfColName(n)
		if i < 0 {
			return nil, fault.New(fault.ColumnNotFound,
				"column %s does not exist in %s", n, r.target.def.FullName())
		}
		c.columns = append(c.columns, i)
	}
	return &c, nil
}

// Projections implements gms.ProjectedTable.
func (r *relation) Projections() []string { return r.names }

// part is what to read, as the library's partition.
type part route

// Key implements gms.Partition.
func (p part) Key() []byte { return []byte(strconv.Itoa(len(p.spans))) }

type partIter struct {
	part part
	done bool
}

// Next implements gms.PartitionIter.
func (p *partIter) Next(*gms.Context) (gms.Partition, error) {
	if p.done {
		return nil, io.EOF
	}
	p.done = true
	return p.part, nil
}

// Close implements gms.PartitionIter.
func (p *partIter) Close(*gms.Context) error { return nil }

// Partitions implements gms.Table: one that holds everything.
func (r *relation) Partitions(*gms.Context) (gms.PartitionIter, error) {
	return &partIter{part: part{path: keyPath(r.target.def), spans: []span{{}}}}, nil
}

// PartitionRows implements gms.Table.
func (r *relation) PartitionRows(_ *gms.Context, p gms.Partition) (gms.RowIter, error) {
	pt, ok := p.(part)
	if !ok {
		return nil, fault.New(fault.Internal, "a partition of type %T", p)
	}
	pt.spans = append([]span(nil), pt.spans...)
	c := r.target.scan(route(pt))
	if r.columns != nil {
		c.needs(r.columns)
	}
	return &rowIter{rel: r, cursor: c, vals: make([]value.Value, r.target.width())}, nil
}

// rowIter gives the rows of a cursor as the library's rows.
type rowIter struct {
	rel    *relation
	cursor *cursor
	vals   []value.Value
}

// Next implements gms.RowIter.
func (it *rowIter) Next(ctx *gms.Context) (gms.Row, error) {
	ok, err := it.cursor.next(ctx, it.vals)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, io.EOF
	}
	if it.rel.columns != nil {
		out := make(gms.Row, len(it.rel.columns))
		for i, c := range it.rel.columns {
			out[i] = toEngine(it.vals[c])
		}
		return out, nil
	}
	out := make(gms.Row, len(it.vals))
	for i, v := range it.vals {
		out[i] = toEngine(v)
	}
	return out, nil
}

// Close implements gms.RowIter.
func (it *rowIter) Close(*gms.Context) error {
	it.cursor.close()
	return nil
}
