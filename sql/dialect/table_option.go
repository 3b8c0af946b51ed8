package dialect

import (
	"strconv"
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
	optTTL     = "ttl"
	optScope   = "scope"

	optTTLSeconds = "ttl_seconds" // TTL as a number of seconds
)

// optionAliases are other names of table options.
var optionAliases = map[string]string{"access_level": optAccess}

// laterOptions are table options that are known and not offered.
var laterOptions = map[string]bool{
	"storage": true, "storage_id": true, "flush": true, "flush_policy": true,
	"deleted_retention": true, "deleted_retention_hours": true, "use_user_storage": true,
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
			if o, err = o.canonical(); err != nil {
				return b.at(o.at, err)
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

// canonical returns an option under the name that says the same.
func (o option) canonical() (option, error) {
	if long, ok := optionAliases[o.name]; ok {
		o.name = long
	}
	if o.name != optTTLSeconds {
		return o, nil
	}
	if _, err := strconv.ParseUint(o.value, 10, 32); err != nil {
		return o, fault.New(fault.InvalidParameter, "TTL_SECONDS is a number of seconds")
	}
	o.name, o.value = optTTL, o.value+"s"
	return o, nil
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
	case optAccess, "access_level", optCodec, optType, optComment, optTTL, optTTLSeconds, optScope:
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
		"unknown table option %s; the options are ACCESS, CODEC, COMMENT, SCOPE, TTL and TYPE",
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
	case optTTL:
		ttl, err := ddl.ParseTTL(strings.ToLower(o.value))
		b.n.TTL = ttl
		return err
	case optScope:
		b.n.Scope = ddl.Scope(strings.ToLower(o.value))
		if b.n.Scope != ddl.UserScope && b.n.Scope != ddl.NamespaceScope {
			return fault.New(fault.InvalidParameter,
				"unknown scope %q; use user or namespace", clip(o.value))
		}
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
	case ddl.UserTable, ddl.SharedTable, ddl.StreamTable:
	default:
		return fault.New(fault.InvalidParameter, "unknown table type %q; use USER, SHARED or STREAM",
			clip(v))
	}
	if b.n.Kind != "" && b.n.Kind != kind {
		return fault.New(fault.InvalidParameter,
			"TYPE = '%s' contradicts CREATE %s TABLE; keep one", kind, b.n.Kind)
	}
	b.n.Kind = kind
	return nil
}
