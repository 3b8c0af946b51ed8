package plan

import (
	"strconv"
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
)

// parser reads the statements that may have a plan. Whatever else stands in a
// text makes it fail; it says nothing of why.
type parser struct {
	source
	i      int
	failed bool
	marks  int // of ? so far
	dollar int // highest $n
	st     statement
}

// parse returns the statement, or false when it is none of those.
func parse(t source) (*statement, bool) {
	p := &parser{source: t, i: 1}
	p.st.verb = verbOf(t.src, t.toks[0])
	switch p.st.verb {
	case selectRows:
		p.selectRows()
	case insertRows:
		p.insert()
	case updateRow:
		p.update()
	case deleteRow:
		p.need("FROM")
		p.tableName()
		p.need("WHERE")
		p.conditions()
	}
	if p.i != len(p.toks) || p.marks > 0 && p.dollar > 0 {
		p.failed = true
	}
	p.st.params = max(p.marks, p.dollar)
	return &p.st, !p.failed
}

func (p *parser) selectRows() {
	switch {
	case p.sign("*"):
		p.st.star = true
	default:
		p.list(p.item)
	}
	p.need("FROM")
	p.tableName()
	if p.word("WHERE") {
		p.conditions()
	}
	if p.word("GROUP") {
		p.need("BY")
		p.list(func() { p.st.group = append(p.st.group, p.name()) })
	}
	if p.word("ORDER") {
		p.need("BY")
		p.list(p.orderItem)
	}
	if p.word("LIMIT") {
		o := p.operand()
		p.st.limit = &o
	}
}

// item reads a column of a SELECT list, or an aggregate of one.
func (p *parser) item() {
	if p.aggregate() {
		return
	}
	shown := p.rawName()
	p.st.items = append(p.st.items, item{column: strings.ToLower(shown), shown: shown})
}

// aggregate reads COUNT(*) or FUNCTION(column) without spaces and without
// double quotes: the text names its column.
func (p *parser) aggregate() bool {
	t := p.toks[p.i:]
	if len(t) < 4 || t[0].Kind != dialect.Identifier || t[1].Kind != dialect.LeftParen ||
		t[3].Kind != dialect.RightParen {
		return false
	}
	it := item{shown: p.src[t[0].Start:t[3].End]}
	it.call = aggregates[strings.ToUpper(t[0].Text(p.src))]
	p.i += 2
	if !p.sign("*") {
		it.column = p.name()
	}
	p.failed = p.failed || it.call == noAggregate || it.column == "" && it.call != count ||
		t[2].Start != t[0].End+1 || t[3].Start != t[2].End || strings.Contains(it.shown, `"`)
	p.needKind(dialect.RightParen)
	p.st.items = append(p.st.items, it)
	return true
}

func (p *parser) orderItem() {
	p.st.order = append(p.st.order, p.name())
	desc := p.word("DESC")
	if !desc {
		p.word("ASC")
	}
	p.st.desc = append(p.st.desc, desc)
}

func (p *parser) insert() {
	p.need("INTO")
	p.tableName()
	if p.kind(dialect.LeftParen) {
		p.list(func() { p.st.columns = append(p.st.columns, p.name()) })
		p.needKind(dialect.RightParen)
	}
	p.need("VALUES")
	p.list(func() {
		p.needKind(dialect.LeftParen)
		before := len(p.st.cells)
		p.list(func() { p.st.cells = append(p.st.cells, p.value()) })
		p.needKind(dialect.RightParen)
		width := len(p.st.cells) - before
		if p.st.width != 0 && p.st.width != width {
			p.failed = true
		}
		p.st.width = width
	})
}

func (p *parser) update() {
	p.tableName()
	p.need("SET")
	p.list(func() {
		column := p.name()
		if !p.sign("=") {
			p.failed = true
		}
		if p.concat(column) {
			p.st.sets = append(p.st.sets, term{column: column})
			return
		}
		p.st.sets = append(p.st.sets, term{column: column, value: p.value()})
	})
	p.need("WHERE")
	p.conditions()
}

// concat reads CONCAT(column, operand, ...). A second one is left to the engine.
func (p *parser) concat(column string) bool {
	if !p.is("CONCAT") || len(p.st.pieces) > 0 {
		return false
	}
	p.i++
	p.needKind(dialect.LeftParen)
	p.failed = p.name() != column || p.failed
	for !p.failed && p.kind(dialect.Comma) {
		p.st.pieces = append(p.st.pieces, p.operand())
	}
	p.needKind(dialect.RightParen)
	p.failed = p.failed || len(p.st.pieces) == 0
	return true
}

// conditions reads comparisons of columns with operands, joined by AND.
func (p *parser) conditions() {
	for {
		c := term{column: p.name()}
		op, ok := comparisons[p.text()]
		if !ok {
			p.failed = true
			return
		}
		p.i++
		c.op, c.value = op, p.operand()
		p.st.where = append(p.st.where, c)
		if p.failed || !p.word("AND") {
			return
		}
	}
}

// tableName reads t, ns.t, ns.user.t or ns.x.t.
func (p *parser) tableName() {
	first := p.i
	p.anyName()
	parts := []string{p.lower(first)}
	for len(parts) < 3 && p.kind(dialect.Dot) {
		parts = append(parts, p.lower(p.i))
		p.anyName()
	}
	if p.failed {
		return
	}
	p.st.table = parts[len(parts)-1]
	switch len(parts) {
	case 1:
		unquoted := p.toks[first].Kind == dialect.Identifier
		p.failed = parts[0] == "dual" || unquoted && isReserved(parts[0])
		return
	case 3:
		p.st.owner, p.st.ownerToken = ownerNamed, first+2
		if p.toks[first+2].Is(p.src, "USER") {
			p.st.owner = ownerActing
		}
	}
	p.st.namespace = parts[0]
}

func (p *parser) anyName() {
	if p.i >= len(p.toks) || !isName(p.toks[p.i]) {
		p.failed = true
		return
	}
	p.i++
}

func (p *parser) lower(i int) string {
	if i >= len(p.toks) {
		return ""
	}
	return strings.ToLower(p.toks[i].Name(p.src))
}

// name reads the name of a column, in lower case.
func (p *parser) name() string { return strings.ToLower(p.rawName()) }

func (p *parser) rawName() string {
	at := p.i
	p.anyName()
	if p.failed {
		return ""
	}
	name := p.toks[at].Name(p.src)
	lower := strings.ToLower(name)
	if p.toks[at].Kind == dialect.Identifier && isReserved(lower) && !system.IsColumn(lower) {
		p.failed = true
	}
	return name
}

// value reads what may stand for the value of a column.
func (p *parser) value() operand {
	switch {
	case p.word("NULL"):
		return operand{form: formConstant, constant: constNull}
	case p.word("TRUE"):
		return operand{form: formConstant, constant: constTrue}
	case p.word("FALSE"):
		return operand{form: formConstant, constant: constFalse}
	case p.word("DEFAULT"):
		return operand{form: formDefault}
	}
	for _, f := range calls {
		if p.is(string(f)) && p.call() {
			return operand{form: formCall, call: f}
		}
	}
	return p.operand()
}

// calls are the functions that a value may be made by.
var calls = []ddl.Func{
	ddl.FuncSnowflake, ddl.FuncUUIDv7, ddl.FuncULID, ddl.FuncNow, ddl.FuncCurrentUserID,
}

// call reads a name and (), without spaces.
func (p *parser) call() bool {
	t := p.toks[p.i:]
	if len(t) < 3 || t[1].Kind != dialect.LeftParen || t[2].Kind != dialect.RightParen ||
		t[2].End-t[0].End != 2 {
		return false
	}
	p.i += 3
	return true
}

// operand reads a literal or a parameter.
func (p *parser) operand() operand {
	negative := p.sign("-")
	if p.i >= len(p.toks) {
		p.failed = true
		return operand{}
	}
	o := operand{form: formLiteral, at: p.i, negative: negative}
	switch p.toks[p.i].Kind {
	case dialect.Number:
	case dialect.String:
		p.failed = p.failed || negative
	case dialect.Parameter:
		p.failed = p.failed || negative
		o.form, o.at = formParam, p.parameter()
	default:
		p.failed = true
	}
	p.i++
	return o
}

func (p *parser) parameter() int {
	text := p.text()
	if text == "?" {
		p.marks++
		return p.marks - 1
	}
	n, err := strconv.Atoi(text[1:])
	const most = 1 << 16
	if err != nil || n < 1 || n >= most {
		p.failed = true
		return 0
	}
	p.dollar = max(p.dollar, n)
	return n - 1
}

// list reads items that commas separate.
func (p *parser) list(item func()) {
	item()
	for !p.failed && p.kind(dialect.Comma) {
		item()
	}
}

func (p *parser) text() string {
	if p.i >= len(p.toks) {
		return ""
	}
	return p.toks[p.i].Text(p.src)
}

func (p *parser) is(word string) bool {
	return p.i < len(p.toks) && p.toks[p.i].Is(p.src, word)
}

func (p *parser) word(word string) bool {
	if !p.is(word) {
		return false
	}
	p.i++
	return true
}

func (p *parser) need(word string) { p.failed = !p.word(word) || p.failed }

func (p *parser) kind(k dialect.TokenKind) bool {
	if p.i >= len(p.toks) || p.toks[p.i].Kind != k {
		return false
	}
	p.i++
	return true
}

func (p *parser) needKind(k dialect.TokenKind) { p.failed = !p.kind(k) || p.failed }

func (p *parser) sign(sign string) bool {
	if p.i >= len(p.toks) || p.toks[p.i].Kind != dialect.Operator || p.text() != sign {
		return false
	}
	p.i++
	return true
}
