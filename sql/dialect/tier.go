package dialect

import (
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// storage reads STORAGE in front of FLUSH and COMPACT, which says the same.
func (p *parser) storage() (Kind, Node, error) {
	p.next()
	switch p.word() {
	case wordFlush:
		return p.flush()
	case wordCompact:
		return p.compact()
	}
	return 0, nil, p.failExpected("FLUSH or COMPACT")
}

// flush reads FLUSH TABLE t [FOR USER 'u'] and FLUSH ALL [IN ns].
func (p *parser) flush() (Kind, Node, error) {
	p.next()
	switch {
	case p.accept("ALL"):
		return p.flushAll()
	case p.is("TABLES"), p.is("PRIVILEGES"), p.is("LOGS"), p.is("STATUS"), p.is("HOSTS"):
		return 0, nil, p.refuse("FLUSH "+p.word(), "use FLUSH TABLE t or FLUSH ALL")
	}
	if err := p.expect("TABLE"); err != nil {
		return 0, nil, err
	}
	n := &ast.FlushTable{}
	var err error
	if n.TableRef, err = p.table(false); err != nil {
		return 0, nil, err
	}
	if p.accept("FOR") {
		if err := p.expect("USER"); err != nil {
			return 0, nil, err
		}
		if n.User, err = p.userID(); err != nil {
			return 0, nil, err
		}
	}
	return p.complete(FlushTable, n)
}

func (p *parser) flushAll() (Kind, Node, error) {
	n := &ast.FlushAll{}
	p.accept("TABLES")
	if p.accept("IN") {
		var err error
		if n.Namespace, err = p.ownNamespace(); err != nil {
			return 0, nil, err
		}
	}
	return p.complete(FlushAll, n)
}

// compact reads COMPACT TABLE t.
func (p *parser) compact() (Kind, Node, error) {
	p.next()
	ref, err := p.wholeTable()
	if err != nil {
		return 0, nil, err
	}
	return p.complete(CompactTable, &ast.CompactTable{TableRef: ref})
}

// check reads CHECK TABLE t and CHECK STORAGE id.
func (p *parser) check() (Kind, Node, error) {
	p.next()
	if p.accept(wordStorage) {
		return p.checkStorage()
	}
	ref, err := p.wholeTable()
	if err != nil {
		return 0, nil, err
	}
	return p.complete(CheckTable, &ast.CheckTable{TableRef: ref})
}

// wholeTable consumes TABLE t.
func (p *parser) wholeTable() (ast.TableRef, error) {
	if err := p.expect("TABLE"); err != nil {
		return ast.TableRef{}, err
	}
	return p.table(false)
}

// showManifest reads FOR t behind SHOW MANIFEST.
func (p *parser) showManifest() (Kind, Node, error) {
	if err := p.expect("FOR"); err != nil {
		return 0, nil, err
	}
	ref, err := p.table(false)
	if err != nil {
		return 0, nil, err
	}
	return p.complete(ShowManifest, &ast.ShowManifest{TableRef: ref})
}

// showStats reads FOR TABLE t behind SHOW STATS.
func (p *parser) showStats() (Kind, Node, error) {
	if err := p.expect("FOR"); err != nil {
		return 0, nil, err
	}
	ref, err := p.wholeTable()
	if err != nil {
		return 0, nil, err
	}
	return p.complete(ShowStats, &ast.ShowStats{TableRef: ref})
}
