package dialect

import (
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

func (p *parser) createNamespace() (Kind, Node, error) {
	n := &ast.CreateNamespace{IfNotExists: p.ifNotExists()}
	var err error
	if n.Name, err = p.ownNamespace(); err != nil {
		return 0, nil, err
	}
	if p.accept(wordWith) {
		if n.Options, err = p.namespaceOptions(); err != nil {
			return 0, nil, err
		}
	}
	return p.complete(CreateNamespace, n)
}

func (p *parser) alterNamespace() (Kind, Node, error) {
	n := &ast.AlterNamespace{}
	var err error
	if n.Name, err = p.ownNamespace(); err != nil {
		return 0, nil, err
	}
	if err = p.expect("SET"); err != nil {
		return 0, nil, err
	}
	at := p.i
	if n.Set, err = p.namespaceOptions(); err != nil {
		return 0, nil, err
	}
	if len(n.Set) == 0 {
		return 0, nil, p.at(at, fault.New(fault.InvalidSQL, "ALTER NAMESPACE sets nothing; "+
			"write SET (k = 'v')"))
	}
	return p.complete(AlterNamespace, n)
}

func (p *parser) namespaceOptions() (map[string]string, error) {
	opts, err := p.options()
	if err != nil {
		return nil, err
	}
	m := make(map[string]string, len(opts))
	for _, o := range opts {
		m[o.name] = o.value
	}
	return m, nil
}

func (p *parser) dropNamespace() (Kind, Node, error) {
	n := &ast.DropNamespace{IfExists: p.ifExists()}
	var err error
	if n.Name, err = p.ownNamespace(); err != nil {
		return 0, nil, err
	}
	if n.Cascade = p.accept("CASCADE"); !n.Cascade {
		p.accept("RESTRICT")
	}
	return p.complete(DropNamespace, n)
}

func (p *parser) use() (Kind, Node, error) {
	p.next()
	if len(p.toks) > 2 {
		p.accept("NAMESPACE")
	}
	ns, err := p.anyNamespace()
	if err != nil {
		return 0, nil, err
	}
	return p.complete(UseNamespace, &ast.UseNamespace{Name: ns})
}

func (p *parser) showTables() (Kind, Node, error) {
	n := &ast.ShowTables{}
	if p.accept("IN") || p.accept("FROM") {
		var err error
		if n.Namespace, err = p.anyNamespace(); err != nil {
			return 0, nil, err
		}
	}
	return p.complete(ShowTables, n)
}
