package dialect

import "github.com/kalamdb/kalamdb-go/sql/dialect/ast"

// transaction parses what begins or ends a transaction. Isolation is always
// snapshot, so levels and modes are refused.
func (p *parser) transaction(word string) (Kind, Node, error) {
	p.next()
	if word == wordStart {
		if err := p.expect("TRANSACTION"); err != nil {
			return 0, nil, err
		}
	} else if !p.accept("WORK") {
		p.accept("TRANSACTION")
	}
	switch {
	case p.is("ISOLATION"), p.is("READ"), p.is("WITH"):
		return 0, nil, p.unsupported("transactions have no modes; isolation is snapshot")
	case p.is("TO"), p.is("AND"), p.is("RELEASE"):
		return 0, nil, p.unsupported("savepoints and chained transactions are not supported")
	}
	if err := p.end(); err != nil {
		return 0, nil, err
	}
	switch word {
	case wordCommit:
		return Commit, &ast.Commit{}, nil
	case wordRollback:
		return Rollback, &ast.Rollback{}, nil
	}
	return Begin, &ast.Begin{}, nil
}
