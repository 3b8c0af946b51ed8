package dialect

import (
	"strconv"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// typeNames maps the names and aliases of all kinds, in upper case.
var typeNames = func() map[string]value.KindInfo {
	m := make(map[string]value.KindInfo)
	for _, k := range value.Kinds() {
		m[k.SQL] = k
		for _, alias := range k.Alias {
			m[alias] = k
		}
	}
	delete(m, value.Null.SQL())
	return m
}()

// otherTypes are types of other databases, with what to write instead.
var otherTypes = map[string]string{
	"MEDIUMINT": "INT", "INT2": "SMALLINT", "INT4": "INT", "INT8": "BIGINT", "YEAR": "SMALLINT",
	"SERIAL": "BIGINT AUTO_INCREMENT", "BIGSERIAL": "BIGINT AUTO_INCREMENT", "SET": "TEXT",
	"TINYTEXT": "TEXT", "MEDIUMTEXT": "TEXT", "LONGTEXT": "TEXT", "CLOB": "TEXT",
	"NVARCHAR": "VARCHAR", "NCHAR": "CHAR", "TINYBLOB": "BYTES", "MEDIUMBLOB": "BYTES",
	"LONGBLOB": "BYTES", "BIT": "BIGINT", "MONEY": "DECIMAL(19, 4)", "INTERVAL": "BIGINT",
	"GEOMETRY": "JSON", "POINT": "JSON", "ARRAY": "JSON", "HSTORE": "JSON",
}

func isTypeName(word string) bool {
	_, ours := typeNames[word]
	_, other := otherTypes[word]
	return ours || other
}

// columnType consumes a type with its length, precision and sign.
func (b *tableBuilder) columnType() (ddl.Type, error) {
	at := b.i
	word := b.word()
	info, ok := typeNames[word]
	if !ok {
		return ddl.Type{}, b.unknownType(word)
	}
	if !info.Column {
		return ddl.Type{}, b.at(at, ddl.NotOffered(info.Kind))
	}
	b.next()
	if info.Kind == value.Enum {
		return b.enumType(at)
	}
	if info.Kind == value.Float64 {
		b.accept("PRECISION")
	}
	args, err := b.typeArguments()
	if err != nil {
		return ddl.Type{}, err
	}
	t, err := newType(info.Kind, word, args)
	if err != nil {
		return ddl.Type{}, b.at(at, err)
	}
	return b.signedness(t)
}

// enumType consumes the labels of an ENUM whose name is at a token.
func (b *tableBuilder) enumType(at int) (ddl.Type, error) {
	t := ddl.Type{Kind: value.Enum}
	if err := b.expectKind(LeftParen); err != nil {
		return t, err
	}
	for {
		label, err := b.text("a label such as 'open'")
		if err != nil {
			return t, err
		}
		t.Labels = append(t.Labels, label)
		if b.acceptKind(RightParen) {
			return t, b.at(at, t.Validate())
		}
		if err := b.expectKind(Comma); err != nil {
			return t, err
		}
	}
}

func (b *tableBuilder) unknownType(word string) error {
	if word == "" {
		return b.failExpected("a type")
	}
	if instead, ok := otherTypes[word]; ok {
		return b.unsupported("type %s is not supported; use %s", word, instead)
	}
	names := make([]string, 0, len(typeNames))
	for n := range typeNames {
		names = append(names, n)
	}
	hint := suggest(word, names)
	if hint == "" {
		hint = "; the types are in system.data_types"
	}
	return b.fail(fault.InvalidSQL, "%q is no type%s", clip(b.peek().Text(b.src)), hint)
}

// typeArguments consumes (n) or (n, m) if it is there.
func (b *tableBuilder) typeArguments() ([]int, error) {
	if !b.acceptKind(LeftParen) {
		return nil, nil
	}
	var args []int
	for {
		n, err := strconv.Atoi(b.peek().Text(b.src))
		if b.peek().Kind != Number || err != nil {
			return nil, b.failExpected("a whole number")
		}
		b.next()
		args = append(args, n)
		if b.acceptKind(RightParen) {
			return args, nil
		}
		if len(args) == 2 || !b.acceptKind(Comma) {
			return nil, b.failExpected(")")
		}
	}
}

// newType makes the type that a name with arguments means.
func newType(k value.Kind, name string, args []int) (ddl.Type, error) {
	t := ddl.Type{Kind: k}
	bad := func(why string) (ddl.Type, error) {
		return ddl.Type{}, fault.New(fault.InvalidParameter, "type %s %s", name, why)
	}
	if len(args) == 2 && k != value.Decimal {
		return bad("does not take two numbers")
	}
	switch k {
	case value.Int8, value.Int16, value.Int32, value.Int64:
		if len(args) == 1 && args[0] > 255 {
			return bad("takes a display width of at most 255")
		}
	case value.Decimal:
		t.Precision = ddl.DefaultPrecision
		if len(args) > 0 {
			t.Precision = args[0]
		}
		if len(args) > 1 {
			t.Scale = args[1]
		}
	case value.Text, value.Bytes:
		return lengthType(t, name, args)
	case value.Embedding:
		if len(args) == 1 {
			t.Length = args[0]
		}
	case value.Float32:
		if len(args) == 1 && args[0] > 24 {
			t.Kind = value.Float64
		}
		if len(args) == 1 && (args[0] < 1 || args[0] > 53) {
			return bad("takes 1 to 53 bits")
		}
	case value.Time, value.DateTime, value.Timestamp:
		if len(args) == 1 && args[0] != mostFraction {
			return ddl.Type{}, fault.New(fault.Unsupported,
				"type %s(%d) is not supported: microseconds are kept; write %[1]s", name, args[0])
		}
	default:
		if len(args) > 0 {
			return bad("takes no length")
		}
	}
	return t, t.Validate()
}

// lengthType applies the length of a text or byte type. CHAR and BINARY have
// one character without it, as everywhere.
func lengthType(t ddl.Type, name string, args []int) (ddl.Type, error) {
	switch {
	case len(args) == 1 && args[0] == 0:
		return ddl.Type{}, fault.New(fault.InvalidParameter,
			"type %s needs a length of at least 1", name)
	case len(args) == 1:
		t.Length = args[0]
	case name == "CHAR" || name == "BINARY":
		t.Length = 1
	}
	return t, t.Validate()
}

// unsigned maps the integer kinds to their unsigned twins.
var unsigned = map[value.Kind]value.Kind{
	value.Int8: value.Uint8, value.Int16: value.Uint16,
	value.Int32: value.Uint32, value.Int64: value.Uint64,
}

// signedness consumes UNSIGNED or SIGNED behind a type.
func (b *tableBuilder) signedness(t ddl.Type) (ddl.Type, error) {
	kind, integer := unsigned[t.Kind]
	switch {
	case b.is("UNSIGNED") && !integer:
		return t, b.unsupported("%s UNSIGNED is not supported; only integers can be UNSIGNED",
			strings.ToUpper(t.Kind.SQL()))
	case b.accept("UNSIGNED"):
		t.Kind = kind
	case integer:
		b.accept("SIGNED")
	}
	return t, nil
}
