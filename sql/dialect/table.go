package dialect

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// createTable reads [USER | SHARED | STREAM] TABLE ... of CREATE.
func (p *parser) createTable() (Kind, Node, error) {
	b := tableBuilder{parser: p, whole: true, n: &ast.CreateTable{Codec: serde.Row}}
	b.n.Kind = p.tableKind()
	p.accept("TABLE")
	b.n.IfNotExists = p.ifNotExists()
	at := p.i
	ref, err := p.table(true)
	if err != nil {
		return 0, nil, err
	}
	b.n.Namespace, b.n.Name = ref.Namespace, ref.Name
	if p.is("LIKE") || p.is("AS") || p.is(wordSelect) {
		return 0, nil, p.unsupported("CREATE TABLE ... %s is not supported; list the columns", p.word())
	}
	if err := b.elements(); err != nil {
		return 0, nil, err
	}
	if err := b.tableOptions(); err != nil {
		return 0, nil, err
	}
	if err := p.end(); err != nil {
		return 0, nil, err
	}
	if err := b.finish(at); err != nil {
		return 0, nil, err
	}
	switch b.n.Kind {
	case ddl.SharedTable:
		return CreateSharedTable, b.n, nil
	case ddl.StreamTable:
		return CreateStreamTable, b.n, nil
	}
	return CreateUserTable, b.n, nil
}

// tableKind consumes USER, SHARED or STREAM; "" when none stands there.
func (p *parser) tableKind() ddl.TableKind {
	switch {
	case p.accept("USER"):
		return ddl.UserTable
	case p.accept("SHARED"):
		return ddl.SharedTable
	case p.accept("STREAM"):
		return ddl.StreamTable
	}
	return ""
}

// tableBuilder collects what CREATE TABLE says, and where it says it.
type tableBuilder struct {
	*parser
	n        *ast.CreateTable
	columnAt []int    // the token of each column's name
	keys     []string // names of the key's columns
	keyAt    []int    // their tokens
	hasKey   bool
	checks   []pendingCheck
	indexes  []indexDef
	whole    bool // a whole table is read, which may have checks
}

// elements consumes (column, ..., PRIMARY KEY (...)).
func (b *tableBuilder) elements() error {
	if !b.acceptKind(LeftParen) {
		return b.failExpected("( and the columns")
	}
	for {
		if err := b.element(); err != nil {
			return err
		}
		if b.acceptKind(RightParen) {
			return nil
		}
		if !b.acceptKind(Comma) {
			return b.failExpected(", or )")
		}
		if len(b.n.Columns) > ddl.MaxColumns {
			return b.fail(fault.InvalidParameter, "a table has at most %d columns", ddl.MaxColumns)
		}
	}
}

func (b *tableBuilder) element() error {
	if b.startsColumn() {
		return b.column()
	}
	if name, ok, err := b.constraint(); ok || err != nil {
		if err != nil {
			return err
		}
		return b.check(name)
	}
	if b.startsIndex() {
		return b.tableIndex()
	}
	if b.accept("CONSTRAINT") && !b.is("PRIMARY") && !b.refusedClause() {
		if _, err := b.name("the name of a constraint"); err != nil {
			return err
		}
	}
	if b.refusedClause() {
		return b.refuseClause()
	}
	if err := b.expect("PRIMARY", "KEY"); err != nil {
		return err
	}
	return b.primaryKey()
}

// startsColumn tells a column that is called key, or index, from a KEY clause:
// the column's name has a type behind it.
func (b *tableBuilder) startsColumn() bool {
	if !b.is("PRIMARY") && !b.is("CONSTRAINT") && !b.is("CHECK") && !b.refusedClause() &&
		!b.startsIndex() {
		return true
	}
	if b.i+1 >= len(b.toks) {
		return false
	}
	next := b.toks[b.i+1]
	return next.Kind == Identifier && isTypeName(strings.ToUpper(next.Text(b.src)))
}

// tableIndex consumes an index of a new table.
func (b *tableBuilder) tableIndex() error {
	at := b.i
	x, err := b.index()
	if err != nil {
		return err
	}
	b.indexes = append(b.indexes, x)
	if len(b.indexes) > ddl.MaxIndexes {
		return b.at(at, fault.New(fault.InvalidParameter, "a table has at most %d indexes",
			ddl.MaxIndexes))
	}
	return nil
}

// refusedClause reports whether a clause comes next that would have to be
// enforced and can't be yet.
func (b *tableBuilder) refusedClause() bool {
	switch b.word() {
	case "FOREIGN", "REFERENCES", "FULLTEXT", "SPATIAL",
		"EXCLUDE", "PERIOD":
		return true
	}
	return false
}

func (b *tableBuilder) refuseClause() error {
	clause := b.word()
	if clause == "FOREIGN" {
		clause = "FOREIGN KEY"
	}
	return b.unsupported("%s is not supported; leave it out, it would not be enforced", clause)
}

// primaryKey consumes (a, b) behind PRIMARY KEY.
func (b *tableBuilder) primaryKey() error {
	if err := b.oneKey(b.i - 2); err != nil {
		return err
	}
	if err := b.expectKind(LeftParen); err != nil {
		return err
	}
	for {
		at := b.i
		name, err := b.name("a column of the primary key")
		if err != nil {
			return err
		}
		b.keys, b.keyAt = append(b.keys, strings.ToLower(name)), append(b.keyAt, at)
		switch {
		case b.acceptKind(RightParen):
			return nil
		case b.acceptKind(Comma):
		case b.is("DESC"), b.peek().Kind == LeftParen:
			return b.unsupported("a primary key is of whole columns in ascending order; " +
				"reads go both ways")
		case b.accept("ASC") && b.acceptKind(RightParen):
			return nil
		default:
			return b.failExpected(", or )")
		}
	}
}

// oneKey refuses a second primary key, at token at.
func (b *tableBuilder) oneKey(at int) error {
	if b.hasKey {
		return b.at(at, fault.New(fault.InvalidSQL, "the table has two primary keys; "+
			"for one of several columns write PRIMARY KEY (a, b)"))
	}
	b.hasKey = true
	return nil
}

// finish resolves the key and checks the table as a whole. at is the token of
// the table's name.
func (b *tableBuilder) finish(at int) error {
	n := b.n
	if n.Kind == "" {
		n.Kind = ddl.UserTable
	}
	if n.Kind == ddl.SharedTable && n.Access == "" {
		n.Access = ddl.Private
	}
	if n.Kind == ddl.StreamTable && n.Scope == "" {
		n.Scope = ddl.UserScope
	}
	t := n.Table()
	names := upperNames(t)
	for i, key := range b.keys {
		pos := t.Column(key)
		if pos < 0 {
			return b.at(b.keyAt[i], fault.New(fault.ColumnNotFound,
				"the primary key names column %q, which the table has not%s",
				clip(key), strings.ToLower(suggest(strings.ToUpper(key), names))))
		}
		if t.IsKey(pos) {
			return b.at(b.keyAt[i], fault.New(fault.InvalidSQL,
				"column %s stands twice in the primary key", key))
		}
		t.PrimaryKey = append(t.PrimaryKey, pos)
		t.Columns[pos].NotNull = true
		if err := t.Columns[pos].Validate(); err != nil {
			return b.at(b.columnAt[pos], err)
		}
	}
	n.Columns, n.PrimaryKey = t.Columns, t.PrimaryKey
	if err := b.resolveIndexes(t); err != nil {
		return err
	}
	n.Indexes = t.Indexes
	t.Checks = b.resolveChecks()
	if err := b.noColumns(t.Checks); err != nil {
		return err
	}
	n.Checks = t.Checks
	return b.at(at, t.Validate())
}

// dropTable reads [USER | SHARED | STREAM] TABLE ... of DROP.
func (p *parser) dropTable() (Kind, Node, error) {
	n := &ast.DropTable{Kind: p.tableKind()}
	p.accept("TABLE")
	n.IfExists = p.ifExists()
	ref, err := p.table(true)
	if err != nil {
		return 0, nil, err
	}
	n.Namespace, n.Name = ref.Namespace, ref.Name
	if p.peek().Kind == Comma {
		return 0, nil, p.unsupported("DROP TABLE of several tables is not supported; " +
			"write one statement for each")
	}
	return p.complete(DropTable, n)
}

// describe reads DESCRIBE t.
func (p *parser) describe() (Kind, Node, error) {
	p.next()
	switch word := p.word(); word {
	case wordSelect, wordWith, "INSERT", "UPDATE", "DELETE":
		return 0, nil, p.unsupported("DESCRIBE %s is not supported; use EXPLAIN", word)
	case "TABLE":
		if p.i+1 < len(p.toks) {
			p.next()
		}
	}
	return p.describeTable()
}

func (p *parser) describeTable() (Kind, Node, error) {
	ref, err := p.table(false)
	if err != nil {
		return 0, nil, err
	}
	n := &ast.DescribeTable{TableRef: ref, History: p.accept("HISTORY")}
	return p.complete(DescribeTable, n)
}

// showCreate reads SHOW CREATE TABLE t.
func (p *parser) showCreate() (Kind, Node, error) {
	if word := p.word(); word != "TABLE" && p.i+1 < len(p.toks) {
		return 0, nil, p.unsupported("SHOW CREATE %s is not supported; use SHOW CREATE TABLE t",
			clip(word))
	}
	if err := p.expect("TABLE"); err != nil {
		return 0, nil, err
	}
	ref, err := p.table(false)
	if err != nil {
		return 0, nil, err
	}
	return p.complete(ShowCreateTable, &ast.ShowCreateTable{TableRef: ref})
}
