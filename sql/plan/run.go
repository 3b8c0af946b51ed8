package plan

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/engine"
	"github.com/kalamdb/kalamdb-go/store/row"
	"github.com/kalamdb/kalamdb-go/store/table"
)

// execution is one run of a plan: everything that is of one user and one
// statement. It is used by one goroutine.
type execution struct {
	*plan
	text   source
	env    *engine.Env
	user   ident.UserID
	store  table.Table
	reader *row.Reader // of the last record of an earlier schema version
	read   int64
	result engine.Result
	rows   rows
}

// run executes p. It returns false when the engine has to, which it does for
// every error of the caller's.
func (p *plan) run(ctx context.Context, text source, env *engine.Env) (
	res *engine.Result, handled bool, err error,
) {
	if len(env.Params) != p.params {
		return nil, false, nil
	}
	x := &execution{plan: p, text: text, env: env}
	if !x.open() {
		return nil, false, nil
	}
	x.result.RowsRead = x.rowsRead
	switch p.verb {
	case selectRows:
		handled, err = x.selectRows(ctx)
	case insertRows:
		handled, err = x.insert()
	case updateRow:
		handled, err = x.update(ctx)
	case deleteRow:
		handled, err = x.delete(ctx)
	}
	if err != nil {
		return nil, true, fault.From(err)
	}
	if !handled {
		return nil, false, nil
	}
	return &x.result, true, nil
}

func (x *execution) rowsRead() int64 { return x.read }

// open finds out whose rows are meant, checks the caller's rights to them, and
// opens the partition that holds them.
func (x *execution) open() bool {
	if x.def.PerUser() {
		var err error
		switch x.owner {
		case ownerNamed:
			x.user, err = ident.ParseUserID(x.text.toks[x.ownerToken].Name(x.text.src))
		case ownerActing:
			x.user, err = x.env.ActingUser()
		default:
			x.user, err = x.env.Owner()
		}
		if err != nil {
			return false
		}
	}
	if x.env.Rights.CheckTable(x.def, x.user, x.verb != selectRows) != nil {
		return false
	}
	if reads := x.env.Reads; reads != nil {
		s := x.def.Shard(x.user, x.env.DB.Shards())
		if reads(x.def, s, x.verb != selectRows) != nil {
			return false
		}
	}
	part, ok := x.shards.of(x.user)
	x.store = table.Table{Part: part, Cold: x.env.Cold}
	return ok
}

// value returns the value of an operand; false leaves it to the engine.
func (x *execution) value(o operand) (value.Value, bool) {
	switch o.form {
	case formLiteral:
		return x.literal(o)
	case formParam:
		return x.env.Params[o.at], true
	case formConstant:
		if o.constant == constNull {
			return value.NullValue, true
		}
		return value.NewBool(o.constant == constTrue), true
	case formCall:
		if o.call == ddl.FuncNow { // as a function it has whole seconds
			now := x.env.Now.UTC().Truncate(time.Second)
			return value.NewInt(value.DateTime, now.UnixMicro()), true
		}
		v, err := x.env.Generate(o.call)
		return v, err == nil
	}
	return value.Value{}, false
}

func (x *execution) literal(o operand) (value.Value, bool) {
	t := x.text.toks[o.at]
	text := t.Text(x.text.src)
	switch {
	case t.Kind == dialect.String:
		if o.negative || strangeEscape(text) {
			return value.Value{}, false
		}
		return value.NewText(dialect.UnquoteString(text)), true
	case len(text) > 1 && text[0] == '0' && text[1]|0x20 == 'x', text[len(text)-1] == '.':
		return value.Value{}, false
	case o.negative:
		text = "-" + text
	}
	return engine.Number(text)
}

// strangeEscape reports whether a string has an escape that lexers read in
// different ways.
func strangeEscape(s string) bool {
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 || i+1 >= len(s) {
			return false
		}
		if strings.IndexByte(`0bnrtZ'"\`, s[i+1]) < 0 {
			return true
		}
		s = s[i+2:]
	}
}

// appendKey appends the encoding of a key column's value. It returns false for
// a value that the engine would convert before it compares.
func (x *execution) appendKey(dst []byte, k keyPart) ([]byte, bool) {
	v, ok := x.value(k.value)
	if !ok {
		return dst, false
	}
	switch kind := k.column.Type.Kind; kind {
	case value.Int8, value.Int16, value.Int32, value.Int64,
		value.Uint8, value.Uint16, value.Uint32, value.Uint64:
		if v.Kind() != value.Int64 && v.Kind() != value.Uint64 {
			return dst, false
		}
	case value.Text:
		if v.Kind() != value.Text {
			return dst, false
		}
		if n := k.column.Type.Length; n > 0 && len(v.Str()) > n {
			return dst, false
		}
	case value.UUID:
		if v.Kind() == value.Text {
			u, err := value.Parse(value.UUID, v.Str())
			if err != nil || u.Text() != v.Str() {
				return dst, false
			}
		} else if v.Kind() != value.UUID {
			return dst, false
		}
	case value.Enum: // only an equal one: labels have an order of their own
		at := slices.Index(k.column.Type.Labels, v.Str())
		if v.Kind() != value.Text || at < 0 {
			return dst, false
		}
		return value.AppendKey(dst, value.NewEnum(at+1, v.Str())), true
	case value.Date, value.DateTime, value.Timestamp:
		if v.Kind() == value.Text {
			u, err := value.Parse(kind, v.Str())
			if err != nil || u.Text() != v.Str() {
				return dst, false
			}
		} else if kind == value.Date || v.Kind() != value.DateTime && v.Kind() != value.Timestamp {
			return dst, false
		}
	default:
		return dst, false
	}
	v, err := value.Convert(k.column.Type.Kind, v)
	if err != nil {
		return dst, false
	}
	return value.AppendKey(dst, v), true
}

// noRows are the rows of a statement that only writes.
type noRows struct{}

// Next implements engine.Rows.
func (noRows) Next(context.Context) ([]value.Value, error) { return nil, io.EOF }

// Close implements engine.Rows.
func (noRows) Close() error { return nil }
