package dialect

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/serde"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// maxActions bounds the actions of one ALTER TABLE.
const maxActions = ddl.MaxColumns

// alterTable reads [USER | SHARED] TABLE ... of ALTER.
func (p *parser) alterTable() (Kind, Node, error) {
	n := &ast.AlterTable{Kind: p.tableKind()}
	p.accept("TABLE")
	n.IfExists = p.ifExists()
	ref, err := p.table(true)
	if err != nil {
		return 0, nil, err
	}
	n.TableRef = ref
	for {
		actions, err := p.alterAction()
		if err != nil {
			return 0, nil, err
		}
		n.Actions = append(n.Actions, actions...)
		if err := p.addsApart(n.Actions); err != nil {
			return 0, nil, err
		}
		if len(n.Actions) > maxActions {
			return 0, nil, p.fail(fault.InvalidParameter, "more than %d actions; write several statements",
				maxActions)
		}
		if !p.acceptKind(Comma) {
			return p.complete(AlterTable, n)
		}
	}
}

// addsApart refuses ADD INDEX beside other actions: building an index may fail
// on the rows that are there, and a statement does all or nothing.
func (p *parser) addsApart(actions []ddl.Action) error {
	adds := 0
	for _, a := range actions {
		if _, ok := a.(*ddl.AddIndex); ok {
			adds++
		}
	}
	if adds == 0 || adds == len(actions) {
		return nil
	}
	return p.unsupported("ADD INDEX can't stand beside other actions; write an ALTER TABLE of its own")
}

// alterAction reads one action, or the columns of ADD (a INT, b INT).
func (p *parser) alterAction() ([]ddl.Action, error) {
	var a ddl.Action
	var err error
	switch {
	case p.accept("ADD"):
		if b := (&tableBuilder{parser: p}); p.startsIndex() && !b.startsColumn() {
			x, err := p.index()
			return []ddl.Action{x.addIndex()}, err
		}
		return p.addColumns()
	case p.startsDropIndex():
		a, err = p.dropIndexAction()
	case p.accept(wordDrop):
		a, err = p.dropColumn()
	case p.accept("RENAME"):
		a, err = p.renameColumn()
	case p.accept("MODIFY"):
		p.accept("COLUMN")
		a, err = p.modifyColumn()
	case p.accept(wordAlter):
		p.accept("COLUMN")
		a, err = p.alterColumn()
	case p.accept("SET"):
		a, err = p.setTableOptions()
	default:
		return nil, p.otherAction()
	}
	return []ddl.Action{a}, err
}

// otherAction refuses what other databases alter.
func (p *parser) otherAction() error {
	const change = "use RENAME COLUMN a TO b and MODIFY COLUMN"
	instead := map[string]string{
		"CHANGE": change, "COMMENT": "use SET (COMMENT = 's')", "CODEC": "use SET (CODEC = 'row')",
		"ACCESS": "use SET (ACCESS = 'public')", "ORDER": "", "ENGINE": "", "CONVERT": "",
		"DEFAULT": "", "CHARACTER": "", "ALGORITHM": "", "LOCK": "", "OWNER": "", "PARTITION": "",
		"ENABLE": "", "DISABLE": "", "AUTO_INCREMENT": "", "TRUNCATE": "use TRUNCATE TABLE",
	}
	word := p.word()
	if hint, ok := instead[word]; ok {
		return p.refuse("ALTER TABLE ... "+word, hint)
	}
	return p.failExpected("ADD, DROP, RENAME, MODIFY, ALTER or SET")
}

// newColumn consumes the declaration of a column that stands alone.
func (p *parser) newColumn() (ddl.Column, error) {
	b := tableBuilder{parser: p, n: &ast.CreateTable{}}
	if err := b.column(); err != nil {
		return ddl.Column{}, err
	}
	if b.hasKey {
		return ddl.Column{}, p.at(b.keyAt[0], fault.New(fault.Unsupported,
			"the primary key of a table can't change; create another table and copy the rows"))
	}
	if len(b.indexes) > 0 {
		return ddl.Column{}, p.at(b.indexes[0].columnsAt[0], fault.New(fault.Unsupported,
			"UNIQUE can't stand at a column here; add a unique index: ADD UNIQUE (%s)",
			b.n.Columns[0].Name))
	}
	if len(b.checks) > 0 {
		return ddl.Column{}, p.at(b.checks[0].first, fault.New(fault.Unsupported,
			"CHECK can't be added to a table; create another table and copy the rows"))
	}
	return b.n.Columns[0], nil
}

func (p *parser) addColumns() ([]ddl.Action, error) {
	b := tableBuilder{parser: p}
	if named := p.accept("COLUMN"); !named && !b.startsColumn() && !p.is("IF") {
		return nil, p.refuse("ALTER TABLE ... ADD "+p.word(), "")
	}
	if !p.acceptKind(LeftParen) {
		add := &ddl.AddColumn{IfNotExists: p.ifNotExists()}
		var err error
		add.Column, err = p.newColumn()
		return []ddl.Action{add}, err
	}
	var all []ddl.Action
	for {
		c, err := p.newColumn()
		if err != nil {
			return nil, err
		}
		all = append(all, &ddl.AddColumn{Column: c})
		if p.acceptKind(RightParen) {
			return all, nil
		}
		if !p.acceptKind(Comma) {
			return nil, p.failExpected(", or )")
		}
	}
}

// otherPart refuses what is dropped and renamed elsewhere, besides columns.
func (p *parser) otherPart(verb string) error {
	switch p.word() {
	case "PRIMARY", "FOREIGN", "INDEX", "KEY", "CONSTRAINT", "CHECK", "PARTITION":
		next := p.i + 1 // a column may be called so
		if next < len(p.toks) && p.toks[next].Kind != Comma && !p.toks[next].Is(p.src, "TO") {
			return p.refuse("ALTER TABLE ... "+verb+" "+p.word(), "")
		}
	}
	return nil
}

// startsDropIndex tells DROP INDEX i from DROP of a column that is called index.
func (p *parser) startsDropIndex() bool {
	if !p.is(wordDrop, "INDEX") && !p.is(wordDrop, "KEY") || p.i+2 >= len(p.toks) {
		return false
	}
	switch p.toks[p.i+2].Kind {
	case Identifier, QuotedIdentifier:
		return true
	}
	return false
}

// dropIndexAction consumes DROP INDEX [IF EXISTS] i.
func (p *parser) dropIndexAction() (_ ddl.Action, err error) {
	p.i += 2
	drop := &ddl.DropIndex{IfExists: p.ifExists()}
	drop.Name, err = p.indexName()
	return drop, err
}

func (p *parser) dropColumn() (ddl.Action, error) {
	if !p.accept("COLUMN") {
		if err := p.otherPart(wordDrop); err != nil {
			return nil, err
		}
	}
	drop := &ddl.DropColumn{IfExists: p.ifExists()}
	var err error
	if drop.Name, err = p.existingColumn(); err != nil {
		return nil, err
	}
	if p.is("CASCADE") || p.is("RESTRICT") {
		return nil, p.unsupported("DROP COLUMN ... %s is not supported; leave it out", p.word())
	}
	return drop, nil
}

// existingColumn consumes the name of a column, in lower case.
func (p *parser) existingColumn() (string, error) {
	at := p.i
	name, err := p.name("the name of a column")
	if err != nil {
		return "", err
	}
	if name, err = ident.ParseColumnName(name); err != nil {
		return "", p.at(at, err)
	}
	return name, nil
}

func (p *parser) renameColumn() (ddl.Action, error) {
	if p.is("TO") || p.is("AS") {
		return nil, p.unsupported("a table can't be renamed; create another and copy the rows")
	}
	if !p.accept("COLUMN") {
		if err := p.otherPart("RENAME"); err != nil {
			return nil, err
		}
	}
	rename := &ddl.RenameColumn{}
	var err error
	if rename.From, err = p.existingColumn(); err != nil {
		return nil, err
	}
	if err := p.expect("TO"); err != nil {
		return nil, err
	}
	b := tableBuilder{parser: p, n: &ast.CreateTable{}}
	rename.To, err = b.columnName()
	return rename, err
}

func (p *parser) modifyColumn() (ddl.Action, error) {
	c, err := p.newColumn()
	return &ddl.ModifyColumn{Column: c}, err
}

// alterColumn reads c SET DEFAULT d | DROP DEFAULT.
func (p *parser) alterColumn() (ddl.Action, error) {
	set := &ddl.SetDefault{}
	var err error
	if set.Name, err = p.existingColumn(); err != nil {
		return nil, err
	}
	switch {
	case p.accept("SET", "DEFAULT"):
		b := tableBuilder{parser: p}
		set.Default, err = b.defaultValue(ddl.Type{})
		return set, err
	case p.accept(wordDrop, "DEFAULT"):
		return set, nil
	case p.is("TYPE"), p.is("SET"), p.is(wordDrop), p.is("ADD"):
		return nil, p.unsupported("ALTER COLUMN takes SET DEFAULT and DROP DEFAULT; " +
			"use MODIFY COLUMN to declare the column anew")
	}
	return nil, p.failExpected("SET DEFAULT or DROP DEFAULT")
}

// setTableOptions reads (k = v, ...) behind SET.
func (p *parser) setTableOptions() (ddl.Action, error) {
	at := p.i
	opts, err := p.options()
	if err != nil {
		return nil, err
	}
	if len(opts) == 0 {
		return nil, p.at(at, fault.New(fault.InvalidSQL, "ALTER TABLE sets nothing; "+
			"write SET (COMMENT = 's')"))
	}
	set := &ddl.SetOptions{}
	var given []option
	for _, o := range opts {
		o, err := o.canonical()
		if err == nil {
			err = p.addOption(&given, o)
		}
		if err == nil {
			err = setTableOption(set, o)
		}
		if err != nil {
			return nil, p.at(o.at, err)
		}
	}
	return set, nil
}

func setTableOption(set *ddl.SetOptions, o option) error {
	switch o.name {
	case optAccess:
		a, err := accessOf(o.value)
		if err != nil {
			return err
		}
		set.Access = &a
	case optCodec:
		c, err := serde.ByName(strings.ToLower(o.value))
		if err != nil {
			return err
		}
		id := c.ID()
		set.Codec = &id
	case optComment:
		set.Comment = &o.value
	case optStorage, optUserStorage, optFlush, optDeleted:
		return setTier(set, o)
	case optTTL, optScope:
		return fault.New(fault.Unsupported, "%s of a STREAM table can't change; create another table",
			strings.ToUpper(o.name))
	case optType:
		return fault.New(fault.Unsupported,
			"the type of a table can't change; create another table and copy the rows")
	default:
		return unknownOption(o.name)
	}
	return nil
}

func setTier(set *ddl.SetOptions, o option) error {
	var to ast.Tier
	if err := tierOption(&to, o); err != nil {
		return err
	}
	switch o.name {
	case optStorage:
		set.Storage = &to.Storage
	case optUserStorage:
		set.UserStorage = &to.UserStorage
	case optFlush:
		set.Flush = &to.Flush
	case optDeleted:
		set.DeletedRetention = &to.DeletedRetention
	}
	return nil
}

// truncateTable reads TRUNCATE [TABLE] t.
func (p *parser) truncateTable() (Kind, Node, error) {
	p.next()
	n := &ast.TruncateTable{}
	if next := p.i + 1; next >= len(p.toks) || p.toks[next].Kind != Dot {
		p.accept("TABLE")
	}
	ref, err := p.table(true)
	if err != nil {
		return 0, nil, err
	}
	n.TableRef = ref
	if p.peek().Kind == Comma {
		return 0, nil, p.unsupported("TRUNCATE of several tables is not supported; " +
			"write one statement for each")
	}
	if p.is("CASCADE") || p.is("RESTART") || p.is("CONTINUE") || p.is("RESTRICT") {
		return 0, nil, p.unsupported("TRUNCATE ... %s is not supported; leave it out", p.word())
	}
	return p.complete(TruncateTable, n)
}
