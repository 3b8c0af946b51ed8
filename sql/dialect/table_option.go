package dialect

import (
	"strconv"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// Table options, in the lower case of option.name.
const (
	optAccess  = "access"
	optCodec   = "codec"
	optType    = "type"
	optComment = "comment"
	optTTL     = "ttl"
	optScope   = "scope"

	optStorage     = "storage"
	optUserStorage = "use_user_storage"
	optFlush       = "flush_policy"
	optDeleted     = "deleted_retention"
)

// optionAliases are other names of table options.
var optionAliases = map[string]string{"access_level": optAccess, "storage_id": optStorage}

// unitOptions are options that say the same as another in a number of a unit.
var unitOptions = map[string]struct{ name, unit, suffix string }{
	"ttl_seconds":             {optTTL, "seconds", "s"},
	"deleted_retention_hours": {optDeleted, "hours", "h"},
}

// tableOptionNames are the options that messages list.
const tableOptionNames = "ACCESS, CODEC, COMMENT, DELETED_RETENTION, FLUSH_POLICY, SCOPE, " +
	"STORAGE, TTL, TYPE and USE_USER_STORAGE"

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
	u, ok := unitOptions[o.name]
	if !ok {
		return o, nil
	}
	if _, err := strconv.ParseUint(o.value, 10, 32); err != nil {
		return o, fault.New(fault.InvalidParameter, "%s is a number of %s",
			strings.ToUpper(o.name), u.unit)
	}
	o.name, o.value = u.name, o.value+u.suffix
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
	if o.name == "flush" {
		o.name = optFlush
		o.value, err = b.flushClause()
		return []option{o}, err
	}
	if !tableOptionKnown(o.name) { // its value may have any form
		return nil, b.at(o.at, unknownOption(o.name))
	}
	b.acceptOperator("=")
	o.value, err = b.optionValue()
	return []option{o}, err
}

func tableOptionKnown(name string) bool {
	switch name {
	case optAccess, optCodec, optType, optComment, optTTL, optScope,
		optStorage, optUserStorage, optFlush, optDeleted:
		return true
	}
	return optionAliases[name] != "" || unitOptions[name].name != ""
}

// flushClause consumes ROWS n, INTERVAL 's' or both, in any order, and returns
// them in the form of FLUSH_POLICY. It stands behind FLUSH.
func (b *tableBuilder) flushClause() (string, error) {
	if !b.is("ROWS") && !b.is("INTERVAL") {
		return "", b.failExpected("ROWS n or INTERVAL 's'")
	}
	var parts []string
	for b.is("ROWS") || b.is("INTERVAL") {
		name := strings.ToLower(b.word())
		b.next()
		v, err := b.optionValue()
		if err != nil {
			return "", err
		}
		parts = append(parts, name+":"+v)
	}
	return strings.Join(parts, ","), nil
}

func unknownOption(name string) error {
	return fault.New(fault.InvalidParameter, "unknown table option %s; the options are %s",
		strings.ToUpper(clip(name)), tableOptionNames)
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
	case optStorage, optUserStorage, optFlush, optDeleted:
		return tierOption(&b.n.Tier, o)
	default:
		return unknownOption(o.name)
	}
	return nil
}

// tierOption keeps an option of the cold tier.
func tierOption(to *ast.Tier, o option) (err error) {
	switch o.name {
	case optStorage:
		to.Storage, err = ident.ParseStorageID(o.value)
	case optUserStorage:
		if to.UserStorage, err = strconv.ParseBool(strings.ToLower(o.value)); err != nil {
			err = fault.New(fault.InvalidParameter, "USE_USER_STORAGE is true or false")
		}
	case optFlush:
		to.Flush, err = ddl.ParseFlushPolicy(o.value)
	case optDeleted:
		if strings.EqualFold(o.value, "default") {
			return nil
		}
		to.DeletedRetention, err = ddl.ParseSpan("DELETED_RETENTION", o.value)
	}
	return err
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
