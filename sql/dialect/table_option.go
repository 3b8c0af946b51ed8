package dialect

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// Table options, in the lower case of option.name.
const (
	optAccess  = "access"
	optCodec   = "codec"
	optType    = "type"
	optComment = "comment"
)

// optionAliases are other names of table options.
var optionAliases = map[string]string{"access_level": optAccess}

// laterOptions are table options that are known and not offered.
var laterOptions = map[string]bool{
	"storage": true, "storage_id": true, "flush": true, "flush_policy": true, "ttl": true,
	"ttl_seconds": true, "scope": true, "deleted_retention": true,
	"deleted_retention_hours": true, "use_user_storage": true,
}

// tableOptions consumes what stands behind the columns: WITH (k = v, ...) and
// the bare forms k 'v' and k = 'v', in any order, with commas or without.
func (b *tableBuilder) tableOptions() error {
	var all []option
	for b.i < len(b.toks) {
		var given []option
		var err error
		if b.accept(wordWith) {
			given, err = b.options()
		} else {
			given, err = b.bareOption()
		}
		if err != nil {
			return err
		}
		for _, o := range given {
			if long, ok := optionAliases[o.name]; ok {
				o.name = long
			}
			if err := b.addOption(&all, o); err != nil {
				return err
			}
			if err := b.tableOption(o); err != nil {
				return b.at(o.at, err)
			}
		}
		if b.acceptKind(Comma) && b.i == len(b.toks) {
			return b.failExpected("an option")
		}
	}
	return nil
}

// bareOption consumes one option outside of WITH.
func (b *tableBuilder) bareOption() ([]option, error) {
	o := option{at: b.i}
	name, err := b.name("an option or the end of the statement")
	if err != nil {
		return nil, err
	}
	o.name = strings.ToLower(name)
	switch o.name {
	case optAccess, "access_level", optCodec, optType, optComment:
	default: // its value may have any form
		return nil, b.at(o.at, unknownOption(o.name))
	}
	b.acceptOperator("=")
	o.value, err = b.optionValue()
	return []option{o}, err
}

func unknownOption(name string) error {
	if laterOptions[name] {
		return fault.New(fault.Unsupported,
			"table option %s is not supported; leave it out", strings.ToUpper(name))
	}
	return fault.New(fault.InvalidParameter,
		"unknown table option %s; the options are ACCESS, CODEC, TYPE and COMMENT",
		strings.ToUpper(clip(name)))
}

// tableOption checks an option and keeps its value.
func (b *tableBuilder) tableOption(o option) error {
	switch o.name {
	case optAccess:
		return b.access(o.value)
	case optCodec:
		c, err := serde.ByName(strings.ToLower(o.value))
		if err != nil {
			return err
		}
		b.n.Codec = c.ID()
	case optType:
		return b.tableType(o.value)
	case optComment:
		b.n.Comment = o.value
	default:
		return unknownOption(o.name)
	}
	return nil
}

// access keeps the access level; Table.Validate checks that the table is
// shared.
func (b *tableBuilder) access(v string) error {
	a, err := accessOf(v)
	b.n.Access = a
	return err
}

func accessOf(v string) (ddl.Access, error) {
	switch a := ddl.Access(strings.ToLower(v)); a {
	case ddl.Public, ddl.Restricted, ddl.Private:
		return a, nil
	}
	return "", fault.New(fault.InvalidParameter,
		"unknown access %q; use public, restricted or private", clip(v))
}

func (b *tableBuilder) tableType(v string) error {
	kind := ddl.TableKind(strings.ToUpper(v))
	switch kind {
	case ddl.UserTable, ddl.SharedTable:
	case "STREAM":
		return fault.New(fault.Unsupported, "STREAM tables are not supported; use USER or SHARED")
	default:
		return fault.New(fault.InvalidParameter, "unknown table type %q; use USER or SHARED", clip(v))
	}
	if b.n.Kind != "" && b.n.Kind != kind {
		return fault.New(fault.InvalidParameter,
			"TYPE = '%s' contradicts CREATE %s TABLE; keep one", kind, b.n.Kind)
	}
	b.n.Kind = kind
	return nil
}
