package dialect

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// indexDef is an index as it is written: its columns are not looked up yet.
type indexDef struct {
	name      string // lower case; "" to be given one
	unique    bool
	columns   []string // lower case
	columnsAt []int    // their tokens
}

// startsIndex reports whether INDEX, KEY or UNIQUE comes next, or CONSTRAINT
// name UNIQUE.
func (p *parser) startsIndex() bool {
	switch p.word() {
	case "INDEX", "KEY", "UNIQUE":
		return true
	case "CONSTRAINT":
		ahead := *p
		ahead.i++
		return ahead.is("UNIQUE") || ahead.i+1 < len(p.toks) && p.toks[ahead.i+1].Is(p.src, "UNIQUE")
	}
	return false
}

// index consumes [UNIQUE] [INDEX | KEY] [name] (column, ...), or CONSTRAINT
// [name] UNIQUE ... of it.
func (p *parser) index() (x indexDef, err error) {
	if p.accept("CONSTRAINT") && !p.is("UNIQUE") {
		if x.name, err = p.indexName(); err != nil {
			return x, err
		}
	}
	x.unique = p.accept("UNIQUE")
	_ = p.accept("INDEX") || p.accept("KEY")
	if p.peek().Kind != LeftParen && !p.is("USING") {
		if x.name, err = p.indexName(); err != nil {
			return x, err
		}
	}
	if err := p.using(); err != nil {
		return x, err
	}
	if err := p.indexColumns(&x); err != nil {
		return x, err
	}
	return x, p.using()
}

// indexName consumes the name of an index.
func (p *parser) indexName() (string, error) {
	at := p.i
	name, err := p.name("the name of an index")
	if err != nil {
		return "", err
	}
	if name, err = ident.ParseColumnName(name); err == nil && name == ddl.PrimaryIndex {
		err = fault.New(fault.InvalidParameter,
			"an index can't be called primary, which is the primary key")
	}
	return name, p.at(at, err)
}

// using consumes USING BTREE, the one kind of index there is.
func (p *parser) using() error {
	if !p.accept("USING") {
		return nil
	}
	if !p.accept("BTREE") {
		return p.unsupported("an index USING %s is not supported; leave it out, indexes are ordered",
			clip(p.word()))
	}
	return nil
}

// indexColumns consumes (column [ASC], ...).
func (p *parser) indexColumns(x *indexDef) error {
	if err := p.expectKind(LeftParen); err != nil {
		return err
	}
	for {
		at := p.i
		if p.peek().Kind == LeftParen {
			return p.unsupported("an index of an expression is not supported; index columns")
		}
		name, err := p.existingColumn()
		if err != nil {
			return err
		}
		x.columns, x.columnsAt = append(x.columns, name), append(x.columnsAt, at)
		if len(x.columns) > ddl.MaxIndexColumns {
			return p.fail(fault.InvalidParameter, "an index has at most %d columns", ddl.MaxIndexColumns)
		}
		switch {
		case p.is("DESC"):
			return p.unsupported("an index is in ascending order and read both ways; leave out DESC")
		case p.peek().Kind == LeftParen:
			return p.unsupported("an index of the beginning of a text is not supported; "+
				"whole values of up to %d bytes are indexed", ddl.MaxIndexBytes)
		}
		p.accept("ASC")
		switch {
		case p.acceptKind(Comma):
		case p.acceptKind(RightParen):
			return nil
		default:
			return p.failExpected(", or )")
		}
	}
}

// addIndex returns x as an action of ALTER TABLE.
func (x *indexDef) addIndex() *ddl.AddIndex {
	return &ddl.AddIndex{Name: x.name, Columns: x.columns, Unique: x.unique}
}

// createIndex reads [UNIQUE] INDEX [IF NOT EXISTS] i ON t (column, ...) of
// CREATE.
func (p *parser) createIndex() (Kind, Node, error) {
	n := &ast.CreateIndex{}
	var x indexDef
	var err error
	x.unique = p.accept("UNIQUE")
	p.accept("INDEX")
	if p.is("CONCURRENTLY") {
		return 0, nil, p.unsupported("CONCURRENTLY is not needed: rows are written while an index is " +
			"built; leave it out")
	}
	ifNotExists := p.ifNotExists()
	if x.name, err = p.indexName(); err != nil {
		return 0, nil, err
	}
	if err := p.using(); err != nil {
		return 0, nil, err
	}
	if err := p.expect("ON"); err != nil {
		return 0, nil, err
	}
	if n.TableRef, err = p.table(true); err != nil {
		return 0, nil, err
	}
	if err := p.using(); err != nil { // where PostgreSQL has it
		return 0, nil, err
	}
	if err := p.indexColumns(&x); err != nil {
		return 0, nil, err
	}
	if err := p.using(); err != nil {
		return 0, nil, err
	}
	if p.is("WHERE") || p.is("INCLUDE") || p.is("COMMENT") {
		return 0, nil, p.unsupported("CREATE INDEX ... %s is not supported; leave it out", p.word())
	}
	n.Index = *x.addIndex()
	n.Index.IfNotExists = ifNotExists
	return p.complete(CreateIndex, n)
}

// dropIndex reads INDEX [IF EXISTS] i ON t of DROP.
func (p *parser) dropIndex() (Kind, Node, error) {
	n := &ast.DropIndex{}
	n.Index.IfExists = p.ifExists()
	var err error
	if n.Index.Name, err = p.indexName(); err != nil {
		return 0, nil, err
	}
	if p.i == len(p.toks) {
		return 0, nil, p.fail(fault.InvalidSQL, "say whose index it is: DROP INDEX %s ON t", n.Index.Name)
	}
	if err := p.expect("ON"); err != nil {
		return 0, nil, err
	}
	if n.TableRef, err = p.table(true); err != nil {
		return 0, nil, err
	}
	return p.complete(DropIndex, n)
}

// showIndexes reads INDEX FROM t of SHOW.
func (p *parser) showIndexes() (Kind, Node, error) {
	if !p.accept("FROM") && !p.accept("IN") {
		return 0, nil, p.failExpected("FROM and a table")
	}
	ref, err := p.table(false)
	if err != nil {
		return 0, nil, err
	}
	return p.complete(ShowIndexes, &ast.ShowIndexes{TableRef: ref})
}

// resolveIndexes gives the indexes of a new table their numbers, names and
// columns.
func (b *tableBuilder) resolveIndexes(t *ddl.Table) error {
	taken := make([]ddl.Index, 0, len(b.indexes)) // by those that were given a name
	for _, x := range b.indexes {
		if x.name != "" {
			taken = append(taken, ddl.Index{Name: x.name})
		}
	}
	for i, def := range b.indexes {
		x := ddl.Index{ID: ident.IndexID(i + 1), Name: def.name, Unique: def.unique}
		for n, name := range def.columns {
			at := t.Column(name)
			if at < 0 {
				return b.at(def.columnsAt[n], fault.New(fault.ColumnNotFound,
					"an index names column %q, which the table has not%s",
					clip(name), strings.ToLower(suggest(strings.ToUpper(name), upperNames(t)))))
			}
			x.Columns = append(x.Columns, t.Columns[at].ID)
		}
		if x.Name == "" {
			x.Name = ddl.FreeIndexName(taken, def.columns[0])
			taken = append(taken, x)
		}
		t.Indexes = append(t.Indexes, x)
	}
	return nil
}

func upperNames(t *ddl.Table) []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = strings.ToUpper(c.Name)
	}
	return names
}
