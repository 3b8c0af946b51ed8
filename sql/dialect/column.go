package dialect

import (
	"strings"

	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/commons/value"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// column consumes name type clauses.
func (b *tableBuilder) column() error {
	at := b.i
	name, err := b.columnName()
	if err != nil {
		return err
	}
	cb := columnBuilder{tableBuilder: b, nameAt: at}
	cb.c.ID, cb.c.Name = ident.ColumnID(len(b.n.Columns)+1), name
	if cb.c.Type, err = b.columnType(); err != nil {
		return err
	}
	for {
		done, err := cb.clause()
		if err != nil {
			return err
		}
		if done {
			break
		}
	}
	if err := cb.finish(); err != nil {
		return err
	}
	b.n.Columns, b.columnAt = append(b.n.Columns, cb.c), append(b.columnAt, at)
	return nil
}

// columnName consumes the name of a new column.
func (b *tableBuilder) columnName() (string, error) {
	at := b.i
	name, err := b.name("the name of a column")
	if err != nil {
		return "", err
	}
	if strings.HasPrefix(name, "_") || system.IsColumn(strings.ToLower(name)) {
		return "", b.at(at, fault.New(fault.InvalidParameter,
			"column name %q is reserved: names with a leading underscore are the system's",
			clip(name)))
	}
	name, err = ident.ParseColumnName(name)
	if err != nil {
		return "", b.at(at, err)
	}
	for _, c := range b.n.Columns {
		if c.Name == name {
			return "", b.at(at, fault.New(fault.InvalidSQL,
				"column %s is declared twice; names of columns ignore case", name))
		}
	}
	return name, nil
}

// columnBuilder collects the clauses of one column.
type columnBuilder struct {
	*tableBuilder
	c       ddl.Column
	nameAt  int // the token of its name
	null    bool
	key     bool
	auto    bool
	unique  bool
	comment bool
}

// clause consumes one clause of the column, if there is another.
func (b *columnBuilder) clause() (done bool, err error) {
	at := b.i
	switch {
	case b.accept("NOT", "NULL"):
		return false, b.once(at, &b.c.NotNull)
	case b.accept("NULL"):
		return false, b.once(at, &b.null)
	case b.accept("PRIMARY"):
		if err := b.expect("KEY"); err != nil {
			return false, err
		}
		b.keys, b.keyAt = append(b.keys, b.c.Name), append(b.keyAt, at)
		if err := b.oneKey(at); err != nil {
			return false, err
		}
		return false, b.once(at, &b.key)
	case b.accept("UNIQUE"):
		b.accept("KEY")
		b.indexes = append(b.indexes, indexDef{
			unique: true, columns: []string{b.c.Name}, columnsAt: []int{at},
		})
		return false, b.once(at, &b.unique)
	case b.accept("AUTO_INCREMENT"), b.accept("AUTOINCREMENT"):
		return false, b.once(at, &b.auto)
	case b.accept("DEFAULT"):
		if b.c.Default != nil {
			return false, b.at(at, fault.New(fault.InvalidSQL, "DEFAULT is given twice; keep one"))
		}
		b.c.Default, err = b.defaultValue(b.c.Type)
		return false, err
	case b.accept("COMMENT"):
		if err := b.once(at, &b.comment); err != nil {
			return false, err
		}
		b.c.Comment, err = b.text("a comment")
		return false, err
	case b.refusedClause():
		return false, b.refuseClause()
	}
	if name, ok, err := b.constraint(); ok || err != nil {
		if err != nil {
			return false, err
		}
		return false, b.check(name)
	}
	return b.lastClause()
}

// lastClause ends the column, or refuses what other databases write there.
func (b *columnBuilder) lastClause() (bool, error) {
	if k := b.peek().Kind; k == 0 || k == Comma || k == RightParen {
		return true, nil
	}
	switch word := b.word(); word {
	case "FIRST", "AFTER":
		return false, b.unsupported("%s is not supported; a new column stands behind the others", word)
	case "CHARACTER", "CHARSET", "COLLATE", "ON", "GENERATED", "AS", "VIRTUAL", "STORED", "INVISIBLE",
		"VISIBLE", "CONSTRAINT", "STORAGE", "COLUMN_FORMAT", "IDENTITY", "ZEROFILL", "SRID":
		return false, b.unsupported("%s of a column is not supported; leave it out", word)
	}
	return false, b.failExpected("a clause of the column, or ,")
}

// once sets a flag that may be set once.
func (b *columnBuilder) once(at int, flag *bool) error {
	if *flag {
		return b.at(at, fault.New(fault.InvalidSQL, "this clause is given twice; keep one"))
	}
	*flag = true
	return nil
}

// finish checks the clauses against each other.
func (b *columnBuilder) finish() error {
	c := &b.c
	fail := func(code fault.Code, format string) error {
		return b.at(b.nameAt, fault.New(code, format, c.Name))
	}
	switch {
	case b.null && b.key:
		return fail(fault.InvalidSQL, "column %s is a primary key and can't be NULL")
	case b.null && c.NotNull:
		return fail(fault.InvalidSQL, "column %s is declared NULL and NOT NULL; keep one")
	case b.auto && c.Default != nil:
		return fail(fault.InvalidSQL, "column %s has AUTO_INCREMENT and DEFAULT; keep one")
	case b.auto && c.Type.Kind != value.Int64 && c.Type.Kind != value.Uint64:
		return fail(fault.Unsupported, "AUTO_INCREMENT of column %s gives 64-bit numbers; "+
			"declare it BIGINT")
	}
	if b.auto {
		c.Default = ddl.FuncDefault(ddl.FuncSnowflake)
	}
	c.NotNull = c.NotNull || b.key
	return b.at(b.nameAt, c.Validate())
}
