package plan_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// generator makes tables, statements and values.
type generator struct {
	*rand.Rand
	def    *ddl.Table
	params []value.Value
	dollar bool // parameters are $n
	none   bool // no parameters, literals only
}

func pick[T any](g *generator, list ...T) T { return list[g.IntN(len(list))] }

func (g *generator) one(in int) bool { return g.IntN(in) == 0 }

var names = []string{"id", "user", "date", "status", "key", "row", "name", "order", "text", "read",
	"timestamp", "type", "count", "role", "value", "index", "content", "now", "time", "conversation_id"}

var keyTypes = []ddl.Type{kind(value.Int64), kind(value.Int64), kind(value.Int32), kind(value.Int8),
	kind(value.Uint64), kind(value.Uint16), kind(value.Text), {Kind: value.Text, Length: 6},
	kind(value.UUID), kind(value.Date), kind(value.DateTime), kind(value.Timestamp)}

var otherTypes = []ddl.Type{kind(value.Bool), kind(value.Int8), kind(value.Int16), kind(value.Int32),
	kind(value.Int64), kind(value.Uint8), kind(value.Uint32), kind(value.Uint64), kind(value.Float32),
	kind(value.Float64), {Kind: value.Decimal, Precision: 10, Scale: 2}, kind(value.Text),
	{Kind: value.Text, Length: 5}, kind(value.Bytes), {Kind: value.Bytes, Length: 4}, kind(value.JSON),
	kind(value.Date), kind(value.Time), kind(value.DateTime), kind(value.Timestamp), kind(value.UUID),
	{Kind: value.Enum, Labels: []string{"zz", "a", "abc", "b"}},
	{Kind: value.Enum, Labels: []string{"x", "1"}}, {Kind: value.Embedding, Length: 2}}

func (g *generator) makeTable() {
	order := g.Perm(len(names))
	keys, others := 1+g.IntN(3), 1+g.IntN(5)
	logs := g.one(3) // texts that are appended to, one a key
	if logs {
		keys = 1
	}
	var cols []ddl.Column
	for i := range keys + others {
		c := column(names[order[i]], pick(g, otherTypes...))
		if i < keys {
			c.Type = pick(g, keyTypes...)
		} else if g.one(3) || logs && i == keys {
			c.Type = kind(value.Text)
		}
		c.NotNull = g.one(3)
		g.makeDefault(&c)
		cols = append(cols, c)
	}
	pk := g.Perm(keys)
	if g.one(2) { // key columns need not come first
		last := len(cols) - 1
		cols[0], cols[last] = cols[last], cols[0]
		pk[slices.Index(pk, 0)] = last
	}
	k := pick(g, ddl.UserTable, ddl.UserTable, ddl.UserTable, ddl.SharedTable)
	g.def = define(100, pick(g, "messages", "messages", "messages", "user", "read"), k, pk, cols...)
}

// alterTable adds a column and drops one that is not of the key.
func (g *generator) alterTable() {
	old := *g.def
	g.def = &old
	old.Past = []ddl.Version{{Number: old.Version, Columns: old.Columns, Codec: old.Codec}}
	old.Version++
	added := column("added", kind(value.Int32))
	added.ID, added.Default, added.Fill = 100, &ddl.Default{Text: "5"}, &ddl.Default{Text: "7"}
	old.Columns = append(slices.Clone(old.Columns), added)
	last := len(old.Columns) - 2
	if !old.IsKey(last) && len(old.Columns) > len(old.PrimaryKey)+2 && g.one(2) {
		old.Columns = slices.Delete(old.Columns, last, last+1)
	}
}

func (g *generator) makeDefault(c *ddl.Column) {
	if !g.one(3) {
		return
	}
	switch c.Type.Kind {
	case value.Int64, value.Uint64:
		c.Default = ddl.FuncDefault(ddl.FuncSnowflake)
	case value.DateTime, value.Timestamp:
		c.Default = ddl.FuncDefault(ddl.FuncNow)
	case value.Text:
		c.Default = &ddl.Default{Text: pick(g, "none", "")}
		if c.Type.Length == 0 && g.one(2) {
			c.Default = ddl.FuncDefault(ddl.FuncCurrentUserID)
		}
	case value.Decimal:
		c.Default = &ddl.Default{Text: "1.5"}
	case value.Int32, value.Uint8:
		c.Default = &ddl.Default{Text: "7"}
	case value.Bool:
		c.Default = &ddl.Default{Text: "true"}
	case value.Enum:
		c.Default = &ddl.Default{Text: c.Type.Labels[1]}
	case value.Embedding:
		c.Default = &ddl.Default{Text: "[3, 4]"}
	}
	if g.one(6) {
		c.Default = &ddl.Default{Null: true}
	}
}

func (g *generator) caller() caller {
	return pick(g, alice, alice, alice, alice, caller{id: "bob", role: ident.RoleUser},
		caller{id: "svc", role: ident.RoleService}, caller{id: "svc", role: ident.RoleService, as: "bob"})
}

// statement returns a random statement and its parameters.
func (g *generator) statement() (string, []value.Value) {
	g.params, g.dollar, g.none = nil, g.one(3), g.one(2)
	sql := ""
	switch g.IntN(10) {
	case 0, 1, 2:
		sql = g.insert()
	case 3:
		sql = g.update()
	case 4:
		sql = "DELETE FROM " + g.table() + g.where(true)
	default:
		sql = g.query()
	}
	if g.one(25) {
		sql += pick(g, " LIMIT 1", " FOR UPDATE", " -- end", " RETURNING *", " x", " LIMIT 1, 2", " AND 1", ")")
	}
	if g.one(30) {
		sql = strings.Replace(sql, " ", pick(g, "  ", "\n", " /* c */ ", " DISTINCT ", " ALL "), 1)
	}
	if g.one(40) && len(g.params) > 0 {
		g.params = g.params[1:]
	} else if g.one(40) {
		g.params = append(g.params, value.NullValue)
	}
	return sql, g.params
}

func (g *generator) table() string {
	t := string(g.def.Name)
	switch g.IntN(24) {
	case 0, 1, 2, 3, 4:
		if t == "read" && !g.one(10) {
			return `"read"`
		}
		return t
	case 5:
		return "chat." + strings.ToUpper(t)
	case 6:
		return `chat."` + t + `"`
	case 7:
		return "chat.user." + t
	case 8:
		return "chat." + pick(g, "alice", "bob", "ALICE", "BOB") + "." + t
	case 9:
		return `chat."` + pick(g, "alice", "user", "a b") + `".` + t
	case 10:
		return pick(g, "missing", "none.", "chat.x.y.", "other.", "`"+t+"` AS ", t+" m, ") + t
	}
	return "chat." + t
}

func (g *generator) name(i int) string {
	n := g.def.Columns[i].Name
	if slices.Contains(needQuotes, n) && !g.one(20) {
		return `"` + n + `"`
	}
	switch g.IntN(12) {
	case 0:
		return strings.ToUpper(n)
	case 1, 2, 3:
		return `"` + n + `"`
	case 4, 5:
		return "`" + n + "`"
	}
	return n
}

// needQuotes are the names that are words of the parser.
var needQuotes = []string{"key", "row", "order", "read", "index", "now"}

func (g *generator) insert() string {
	n := len(g.def.Columns)
	cols := make([]int, n)
	for i := range cols {
		cols[i] = i
	}
	named := ""
	if g.one(2) {
		cols = g.Perm(n)
		if g.one(2) {
			cols = cols[:1+g.IntN(n)]
		}
		var list []string
		for _, c := range cols {
			list = append(list, g.name(c))
		}
		if g.one(30) {
			list = append(list, pick(g, list[0], "nothing", "_seq"))
		}
		named = " (" + strings.Join(list, ", ") + ")"
	}
	var rows []string
	for range pick(g, 1, 1, 1, 2, 3) {
		var cells []string
		for _, c := range cols {
			cells = append(cells, g.cell(c))
		}
		if g.one(40) {
			cells = append(cells, "1")
		}
		rows = append(rows, "("+strings.Join(cells, ", ")+")")
	}
	return pick(g, "INSERT INTO ", "INSERT INTO ", "INSERT INTO ", "insert into ", "INSERT ") + g.table() + named +
		" VALUES " + strings.Join(rows, ", ")
}

// cell is a value to store.
func (g *generator) cell(c int) string {
	if g.one(15) {
		return pick(g, "DEFAULT", "NULL", "TRUE", "false", "NOW()", "now ()",
			"CURRENT_USER_ID()", "1 + 1", "UPPER('x')", "(1)", "CURRENT_TIMESTAMP", "-1", "- 2", "'a' 'b'",
			`'\%'`, `'it''s\n'`, "0x41", "x'41'", "1e3", "2.5", "1.", ".5", "+1", "''", "CURRENT_USER_ID")
	}
	return g.scalar(&g.def.Columns[c])
}

func (g *generator) update() string {
	var sets []string
	if texts := g.texts(); len(texts) > 0 && !g.one(4) {
		return "UPDATE " + g.table() + " SET " + g.concat(pick(g, texts...)) + g.where(true)
	}
	for range 1 + g.IntN(2) {
		c := g.IntN(len(g.def.Columns))
		if g.def.IsKey(c) && !g.one(4) {
			continue
		}
		if g.one(20) {
			sets = append(sets, g.concat(c))
			continue
		}
		sets = append(sets, g.name(c)+" = "+g.cell(c))
	}
	if len(sets) == 0 {
		sets = []string{g.name(0) + " = " + g.name(0)}
	}
	return "UPDATE " + g.table() + " SET " + strings.Join(sets, ", ") + g.where(true)
}

// texts are the columns that text may be appended to.
func (g *generator) texts() (list []int) {
	for i, c := range g.def.Columns {
		if c.Type.Kind == value.Text && c.Type.Length == 0 && !g.def.IsKey(i) {
			list = append(list, i)
		}
	}
	return list
}

// concat sets a column to itself, or another, with something behind it.
func (g *generator) concat(c int) string {
	from := c
	if g.one(8) {
		from = g.IntN(len(g.def.Columns))
	}
	list := []string{g.name(from)}
	for range 1 + g.IntN(2) {
		if g.one(2) {
			list = append(list, "' and more'")
			continue
		}
		list = append(list, g.cell(c))
	}
	sep := pick(g, ", ", ",", " , ")
	return g.name(c) + pick(g, " = CONCAT(", " = concat(", "=CONCAT (") + strings.Join(list, sep) + ")"
}

func (g *generator) query() string {
	list := "*"
	if g.one(2) {
		var cols []string
		for range 1 + g.IntN(3) {
			cols = append(cols, g.name(g.IntN(len(g.def.Columns))))
		}
		if g.one(8) {
			cols = append(cols, pick(g, "_seq", "_UPDATED", "_deleted", "nothing", "1", "id AS x", "t.id"))
		}
		list = strings.Join(cols, ", ")
	}
	if g.one(6) {
		list = pick(g, "COUNT(*)", "count(*)", "COUNT( *)", "COUNT(*), 1", "COUNT(1)")
	}
	if g.one(3) {
		return g.aggregates()
	}
	sql := "SELECT " + list + " FROM " + g.table() + g.where(false)
	if g.one(2) {
		sql += " ORDER BY " + g.order()
	}
	if g.one(2) {
		sql += " LIMIT " + g.limit()
	}
	return sql
}

// aggregates is a SELECT with functions over groups of rows.
func (g *generator) aggregates() string {
	var keys, list, orders []string
	for _, c := range g.Perm(len(g.def.Columns))[:min(g.IntN(3), len(g.def.Columns))] {
		keys = append(keys, g.name(c))
		if !g.one(3) {
			list = append(list, pick(g, keys[len(keys)-1], g.name(c)))
		}
		orders = append(orders, g.name(c)+pick(g, "", " ASC", " DESC"))
	}
	for range 1 + g.IntN(3) {
		call := pick(g, "COUNT", "SUM", "MIN", "MAX", "AVG", "count", "Sum", "avg", "UPPER", "STDDEV")
		arg := g.name(g.IntN(len(g.def.Columns)))
		if g.one(12) {
			arg = pick(g, "*", "1", "_seq", "DISTINCT "+arg, " "+arg, arg+" ", arg+" + 1", "nothing")
		}
		list = append(list, pick(g, call+"("+arg+")", call+"("+arg+")", "COUNT(*)"))
	}
	if g.one(15) {
		list = append(list, g.name(g.IntN(len(g.def.Columns))))
	}
	g.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	sql := "SELECT " + strings.Join(list, ", ") + " FROM " + g.table() + g.where(false)
	if len(keys) > 0 {
		sql += " GROUP BY " + strings.Join(keys, ", ")
	}
	if len(keys) > 0 && g.one(2) {
		g.Shuffle(len(orders), func(i, j int) { orders[i], orders[j] = orders[j], orders[i] })
		sql += " ORDER BY " + strings.Join(orders, ", ")
	}
	if g.one(15) {
		sql += pick(g, " LIMIT 1", " HAVING COUNT(*) > 1", ", 1", " ORDER BY 1")
	}
	return sql
}

func (g *generator) limit() string {
	if g.one(8) {
		return pick(g, "0", "-1", "1.5", "2 OFFSET 1", "1, 2", "'1'", "NULL", "99999999999999999999")
	}
	n := value.NewBigInt(int64(g.IntN(4)))
	if g.one(20) {
		n = pick(g, value.NewText("1"), value.NewBigInt(-1), value.NullValue, value.NewFloat(value.Float64, 2))
	}
	return g.param(n, n.Text())
}

func (g *generator) order() string {
	var list []string
	dir := pick(g, "", " ASC", " DESC", " DESC", " desc")
	from := g.IntN(len(g.def.PrimaryKey))
	if g.one(2) {
		from = 0
	}
	for _, c := range g.def.PrimaryKey[from:] {
		list = append(list, g.name(c)+dir)
		if g.one(2) {
			break
		}
	}
	if g.one(8) {
		list = append(list, g.name(g.IntN(len(g.def.Columns)))+pick(g, "", " DESC"))
	}
	return strings.Join(list, ", ")
}

// where is a condition on the key, mostly; on all of it when full.
func (g *generator) where(full bool) string {
	pk := g.def.PrimaryKey
	n := len(pk)
	if !full || g.one(6) {
		n = g.IntN(len(pk) + 1)
	}
	var list []string
	for _, c := range pk[:n] {
		list = append(list, g.name(c)+pick(g, " = ", "=")+g.scalar(&g.def.Columns[c]))
	}
	if n < len(pk) && g.one(2) {
		c := pk[n]
		for range 1 + g.IntN(2) {
			list = append(list, g.name(c)+pick(g, " < ", " <= ", " > ", " >= ")+g.scalar(&g.def.Columns[c]))
		}
	}
	if g.one(12) {
		c := g.IntN(len(g.def.Columns))
		list = append(list, g.name(c)+pick(g, " = ", " <> ", " >= ", " <=> ", " LIKE ", " IS NOT ", " IN ")+
			g.scalar(&g.def.Columns[c]))
	}
	if g.one(40) {
		list = append(list, pick(g, "1 = 1", "_deleted", "_deleted = false", "_seq > 0", "true"))
	}
	if len(list) == 0 {
		return ""
	}
	if g.one(4) {
		g.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	return " WHERE " + strings.Join(list, pick(g, " AND ", " AND ", " AND ", " AND ", " AND ", " AND ", " and ", " && ", " OR "))
}

// scalar is a literal or a parameter, mostly one that suits the column.
func (g *generator) scalar(c *ddl.Column) string {
	k := c.Type.Kind
	if g.one(20) {
		k = pick(g, value.Bool, value.Int64, value.Float64, value.Text, value.UUID, value.Decimal, value.Date)
	}
	v, text := g.suiting(k, c)
	return g.param(v, text)
}

// param writes a value as a literal or as a parameter.
func (g *generator) param(v value.Value, text string) string {
	if g.none || g.one(3) && !g.dollar {
		return text
	}
	g.params = append(g.params, v)
	if g.dollar {
		return fmt.Sprintf("$%d", len(g.params))
	}
	return "?"
}

// suiting returns a value for a column of kind k and how it is written. Texts
// stand for what has no literal, as in JSON.
func (g *generator) suiting(k value.Kind, c *ddl.Column) (value.Value, string) {
	n := int64(g.IntN(7))
	str := func(s string) (value.Value, string) {
		return value.NewText(s), "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	switch k {
	case value.Bool:
		return value.NewBool(n > 1), fmt.Sprint(n > 1)
	case value.Float32, value.Float64:
		f := float64(n) + 0.5
		return value.NewFloat(value.Float64, f), fmt.Sprint(f)
	case value.Decimal:
		s := fmt.Sprintf("%d.%d", n, g.IntN(1000))
		return value.NewString(value.Decimal, s), s
	case value.Text:
		return str(pick(g, "a", "b", "c", "abc", "ABC", "a ", "", "it's", "é", "long text", "1", "1e5",
			"2e99999", "abcde", "x", "y", "zz", `a\_b`, `\%`))
	case value.Enum:
		return str(pick(g, "zz", "a", "a", "abc", "b", "b", "x", "1", "A", ""))
	case value.Embedding:
		return str(pick(g, "[1, 2]", "[0, -0.5]", "[0,0]", "[1]", "[1, 2, 3]", "x"))
	case value.Bytes:
		return value.NewString(value.Bytes, "ab\xff"), "'ab'"
	case value.JSON:
		return str(pick(g, `{"b": 1.0, "a": [1, null]}`, `"x"`, "3", "[]", "{}", "{bad"))
	case value.Date:
		return str(fmt.Sprintf("2026-01-0%d", 1+n))
	case value.Time:
		return str(fmt.Sprintf("0%d:30:00", n))
	case value.DateTime, value.Timestamp:
		if g.one(2) && !g.none {
			v := value.NewInt(value.Timestamp, now.UnixMicro()/1e6*1e6+n/2)
			return v, "'" + v.Text() + "'"
		}
		return str(pick(g, fmt.Sprintf("2026-01-02T03:04:0%dZ", n), fmt.Sprintf("2026-01-02T03:04:0%d.000010Z", n),
			fmt.Sprintf("2026-01-02T03:04:0%d.5Z", n), "2026-01-02 03:04:01", "2026-01-02",
			"2026-01-02T03:04:05+01:00"))
	case value.UUID:
		u := fmt.Sprintf("01890a5d-ac96-774b-bcce-b302099a800%d", n)
		if g.one(3) && !g.none {
			v, _ := value.Parse(value.UUID, u)
			return v, "'" + u + "'"
		}
		return str(pick(g, u, u, u, "1e234567"+u[8:], strings.ToUpper(u), strings.ReplaceAll(u, "-", ""), "no uuid"))
	}
	v := value.NewBigInt(n)
	if g.one(15) {
		v = pick(g, value.NewBigInt(-n), value.NewBigInt(300), value.NewBigInt(1<<40),
			value.NewUint(value.Uint64, 1<<63+1), value.NewBigInt(-1<<63), value.NewBigInt(1<<63-1))
	}
	_ = c
	return v, v.Text()
}
