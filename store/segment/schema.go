package segment

import (
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
)

// Digits of decimals that are kept as integers of so many bits. Longer ones are
// texts: some readers know no decimals that long, and read other numbers.
const (
	digits32  = 9
	digits64  = 18
	digits128 = 38
)

const uuidBytes = 16

// physical is how the values of a kind are kept.
type physical struct {
	typ     parquet.Type
	logical schema.LogicalType
	length  int // of fixed bytes
}

var (
	utcMicros = schema.NewTimestampLogicalType(true, schema.TimeUnitMicros)
	text      = physical{typ: parquet.Types.ByteArray, logical: schema.StringLogicalType{}}
	document  = physical{typ: parquet.Types.ByteArray, logical: schema.JSONLogicalType{}}
	instant   = physical{typ: parquet.Types.Int64, logical: utcMicros}
)

var physicals = map[value.Kind]physical{
	value.Bool:    {typ: parquet.Types.Boolean},
	value.Int8:    integer(8, true),
	value.Int16:   integer(16, true),
	value.Int32:   integer(32, true),
	value.Int64:   integer(64, true),
	value.Uint8:   integer(8, false),
	value.Uint16:  integer(16, false),
	value.Uint32:  integer(32, false),
	value.Uint64:  integer(64, false),
	value.Float32: {typ: parquet.Types.Float},
	value.Float64: {typ: parquet.Types.Double},
	value.Text:    text,
	value.Enum:    text,
	value.Bytes:   {typ: parquet.Types.ByteArray},
	value.JSON:    document,
	value.File:    document,
	value.Date:    {typ: parquet.Types.Int32, logical: schema.DateLogicalType{}},
	// More than a day, and below zero: no time of day. Microseconds.
	value.Time:      {typ: parquet.Types.Int64},
	value.DateTime:  instant,
	value.Timestamp: instant,
	value.UUID: {typ: parquet.Types.FixedLenByteArray, logical: schema.UUIDLogicalType{},
		length: uuidBytes},
	value.Embedding: {typ: parquet.Types.Float},
}

func integer(bits int8, signed bool) physical {
	p := physical{typ: parquet.Types.Int32, logical: schema.NewIntLogicalType(bits, signed)}
	if bits == 64 {
		p.typ = parquet.Types.Int64
	}
	return p
}

func physicalOf(k value.Kind, c *Column) physical {
	switch {
	case k != value.Decimal:
		return physicals[k]
	case c.Precision > digits128:
		return text
	}
	p := physical{logical: schema.NewDecimalLogicalType(int32(c.Precision), int32(c.Scale))}
	switch {
	case c.Precision <= digits32:
		p.typ = parquet.Types.Int32
	case c.Precision <= digits64:
		p.typ = parquet.Types.Int64
	default:
		p.typ, p.length = parquet.Types.FixedLenByteArray, decimalBytes(c.Precision)
	}
	return p
}

func (p physical) node(name string, rep parquet.Repetition, id int32) (schema.Node, error) {
	if p.length == 0 {
		return schema.NewPrimitiveNodeLogical(name, rep, p.logical, p.typ, -1, id)
	}
	return schema.NewPrimitiveNodeLogical(name, rep, p.logical, p.typ, p.length, id)
}

// root returns the schema of the file: the columns of the table, any of which
// may be NULL, each with its id, and those of the system, which have none.
func (l *Layout) root() (*schema.GroupNode, error) {
	var fields schema.FieldList
	add := func(n schema.Node, err error) error {
		fields = append(fields, n)
		return err
	}
	for i, k := range l.Schema.Kinds {
		c, id := &l.Columns[i], int32(l.Schema.IDs[i])
		p := physicalOf(k, c)
		var err error
		if k == value.Embedding {
			err = add(embeddingNode(p, c.Name, id))
		} else {
			err = add(p.node(c.Name, optional, id))
		}
		if err != nil {
			return nil, fault.Wrap(fault.Internal, err, "column %s of a segment", c.Name)
		}
	}
	for _, s := range []struct {
		name string
		physical
	}{
		{system.ColSeq, integer(64, true)}, {system.ColUpdated, instant},
		{system.ColDeleted, physical{typ: parquet.Types.Boolean}},
	} {
		if err := add(s.node(s.name, required, -1)); err != nil {
			return nil, fault.Wrap(fault.Internal, err, "column %s of a segment", s.name)
		}
	}
	root, err := schema.NewGroupNode("segment", required, fields, -1)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "schema of a segment")
	}
	return root, nil
}

func embeddingNode(p physical, name string, id int32) (schema.Node, error) {
	element, err := p.node("element", required, -1)
	if err != nil {
		return nil, err
	}
	return schema.ListOfWithName(name, element, optional, id)
}
